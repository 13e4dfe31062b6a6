"""`Column`: what a column of a table holds, found out from its cells."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastgan._support.extras import require
from fastgan.data.table.dates import find_format, parse_dates
from fastgan.data.table.missing import missing_mask
from fastgan.data.table.reading import Table

__all__ = ["KINDS", "Column", "describe_column", "is_text", "known_cells", "numbers_of"]

KINDS = ("integer", "decimal", "boolean", "category", "date", "id", "class")

# A column of text with more values than half its rows, and than this, holds names rather than categories.
_FEW = 20
# With this share of cells that are no numbers at most, a column is one of numbers with a mistake in it.
_MISTAKES = 0.05
_PRECISE = 9  # decimals; numbers with more are written with all their digits

_ID_NAME = re.compile(
    r"(?i:id|index|idx|key|uuid|guid|row|nr|no\.?|row[_ ]?(?:id|nr|no|number|names?))|.*[a-z]I[dD]|.*[_ .-](?i:id)"
)
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_CODE = r"0\d+"  # as a number, 007 would lose its zeros


@dataclass(frozen=True)
class Column:
    """What a column holds.

    Attributes:
        name: the column's name.
        kind: "integer", "decimal", "boolean", "category" (text), "date", "id" (a value of its own in each row), or
            "class" (the label of a conditional run, which is no part of a sample).
        dtype: of the column in a DataFrame, as pandas names it.
        missing: whether cells are missing.
        missing_as: how a missing cell is spelt.
        low, high: the range of numbers, and of dates in seconds since 1970.
        mean, std: of the same.
        decimals: digits behind the decimal point, at most; -1 writes all that there are.
        fewest_decimals: at least. 2.50 among numbers of two decimals keeps its zero if this is 2.
        values: the spellings of a boolean's false and true, or of the categories, the most frequent first.
        form: the format of dates, as `strftime` takes it, or of ids, such as "n{}"; "" for others.
    """

    name: str
    kind: str
    dtype: str = "str"
    missing: bool = False
    missing_as: str = ""
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    std: float = 1.0
    decimals: int = 0
    fewest_decimals: int = 0
    values: tuple[str, ...] = ()
    form: str = ""

    @property
    def width(self) -> int:
        """The number of numbers that encode a cell: one, or one a category, and one more that tells missing cells."""
        if self.kind in ("id", "class"):
            return 0
        return (len(self.values) if self.kind == "category" else 1) + self.missing

    @property
    def constant(self) -> bool:
        """Whether all cells are the same."""
        same = self.low == self.high if self.kind in ("integer", "decimal", "date") else len(self.values) == 1
        return same and not self.missing and self.kind != "id"


def known_cells(cells: Any, name: str, table: Table | None = None) -> Any:
    """The cells of a column that are not missing.

    Args:
        cells: a pandas Series.
        name: the column's name.
        table: where it is from, for messages.

    Raises:
        ValueError: where all are missing.
    """
    known = cells[~missing_mask(cells)]
    if known.empty:
        raise ValueError(f"data: expected at least one value {_place(name, table)}, got only missing cells")
    return known


def describe_column(
    cells: Any, name: str, decimal: str = ".", text: bool = False, ids: bool = True, table: Table | None = None
) -> Column:
    """Find out what a column holds.

    Args:
        cells: a pandas Series of text, as `read_table` gives it, or of values of any dtype.
        name: the column's name.
        decimal: the decimal mark of text.
        text: take text for categories or ids, also where it looks like numbers.
        ids: whether the column may be one of ids.
        table: where the column is from, for messages.

    Raises:
        ValueError: for a column without a value, an infinite number, or numbers with a few cells of text among them;
            the message names the column, and the line of the first such cell.
        MissingExtraError: without pandas.
    """
    known = known_cells(cells, name, table)
    missing = len(known) < len(cells)
    spelt = _spelling(cells, known) if missing and is_text(cells) else ""
    column = Column(name, "category", missing=missing, missing_as=spelt)
    if not is_text(cells):
        found = _from_values(known, column, table)
    elif text:
        found = _from_text(known, column)
    else:
        found = _from_cells(known, column, decimal, table)
    if found.kind == "id" and not ids:
        values = numbers_of(known, found, decimal)
        number = found.form == "{}" and bool(np.isfinite(values).all())
        return replace(found, kind="integer", **_moments(values)) if number else _categories(known, column)
    return found


def _place(name: str, table: Table | None) -> str:
    return f"in column '{name}'" + ("" if table is None else f" of {table.path}")


def _spelling(cells: Any, known: Any) -> str:
    """The most frequent spelling of a missing cell."""
    spelt = cells.drop(known.index).dropna()
    return str(spelt.mode().iloc[0]) if len(spelt) else ""


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
                f"data: expected a {'' if odd.any() else 'finite '}number {_place(column.name, table)}, got "
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
        seconds = _seconds(parse_dates(known, form))
        return replace(column, kind="date", dtype="datetime64[us]", form=form, **_moments(seconds))
    return _from_text(known, column)


def is_text(cells: Any) -> bool:
    """Whether the pandas Series `cells` holds text."""
    return str(cells.dtype) in ("str", "string", "object")


def _like(model: str, word: str) -> str:
    """A word in capitals as the model has them."""
    return word.upper() if model.isupper() else word.capitalize() if model[:1].isupper() else word


def _moments(numbers: Any) -> dict[str, Any]:
    """Range, mean and standard deviation; those of a constant are exact."""
    x = np.asarray(numbers, dtype=np.float64)
    low, high = float(x.min()), float(x.max())
    mean = low if low == high else float(x.mean())
    return {"low": low, "high": high, "mean": mean, "std": float(x.std()) if low < high else 1.0}


def _seconds(dates: Any) -> Any:
    pandas = require("pandas")
    return (dates - pandas.Timestamp(0, tz=dates.dt.tz)).dt.total_seconds().to_numpy()


def numbers_of(cells: Any, column: Column, decimal: str = ".") -> Any:
    """The cells of a column of numbers, booleans or dates as float64 (rows,), NaN where they are missing or no such.

    Args:
        cells: a pandas Series of text or values.
        column: what it holds.
        decimal: the decimal mark of text.

    Raises:
        MissingExtraError: without pandas.
    """
    pandas = require("pandas")
    if column.kind == "date":
        dates = parse_dates(cells, column.form) if is_text(cells) else cells
        return np.asarray(_seconds(dates), dtype=np.float64)
    if column.kind == "boolean":
        lower = cells.str.lower() if is_text(cells) else cells.astype("str").str.lower()
        return np.select([(lower == "true").to_numpy(), (lower == "false").to_numpy()], [1.0, 0.0], np.nan)
    if is_text(cells) and decimal == ",":
        cells = cells.str.replace(",", ".", regex=False)
    return pandas.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


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
        return replace(column, kind="id", dtype="int64", form="{}", low=moments["low"])
    dtype = "Int64" if column.missing else "int64"
    if decimals != 0 or max(abs(moments["low"]), abs(moments["high"])) >= 2**63:
        dtype = "float64"
    kind = "integer" if whole else "decimal"
    return replace(column, kind=kind, dtype=dtype, decimals=decimals, fewest_decimals=fewest, **moments)


def _counts_rows(column: Column, distinct: int, count: int) -> bool:
    """Whether whole numbers are ids: their name says so, and each is another."""
    return not column.missing and distinct == count > 1 and _ID_NAME.fullmatch(column.name) is not None


def _from_text(known: Any, column: Column) -> Column:
    """A column of text that is no number, boolean or date."""
    distinct = known.nunique()
    own = distinct == len(known) and not column.missing
    names = distinct > _FEW and distinct > 0.9 * len(known)
    if not names and not (own and distinct > 2 and _ID_NAME.fullmatch(column.name)):
        return _categories(known, column)
    parts = known.str.extract(r"^(\D*)(\d{1,15})$")
    if not own or parts.isna().any(axis=None) or parts[0].nunique() > 1:
        return replace(column, kind="id")
    shortest, longest = parts[1].str.len().min(), parts[1].str.len().max()
    prefix = str(parts[0].iloc[0]).replace("{", "{{").replace("}", "}}")
    form = prefix + (f"{{:0{shortest}d}}" if shortest == longest else "{}")
    return replace(column, kind="id", form=form, low=float(parts[1].astype("int64").min()))


def _categories(known: Any, column: Column) -> Column:
    counts = known.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return replace(column, kind="category", values=tuple(map(str, counts.index)))


def _from_values(known: Any, column: Column, table: Table | None) -> Column:
    """A column of a DataFrame that has a dtype other than text."""
    kind = known.dtype.kind
    column = replace(column, dtype=str(known.dtype))
    if kind == "b":
        return replace(column, kind="boolean", mean=float(known.astype("float64").mean()), values=("False", "True"))
    if kind in "iu":
        x = known.to_numpy(dtype=np.float64)
        if _counts_rows(column, known.nunique(), len(known)):
            return replace(column, kind="id", form="{}", low=float(x.min()))
        return replace(column, kind="integer", **_moments(x))
    if kind == "f":
        x = known.to_numpy(dtype=np.float64)
        if not np.isfinite(x).all():
            raise ValueError(f"data: expected finite numbers {_place(column.name, table)}, got infinity")
        if (x == np.rint(x)).all():
            return replace(column, kind="integer", decimals=1, fewest_decimals=1, **_moments(x))
        digits = next((d for d in range(1, _PRECISE + 1) if (x.round(d) == x).all()), -1)
        return replace(column, kind="decimal", decimals=digits, **_moments(x))
    if kind == "M":
        days = known.dt.tz is None and bool((known.dt.normalize() == known).all())
        form = "%Y-%m-%d" if days else "%Y-%m-%d %H:%M:%S"
        return replace(column, kind="date", form=form, **_moments(_seconds(known)))
    if column.dtype == "category":
        return _from_text(known.astype("str"), column)
    raise ValueError(
        f"data: expected numbers, text, dates or booleans {_place(column.name, table)}, got {column.dtype}"
    )
