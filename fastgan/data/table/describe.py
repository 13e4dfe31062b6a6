"""`describe_column`: what a column of a table holds, found out from its cells."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from fastgan._support.extras import require
from fastgan.data.table.columns import Column, is_text, known_cells, numbers_of, place, seconds
from fastgan.data.table.dates import find_format, parse_dates
from fastgan.data.table.reading import Table

__all__ = ["describe_column"]

# A column of text with more values than 90% of its rows, and than this, holds names or sentences, and no categories.
_FEW = 20
# With this share of cells that are no numbers at most, a column is one of numbers with a mistake in it.
_MISTAKES = 0.05
_PRECISE = 9  # decimals; numbers with more are written with all their digits
_STEPS = (86400.0, 3600.0, 60.0, 1.0, 1e-3, 1e-6)  # of dates and durations, in seconds

_ID_NAME = re.compile(
    r"(?i:id|index|idx|key|uuid|guid|row|nr|no\.?|row[_ ]?(?:id|nr|no|number|names?))|.*[a-z]I[dD]|.*[_ .-](?i:id)"
)
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_CODE = r"0\d+"  # as a number, 007 would lose its zeros


def describe_column(
    cells: Any,
    name: Any,
    decimal: str = ".",
    text: bool = False,
    ids: bool = True,
    table: Table | None = None,
    words: bool = True,
) -> Column:
    """Find out what a column holds.

    Args:
        cells: a pandas Series of text, as `read_table` gives it, or of values of any dtype.
        name: the column's name.
        decimal: the decimal mark of text.
        text: take text for categories or ids, also where it looks like numbers.
        ids: whether the column may be one of ids or free text.
        table: where the column is from, for messages.
        words: whether text such as NA stands for a missing cell.

    Raises:
        ValueError: for an infinite number, values of several types, or numbers with a few cells of text among them;
            the message names the column, and the line of the first such cell.
        TypeError: for values of a kind that cannot be described, such as lists.
        MissingExtraError: without pandas.
    """
    known = known_cells(cells, words)
    missing = len(known) < len(cells)
    spelt = _spelling(cells, known) if missing and is_text(cells) else ""
    column = Column(name, "category", str(cells.dtype), missing=missing, missing_as=spelt)
    if known.empty:
        return replace(column, kind="empty", **_levels(cells))
    if column.dtype == "object":
        known = known.infer_objects()
    if not is_text(known):
        found = _from_values(known, column, table)
    else:
        _check_types(known, column, table)
        found = _from_text(known, column) if text else _from_cells(known, column, decimal, table)
    if found.kind == "id":
        found = replace(found, high=max(found.high, float(len(cells) if not found.form else 0)))
    if found.kind not in ("id", "text") or ids:
        return found
    number = found.form == "{}" and bool(np.isfinite(values := numbers_of(known, found, decimal)).all())
    return replace(found, kind="integer", **_moments(values)) if number else _categories(known, column)


def _spelling(cells: Any, known: Any) -> str:
    """The most frequent spelling of a missing cell."""
    spelt = cells.drop(known.index).dropna()
    return str(spelt.mode().iloc[0]) if len(spelt) else ""


def _check_types(known: Any, column: Column, table: Table | None) -> None:
    """Refuse objects that are not all text."""
    kinds = sorted({type(value).__name__ for value in known}) if column.dtype == "object" else ["str"]
    if len(kinds) > 1:
        raise ValueError(f"data: expected values of one type {place(column.name, table)}, got {' and '.join(kinds)}")
    if kinds != ["str"]:
        raise TypeError(f"data: expected text, numbers, booleans or dates {place(column.name, table)}, got {kinds[0]}")


def _from_cells(known: Any, column: Column, decimal: str, table: Table | None) -> Column:
    """A column of text, whatever it stands for."""
    unique = known.drop_duplicates()
    plain = unique.str.replace(",", ".", regex=False) if decimal == "," else unique
    infinite = plain.str.fullmatch(r"[+-]?(?:inf|infinity)", case=False)
    number = plain.str.fullmatch(_NUMBER)
    odd = ~number & ~infinite
    codes = bool(plain.str.fullmatch(_CODE).any())
    if (number | infinite).any() and not codes and odd.sum() <= max(1, _MISTAKES * len(unique)):
        if odd.any() or infinite.any():
            row = int(unique.index[(odd | infinite).to_numpy().argmax()])
            line = f"row {row + 1}" if table is None else table.line(row)
            raise ValueError(
                f"data: expected a {'' if odd.any() else 'finite '}number {place(column.name, table)}, got "
                f"{str(unique[row])!r} in {line}" + f"; --text {column.name} takes the column as text" * bool(odd.any())
            )
        return _from_numbers(known, unique, plain, column)
    lower = set(unique.str.lower()) if len(unique) <= 2 else set()
    if lower and lower <= {"true", "false"}:
        spelt = {v.lower(): v for v in unique}
        false = spelt.get("false", _like(spelt.get("true", ""), "false"))
        true = spelt.get("true", _like(false, "true"))
        mean = float((known.str.lower() == "true").mean())
        dtype = "boolean" if column.missing else "bool"
        return replace(column, kind="boolean", dtype=dtype, mean=mean, values=(false, true))
    if (form := find_format(unique)) is not None:
        return replace(column, kind="date", dtype="datetime64[us]", form=form, **_times(parse_dates(known, form)))
    return _from_text(known, column)


def _like(model: str, word: str) -> str:
    """A word in capitals as the model has them."""
    return word.upper() if model.isupper() else word.capitalize() if model[:1].isupper() else word


def _moments(numbers: Any) -> dict[str, Any]:
    """Range, mean and standard deviation; those of a constant are exact."""
    x = np.asarray(numbers, dtype=np.float64)
    low, high = float(x.min()), float(x.max())
    mean = low if low == high else float(x.mean())
    return {"low": low, "high": high, "mean": mean, "std": float(x.std()) if low < high else 1.0}


def _times(cells: Any) -> dict[str, Any]:
    """The moments of dates or durations, and the longest step of which all are multiples."""
    x = seconds(cells)
    # Of a date in seconds, float64 keeps 2e-7.
    step = next((s for s in _STEPS if (np.abs(x / s - np.rint(x / s)) * s <= min(1e-6, s / 4)).all()), 0.0)
    return {**_moments(x), "step": step}


def _from_numbers(known: Any, unique: Any, plain: Any, column: Column) -> Column:
    """A column of text whose cells are numbers: `plain` has its different cells, with decimal points."""
    pandas = require("pandas")
    values = pandas.to_numeric(plain).to_numpy(dtype=np.float64)
    every = pandas.Series(values, index=unique.to_numpy()).reindex(known.to_numpy()).to_numpy()
    moments = _moments(every)
    point = plain.str.find(".")
    digits = (plain.str.len() - point - 1).where(point >= 0, 0)
    scientific = bool(plain.str.contains("e", case=False, regex=False).any()) or int(digits.max()) > _PRECISE
    decimals, fewest = (-1, 0) if scientific else (int(digits.max()), int(digits.min()))
    whole = not scientific and bool((values == np.rint(values)).all())
    if whole and decimals == 0 and _counts_rows(column, len(unique), len(known)):
        return replace(column, kind="id", dtype="int64", form="{}", low=moments["low"], high=moments["high"])
    dtype = "Int64" if column.missing else "int64"
    if decimals != 0 or max(abs(moments["low"]), abs(moments["high"])) >= 2**63:
        dtype = "float64"
    kind = "integer" if whole else "decimal"
    return replace(column, kind=kind, dtype=dtype, decimals=decimals, fewest_decimals=fewest, **moments)


def _counts_rows(column: Column, distinct: int, count: int) -> bool:
    """Whether whole numbers are ids: their name says so, and each is another."""
    named = _ID_NAME.fullmatch(str(column.name).strip()) is not None
    return not column.missing and distinct == count > 1 and named


def _from_text(known: Any, column: Column) -> Column:
    """A column of text that is no number, boolean or date: categories, ids or free text."""
    distinct = known.nunique()
    own = distinct == len(known)
    names = distinct > _FEW and distinct > 0.9 * len(known)
    named = own and not column.missing and distinct > 2 and _ID_NAME.fullmatch(str(column.name).strip())
    if not names and not named:
        return _categories(known, column)
    parts = known.str.extract(r"^(\D*)(\d{1,15})$")
    if own and not parts.isna().any(axis=None) and parts[0].nunique() == 1:
        lengths, numbers = parts[1].str.len(), parts[1].astype("int64")
        prefix = str(parts[0].iloc[0]).replace("{", "{{").replace("}", "}}")
        form = prefix + (f"{{:0{lengths.min()}d}}" if lengths.min() == lengths.max() else "{}")
        return replace(column, kind="id", form=form, low=float(numbers.min()), high=float(numbers.max()))
    sentences = bool(known.str.strip().str.contains(r"\s", regex=True).any())
    return replace(column, kind="text" if sentences or not own else "id")


def _categories(known: Any, column: Column) -> Column:
    counts = known.astype("str").value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return replace(column, kind="category", values=tuple(map(str, counts.index)))


def _levels(cells: Any) -> dict[str, Any]:
    """The categories of a pandas categorical, as Python's own values."""
    if str(cells.dtype) != "category":
        return {}
    levels = (v.item() if isinstance(v, np.generic) else v for v in cells.cat.categories)
    return {"levels": tuple(levels), "ordered": bool(cells.cat.ordered)}


def _from_values(known: Any, column: Column, table: Table | None) -> Column:
    """A column of a DataFrame that has a dtype other than text."""
    kind = known.dtype.kind
    if str(known.dtype) == "category":
        return replace(_categories(known, column), **_levels(known))
    if kind == "b":
        return replace(column, kind="boolean", mean=float(known.astype("float64").mean()), values=("False", "True"))
    if kind in "iu":
        moments = _moments(known.to_numpy(dtype=np.float64))
        if _counts_rows(column, known.nunique(), len(known)):
            return replace(column, kind="id", form="{}", low=moments["low"], high=moments["high"])
        return replace(column, kind="integer", **moments)
    if kind == "f":
        # In their own precision: of float32, 0.1 has one decimal.
        x = known.to_numpy(dtype=getattr(known.dtype, "numpy_dtype", known.dtype))
        if not np.isfinite(x).all():
            row = int((~np.isfinite(x)).argmax())
            line = f"row {known.index[row]}" if table is None else table.line(row)
            raise ValueError(f"data: expected finite numbers {place(column.name, table)}, got {x[row]} in {line}")
        if (x == np.rint(x)).all():
            return replace(column, kind="integer", decimals=1, fewest_decimals=1, **_moments(x))
        digits = next((d for d in range(1, _PRECISE + 1) if (x.round(d) == x).all()), -1)
        return replace(column, kind="decimal", decimals=digits, **_moments(x))
    if kind == "M":
        times = _times(known)
        days = known.dt.tz is None and times["step"] == _STEPS[0]
        fraction = ".%f" if times["step"] not in _STEPS[:4] else ""
        return replace(column, kind="date", form="%Y-%m-%d" + f" %H:%M:%S{fraction}" * (not days), **times)
    if kind == "m":
        return replace(column, kind="duration", **_times(known))
    raise ValueError(f"data: expected numbers, text, dates or booleans {place(column.name, table)}, got {known.dtype}")
