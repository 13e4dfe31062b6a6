"""Tables in CSV files: named columns of numbers or text, in which cells may be missing."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.messages import unknown_name

__all__ = ["Table", "features_and_target", "is_missing", "is_number", "read_table"]

_MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}


@dataclass(frozen=True)
class Table:
    """The cells of a CSV file.

    Attributes:
        path: the file.
        names: of the columns; column_1, column_2, ... where the file has no line of names.
        titled: the file has a line of names.
        cells: the rows' cells as they stand in the file.
        lines: the rows' line numbers.
    """

    path: str
    names: list[str]
    titled: bool
    cells: list[list[str]]
    lines: list[int]

    def columns(self, names: Sequence[str]) -> list[int]:
        """The places of the columns called `names`.

        Raises:
            ValueError: for a name that no column has; the nearest is offered.
        """
        for name in names:
            if name not in self.names:
                raise ValueError(unknown_name(f"{self.path}: unknown column", name, self.names))
        return [self.names.index(name) for name in names]

    def text(self, column: int) -> list[str]:
        """One column's cells, none of which may be missing."""
        for line, row in zip(self.lines, self.cells, strict=True):
            if is_missing(row[column]):
                raise ValueError(
                    f"data: expected a value in column '{self.names[column]}' of {self.path}, got none in line {line}"
                )
        return [row[column].strip() for row in self.cells]

    def numbers(self, columns: Sequence[int], missing: bool = False) -> NDArray[np.float64]:
        """Columns as numbers (rows, columns), NaN where `missing` cells are allowed and a cell is.

        Raises:
            ValueError: for text, an infinite number, a missing cell where none may be, or a column without any
                number, by the column's name.
        """
        values = np.empty((len(self.cells), len(columns)))
        for j, column in enumerate(columns):
            place = f"in column '{self.names[column]}' of {self.path}"
            for i, (line, row) in enumerate(zip(self.lines, self.cells, strict=True)):
                values[i, j] = math.nan if is_missing(row[column]) else _number(row[column], line, place)
            empty = np.isnan(values[:, j])
            if empty.all():
                raise ValueError(f"data: expected some number {place}, got only missing cells")
            if empty.any() and not missing:
                raise ValueError(
                    f"data: expected a number {place}, got none in line {self.lines[int(empty.argmax())]}; "
                    "`fastgan impute` fills in what is missing"
                )
        return values


def is_missing(cell: str) -> bool:
    """Whether a cell stands for no value: empty, NA, NaN, null, none or ?."""
    return cell.strip().lower() in _MISSING


def is_number(cell: str) -> bool:
    """Whether a cell is a number, or missing."""
    try:
        float(cell)
    except ValueError:
        return is_missing(cell)
    return True


def _number(cell: str, line: int, place: str) -> float:
    if not is_number(cell):
        raise ValueError(f"data: expected a number {place}, got {cell.strip()!r} in line {line}")
    if not math.isfinite(value := float(cell)):
        raise ValueError(f"data: expected a finite number {place}, got {cell.strip()!r} in line {line}")
    return value


def read_table(path: str) -> Table:
    """Read a comma-separated file; its first line holds names if no cell of it is a number.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file that is no table: rows of differing lengths, two columns of one name, no rows.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"data: expected a CSV file '{path}', found none")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, row) for row in reader if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"data: expected {path} to be a CSV file in UTF-8: {error}") from error
    titled = bool(rows) and not any(_is_value(cell) for cell in rows[0][1]) and any(c.strip() for c in rows[0][1])
    names = (
        [c.strip() for c in rows[0][1]]
        if titled
        else [f"column_{i + 1}" for i in range(len(rows[0][1]) if rows else 0)]
    )
    rows = rows[1:] if titled else rows
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
    return Table(path, names, titled, [row for _, row in rows], [line for line, _ in rows])


def _is_value(cell: str) -> bool:
    return is_number(cell) and not is_missing(cell)


def features_and_target(
    path: str, target: str | None, classify: bool
) -> tuple[NDArray[np.float64], NDArray[Any], list[str]]:
    """A table's features (N, F), its column `target` (by default `label`) (N,), and the features' names.

    A classification's target may be text. Raises as `Table`'s methods do.
    """
    table = read_table(path)
    if target is None and "label" not in table.names:
        raise ValueError(f"fit: expected --target, one of the columns {', '.join(table.names)} of {path}")
    (column,) = table.columns([target or "label"])
    others = [i for i in range(len(table.names)) if i != column]
    if not others:
        raise ValueError(f"fit: expected columns beside the target in {path}, got only '{table.names[column]}'")
    cells = table.text(column)
    if classify and not all(map(is_number, cells)):
        y: NDArray[Any] = np.array(cells)
    else:
        y = table.numbers([column])[:, 0]
    return table.numbers(others), y, [table.names[i] for i in others]
