"""What a column of a data frame holds, and the ways from its values to numbers or codes and back.

A column is a `number` (dates and durations included), a `category` (text, booleans, numbers of few distinct values) or
an `id`. Its description is plain JSON.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require

_pandas = require("pandas")

__all__ = ["LEVELS", "Column", "describe"]

LEVELS = 20  # numbers with at most this many distinct values are categories
_ID_NAMES = ("id", "index", "uuid", "key", "rownames", "rowid")
_UNITS = ("D", "h", "m", "s", "ms", "us", "ns")
_NANOSECONDS = {"D": 86_400_000_000_000, "h": 3_600_000_000_000, "m": 60_000_000_000}
_NANOSECONDS |= {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_MOST_DECIMALS = 9

Array = NDArray[Any]


@dataclass(frozen=True)
class Column:
    """The description of a column.

    Attributes:
        name: its name; text or an integer.
        kind: number, category or id.
        dtype: pandas' name of its dtype.
        missing: how many missing values it has.
        values: a category's values, the rarer ones last; a pandas categorical's keep their order.
        counts: how many rows have each of the `values`.
        ordered: whether it is an ordered pandas categorical.
        decimals: digits after the point of all its numbers; None for more than 9.
        low: the smallest number; of an id, the first new one.
        high: the largest number.
        unit: the unit in which dates and durations are counted: D, h, m, s, ms, us or ns; "" for other columns.
    """

    name: Any
    kind: str
    dtype: str
    missing: int = 0
    values: tuple[Any, ...] = ()
    counts: tuple[int, ...] = ()
    ordered: bool = False
    decimals: int | None = None
    low: float = 0.0
    high: float = 0.0
    unit: str = ""

    def to_json(self) -> dict[str, Any]:
        """The description as plain JSON."""
        return {**asdict(self), "values": list(self.values), "counts": list(self.counts)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Column:
        """The description that `to_json` gave as `content`."""
        return cls(**{**content, "values": tuple(content["values"]), "counts": tuple(content["counts"])})

    def numbers(self, series: Any) -> Array:
        """The values of a pandas `series` as float64 (N,), NaN where missing; dates count units since 1970."""
        if not self.unit:
            return np.asarray(_pandas.to_numeric(series).astype("Float64").to_numpy(float, na_value=np.nan))
        values = _nanoseconds(series).astype(np.float64) / _NANOSECONDS[self.unit]
        return np.where(series.isna().to_numpy(), np.nan, values)

    def codes(self, series: Any) -> Array:
        """The places (N,) of a pandas `series`' values among the categories, -1 where missing.

        Raises:
            ValueError: for a value that is none of the categories; the message names it.
        """
        places: Array = _pandas.Index(list(self.values), dtype=object).get_indexer(_plain(series))
        unseen = (places < 0) & series.notna().to_numpy()
        if unseen.any():
            raise ValueError(
                f"tabular: expected a category of column '{self.name}' that the table to fit had, "
                f"got {series.to_numpy()[unseen.argmax()]!r}"
            )
        return places

    def from_numbers(self, values: Array) -> Any:
        """A pandas series of float64 `values` (N,): within the range, with its decimals and dtype; NaN is missing."""
        values = np.clip(values, self.low, self.high)
        if self.unit:
            missing = np.isnan(values)
            whole = np.where(missing, 0, np.rint(values)).astype(np.int64) * _NANOSECONDS[self.unit]
            kind = "timedelta64[ns]" if self.dtype.startswith("timedelta") else "datetime64[ns]"
            whole[missing] = np.iinfo(np.int64).min  # which is NumPy's NaT
            dates = _pandas.Series(whole.view(kind), name=self.name)
            if "," in self.dtype:  # a time zone
                dates = dates.dt.tz_localize("UTC")
            return dates.astype(self.dtype)
        if self.decimals is not None:
            values = np.round(values, self.decimals)
        return _as_dtype(_pandas.Series(values, name=self.name), self.dtype)

    def from_codes(self, codes: Array) -> Any:
        """A pandas series of the categories at `codes` (N,), with the column's dtype; -1 is missing."""
        if self.dtype == "category":
            values = _pandas.Categorical.from_codes(codes, categories=list(self.values), ordered=self.ordered)
            return _pandas.Series(values, name=self.name)
        table = np.empty(len(self.values) + 1, dtype=object)
        table[: len(self.values)] = self.values
        table[-1] = np.nan if self.dtype.startswith("float") else None
        return _as_dtype(_pandas.Series(table[codes], name=self.name, dtype=object), self.dtype)

    def new_ids(self, count: int, first: int = 0) -> Any:
        """A pandas series of `count` ids that go on after the table's and `first` more: numbers, or NAME-NUMBER."""
        numbers = np.arange(count, dtype=np.int64) + (int(self.low) + first)
        if self.decimals == 0:
            return _as_dtype(_pandas.Series(numbers, name=self.name), self.dtype)
        return _as_dtype(_pandas.Series([f"{self.name}-{i}" for i in numbers], name=self.name), self.dtype)


def describe(name: Hashable, series: Any, discrete: bool = False) -> Column:
    """Describe a column of a data frame.

    Args:
        name: its name.
        series: its values, a pandas series.
        discrete: whether it must be a category.

    Raises:
        ValueError: for infinite numbers, or text and numbers in one column.
        TypeError: for values of a kind that cannot be described, such as lists.
    """
    types = _pandas.api.types
    dtype, known, missing = str(series.dtype), series.dropna(), int(series.isna().sum())
    number = types.is_numeric_dtype(series) and not types.is_bool_dtype(series)
    if number and not types.is_complex_dtype(series):
        values = known.to_numpy(float)
        if not np.isfinite(values).all():
            row = int((~np.isfinite(values)).argmax())
            raise ValueError(
                f"tabular: expected finite numbers in column '{name}', got {values[row]} in row {known.index[row]}"
            )
        if not discrete and _is_id(name, known, values):
            return Column(name, "id", dtype, missing, decimals=0, low=float(values.max()) + 1)
        if discrete or known.nunique() <= LEVELS:
            return _category(name, series, dtype, missing)
        low, high = float(values.min()), float(values.max())
        return Column(name, "number", dtype, missing, decimals=_decimals(values), low=low, high=high)
    if (types.is_datetime64_any_dtype(series) or types.is_timedelta64_dtype(series)) and len(known):
        counts = _nanoseconds(known)
        unit = next(unit for unit in _UNITS if (counts % _NANOSECONDS[unit] == 0).all())
        low, high = (float(v // _NANOSECONDS[unit]) for v in (counts.min(), counts.max()))
        return Column(name, "number", dtype, missing, decimals=0, low=low, high=high, unit=unit)
    kinds = sorted({type(value).__name__ for value in known}) if dtype == "object" else []
    if len(kinds) > 1:
        raise ValueError(f"tabular: expected values of one type in column '{name}', got {' and '.join(kinds)}")
    if kinds and kinds[0] not in ("str", "bool", "bool_", "int", "float"):
        raise TypeError(f"tabular: expected text, numbers, booleans or dates in column '{name}', got {kinds[0]}")
    if not discrete and dtype in ("object", "str", "string") and _is_text_id(name, known):
        return Column(name, "id", dtype, missing, low=float(len(series) + 1))
    return _category(name, series, dtype, missing)


def _category(name: Hashable, series: Any, dtype: str, missing: int) -> Column:
    """A category with its values, the most frequent first, ties in their order of first appearance."""
    if dtype == "category":
        counts = series.value_counts(sort=False).reindex(series.cat.categories)
        values, ordered = _plain(counts.index.to_series()), bool(series.cat.ordered)
        return Column(name, "category", dtype, missing, tuple(values), tuple(int(c) for c in counts), ordered)
    counts = series.value_counts(dropna=True)
    return Column(name, "category", dtype, missing, tuple(_plain(counts.index.to_series())), tuple(map(int, counts)))


def _plain(series: Any) -> list[Any]:
    """A series' values as Python's own bool, int, float and str, None where missing."""
    values = series.astype(object).to_numpy()
    missing = series.isna().to_numpy()
    return [None if m else v.item() if isinstance(v, np.generic) else v for v, m in zip(values, missing, strict=True)]


def _nanoseconds(series: Any) -> Array:
    """Dates or durations as int64 nanoseconds, of any value where missing."""
    if str(series.dtype).startswith("timedelta"):
        return np.asarray(series.to_numpy("timedelta64[ns]").view(np.int64))
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(series.to_numpy("datetime64[ns]").view(np.int64))


def _decimals(values: Array) -> int | None:
    """The fewest digits after the point with which all values can be written, None for more than 9."""
    tolerance = 4 * np.spacing(np.abs(values))
    for digits in range(_MOST_DECIMALS + 1):
        if (np.abs(np.round(values, digits) - values) <= tolerance).all():
            return digits
    return None


def _named_as_id(name: Hashable) -> bool:
    lower = str(name).strip().lower()
    return lower in _ID_NAMES or lower.endswith(("_id", "-id", " id")) or lower.startswith("unnamed: ")


def _is_id(name: Hashable, known: Any, values: Array) -> bool:
    """Whether all numbers are whole and different, and either named as an id or counting up by one."""
    if len(values) < LEVELS or not (values == np.rint(values)).all() or not known.is_unique:
        return False
    return _named_as_id(name) or bool((np.diff(values) == 1).all())


def _is_text_id(name: Hashable, known: Any) -> bool:
    """Whether nearly every row has a text of its own."""
    distinct = known.nunique()
    return len(known) >= LEVELS and distinct >= (0.5 if _named_as_id(name) else 0.9) * len(known) and distinct > LEVELS


def _as_dtype(series: Any, dtype: str) -> Any:
    """The series with a dtype of that name, where integers and booleans of NumPy cannot hold what is missing."""
    if dtype in ("object", str(series.dtype)):
        return series
    return series.astype(dtype)
