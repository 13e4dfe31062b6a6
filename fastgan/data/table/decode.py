"""The way back from the numbers that encode a column to its cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require
from fastgan.data.table.columns import Column

__all__ = ["decode_column", "typed"]

Array = NDArray[np.float64]


def decode_column(part: Array, column: Column) -> Any:
    """A pandas Series of the cells of a column, of its dtype.

    Args:
        part: (rows, `column.width`), the numbers that encode the column.
        column: what it holds.

    Raises:
        MissingExtraError: without pandas.
    """
    pandas = require("pandas")
    values = part[:, : part.shape[1] - column.missing]
    if column.kind == "category":
        best = part.argmax(1)  # the number for missing cells competes with the categories
        gone = best == len(column.values)
        spelt = np.array([*column.values, ""], dtype=object)[best]
        return typed(pandas.Series(spelt).mask(gone), column.dtype)
    gone = part[:, -1] > 0.5 if column.missing else np.zeros(len(part), dtype=bool)
    x = values[:, 0]
    if column.kind == "boolean":
        return pandas.Series(x > 0.5, dtype="boolean").mask(gone).astype(column.dtype)
    x = np.clip(x, column.low, column.high)
    if column.kind == "date":
        step = next((s for mark, s in (("%f", 0.0), ("%S", 1.0), ("%M", 60.0)) if mark in column.form), 86400.0)
        x = np.clip(np.rint(x / step) * step, column.low, column.high) if step else x
        dates = pandas.Series(pandas.to_datetime(np.rint(x * 1e6).astype(np.int64), unit="us"))
        zone = column.dtype.partition(",")[2].strip(" ]")
        dates = dates.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else dates
        return dates.mask(gone).astype(column.dtype)
    if column.kind == "integer":
        x = np.rint(x)
    elif column.decimals >= 0:
        x = np.clip(x.round(column.decimals), column.low, column.high)
    if column.dtype.lower().startswith(("int", "uint")):
        numbers = pandas.Series(_whole(x), dtype="Int64")
        return numbers.mask(gone).astype(column.dtype)
    return pandas.Series(np.where(gone, np.nan, x)).astype(column.dtype)


def _whole(x: Array) -> NDArray[np.int64]:
    return np.clip(x, -(2.0**63), np.nextafter(2.0**63, 0)).astype(np.int64)


def typed(values: Any, dtype: str) -> Any:
    """Text as a pandas Series of a dtype, which is one of text or of numbers.

    Args:
        values: the text.
        dtype: as pandas names it.

    Raises:
        MissingExtraError: without pandas.
    """
    pandas = require("pandas")
    series = pandas.Series(values)
    if dtype in ("str", "object", "category", "string"):
        return series.astype("str" if dtype == "object" else dtype)
    if dtype in ("bool", "boolean"):
        return (series.str.lower() == "true").astype(dtype)
    return pandas.to_numeric(series).astype(dtype)
