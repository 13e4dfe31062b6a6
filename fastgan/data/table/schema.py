"""`TableSchema`: what a table's columns hold, and how rows of numbers for a network are made of it and made back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require
from fastgan.data.table.columns import NUMBERS, Column, numbers_of
from fastgan.data.table.decode import (
    cells_from_numbers,
    cells_from_places,
    decode_column,
    empty_cells,
    new_ids,
    typed,
)
from fastgan.data.table.missing import missing_mask
from fastgan.data.table.options import Dialect

__all__ = ["TableSchema"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table, in their order, and the dialect of its file.

    A row is encoded as numbers: integers, decimals and dates (seconds since 1970) as they are; booleans as 0 and 1;
    categories one-hot, all 0 for an unknown one. Where a column has missing cells, one number more is 1 for these, and
    the rest is the mean or 0. `scale` and `offset` standardise the numbers; one-hot ones and booleans stay 0 and 1.

    Attributes:
        columns: what each holds.
        dialect: how a file of text is to hold the table.

    Example:
        >>> import pandas
        >>> from fastgan.data.table import infer_schema
        >>> frame = pandas.DataFrame({"size": [1, 3], "colour": ["red", "blue"]})
        >>> schema = infer_schema(frame)[0]
        >>> schema.encode(frame).tolist()
        [[1.0, 0.0, 1.0], [3.0, 1.0, 0.0]]
        >>> schema.decode(np.array([[2.2, 0.1, 0.7]])).to_dict("records")
        [{'size': 2, 'colour': 'red'}]
    """

    columns: tuple[Column, ...]
    dialect: Dialect = field(default_factory=Dialect)

    @property
    def width(self) -> int:
        """The number of numbers that encode a row."""
        return sum(column.width for column in self.columns)

    @property
    def names(self) -> list[str]:
        """The name of each number of an encoded row, such as "size", "colour=red" or "size is missing"."""
        found = []
        for c in self.columns:
            if c.width:
                found += [f"{c.name}={value}" for value in c.values] if c.kind == "category" else [c.name]
                found += [f"{c.name} is missing"] * c.missing
        return found

    @property
    def scale(self) -> list[float]:
        """The standard deviation of each number of an encoded row; 1 for those that are 0 or 1."""
        return self._moments("std", 1.0)

    @property
    def offset(self) -> list[float]:
        """The mean of each number of an encoded row; 0 for those that are 0 or 1."""
        return self._moments("mean", 0.0)

    @property
    def standardised(self) -> list[bool]:
        """Of each number of an encoded row, whether it has a scale and an offset of its own, and is not 0 or 1."""
        found: list[bool] = []
        for c in self.columns:
            number = c.kind in NUMBERS
            found += [number] + [False] * c.missing if number else [False] * c.width
        return found

    def _moments(self, name: str, other: float) -> list[float]:
        found: list[float] = []
        for c in self.columns:
            number = c.kind in NUMBERS
            found += [getattr(c, name)] + [other] * c.missing if number else [other] * c.width
        return found

    def without_missing(self) -> TableSchema:
        """The schema whose columns have no number for missing cells, which are encoded as NaN."""
        return replace(self, columns=tuple(replace(column, missing=False) for column in self.columns))

    def at_most(self, categories: int) -> TableSchema:
        """The schema with the most frequent categories of each column; the others are as unknown.

        Args:
            categories: how many.
        """
        return replace(
            self,
            columns=tuple(
                replace(c, values=c.values[:categories]) if c.kind == "category" else c for c in self.columns
            ),
        )

    def encode(self, frame: Any) -> Array:
        """Rows of numbers (rows, `width`) from the columns of a pandas DataFrame, of text or of values.

        A missing cell, or a cell of text that is no number, is NaN where the schema knows of no missing cells.

        Args:
            frame: the table; it may have other columns, too.

        Raises:
            ValueError: for a column that the table lacks.
        """
        lacking = [c.name for c in self.columns if c.width and c.name not in frame.columns]
        if lacking:
            raise ValueError(
                f"data: expected the columns {', '.join(map(str, lacking))}, got {', '.join(map(str, frame))}"
            )
        rows = np.zeros((len(frame), self.width))
        at = 0
        for column in self.columns:
            if column.width:
                self._encode(frame[column.name], column, rows[:, at : at + column.width])
            at += column.width
        return rows

    def _encode(self, cells: Any, column: Column, out: Array) -> None:
        missing = self.missing(cells)
        if column.kind == "category":
            codes = self.places(cells, column)
            known = np.flatnonzero((codes >= 0) & ~missing)
            out[known, codes[known]] = 1.0
            out[missing] = 0.0 if column.missing else np.nan
        else:
            out[:, 0] = numbers_of(cells.mask(missing), column, self.dialect.decimal)
            if column.missing:
                out[missing, 0] = column.mean
        if column.missing:
            out[missing, -1] = 1.0

    def missing(self, cells: Any) -> NDArray[np.bool_]:
        """Which cells (rows,) of a pandas Series `cells` are missing."""
        return np.asarray(missing_mask(cells, self.dialect.words).to_numpy(dtype=bool))

    def places(self, cells: Any, column: Column) -> NDArray[np.int64]:
        """The places (rows,) of cells among a column's categories, -1 for cells that are none of them.

        Args:
            cells: a pandas Series.
            column: of categories.

        Raises:
            MissingExtraError: without pandas.
        """
        return np.asarray(require("pandas").Index(list(column.values)).get_indexer(cells.astype("str")))

    def typed(self, frame: Any) -> Any:
        """The columns that can be learnt, as a pandas DataFrame of values of their dtypes.

        Args:
            frame: the table, of text or of values.

        Raises:
            MissingExtraError: without pandas.
        """
        found = {}
        for column in self.columns:
            if column.learnt:
                cells = frame[column.name].reset_index(drop=True)
                gone = self.missing(cells)
                if column.kind == "category":
                    found[column.name] = cells_from_places(np.where(gone, -1, self.places(cells, column)), column)
                else:
                    numbers = numbers_of(cells.mask(gone), column, self.dialect.decimal)
                    found[column.name] = cells_from_numbers(numbers, column)
        return require("pandas").DataFrame(found)

    def unknown(self, frame: Any) -> dict[str, list[str]]:
        """The categories of a pandas DataFrame that the schema does not know, by column.

        Args:
            frame: the table.
        """
        found = {}
        for c in self.columns:
            if c.kind == "category" and c.name in frame.columns:
                cells = frame[c.name][~self.missing(frame[c.name])].astype("str")
                new = sorted(set(cells.unique()) - set(c.values))
                if new:
                    found[c.name] = new
        return found

    def decode(self, rows: Array, labels: Sequence[int] | None = None, first: int = 0) -> Any:
        """A pandas DataFrame of rows of numbers: columns, dtypes, decimals, ranges and spellings are the table's.

        Numbers are rounded and clipped to the range of their column; of categories the largest number wins. Ids are new
        ones, and free text is left out.

        Args:
            rows: (rows, `width`), in the table's own units.
            labels: the classes of the rows, for a column of classes, which is left out without them.
            first: how many rows came before these, for ids.

        Raises:
            MissingExtraError: without pandas.
        """
        found, at = {}, 0
        for column in self.columns:
            part = rows[:, at : at + column.width]
            at += column.width
            if column.kind == "class" and labels is not None:
                found[column.name] = typed([column.values[int(label)] for label in labels], column.dtype)
            elif column.learnt:
                found[column.name] = decode_column(part, column)
        return self.complete(found, len(rows), first)

    def complete(self, learnt: Mapping[Any, Any], count: int, first: int = 0) -> Any:
        """A pandas DataFrame of columns that were made, in their order, with new ids and with those that are empty.

        Args:
            learnt: the pandas Series that were made, by name.
            count: how many rows.
            first: how many rows came before these, for ids.

        Raises:
            MissingExtraError: without pandas.
        """
        found = {}
        for column in self.columns:
            if column.name in learnt:
                found[column.name] = learnt[column.name]
            elif column.kind == "id":
                found[column.name] = new_ids(count, column, first)
            elif column.kind == "empty":
                found[column.name] = empty_cells(count, column)
        return require("pandas").DataFrame(found)

    def to_dict(self) -> dict[str, Any]:
        """The schema as a dict of plain values that JSON can hold."""
        return asdict(self)

    @staticmethod
    def from_dict(saved: dict[str, Any]) -> TableSchema:
        """The schema of a dict of `to_dict`, also after a way through JSON.

        Args:
            saved: the dict.
        """
        columns = tuple(
            Column(**{**c, "values": tuple(c["values"]), "levels": tuple(c["levels"])}) for c in saved["columns"]
        )
        return TableSchema(columns, Dialect(**saved["dialect"]))

    def describe(self) -> str:
        """How many columns of each kind there are, and how they are encoded, such as "2 integer, 1 category (3)"."""
        kinds: dict[str, list[Column]] = {}
        for column in self.columns:
            kinds.setdefault(column.kind, []).append(column)
        words = [
            f"{len(group)} {kind}" + (f" ({sum(c.width - c.missing for c in group)} values)" * (kind == "category"))
            for kind, group in kinds.items()
        ]
        holes = sum(c.missing for c in self.columns)
        return f"{', '.join(words)}" + (f"; {holes} with missing cells" if holes else "")
