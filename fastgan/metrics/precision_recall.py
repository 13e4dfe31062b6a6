"""Precision, recall, density and coverage, which measure fidelity and diversity separately."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fastgan.metrics.checks import as_rows, check_same_width

__all__ = ["PRDC", "prdc"]

_ROWS = 1024  # whose distances are computed together
_CLOSE = 1e-6  # squared distances below this share of the squared norms are computed from differences
_AT_ONCE = 2**24  # numbers of pairs' differences at a time


@dataclass(frozen=True)
class PRDC:
    """Fidelity and diversity of samples; each value is near 1 for samples of the real distribution.

    Attributes:
        precision: share of samples inside the real data's neighbourhoods (fidelity).
        recall: share of real points inside the samples' neighbourhoods (diversity).
        density: mean number of real points whose neighbourhoods contain a sample, divided by k; may exceed 1
            (fidelity).
        coverage: share of real points whose neighbourhood contains a sample (diversity).
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: Tensor, fake: Tensor, k: int = 5) -> PRDC:
    """Precision, recall, density and coverage of `fake` against `real`.

    The neighbourhood of a point is the open ball whose radius is the distance to its k-th nearest neighbour in its own
    set, not counting the point itself. Precision and recall follow Kynkäänniemi et al. (2019), density and coverage
    Naeem et al. (2020). Distances are Euclidean, exact to float32, on the tensors' device. Memory is proportional to
    the largest of N^2, N M and M^2.

    Args:
        real: (N, ...) real samples or their features; all but the first dimension are flattened.
        fake: (M, ...) generated samples or features of the same width.
        k: number of the neighbour that bounds a neighbourhood; N and M must be larger.

    Raises:
        TypeError: for something that is not a tensor.
        ValueError: for different widths, too few samples, NaN or infinity.

    Example:
        >>> real = torch.arange(40.0)[:, None]
        >>> found = prdc(real, real[:20])  # exact copies of one half of the data
        >>> found.precision, round(found.recall, 2), found.density, round(found.coverage, 2)
        (1.0, 0.6, 1.0, 0.55)
    """
    real = as_rows("prdc", "real", real, k, f"k={k}", torch.float32)
    fake = as_rows("prdc", "fake", fake, k, f"k={k}", torch.float32)
    check_same_width("prdc", ("real", "fake"), real, fake)
    radius_real, radius_fake = _radii(real, k), _radii(fake, k)
    distance = _distances(real, fake)  # (N, M)
    inside = distance < radius_real[:, None]
    return PRDC(
        precision=inside.any(dim=0).float().mean().item(),
        recall=(distance < radius_fake[None, :]).any(dim=1).float().mean().item(),
        density=inside.sum(dim=0).float().mean().item() / k,
        coverage=inside.any(dim=1).float().mean().item(),
    )


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """The Euclidean distances (N, M) of the rows of `a` (N, F) and `b` (M, F), float32.

    They are products of float64 matrices, which loses digits of distances that are small beside the rows' norms; these
    are computed again from the differences. The differences of all pairs take ten times as long for images of
    3 x 64 x 64.
    """
    centre = b.double().mean(dim=0)
    columns = b.double() - centre
    squares = columns.square().sum(dim=1)
    found = []
    for part in a.split(_ROWS):
        rows = part.double() - centre
        norms = rows.square().sum(dim=1, keepdim=True)
        distance = torch.addmm(squares, rows, columns.T, alpha=-2).add_(norms)
        close = (distance < _CLOSE * (norms + squares)).nonzero()
        for i, j in (pairs.unbind(1) for pairs in close.split(max(1, _AT_ONCE // a.shape[1]))):
            distance[i, j] = (part[i].double() - b[j].double()).square().sum(dim=1)
        found.append(distance.sqrt_().float())
    return torch.cat(found)


def _radii(x: Tensor, k: int) -> Tensor:
    return _distances(x, x).kthvalue(k + 1, dim=1).values  # the nearest is the point itself
