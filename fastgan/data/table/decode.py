"""The way back from numbers, or the places of categories, to the cells of a column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require
from fastgan.data.table.columns import Column

__all__ = ["cells_from_numbers", "cells_from_places", "decode_column", "empty_cells", "new_ids", "typed"]

Array = NDArray[np.float64]


def decode_column(part: Array, column: Column) -> Any:
    """A pandas Series of the cells of a column, of its dtype.

    Args:
        part: (rows, `column.width`), the numbers that encode the column.
        column: what it holds.

    Raises:
        MissingExtraError: without pandas.
    """
    if column.kind == "category":
        return cells_from_places(part.argmax(1), column)  # the number for missing cells competes with the categories
    x = part[:, 0]
    return cells_from_numbers(np.where(part[:, -1] > 0.5, np.nan, x) if column.missing else x, column)


def cells_from_places(places: NDArray[np.int64], column: Column) -> Any:
    """A pandas Series of categories, of the column's dtype.

    Args:
        places: (rows,), the places in `column.values`; any other place is a missing cell.
        column: of categories.

    Raises:
        MissingExtraError: without pandas.
    """
    pandas = require("pandas")
    count = len(column.values)
    known = (places >= 0) & (places < count)
    if column.dtype == "category":
        codes = pandas.Index([str(level) for level in column.levels]).get_indexer(list(column.values))
        codes = np.append(codes, -1)[np.where(known, places, count)]
        return pandas.Series(pandas.Categorical.from_codes(codes, list(column.levels), column.ordered))
    spelt = np.array([*column.values, None], dtype=object)[np.where(known, places, count)]
    return typed(spelt, column.dtype)


def cells_from_numbers(x: Array, column: Column) -> Any:
    """A pandas Series of the column's dtype: numbers rounded to its decimals and clipped to its range.

    Args:
        x: (rows,) numbers as `numbers_of` gives them; NaN is a missing cell.
        column: of numbers, booleans, dates or durations.

    Raises:
        MissingExtraError: without pandas.
    """
    pandas = require("pandas")
    gone = np.isnan(x)
    if column.kind == "boolean":
        return _as_dtype(pandas.Series(x > 0.5, dtype="boolean").mask(gone), column.dtype)
    x = np.clip(np.where(gone, column.low, x), column.low, column.high)
    if column.kind in ("date", "duration"):
        return _times(np.clip(_stepped(x, column.step), column.low, column.high), gone, column)
    if column.kind == "integer":
        x = np.rint(x)
    elif column.decimals >= 0:
        x = np.clip(x.round(column.decimals), column.low, column.high)
    if column.dtype.lower().startswith(("int", "uint")) or (column.dtype == "object" and not column.decimals):
        return _as_dtype(pandas.Series(_whole(x), dtype="Int64").mask(gone), column.dtype)
    return _as_dtype(pandas.Series(np.where(gone, np.nan, x)), column.dtype)


def _times(x: Array, gone: NDArray[np.bool_], column: Column) -> Any:
    """Dates or durations of `x` seconds."""
    pandas = require("pandas")
    micros = np.rint(x * 1e6).astype(np.int64)
    if column.kind == "duration":
        return pandas.Series(pandas.to_timedelta(micros, unit="us")).mask(gone).astype(column.dtype)
    dates = pandas.Series(pandas.to_datetime(micros, unit="us"))
    zone = column.dtype.partition(",")[2].strip(" ]")
    dates = dates.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else dates
    return dates.mask(gone).astype(column.dtype)


def _stepped(x: Array, step: float) -> Array:
    return np.rint(x / step) * step if step else x


def _whole(x: Array) -> NDArray[np.int64]:
    return np.clip(x, -(2.0**63), np.nextafter(2.0**63, 0)).astype(np.int64)


def _as_dtype(series: Any, dtype: str) -> Any:
    """A series with a dtype; missing cells of objects are None."""
    if dtype == "object":
        return series.astype(object).where(series.notna(), None)
    return series.astype(dtype)


def empty_cells(count: int, column: Column) -> Any:
    """A pandas Series of `count` missing cells of the dtype of a `column`.

    Raises:
        MissingExtraError: without pandas.
    """
    pandas = require("pandas")
    if column.dtype == "category":
        return pandas.Series(pandas.Categorical([None] * count, list(column.levels), column.ordered))
    return pandas.Series([None] * count, dtype=column.dtype)


def new_ids(count: int, column: Column, first: int = 0) -> Any:
    """A pandas Series of ids that the column does not have: its pattern counted on, or NAME-NUMBER.

    Args:
        count: how many.
        column: of ids.
        first: how many new ids there were before.

    Raises:
        MissingExtraError: without pandas.
    """
    pandas = require("pandas")
    numbers = np.arange(count, dtype=np.int64) + (int(column.high) + 1 + first)
    if column.form == "{}":
        return _as_dtype(pandas.Series(numbers), column.dtype if column.dtype != "str" else "int64")
    form = column.form or f"{column.name}-".replace("{", "{{").replace("}", "}}") + "{}"
    return typed(list(map(form.format, numbers.tolist())), column.dtype)


def typed(values: Any, dtype: str) -> Any:
    """Text as a pandas Series of a dtype, which is one of text or of numbers.

    Args:
        values: the text; None where missing.
        dtype: as pandas names it.

    Raises:
        MissingExtraError: without pandas.
    """
    pandas = require("pandas")
    if dtype in ("str", "string", "object"):
        return pandas.Series(values, dtype=dtype)
    series = pandas.Series(values)
    if dtype == "category":
        return series.astype(dtype)
    if dtype in ("bool", "boolean"):
        return (series.str.lower() == "true").astype(dtype)
    return pandas.to_numeric(series).astype(dtype)
