"""What every data set becomes: samples, labels, and the way back to the data's own units."""

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
    """How samples of the network's range become the data's own: `x * scale + offset`.

    Attributes:
        scale, offset: one number, or one for each column of a table.
        low, high: the data's range, to which samples are clipped; None leaves them as they are.
        dtype: the own dtype, to whose whole numbers samples are rounded if it is an integer's.
        layout: of an image: "chw", "hwc" or "hw"; "" is anything else.
    """

    scale: list[float] = field(default_factory=lambda: [1.0])
    offset: list[float] = field(default_factory=lambda: [0.0])
    low: float | None = None
    high: float | None = None
    dtype: str = "float32"
    layout: str = ""

    def restore(self, samples: Tensor) -> NDArray[Any]:
        """`samples` (N, ...) of the network's range as an array in the data's units and layout."""
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
        """The attributes as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Data:
    """Samples to train on.

    Attributes:
        samples: (N, ...) floating point; images are (N, C, H, W).
        labels: (N,) int64 classes, or None.
        units: the way back to the data's own units.

    Raises:
        TypeError: for samples that are not floating.
        ValueError: for samples of no rows or dimensions, NaN or infinite ones, or labels of another length.
    """

    samples: Tensor
    labels: Tensor | None = None
    units: Units = field(default_factory=Units)

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
        """Whether all samples lie in [-1, 1], a tanh's range."""
        return bool(self.samples.abs().max() <= 1)

    def take(self, chosen: Tensor) -> Data:
        """The samples and labels at the indices `chosen`, int64 (M,)."""
        return replace(self, samples=self.samples[chosen], labels=None if self.labels is None else self.labels[chosen])

    def some(self, most: int) -> Data:
        """At most `most` samples, a fixed random choice."""
        if len(self.samples) <= most:
            return self
        return self.take(_shuffled(len(self.samples))[:most])

    def split(self, share: float) -> tuple[Data, Data]:
        """Two parts without a sample in common, always the same ones: the second has about `share` of each class.

        Raises:
            ValueError: where either part would be empty.
        """
        order = _shuffled(len(self.samples))
        classes = torch.zeros(len(order)) if self.labels is None else self.labels.cpu()[order]
        second = torch.zeros(len(order), dtype=torch.bool)
        for label in classes.unique():
            members = (classes == label).nonzero()[:, 0]
            second[members[: round(share * len(members))]] = True
        if second.all() or not second.any():
            raise ValueError(f"data: expected samples enough to hold out {share} of them, got {len(order)}")
        return self.take(order[~second]), self.take(order[second])


def _shuffled(count: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))
