"""`EncodedUnits`: the conversion between the modes and categories of a table and a network's rows, both ways."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan.data.table.encoding import TableEncoding
from fastgan.data.table.options import Dialect
from fastgan.data.table.segments import Segments, one_hot
from fastgan.data.units import Units

__all__ = ["EncodedUnits", "read_units"]


@dataclass(frozen=True)
class EncodedUnits(Units):
    """Units of the rows of a table that `TableEncoding` encodes.

    A sample is stored as (C + S,) float32: its scalars, and the place of the 1 in each one-hot vector. The network gets
    the vectors. `restore` gives the numbers by which the table's schema encodes a row.

    Attributes:
        scale, offset: 1 and 0.
        low, high: -1 and 1, between which all entries lie.
        dtype: of what `restore` returns, float64.
        layout: "".
        table: the columns, as `TableSchema.to_dict` gives them.
        encoding: of the table.
    """

    encoding: TableEncoding | None = None

    @classmethod
    def of(cls, encoding: TableEncoding) -> EncodedUnits:
        """The units of tables with an `encoding`."""
        return cls(dtype="float64", low=-1.0, high=1.0, table=encoding.schema.to_dict(), encoding=encoding)

    @property
    def columns(self) -> list[str]:
        """The name of each number of a network's row."""
        return self._encoding.names

    @property
    def segments(self) -> Segments:
        """The layout of a network's row."""
        return self._encoding.segments

    @property
    def _encoding(self) -> TableEncoding:
        assert self.encoding is not None  # `of` makes all
        return self.encoding

    def in_dialect(self, dialect: Dialect) -> EncodedUnits:
        """The same units for tables in files of another `dialect`."""
        content = self._encoding.to_json()
        content["schema"] = replace(self._encoding.schema, dialect=dialect).to_dict()
        return EncodedUnits.of(TableEncoding.from_json(content))

    def sample_shape(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """The network's shape of a sample, (width of the segments,), whatever its shape as `stored`."""
        return (self._encoding.segments.width,)

    def store(self, scalars: Tensor, codes: Tensor) -> Tensor:
        """Samples (N, C + S) as they are stored.

        Args:
            scalars: (N, C), as `TableEncoding.codes` gives them.
            codes: int64 (N, S), likewise.
        """
        return torch.cat((scalars, codes.to(scalars.dtype)), 1)

    def codes(self, raw: Tensor) -> Tensor:
        """The places int64 (N, S) in the one-hot vectors of `raw` samples (N, C + S)."""
        return raw[:, self._encoding.segments.scalars :].long()

    def normalise(self, raw: Tensor) -> Tensor:
        """Convert `raw` samples (N, C + S) to the network's rows (N, width of the segments)."""
        segments = self._encoding.segments
        return one_hot(raw[:, : segments.scalars].to(torch.get_default_dtype()), self.codes(raw), segments)

    def restore(self, samples: Tensor) -> NDArray[Any]:
        """Convert `samples` (N, ...) of the network to float64 (N, F), as the table's schema encodes rows."""
        return self._encoding.restore(samples.detach().cpu())

    def to_dict(self) -> dict[str, Any]:
        """The attributes as a dict of plain values that JSON can hold."""
        return {"encoding": self._encoding.to_json()}


def read_units(saved: dict[str, Any]) -> Units:
    """The units of a dict that `to_dict` made.

    Args:
        saved: the dict.
    """
    return EncodedUnits.of(TableEncoding.from_json(saved["encoding"])) if "encoding" in saved else Units(**saved)
