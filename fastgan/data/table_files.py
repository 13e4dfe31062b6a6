"""`csv:PATH` and `parquet:PATH`: tables in files."""

from __future__ import annotations

import torch

from fastgan.data.memory import fit_data
from fastgan.data.options import ReadOptions
from fastgan.data.samples import Data
from fastgan.data.table.source import load_table
from fastgan.data.units import Units

__all__ = ["read_table_data"]


def read_table_data(path: str, options: ReadOptions) -> Data:
    """Read a table; see `fastgan.data.table.source.load_table`.

    Args:
        path: the file.
        options: `table` and `conditional`; they may say nothing of images.

    Raises:
        ValueError: for a file that is no table, a column that cannot be encoded, or settings of images.
        MissingExtraError: without pandas, or for Parquet without pyarrow.
    """
    table = load_table(path, options.table, options.conditional)
    units = Units(table.schema.scale, table.schema.offset, dtype="float64", table=table.schema.to_dict())
    labels = None if table.labels is None else torch.from_numpy(table.labels)
    data = Data(torch.from_numpy(table.rows), labels, units, table.class_names, path, table.notes)
    return fit_data(data, options.image_size, options.color)
