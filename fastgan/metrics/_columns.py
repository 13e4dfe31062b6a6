"""Columns of data frames as numbers, for metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require

_pandas = require("pandas")

Array = NDArray[Any]


def is_numeric(series: Any) -> bool:
    """Whether a pandas series holds numbers, dates or durations; booleans are none."""
    types = _pandas.api.types
    number = types.is_numeric_dtype(series) and not types.is_bool_dtype(series)
    return bool(number or types.is_datetime64_any_dtype(series) or types.is_timedelta64_dtype(series))


def numbers(series: Any) -> Array:
    """Numbers, dates and durations as float64, NaN where missing."""
    kind = series.dtype.kind
    if kind not in "mM":
        return np.asarray(series.astype("Float64").to_numpy(float, na_value=np.nan))
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    values = series.to_numpy(f"{kind}8[ns]")
    return np.where(np.isnat(values), np.nan, values.astype(np.int64).astype(float))


def same_columns(op: str, first: Any, *others: Any) -> None:
    """Raise a ValueError, that `op` names, unless all tables have rows and the columns of the `first`."""
    for table in (first, *others):
        if set(table.columns) != set(first.columns):
            wanted, got = (", ".join(map(str, t.columns)) for t in (first, table))
            raise ValueError(f"{op}: expected the columns {wanted}, got {got}")
        if not len(table) or not len(table.columns):
            raise ValueError(f"{op}: expected tables with rows and columns, got an empty one")


def codes_by(real: Any, series: Any) -> Array:
    """The values of a pandas series as places among those of the `real` one, by falling frequency; -1 for others."""
    values = [str(v) for v in real.dropna().astype(object).value_counts().index]
    texts = series.astype(object).map(str, na_action="ignore")
    return np.asarray(_pandas.Index(values, dtype=object).get_indexer(texts.to_numpy(dtype=object)))
