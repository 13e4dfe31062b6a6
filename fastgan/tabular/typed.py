"""Tables from files as typed data frames to learn from, and synthetic rows as tables like the file's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fastgan._support.extras import require
from fastgan.data.table import Table, TableSchema

_pandas = require("pandas")

__all__ = ["like_file", "typed_frame"]


def typed_frame(table: Table, schema: TableSchema) -> Any:
    """The columns of a table that can be learnt from, with their dtypes; ids are left out.

    Args:
        table: the cells of a file.
        schema: what its columns hold.

    Returns:
        A pandas DataFrame.
    """
    from fastgan.data.table.missing import missing_mask

    found = {}
    for column in schema.columns:
        cells = table.frame[column.name]
        if column.kind == "category":
            found[column.name] = cells.mask(missing_mask(cells)).reset_index(drop=True)
        elif column.width:
            alone = TableSchema((column,), schema.dialect)
            found[column.name] = alone.decode(alone.encode(table.frame[[column.name]]))[column.name]
    return _pandas.DataFrame(found)


def like_file(frames: Iterable[Any], schema: TableSchema, first: int = 0) -> Iterator[Any]:
    """Synthetic rows with the ids that were left out: those that follow a pattern count on, others stay out.

    Args:
        frames: pandas DataFrames of the columns of `typed_frame`, one below the other.
        schema: what the columns of the file hold.
        first: how many rows of the file the ids count on from.
    """
    for frame in frames:
        found = {}
        for column in schema.columns:
            if column.name in frame.columns:
                found[column.name] = frame[column.name]
            elif column.kind == "id" and column.form:
                alone = TableSchema((column,), schema.dialect)
                found[column.name] = alone.decode(np.empty((len(frame), 0)), first=first)[column.name]
        first += len(frame)
        yield _pandas.DataFrame(found)
