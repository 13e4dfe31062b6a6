"""Data sets that come with the package: handwritten digits and two mixtures of Gaussians."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from fastgan._support.extras import require
from fastgan.data.arrays import from_table
from fastgan.data.samples import Data, Units

__all__ = ["BUILTIN", "MIXTURES", "digits", "grid", "mixture", "ring"]


def digits() -> Data:
    """Scikit-learn's 1,797 handwritten digits, 8x8 grey levels 0 to 16, classes 0 to 9.

    Raises:
        MissingExtraError: without scikit-learn.
    """
    bunch = require("sklearn.datasets").load_digits()
    samples = torch.from_numpy(bunch.images).float().div(8).sub(1).unsqueeze(1)
    units = Units(scale=[8.0], offset=[8.0], low=0.0, high=16.0, layout="hw")
    return Data(samples, torch.from_numpy(bunch.target).long(), units)


def mixture(centres: list[tuple[float, float]], sigma: float, count: int = 50_000) -> Data:
    """Points (count, 2) around `centres`, each a round Gaussian; `labels` says which. Always the same ones.

    They are standardised, as a table's columns are; `units` leads back to the centres' plane.

    Args:
        centres: each one's x and y.
        sigma: the standard deviation along either axis.
        count: how many points.
    """
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % len(centres)
    noise = torch.randn(count, 2, generator=generator)
    return from_table((torch.tensor(centres)[labels] + sigma * noise).numpy(), labels)


# The centres and sigma of each mixture.
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
