"""`Data` holds samples and labels; `Units` converts generated samples back to the data's own units."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Data", "Units"]


@dataclass(frozen=True)
class Units:
    """The conversion of samples from the network's range to the data's own units: `x * scale + offset`.

    Attributes:
        scale, offset: one number, or one for each column of a table.
        low, high: the data's range, to which converted samples are clipped; None does not clip.
        dtype: the data's dtype; converted samples are rounded if it is an integer dtype.
        layout: the order of an image's dimensions: "chw", "hwc" or "hw"; "" for samples that are not images.
        table: of rows of a table file, the columns that they encode, as `fastgan.data.table.TableSchema.to_dict` gives
            them; None for other samples.
    """

    scale: list[float] = field(default_factory=lambda: [1.0])
    offset: list[float] = field(default_factory=lambda: [0.0])
    low: float | None = None
    high: float | None = None
    dtype: str = "float32"
    layout: str = ""
    table: dict[str, Any] | None = None

    def restore(self, samples: Tensor) -> NDArray[Any]:
        """Convert `samples` (N, ...) in the network's range to an array of the data's units, dtype and layout."""
        x = samples.detach().double().cpu().numpy()
        x = x * np.asarray(self.scale) + np.asarray(self.offset)
        if self.low is not None or self.high is not None:
            x = np.clip(x, self.low, self.high)
        if np.issubdtype(np.dtype(self.dtype), np.integer):
            x = np.rint(x)
        if self.layout == "hwc":
            x = np.moveaxis(x, 1, -1)
        elif self.layout == "hw":
            x = x[:, 0]
        return x.astype(self.dtype)

    def to_dict(self) -> dict[str, Any]:
        """The attributes as a dict of plain values that JSON can hold."""
        return asdict(self)


@dataclass(frozen=True)
class Data:
    """Samples to train on.

    Attributes:
        samples: (N, ...) floating point; images are (N, C, H, W).
        labels: (N,) int64 classes, or None.
        units: the conversion back to the data's own units.
        notes: what was decided as the data were read, in sentences.

    Raises:
        TypeError: for samples that are not of a floating dtype.
        ValueError: for an empty tensor, fewer than two dimensions, NaN or infinity, or labels of another length.
    """

    samples: Tensor
    labels: Tensor | None = None
    units: Units = field(default_factory=Units)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        x = self.samples
        if not x.is_floating_point():
            raise TypeError(f"data: expected samples of a floating dtype, got {x.dtype}")
        if x.dim() < 2 or x.numel() == 0:
            raise ValueError(f"data: expected samples of shape (N, ...), got {tuple(x.shape)}")
        if not bool(x.isfinite().all()):
            raise ValueError("data: expected finite samples, got NaN or infinity")
        if self.labels is not None and self.labels.shape != x.shape[:1]:
            raise ValueError(f"data: expected labels of shape [{len(x)}], got {list(self.labels.shape)}")

    @property
    def bounded(self) -> bool:
        """Whether all samples lie in [-1, 1], the range of tanh."""
        return bool(self.samples.abs().max() <= 1)

    def take(self, chosen: Tensor) -> Data:
        """The samples and labels at the indices `chosen`, int64 (M,)."""
        return replace(self, samples=self.samples[chosen], labels=None if self.labels is None else self.labels[chosen])

    def subsample(self, count: int) -> Data:
        """`count` samples chosen at random, the same ones in every call; all samples if there are not as many."""
        if len(self.samples) <= count:
            return self
        return self.take(_shuffled(len(self.samples))[:count])

    def split(self, fraction: float) -> tuple[Data, Data]:
        """Divide the samples at random into two disjoint parts, the same ones in every call.

        Args:
            fraction: of each class's samples that the second part gets, rounded to whole samples.

        Raises:
            ValueError: where either part would be empty.
        """
        order = _shuffled(len(self.samples))
        classes = torch.zeros(len(order)) if self.labels is None else self.labels.cpu()[order]
        second = torch.zeros(len(order), dtype=torch.bool)
        for label in classes.unique():
            members = (classes == label).nonzero()[:, 0]
            second[members[: round(fraction * len(members))]] = True
        if second.all() or not second.any():
            raise ValueError(f"data: expected samples enough to hold out {fraction} of them, got {len(order)}")
        return self.take(order[~second]), self.take(order[second])


def _shuffled(count: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))
