"""Gaussian mixtures of many columns at once, fitted over their histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mixtures", "fit_mixtures"]

Array = NDArray[Any]

_BINS = 400
_ITERATIONS = 60
_LEAST_SHARE = 0.005  # components with a smaller share of the rows are left out
_LEAST_STD = 1e-4  # of the column's own standard deviation


@dataclass(frozen=True)
class Mixtures:
    """A mixture of Gaussians for each of C columns.

    Attributes:
        weights: float64 (C, K), 0 for components that a column does not have.
        means: float64 (C, K).
        stds: float64 (C, K), above 0.
    """

    weights: Array
    means: Array
    stds: Array

    def posterior(self, x: Array) -> Array:
        """The probabilities (N, C, K) that the components made the values `x` (N, C)."""
        return _responsibilities(x[:, :, None], self.weights, self.means, self.stds)


def fit_mixtures(columns: Sequence[Array], modes: int = 10) -> Mixtures:
    """Fit a mixture of Gaussians to each column, by expectation maximisation over a histogram of equal counts.

    The histogram holds each bin's count, mean and variance, so its size and not the number of rows decides the time.
    All columns are fitted in the same array operations. Components that end with a share below 0.005 are left out.

    Args:
        columns: finite values (N_c,) of each column, at least one.
        modes: the largest number of components.

    Example:
        >>> random = np.random.default_rng(0)
        >>> x = np.concatenate((random.normal(-5, 1, 3000), random.normal(5, 0.1, 1000)))
        >>> found = fit_mixtures([x], modes=2)
        >>> found.weights.round(2), found.means.round(1), found.stds.round(1)
        (array([[0.75, 0.25]]), array([[-5.,  5.]]), array([[1. , 0.1]]))
    """
    peaks = [float(np.abs(x).max()) or 1.0 for x in columns]  # squares of numbers near the largest would be infinite
    centre = np.array([(x / p).mean() * p for x, p in zip(columns, peaks, strict=True)])[:, None]
    scale = np.array([(x / p).std() * p or 1.0 for x, p in zip(columns, peaks, strict=True)])[:, None]
    histograms = [_histogram(np.sort((x - c) / s)) for x, c, s in zip(columns, centre[:, 0], scale[:, 0], strict=True)]
    share, mean, variance = (np.stack(part) for part in zip(*histograms, strict=True))
    # The components start at equal spaces between quantiles and between the ends, half and half, so that both the bulk
    # and a long tail have some.
    places = (np.arange(modes) + 0.5) / modes
    cumulated = np.cumsum(share, 1)
    bins = np.stack([np.searchsorted(c, places).clip(max=share.shape[1] - 1) for c in cumulated])
    means = np.take_along_axis(mean, bins, 1)
    low, high = mean[:, :1], mean.max(1, keepdims=True)
    means = np.sort(np.where(np.arange(modes) % 2 == 0, means, low + places * (high - low)), 1)
    stds = np.full_like(means, 1.0) * np.maximum((high - low) / (2 * modes), _LEAST_STD)
    weights = np.full_like(means, 1 / modes)
    for _ in range(_ITERATIONS):
        r = _responsibilities(mean[:, :, None], weights[:, None], means[:, None], stds[:, None]) * share[:, :, None]
        weights = r.sum(1)
        safe = np.maximum(weights, 1e-12)
        means = np.where(weights > 1e-12, (r * mean[:, :, None]).sum(1) / safe, means)
        spread = (mean[:, :, None] - means[:, None]) ** 2 + variance[:, :, None]
        stds = np.sqrt(np.maximum((r * spread).sum(1) / safe, _LEAST_STD**2))
    weights = np.where(weights >= np.minimum(_LEAST_SHARE, weights.max(1, keepdims=True)), weights, 0.0)
    weights /= weights.sum(1, keepdims=True)
    return Mixtures(weights, means * scale + centre, stds * scale)


def _histogram(x: Array) -> tuple[Array, Array, Array]:
    """Share, mean and variance (_BINS,) of bins of equal counts of sorted values; the share of unused bins is 0."""
    count = min(len(x), _BINS)
    starts = np.linspace(0, len(x), count + 1).astype(np.int64)
    sizes = np.diff(starts)
    mean = np.add.reduceat(x, starts[:-1]) / sizes
    variance = np.maximum(np.add.reduceat((x - np.repeat(mean, sizes)) ** 2, starts[:-1]) / sizes, 0.0)
    unused = _BINS - count
    return (
        np.pad(sizes / len(x), (0, unused)),
        np.pad(mean, (0, unused), constant_values=mean[-1]),
        np.pad(variance, (0, unused)),
    )


def _responsibilities(x: Array, weights: Array, means: Array, stds: Array) -> Array:
    """The share of each component in the density at `x`; the last dimension is the components'."""
    with np.errstate(divide="ignore"):
        log = np.log(weights) - np.log(stds) - 0.5 * ((x - means) / stds) ** 2
    r = np.exp(log - log.max(-1, keepdims=True))
    shares: Array = r / r.sum(-1, keepdims=True)
    return shares
