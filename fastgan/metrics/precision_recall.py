"""Precision, recall, density and coverage, which measure fidelity and diversity separately."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fastgan.metrics.checks import as_rows, check_same_width

__all__ = ["PRDC", "prdc"]


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
    Naeem et al. (2020). Distances are Euclidean, in float32 on the tensors' device. Memory is proportional to the
    largest of N^2, N M and M^2.

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
    # cdist's other mode, a matrix product, loses the digits of short distances.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _radii(x: Tensor, k: int) -> Tensor:
    return _distances(x, x).kthvalue(k + 1, dim=1).values  # the nearest is the point itself
