"""How well samples of a mixture of Gaussians cover its modes, as PacGAN measures it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fastgan.metrics.checks import rows, same_width

__all__ = ["MixtureQuality", "mixture_quality"]


@dataclass(frozen=True)
class MixtureQuality:
    """Coverage and fidelity of samples of a mixture.

    A sample is good (of high quality) if it is nearer than 3 sigma to its nearest centre.

    Attributes:
        modes: centres with at least one good sample.
        high_quality: share of good samples among all; a plane's real data have 1 - exp(-4.5) = 0.989.
        reverse_kl: the KL divergence in nats from the good samples' histogram over the modes to the
            uniform one, log K - H; 0 for an even spread, infinite without a good sample.
        spread_low, spread_high: the smallest and largest standard deviation, over modes and axes, of a
            mode's good samples about their own mean, over sigma. Real data's is 0.974 in the plane, as
            the good ones are cut at 3 sigma; 0 where a mode has fewer than two, as points at the modes have.
    """

    modes: int
    high_quality: float
    reverse_kl: float
    spread_low: float
    spread_high: float


def mixture_quality(samples: Tensor, centres: Tensor, sigma: float) -> MixtureQuality:
    """Modes captured, share of good samples, reverse KL and spread of `samples` in a mixture.

    The first three as in PacGAN (Lin et al., 2018, section 4.1) and VEEGAN (Srivastava et al., 2017):
    the evaluation code of the former counts a mode that has one good sample, and takes the histogram
    over good samples only.

    Args:
        samples: (N, D) points.
        centres: (K, D) centres of the round Gaussians, of equal weights.
        sigma: their standard deviation along every axis.

    Raises:
        ValueError: for widths that differ, no samples, NaN or infinite values, or sigma not above 0.
        TypeError: for something that is no tensor.

    Example:
        >>> centres = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> samples = torch.tensor([[0.01, 0.0], [0.0, 0.02], [1.0, 0.01], [0.5, 0.5]])
        >>> found = mixture_quality(samples, centres, sigma=0.01)
        >>> found.modes, found.high_quality
        (2, 0.75)
    """
    samples = rows("mixture_quality", "samples", samples, 0, "0", torch.float64)
    centres = rows("mixture_quality", "centres", centres, 0, "0", torch.float64).to(samples.device)
    same_width("mixture_quality", ("samples", "centres"), samples, centres)
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
    """The standard deviation of each axis (D,); 0 of fewer than two points."""
    return points.std(dim=0) if len(points) > 1 else points.new_zeros(points.shape[1])


def _divergence_from_uniform(counts: Tensor) -> float:
    total = int(counts.sum())
    if total == 0:
        return math.inf
    share = counts[counts > 0].double() / total
    return max(0.0, float((share * (share * len(counts)).log()).sum()))
