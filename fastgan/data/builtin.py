"""Data sets that need no file: handwritten digits and two mixtures of Gaussians."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from fastgan._support.extras import require
from fastgan.data.memory import standardised
from fastgan.data.samples import Data
from fastgan.data.units import Units

__all__ = ["BUILTIN", "MIXTURES", "digits", "grid", "mixture", "ring"]


def digits() -> Data:
    """Scikit-learn's 1,797 handwritten digits, 8x8 pixels with grey levels 0 to 16, in classes 0 to 9.

    Raises:
        MissingExtraError: without scikit-learn.
    """
    bunch = require("sklearn.datasets").load_digits()
    units = Units(scale=[8.0], offset=[8.0], low=0.0, high=16.0, layout="hw")
    return Data(torch.from_numpy(bunch.images).byte(), bunch.target, units, name="digits")


def mixture(centres: list[tuple[float, float]], sigma: float, count: int = 50_000) -> Data:
    """Points (count, 2) drawn from isotropic Gaussians of equal weight; the same points in every call.

    The label of a point is the index of its Gaussian. The two columns are standardised, and `Data.units` converts the
    points back to the plane of the centres.

    Args:
        centres: x and y of each Gaussian's mean.
        sigma: the standard deviation along both axes.
        count: the number of points.
    """
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % len(centres)
    noise = torch.randn(count, 2, generator=generator)
    return standardised((torch.tensor(centres)[labels] + sigma * noise).numpy(), labels)


# Centres and sigma of each mixture, by the name of its data set.
MIXTURES: dict[str, tuple[list[tuple[float, float]], float]] = {
    "ring": ([(math.cos(i * math.pi / 4), math.sin(i * math.pi / 4)) for i in range(8)], 0.01),
    "grid": ([(2.0 * x, 2.0 * y) for x in range(-2, 3) for y in range(-2, 3)], 0.05),
}


def ring() -> Data:
    """Eight Gaussians on a circle of radius 1, sigma 0.01 (PacGAN's ring)."""
    return mixture(*MIXTURES["ring"])


def grid() -> Data:
    """Twenty-five Gaussians at {-4, -2, 0, 2, 4} squared, sigma 0.05 (PacGAN's grid)."""
    return mixture(*MIXTURES["grid"])


BUILTIN: dict[str, Callable[[], Data]] = {"digits": digits, "ring": ring, "grid": grid}
