"""A test for memorisation: whether samples are copies of the training data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fastgan.metrics.checks import as_rows, check_same_width

__all__ = ["Memorisation", "memorisation", "nearest_rows"]

_CHUNK = 1024  # rows of the distance matrix that are in memory at a time


@dataclass(frozen=True)
class Memorisation:
    """How near samples are to the training data, compared with held-out data.

    Attributes:
        share_nearer: the probability that a sample is nearer to the training data than a held-out sample is, where a
            tie counts half. It is 0.5 for a generator that generalises and 1 for copies; below 0.5 samples are further
            from the training data than real data are.
        z: the difference of `share_nearer` from 0.5 in standard errors of the rank test; values within +-3 may be
            chance. It is Meehan's C_T with the opposite sign.
        median_ratio: the median distance of the samples divided by that of the held-out data: 1 for a generator that
            generalises, 0 for copies.
    """

    share_nearer: float
    z: float
    median_ratio: float


def memorisation(samples: Tensor, train: Tensor, held_out: Tensor | None = None) -> Memorisation:
    """Compare two sets of distances to the nearest training row: those of samples and those of held-out data.

    The test for data copying of Meehan et al. (2020), with a single cell: a Mann-Whitney rank test of the two sets of
    distances. Samples that are too typical, such as blurred images, are near the training data as well, so read the
    result together with recall and coverage.

    Args:
        samples: (M, ...) generated samples or their features; flattened to (M, F).
        train: (N, ...) what the generator was trained on.
        held_out: (H, ...) real samples that it was not trained on. None takes the distances of M training rows (1,024
            if M is smaller, N at most) to the other N - 1 rows instead: fresh real samples would have N rows to be
            near to.

    Raises:
        ValueError: for different widths, too few rows, NaN or infinity.
        TypeError: for something that is not a tensor.

    Example:
        >>> real = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
        >>> train, fresh = real[:200], real[200:]
        >>> memorisation(train[:100], train, held_out=fresh).share_nearer  # copies
        1.0
    """
    samples = as_rows("memorisation", "samples", samples, 0, "0", torch.float32)
    train = as_rows("memorisation", "train", train, 1, "1", torch.float32)
    check_same_width("memorisation", ("train", "samples"), train, samples)
    if held_out is None:
        own = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[: max(_CHUNK, len(samples))]
        fresh = nearest_rows(train[own], train, own)[1]
    else:
        held_out = as_rows("memorisation", "held_out", held_out, 0, "0", torch.float32)
        check_same_width("memorisation", ("train", "held_out"), train, held_out)
        fresh = nearest_rows(held_out, train)[1]
    ours = nearest_rows(samples, train)[1]
    share, z = _rank_test(ours, fresh)
    middle = float(fresh.median())
    ratio = float(ours.median()) / middle if middle > 0 else math.inf if ours.median() > 0 else 1.0
    return Memorisation(share, z, ratio)


def nearest_rows(points: Tensor, among: Tensor, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The row of `among` that is nearest to each of `points`, and its Euclidean distance.

    Args:
        points: (N, F).
        among: (M, F).
        own: (N,) int64: row own[i] of `among` is point i itself, and is left out. None leaves out none.

    Returns:
        The indices of the rows, int64 (N,), and the distances (N,).
    """
    # A matrix product finds the nearest row fast, but loses the digits of short distances, so the distance to that row
    # is computed again from the difference.
    centre = among.mean(dim=0)
    shifted = among - centre
    squares = shifted.square().sum(dim=1)
    indices, distances = [], []
    for first in range(0, len(points), _CHUNK):
        chunk = points[first : first + _CHUNK]
        distance = torch.addmm(squares, chunk - centre, shifted.T, alpha=-2)
        if own is not None:
            distance[torch.arange(len(chunk)), own[first : first + _CHUNK]] = math.inf
        indices.append(distance.argmin(dim=1))
        distances.append((chunk - among[indices[-1]]).square().sum(dim=1).sqrt())
    return torch.cat(indices), torch.cat(distances)


def _rank_test(ours: Tensor, fresh: Tensor) -> tuple[float, float]:
    """The probability that one of `ours` is below one of `fresh`, where a tie counts half, and its z score."""
    values, counts = torch.unique(torch.cat((ours, fresh)), return_counts=True)
    above = counts.cumsum(0).double()
    ranks = above - (counts.double() - 1) / 2  # tied values get the mean of their ranks, which start at 1
    n, m = len(ours), len(fresh)
    rank_sum = float(ranks[torch.searchsorted(values, ours)].sum())
    share = 1 - (rank_sum - n * (n + 1) / 2) / (n * m)
    ties = float((counts.double() ** 3 - counts).sum()) / ((n + m) * (n + m - 1))
    variance = (n + m + 1 - ties) / (12 * n * m)
    return share, (share - 0.5) / math.sqrt(variance) if variance > 0 else 0.0
