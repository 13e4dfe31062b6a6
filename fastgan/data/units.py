"""`Units`: the conversion between the data's own numbers and the network's range, both ways."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan.data.table.schema import TableSchema

__all__ = ["Units"]

# Of these dtypes float32 holds every value, and its difference from the middle of their range, exactly.
_EXACT = (torch.uint8, torch.int8, torch.int16, torch.bool)


@dataclass(frozen=True)
class Units:
    """The conversion of samples between the data's own units and the network's range: raw = `x * scale + offset`.

    Attributes:
        scale, offset: one number, or one for each column of a table.
        low, high: the data's range, to which converted samples are clipped; None does not clip.
        dtype: the data's dtype; converted samples are rounded if it is an integer dtype.
        layout: the order of an image's dimensions as stored: "chw", "hwc" or "hw"; "" for samples that are not images.
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

    @property
    def columns(self) -> list[str]:
        """The name of each number of a table's row in the network; [] for other samples."""
        return [] if self.table is None else TableSchema.from_dict(self.table).names

    @property
    def bounded(self) -> bool:
        """Whether all samples lie in [-1, 1], the range of tanh; known from the range, without a look at them."""
        if self.low is None or self.high is None or len(self.scale) > 1:
            return False
        ends = ((end - self.offset[0]) / self.scale[0] for end in (self.low, self.high))
        return all(-1 <= end <= 1 for end in ends)

    def sample_shape(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """The network's shape of a sample, (C, H, W) for an image, from its shape as `stored`."""
        if self.layout == "hw":
            return (1, *stored)
        return (stored[2], *stored[:2]) if self.layout == "hwc" else stored

    def normalise(self, raw: Tensor) -> Tensor:
        """Convert `raw` samples (N, ...), as they are stored, to the network's range, on their device.

        They come out in torch's default dtype, float32. Images become (N, C, H, W); those stored channels last keep
        that memory format. Bytes come out as the float32 that is nearest to the exact quotient. A tensor that needs no
        conversion is returned itself.
        """
        x = raw
        if self.scale != [1.0] or self.offset != [0.0]:
            # Other dtypes are computed in float64, as the difference of two large numbers would lose digits.
            exact = raw.dtype in _EXACT and len(self.scale) == 1
            x = raw.to(torch.get_default_dtype()) if exact else raw.double()
            scale, offset = self._constants(x)
            x = (x.sub(offset) if x is raw else x.sub_(offset)).div_(scale)
            if self.bounded and not exact:
                x = x.clamp_(-1, 1)  # the quotient may end a rounding beyond 1
        x = x.to(torch.get_default_dtype())
        if self.layout == "hwc":
            return x.movedim(3, 1)
        return x.unsqueeze(1) if self.layout == "hw" else x

    def _constants(self, x: Tensor) -> tuple[Any, Any]:
        """Scale and offset: numbers, or for several columns tensors on the device of `x`."""
        if len(self.scale) == len(self.offset) == 1:
            return self.scale[0], self.offset[0]
        return _column_tensors(tuple(self.scale), tuple(self.offset), x.device)

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
        return {
            "scale": list(self.scale),
            "offset": list(self.offset),
            "low": self.low,
            "high": self.high,
            "dtype": self.dtype,
            "layout": self.layout,
            "table": self.table,
        }


def bytes_as_images(layout: str) -> Units:
    """The units of images of bytes, 0 to 255, in a `layout`."""
    return Units([127.5], [127.5], 0.0, 255.0, "uint8", layout)


@lru_cache(maxsize=8)
def _column_tensors(scale: tuple[float, ...], offset: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Both as tensors. They are kept, as making them anew for each batch would wait for a GPU."""
    return (
        torch.tensor(scale, dtype=torch.float64, device=device),
        torch.tensor(offset, dtype=torch.float64, device=device),
    )
