"""How well samples cover the modes of a mixture of Gaussians, measured as in PacGAN."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fastgan.metrics.checks import as_rows, check_same_width

__all__ = ["MixtureQuality", "mixture_quality"]


@dataclass(frozen=True)
class MixtureQuality:
    """Coverage and fidelity of samples of a mixture.

    A sample is good (of high quality) if its distance to the nearest centre is below 3 sigma.

    Attributes:
        modes: number of centres with at least one good sample.
        high_quality: share of good samples; 1 - exp(-4.5) = 0.989 for real data in the plane.
        reverse_kl: KL divergence in nats of the good samples' histogram over the modes from the uniform distribution,
            log K - H; 0 if all modes are equally frequent, infinite without a good sample.
        spread_low, spread_high: standard deviation of a mode's good samples about their mean, along one axis, divided
            by sigma: the smallest and the largest over modes and axes. It is 0.974 for real data in the plane, as good
            samples lie within 3 sigma, and 0 for a mode with fewer than two good samples.
    """

    modes: int
    high_quality: float
    reverse_kl: float
    spread_low: float
    spread_high: float


def mixture_quality(samples: Tensor, centres: Tensor, sigma: float) -> MixtureQuality:
    """Number of modes captured, share of good samples, reverse KL and spread of samples of a mixture.

    The first three follow PacGAN (Lin et al., 2018, section 4.1) and VEEGAN (Srivastava et al., 2017). As in PacGAN's
    evaluation code, one good sample captures a mode, and the histogram counts good samples only.

    Args:
        samples: (N, D) points.
        centres: (K, D) means of isotropic Gaussians of equal weight.
        sigma: their standard deviation along every axis.

    Raises:
        ValueError: for different widths, no samples, NaN or infinity, or sigma not above 0.
        TypeError: for something that is not a tensor.

    Example:
        >>> centres = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> samples = torch.tensor([[0.01, 0.0], [0.0, 0.02], [1.0, 0.01], [0.5, 0.5]])
        >>> found = mixture_quality(samples, centres, sigma=0.01)
        >>> found.modes, found.high_quality
        (2, 0.75)
    """
    samples = as_rows("mixture_quality", "samples", samples, 0, "0", torch.float64)
    centres = as_rows("mixture_quality", "centres", centres, 0, "0", torch.float64).to(samples.device)
    check_same_width("mixture_quality", ("samples", "centres"), samples, centres)
    if not 0 < sigma < math.inf:
        raise ValueError(f"mixture_quality: expected sigma above 0, got {sigma}")
    distance, nearest = torch.cdist(samples, centres).min(dim=1)
    good = distance < 3 * sigma
    counts = torch.bincount(nearest[good], minlength=len(centres))
    spreads = [_spread(samples[good & (nearest == mode)]) / sigma for mode in range(len(centres))]
    return MixtureQuality(
        modes=int((counts > 0).sum()),
        high_quality=float(good.double().mean()),
        reverse_kl=_divergence_from_uniform(counts),
        spread_low=min(float(s.min()) for s in spreads),
        spread_high=max(float(s.max()) for s in spreads),
    )


def _spread(points: Tensor) -> Tensor:
    """The standard deviation along each axis (D,); 0 for fewer than two points."""
    return points.std(dim=0) if len(points) > 1 else points.new_zeros(points.shape[1])


def _divergence_from_uniform(counts: Tensor) -> float:
    total = int(counts.sum())
    if total == 0:
        return math.inf
    share = counts[counts > 0].double() / total
    return max(0.0, float((share * (share * len(counts)).log()).sum()))
