"""CSV files as tables: columns of numbers or text, with names and with missing cells."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastgan._support.messages import unknown_name

__all__ = ["Table", "is_number", "read_table"]

_MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}


@dataclass(frozen=True)
class Table:
    """The cells of a CSV file.

    Attributes:
        path: the file.
        names: of the columns; column_1, column_2, ... where the file has no header.
        has_header: whether the file's first line holds the columns' names.
        cells: the text of each row's cells, as in the file.
        lines: the line number of each row.
    """

    path: str
    names: list[str]
    has_header: bool
    cells: list[list[str]]
    lines: list[int]

    def columns(self, names: Sequence[str]) -> list[int]:
        """The indices of the columns called `names`.

        Raises:
            ValueError: for a name that no column has; the message suggests the most similar one.
        """
        for name in names:
            if name not in self.names:
                raise ValueError(unknown_name(f"{self.path}: unknown column", name, self.names))
        return [self.names.index(name) for name in names]

    def text(self, column: int) -> list[str]:
        """The cells of the column with index `column`, stripped of white space.

        Raises:
            ValueError: for a missing cell; the message gives its line.
        """
        for line, row in zip(self.lines, self.cells, strict=True):
            if _is_missing(row[column]):
                raise ValueError(
                    f"data: expected a value in column '{self.names[column]}' of {self.path}, got none in line {line}"
                )
        return [row[column].strip() for row in self.cells]

    def numbers(self, columns: Sequence[int], missing: bool = False) -> NDArray[np.float64]:
        """Columns as an array of numbers (rows, columns).

        Args:
            columns: their indices.
            missing: allow missing cells, which become NaN.

        Raises:
            ValueError: for text, an infinite number, a missing cell that is not allowed, or a column without a number;
                the message gives the column's name.
        """
        values = np.empty((len(self.cells), len(columns)))
        for j, column in enumerate(columns):
            place = f"in column '{self.names[column]}' of {self.path}"
            for i, (line, row) in enumerate(zip(self.lines, self.cells, strict=True)):
                values[i, j] = math.nan if _is_missing(row[column]) else _number(row[column], line, place)
            empty = np.isnan(values[:, j])
            if empty.all():
                raise ValueError(f"data: expected at least one number {place}, got only missing cells")
            if empty.any() and not missing:
                raise ValueError(
                    f"data: expected a number {place}, got none in line {self.lines[int(empty.argmax())]}; "
                    "`fastgan impute` fills in what is missing"
                )
        return values


def is_number(cell: str) -> bool:
    """Whether the text `cell` is a number or stands for a missing one: empty, NA, N/A, NaN, null, none or ?."""
    try:
        float(cell)
    except ValueError:
        return _is_missing(cell)
    return True


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in _MISSING


def _number(cell: str, line: int, place: str) -> float:
    if not is_number(cell):
        raise ValueError(f"data: expected a number {place}, got {cell.strip()!r} in line {line}")
    if not math.isfinite(value := float(cell)):
        raise ValueError(f"data: expected a finite number {place}, got {cell.strip()!r} in line {line}")
    return value


def read_table(path: str) -> Table:
    """Read a comma-separated file in UTF-8. Its first line is a header if none of its cells is a number.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for another encoding, rows of different lengths, two columns of one name, or a file without rows.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"data: expected a CSV file '{path}', found none")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, row) for row in reader if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"data: expected {path} to be a CSV file in UTF-8: {error}") from error
    has_header = bool(rows) and not any(_is_value(cell) for cell in rows[0][1]) and any(c.strip() for c in rows[0][1])
    names = (
        [c.strip() for c in rows[0][1]]
        if has_header
        else [f"column_{i + 1}" for i in range(len(rows[0][1]) if rows else 0)]
    )
    rows = rows[1:] if has_header else rows
    if not rows:
        raise ValueError(f"data: expected rows of cells in {path}, got none")
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"data: expected columns of different names in {path}, got '{name}' {names.count(name)} times"
            )
    for line, row in rows:
        if len(row) != len(names):
            raise ValueError(f"data: expected {len(names)} cells in line {line} of {path}, got {len(row)}")
    return Table(path, names, has_header, [row for _, row in rows], [line for line, _ in rows])


def _is_value(cell: str) -> bool:
    return is_number(cell) and not _is_missing(cell)
