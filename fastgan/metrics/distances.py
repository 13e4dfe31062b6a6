"""Distances between two sets of features: FID and KID, in float64.

torchmetrics computes both from images, with a feature network of its own. These functions take features of any origin;
for the same features the figures agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fastgan.metrics.checks import as_rows, check_same_width

__all__ = ["KID", "fid", "kid"]


def fid(real: Tensor, fake: Tensor) -> float:
    """The Fréchet distance between Gaussians fitted to two sets of features; 0 for the same Gaussian.

    Heusel et al. (2017), equation 6: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), with covariances divided by N - 1.
    The last trace is computed as the sum of the square roots of the eigenvalues of R S2 R, where R is the symmetric
    square root of S1. R S2 R is symmetric too, so `eigh` serves for both steps and rounding gives no imaginary part.
    The distance depends on the features and falls with the number of samples: compare only distances of equal sample
    sizes.

    Args:
        real: (N, ...) features of real samples; all but the first dimension are flattened to F.
        fake: (M, ...) features of generated samples, of the same width.

    Returns:
        The distance, at least 0.

    Raises:
        ValueError: for different widths, NaN or infinity, or where N or M is not larger than F: with so few samples
            a covariance is singular and the distance means little. `kid` accepts them.
        TypeError: for something that is not a tensor.

    Example:
        >>> real = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> round(fid(real, real + 1), 3)  # the means are 2 apart
        4.0
    """
    width = real.flatten(1).shape[1] if isinstance(real, Tensor) and real.dim() > 1 else 1
    why = f"{width}, the features' width, for a covariance of full rank"
    real = as_rows("fid", "real", real, width, why, torch.float64)
    fake = as_rows("fid", "fake", fake, 1, "1, for a covariance", torch.float64)
    check_same_width("fid", ("real", "fake"), real, fake)
    fake = as_rows("fid", "fake", fake, width, why, torch.float64)
    mean_real, mean_fake = real.mean(0), fake.mean(0)
    covariance_real, covariance_fake = _covariance(real - mean_real), _covariance(fake - mean_fake)
    values, vectors = torch.linalg.eigh(covariance_real)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ covariance_fake @ root).clamp_min(0).sqrt().sum()
    trace = covariance_real.trace() + covariance_fake.trace() - 2 * cross
    return max(0.0, float((mean_real - mean_fake).square().sum() + trace))


def _covariance(centred: Tensor) -> Tensor:
    return centred.T @ centred / (len(centred) - 1)


@dataclass(frozen=True)
class KID:
    """The kernel distance of two sets of features.

    Attributes:
        mean: over the subsets. For samples of one distribution its expectation is 0, so it may be negative.
        std: over the subsets, divided by N - 1; 0 for one subset.
    """

    mean: float
    std: float


def kid(real: Tensor, fake: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 0) -> KID:
    """The squared maximum mean discrepancy of features under the kernel (x.y / F + 1)^3.

    Binkowski et al. (2018), section 4: the unbiased estimate, averaged over random subsets of both sets, each drawn
    without replacement. Unlike that of `fid`, its expectation does not depend on the number of samples.

    Args:
        real: (N, ...) features of real samples; all but the first dimension are flattened to F.
        fake: (M, ...) features of generated samples, of the same width.
        subsets: number of subsets; only one is taken where both sets have exactly the size of a subset.
        subset_size: rows in a subset; no more than N or M are taken.
        seed: of the choice of subsets.

    Raises:
        ValueError: for different widths, fewer than two rows, NaN or infinity, less than one subset, or subsets of
            fewer than two rows.
        TypeError: for something that is not a tensor.

    Example:
        >>> real, fake = torch.randn(2, 500, 4, generator=torch.Generator().manual_seed(0))
        >>> round(kid(real, fake).mean, 1), round(kid(real, fake + 1).mean, 1)
        (0.0, 8.2)
    """
    if subsets < 1 or subset_size < 2:
        raise ValueError(f"kid: expected subsets >= 1 and subset_size >= 2, got {subsets} and {subset_size}")
    real = as_rows("kid", "real", real, 1, "1", torch.float64)
    fake = as_rows("kid", "fake", fake, 1, "1", torch.float64)
    check_same_width("kid", ("real", "fake"), real, fake)
    size = min(subset_size, len(real), len(fake))
    if size == len(real) == len(fake):
        subsets = 1  # all subsets would hold the same rows
    generator = torch.Generator().manual_seed(seed)
    estimates = torch.stack(
        [_mmd2(_subset(real, size, generator), _subset(fake, size, generator)) for _ in range(subsets)]
    )
    return KID(float(estimates.mean()), float(estimates.std()) if subsets > 1 else 0.0)


def _subset(x: Tensor, size: int, generator: torch.Generator) -> Tensor:
    return x[torch.randperm(len(x), generator=generator)[:size].to(x.device)]


def _mmd2(x: Tensor, y: Tensor) -> Tensor:
    """The unbiased squared MMD of two sets with equal numbers of rows."""
    n = len(x)
    within = _kernel(x, x).fill_diagonal_(0).sum() + _kernel(y, y).fill_diagonal_(0).sum()
    return within / (n * (n - 1)) - 2 * _kernel(x, y).mean()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    base = torch.addmm(x.new_ones(()), x, y.T, alpha=1 / x.shape[1])
    return base * base * base
