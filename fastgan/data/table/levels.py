"""`Levels`: the codes of a column's values, for a GAN: those that are frequent, all others together, and missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require
from fastgan._support.messages import unknown_name
from fastgan.data.table.columns import Column, numbers_of
from fastgan.data.table.decode import cells_from_numbers, cells_from_places
from fastgan.data.table.schema import TableSchema

__all__ = ["Levels"]

Array = NDArray[Any]


class Levels:
    """The codes of a column of few values: the most frequent first, then one for all others, then one for missing.

    Args:
        column: the column; of categories, or of anything that stands for numbers.
        schema: its table's.
        counts: how many rows have each value; of categories in the order of `column.values`.
        missing: how many cells are missing.
        values: the numbers that the counts are of; () for categories.
        most: how many codes there are at most, the one for missing not counted.

    Attributes:
        column: the column.
        width: how many codes there are.
        shares: the share of the rows of each code.
        notes: a sentence, where rare values share a code.
    """

    def __init__(
        self,
        column: Column,
        schema: TableSchema,
        counts: Sequence[int],
        missing: int = 0,
        values: Sequence[float] = (),
        most: int = 256,
    ) -> None:
        self.column, self._schema, self._missing, self._most = column, schema, missing, most
        self._all, self._values = np.array(counts, dtype=np.int64), np.array(values, dtype=np.float64)
        order = np.argsort(-self._all, kind="stable")
        self._order = order = order[self._all[order] > 0]
        self._counts = self._all[order]
        self._kept = min(len(order), most)
        self.width = self._kept + (missing > 0)
        shares = [*self._counts[: self._kept - 1], self._counts[self._kept - 1 :].sum()] if self._kept else []
        shares += [missing] if missing else []
        self.shares = [float(s) / (self._counts.sum() + missing) for s in shares]
        self._code = np.full(len(self._all) + 1, -1, dtype=np.int64)  # the last one stands for an unknown value
        self._code[order] = np.minimum(np.arange(len(order)), self._kept - 1)
        self._rare = len(order) > most
        self.notes = [
            f"column '{column.name}' has {len(order)} categories: the {len(order) - most + 1} rarest are learnt as "
            "one, and drawn by their frequencies"
        ] * self._rare

    @classmethod
    def fit(cls, cells: Any, column: Column, schema: TableSchema, most: int = 256) -> Levels:
        """Count the values of a column.

        Args:
            cells: a pandas Series.
            column: what it holds.
            schema: its table's.
            most: as for the class.
        """
        gone = schema.missing(cells)
        known, missing = cells[~gone], int(gone.sum())
        if column.kind == "category":
            counts = np.bincount(schema.places(known, column), minlength=len(column.values))
            return cls(column, schema, counts.tolist(), missing, (), most)
        values, counts = np.unique(numbers_of(known, column, schema.dialect.decimal), return_counts=True)
        return cls(column, schema, counts.tolist(), missing, values.tolist(), most)

    def codes(self, cells: Any) -> Array:
        """The codes (N,) of a pandas Series `cells`; -1 for a value that is unknown, or missing as none was before.

        Raises:
            MissingExtraError: without pandas.
        """
        gone = self._schema.missing(cells)
        if self.column.kind == "category":
            places = self._schema.places(cells, self.column)
        else:
            numbers = numbers_of(cells.mask(gone), self.column, self._schema.dialect.decimal)
            places = require("pandas").Index(self._values).get_indexer(numbers)
        codes: Array = self._code[places]
        codes[gone] = self._kept if self._missing else -1
        return codes

    def places(self, codes: Array, random: np.random.Generator) -> Array:
        """The places (N,) of the values of `codes` (N,), -1 where missing; `random` draws among rare values."""
        places = np.append(self._order[: self._kept], -1)[codes]
        shared = codes == self._kept - 1
        if self._rare and shared.any():
            rare = self._counts[self._kept - 1 :]
            places[shared] = random.choice(self._order[self._kept - 1 :], shared.sum(), p=rare / rare.sum())
        return places

    def numbers(self, places: Array) -> Array:
        """The numbers (N,) at `places` (N,), NaN where missing; of a column that stands for numbers."""
        return np.append(self._values, np.nan)[places]

    def cells(self, places: Array) -> Any:
        """A pandas Series of the values at `places` (N,), of the column's dtype; -1 is missing."""
        if self.column.kind == "category":
            return cells_from_places(places, self.column)
        return cells_from_numbers(self.numbers(places), self.column)

    @property
    def names(self) -> list[str]:
        """What each code stands for, as text."""
        found = list(map(str, self.cells(self._order[: self._kept])))
        if self._rare:
            found[-1] = "others"
        return found + ["missing"] * (self._missing > 0)

    def place(self, value: Any) -> int:
        """The code of a `value`, given as it is or as text.

        Raises:
            ValueError: for a value that never occurs, or one of the rare ones.
            MissingExtraError: without pandas.
        """
        pandas = require("pandas")
        texts = list(map(str, self.cells(self._order)))
        code = int(self.codes(pandas.Series([value], dtype="str" if isinstance(value, str) else None))[0])
        if code < 0 and self.column.kind == "category":
            alike = [text for text in texts if text.lower() == str(value).lower()]
            code = texts.index(alike[0]) if len(alike) == 1 else -1
            code = min(code, self._kept - 1)
        if not 0 <= code < self._kept:
            raise ValueError(
                unknown_name(f"tabular: column '{self.column.name}' never has the value", str(value), texts[:20])
            )
        if self._rare and code == self._kept - 1:
            raise ValueError(
                f"tabular: expected one of the {self._kept - 1} most frequent categories of '{self.column.name}' as a "
                f"condition, got '{value}'"
            )
        return code

    def to_json(self) -> dict[str, Any]:
        """The counts as plain JSON."""
        return {
            "counts": self._all.tolist(),
            "missing": self._missing,
            "values": self._values.tolist(),
            "most": self._most,
        }
