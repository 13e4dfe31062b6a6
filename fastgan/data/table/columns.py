"""`Column`: what a column of a table holds, whether it lies in a file or in a DataFrame; and its cells as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require
from fastgan.data.table.dates import parse_dates
from fastgan.data.table.missing import missing_mask
from fastgan.data.table.reading import Table

__all__ = ["KINDS", "NUMBERS", "Column", "is_text", "known_cells", "numbers_of", "place", "seconds"]

NUMBERS = ("integer", "decimal", "date", "duration")  # the kinds that have a range
KINDS = (*NUMBERS, "boolean", "category", "id", "text", "empty", "class")


@dataclass(frozen=True)
class Column:
    """What a column holds.

    Attributes:
        name: the column's name; text, or in a DataFrame also a number.
        kind: "integer", "decimal", "boolean", "category" (text, or a pandas categorical), "date", "duration", "id" (a
            value of its own in each row), "text" (free text, which differs in nearly each row), "empty" (missing cells
            alone), or "class" (the label of a conditional run, which is no part of a sample).
        dtype: of the column in a DataFrame, as pandas names it.
        missing: whether cells are missing.
        missing_as: how a missing cell is spelt.
        low, high: the range of numbers, of dates in seconds since 1970, and of durations in seconds. Ids count on
            behind `high`.
        mean, std: of the same.
        decimals: digits behind the decimal point, at most; -1 writes all that there are.
        fewest_decimals: at least. 2.50 among numbers of two decimals keeps its zero if this is 2.
        step: the seconds of which all dates or durations are multiples; 0 for other columns, or where there are none.
        values: the spellings of a boolean's false and true, or of the categories, the most frequent first.
        levels: the categories of a pandas categorical, in their own order and type.
        ordered: whether that categorical is ordered.
        form: the format of dates, as `strftime` takes it, or of ids, such as "n{}"; "" for others.
    """

    name: Any
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
    step: float = 0.0
    values: tuple[str, ...] = ()
    levels: tuple[Any, ...] = ()
    ordered: bool = False
    form: str = ""

    @property
    def learnt(self) -> bool:
        """Whether a model learns the column: not an id, free text, a class, or nothing at all."""
        return self.kind in NUMBERS or self.kind in ("boolean", "category")

    @property
    def width(self) -> int:
        """The number of numbers that encode a cell: one, or one a category, and one more that tells missing cells."""
        if not self.learnt:
            return 0
        return (len(self.values) if self.kind == "category" else 1) + self.missing

    @property
    def constant(self) -> bool:
        """Whether all cells are the same."""
        if not self.learnt:
            return False
        same = self.low == self.high if self.kind in NUMBERS else len(self.values) == 1
        return same and not self.missing


def known_cells(cells: Any, words: bool = True) -> Any:
    """The cells of a column that are not missing.

    Args:
        cells: a pandas Series.
        words: whether text such as NA stands for a missing cell.
    """
    return cells[~missing_mask(cells, words)]


def place(name: Any, table: Table | None = None) -> str:
    """Words for a message that tell a column.

    Args:
        name: of the column.
        table: where it is from, or None.
    """
    return f"in column '{name}'" + ("" if table is None else f" of {table.path}")


def is_text(cells: Any) -> bool:
    """Whether the pandas Series `cells` holds text."""
    return str(cells.dtype) in ("str", "string", "object")


def seconds(cells: Any) -> NDArray[np.float64]:
    """Dates as float64 seconds since 1970, durations as seconds; NaN where missing.

    Args:
        cells: a pandas Series of dates or durations.

    Raises:
        MissingExtraError: without pandas.
    """
    if cells.dtype.kind != "m":
        cells = cells - require("pandas").Timestamp(0, tz=cells.dt.tz)
    return np.asarray(cells.dt.total_seconds().to_numpy(), dtype=np.float64)


def numbers_of(cells: Any, column: Column, decimal: str = ".") -> NDArray[np.float64]:
    """The cells of a column of numbers, booleans, dates or durations, NaN where they are missing or no such.

    Args:
        cells: a pandas Series of text or values.
        column: what it holds.
        decimal: the decimal mark of text.

    Returns:
        float64 (rows,).

    Raises:
        MissingExtraError: without pandas.
    """
    pandas = require("pandas")
    if column.kind == "duration":
        return seconds(pandas.to_timedelta(cells, errors="coerce") if is_text(cells) else cells)
    if column.kind == "date":
        return seconds(parse_dates(cells, column.form) if is_text(cells) else cells)
    if column.kind == "boolean":
        lower = cells.astype("str").str.lower()
        found = [(lower == word).to_numpy(dtype=bool, na_value=False) for word in ("true", "false")]
        return np.select(found, [1.0, 0.0], np.nan)
    if is_text(cells) and decimal == ",":
        cells = cells.str.replace(",", ".", regex=False)
    numbers = pandas.to_numeric(cells, errors="coerce")
    return np.asarray(numbers.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan))
