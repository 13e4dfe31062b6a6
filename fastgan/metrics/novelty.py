"""Whether samples are copies of the training data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fastgan.metrics.checks import rows, same_width

__all__ = ["Memorisation", "memorisation", "nearest"]

_CHUNK = 1024  # rows of distances at a time: memory stays at 1024 x N


@dataclass(frozen=True)
class Memorisation:
    """How near samples are to the training data, against held-out data.

    Attributes:
        share_nearer: the chance that a sample is nearer to the training data than a held-out one is, ties
            by half: 0.5 when generalising, 1 for copies; below 0.5 samples are further than real data.
        z: that share's distance from 0.5 in standard errors of the rank test, positive when nearer; within
            +-3 is chance. Meehan's C_T with the opposite sign.
        median_ratio: the median of the samples' distances over that of the held-out data's: 1 when
            generalising, 0 for copies.
    """

    share_nearer: float
    z: float
    median_ratio: float


def memorisation(samples: Tensor, train: Tensor, held_out: Tensor | None = None) -> Memorisation:
    """Compare distances to the nearest training row, of samples and of data that training has not seen.

    The test for data copying of Meehan et al. (2020), with one cell: a Mann-Whitney rank test between the two
    sets of distances. Samples that are too typical, as blurred ones are, come out near as well, so read
    it beside recall and coverage.

    Args:
        samples: (M, ...) generated samples or their features; flattened to (M, F).
        train: (N, ...) what the generator was trained on.
        held_out: (H, ...) real samples that it was not trained on; None compares training rows (as many as
            samples) with all others instead, which is what fresh samples would see, up to one row in N.

    Raises:
        ValueError: for widths that differ, too few rows, or NaN and infinite values.
        TypeError: for something that is no tensor.

    Example:
        >>> rows = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
        >>> train, fresh = rows[:200], rows[200:]
        >>> memorisation(train[:100], train, held_out=fresh).share_nearer  # copies
        1.0
    """
    samples = rows("memorisation", "samples", samples, 0, "0", torch.float32)
    train = rows("memorisation", "train", train, 1, "1", torch.float32)
    same_width("memorisation", ("train", "samples"), train, samples)
    if held_out is None:
        own = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[: max(_CHUNK, len(samples))]
        fresh = _search(train[own], train, own)
    else:
        held_out = rows("memorisation", "held_out", held_out, 0, "0", torch.float32)
        same_width("memorisation", ("train", "held_out"), train, held_out)
        fresh = nearest(held_out, train)
    ours = nearest(samples, train)
    share, z = _rank_test(ours, fresh)
    middle = float(fresh.median())
    ratio = float(ours.median()) / middle if middle > 0 else math.inf if ours.median() > 0 else 1.0
    return Memorisation(share, z, ratio)


def nearest(points: Tensor, among: Tensor) -> Tensor:
    """The Euclidean distance (N,) of each of `points` (N, F) to the nearest row of `among` (M, F)."""
    return _search(points, among, None)


def _search(points: Tensor, among: Tensor, own: Tensor | None) -> Tensor:
    """`nearest`, but for row own[i] of `among`, which is point i itself."""
    # A matrix product finds the neighbours and loses the digits of short distances: those are taken afresh.
    centre = among.mean(dim=0)
    shifted = among - centre
    squares = shifted.square().sum(dim=1)
    found = []
    for first in range(0, len(points), _CHUNK):
        chunk = points[first : first + _CHUNK]
        distance = torch.addmm(squares, chunk - centre, shifted.T, alpha=-2)
        if own is not None:
            distance[torch.arange(len(chunk)), own[first : first + _CHUNK]] = math.inf
        found.append((chunk - among[distance.argmin(dim=1)]).square().sum(dim=1).sqrt())
    return torch.cat(found)


def _rank_test(ours: Tensor, fresh: Tensor) -> tuple[float, float]:
    """The chance that one of `ours` is below one of `fresh`, ties by half, and its normal deviate."""
    values, counts = torch.unique(torch.cat((ours, fresh)), return_counts=True)
    above = counts.cumsum(0).double()
    ranks = above - (counts.double() - 1) / 2  # ties share the mean of their ranks, counted from 1
    n, m = len(ours), len(fresh)
    rank_sum = float(ranks[torch.searchsorted(values, ours)].sum())
    share = 1 - (rank_sum - n * (n + 1) / 2) / (n * m)
    ties = float((counts.double() ** 3 - counts).sum()) / ((n + m) * (n + m - 1))
    variance = (n + m + 1 - ties) / (12 * n * m)
    return share, (share - 0.5) / math.sqrt(variance) if variance > 0 else 0.0
