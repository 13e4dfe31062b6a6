"""FID and KID of a generator, with the floor that real data make.

A distance needs something to be compared with, so real data are cut in two: a reference, and others that
stand for a perfect generator. What these score is the floor.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from fastgan.data.samples import Data
from fastgan.metrics.distances import fid, kid
from fastgan.metrics.features import Extractor, extract, fit_features

__all__ = ["FIDEvaluator", "Sampler"]

_MOST = 10_000  # samples on either side
_SUBSETS = 20  # of 1,000, for KID


class Sampler(Protocol):
    """A trained generator that draws samples, as `fastgan.train.Run` is."""

    @property
    def classes(self) -> int:
        """Classes of the labels; 0 for a generator without labels."""

    def sample(self, count: int, seed: int, labels: Tensor | None = None) -> Tensor:
        """`count` samples (count, ...) in the network's range, from `seed`, of the classes `labels` (count,)."""


class FIDEvaluator:
    """FID and KID of samples against a part of the data, with the rest of it as the floor.

    Args:
        data: what a run was trained on.
        held_out: real samples that it was not trained on, which make the floor; None: a random half of `data`
            is the reference and the other half the floor.
        extractor: samples to features; None: `fit_features` of the data.

    Attributes:
        count: samples that either side of the comparison has, at most; ask the generator for so many.
        labels: classes (count,) of the floor's samples, for a generator that is asked for classes; or None.
        floor: FID of real samples, None where there are too few for a covariance.
    """

    def __init__(self, data: Data, held_out: Data | None = None, extractor: Extractor | None = None) -> None:
        self.extractor = fit_features(data) if extractor is None else extractor
        reference, other = data.split(0.5) if held_out is None else (data, held_out)
        reference, other = reference.some(_MOST), other.some(_MOST)
        self.count, self.labels = len(other.samples), other.labels
        self._reference = extract(self.extractor, reference.samples)
        self._real = extract(self.extractor, other.samples)
        self.floor = self._fid(self._real)

    @property
    def kid_floor(self) -> float | None:
        """KID of real samples."""
        return self._kid(self._real)

    def draw(self, run: Sampler, seed: int) -> Tensor:
        """The run's samples (count, ...), of the same classes as the floor's if it has any."""
        return run.sample(self.count, seed, self.labels if run.classes else None)

    def __call__(self, samples: Tensor) -> tuple[float | None, float | None]:
        """FID and KID of the first `count` samples; FID is None where there are too few."""
        features = extract(self.extractor, samples[: self.count])
        return self._fid(features), self._kid(features)

    def fid(self, samples: Tensor) -> float | None:
        """FID of the first `count` samples (N, ...), None where there are too few."""
        return self._fid(extract(self.extractor, samples[: self.count]))

    def _fid(self, features: Tensor) -> float | None:
        if min(len(features), len(self._reference)) <= features.shape[1]:
            return None
        return fid(self._reference, features)

    def _kid(self, features: Tensor) -> float | None:
        if min(len(features), len(self._reference)) < 2:
            return None
        size = min(1000, len(features), len(self._reference))
        return kid(self._reference, features, _SUBSETS, size).mean
