"""FID and KID of a generator's samples, with the FID and KID of real data for comparison.

A distance needs something to be compared with. Real data are therefore cut in two: a reference, to which distances are
measured, and other real samples, which stand for a perfect generator. The distance of these is the floor.
"""

from __future__ import annotations

from torch import Tensor

from fastgan.data.samples import Data
from fastgan.metrics.distances import fid, kid
from fastgan.metrics.features import Extractor, extract, fit_features

__all__ = ["FIDEvaluator"]

_MAX_SAMPLES = 10_000  # of the reference, and of the others
_SUBSETS, _SUBSET_SIZE = 20, 1000  # of KID


class FIDEvaluator:
    """FID and KID of samples against one part of the data; the other part gives the floor.

    Args:
        data: what the generator was trained on.
        held_out: real samples that it was not trained on. They give the floor, and `data` is the reference. None: a
            random half of `data` gives the floor, and the other half is the reference.
        extractor: maps samples to features; None takes `fit_features` of the data.

    Attributes:
        extractor: maps samples to features.
        count: number of samples that are compared with the reference; generate as many.
        labels: the classes (count,) of the floor's samples, or None. Samples of a conditional generator should have
            the same ones.
        other: the data that give the floor, to be compared with the reference; of images with inputs, translate these.
        floor: FID of real samples, or None where there are too few for a covariance.
    """

    def __init__(self, data: Data, held_out: Data | None = None, extractor: Extractor | None = None) -> None:
        self.extractor = fit_features(data) if extractor is None else extractor
        reference, other = data.split(0.5) if held_out is None else (data, held_out)
        reference, other = reference.subsample(_MAX_SAMPLES), other.subsample(_MAX_SAMPLES)
        self.other, self.count, self.labels = other, len(other), other.labels
        self._reference = extract(self.extractor, reference)
        self._real = extract(self.extractor, other)
        self.floor = self._fid(self._real)

    @property
    def kid_floor(self) -> float | None:
        """KID of real samples, or None where there are too few."""
        return self._kid(self._real)

    def __call__(self, samples: Tensor) -> tuple[float | None, float | None]:
        """FID and KID of the first `count` of `samples` (N, ...), each None where there are too few."""
        features = extract(self.extractor, samples[: self.count])
        return self._fid(features), self._kid(features)

    def fid(self, samples: Tensor) -> float | None:
        """FID of the first `count` of `samples` (N, ...), or None where there are too few."""
        return self._fid(extract(self.extractor, samples[: self.count]))

    def _fid(self, features: Tensor) -> float | None:
        if min(len(features), len(self._reference)) <= features.shape[1]:
            return None
        return fid(self._reference, features)

    def _kid(self, features: Tensor) -> float | None:
        size = min(_SUBSET_SIZE, len(features), len(self._reference))
        return kid(self._reference, features, _SUBSETS, size).mean if size > 1 else None
