"""`csv:PATH` and `parquet:PATH`: tables in files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from fastgan.data.memory import fit_data
from fastgan.data.options import ReadOptions
from fastgan.data.samples import Data
from fastgan.data.table.encoding import TableEncoding
from fastgan.data.table.infer import infer_schema
from fastgan.data.table.options import TableOptions
from fastgan.data.table.reading import read_table
from fastgan.data.table.source import load_table
from fastgan.data.table.units import EncodedUnits
from fastgan.data.units import Units

__all__ = ["encoded_data", "read_table_data"]


def read_table_data(path: str, options: ReadOptions) -> Data:
    """Read a table; see `fastgan.data.table.source.load_table`.

    Args:
        path: the file.
        options: `table`, `conditional` and `encoded`; they may say nothing of images.

    Raises:
        ValueError: for a file that is no table, a column that cannot be encoded, or settings of images.
        MissingExtraError: without pandas, or for Parquet without pyarrow.
    """
    if options.encoded:
        data = _read_encoded(path, options.table)
    else:
        table = load_table(path, options.table, options.conditional)
        units = Units(table.schema.scale, table.schema.offset, dtype="float64", table=table.schema.to_dict())
        labels = None if table.labels is None else torch.from_numpy(table.labels)
        data = Data(torch.from_numpy(table.rows), labels, units, table.class_names, path, table.notes)
    return fit_data(data, options.image_size, options.color)


def encoded_data(
    table: Any, units: EncodedUnits, name: str = "", notes: Sequence[str] = (), strict: bool = True
) -> Data:
    """The rows of a table as data for the network `tabular`.

    Args:
        table: a pandas DataFrame.
        units: of this table, or of another one with the same columns.
        name: what to call the data in messages.
        notes: sentences on how they were read.
        strict: as for `TableEncoding.codes`.

    Raises:
        ValueError: as `TableEncoding.codes` does.
    """
    assert units.encoding is not None  # as of all that `EncodedUnits.of` makes
    return Data(units.store(*units.encoding.codes(table, strict)), None, units, (), name, notes)


def _read_encoded(path: str, options: TableOptions) -> Data:
    table = read_table(path, options)
    schema, notes = infer_schema(table, options)
    encoding = TableEncoding.fit(table.frame, options.discrete, schema=schema)
    width = f"columns: {schema.describe()}; a row is {encoding.segments.width} numbers in the network"
    return encoded_data(table.frame, EncodedUnits.of(encoding), path, [*table.notes, width, *notes, *encoding.shared])
