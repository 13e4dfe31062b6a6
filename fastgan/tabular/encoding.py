"""Tables as matrices for a GAN, and the way back to a table of the same columns, order, dtypes and spellings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan._support.extras import require
from fastgan._support.messages import unknown_name
from fastgan.tabular.categories import CategoryCodes, refuse_missing
from fastgan.tabular.columns import Column, describe
from fastgan.tabular.heads import choose
from fastgan.tabular.modes import Modes, Normaliser
from fastgan.tabular.segments import Segments

_pandas = require("pandas")

__all__ = ["TableEncoding"]

Array = NDArray[Any]


class TableEncoding:
    """Mode-specific normalisation of numbers and one-hot vectors of categories; Xu et al. (2019), section 4.2.

    A number becomes a one-hot vector, which says to which mode of the column's mixture of Gaussians it belongs, and a
    scalar, its distance from the mode's mean in units of 4 standard deviations. A number that 2% of the rows share is a
    mode of width 0, so it comes back exactly. Missing is one more mode, or one more category. Ids are left out and get
    new values. `fit` makes an encoding.

    Args:
        columns: the table's columns, in order.
        modes: those of the columns of numbers, in the same order.
        most_categories: how many categories of a column have an entry of their own; the rarest beyond share one.

    Attributes:
        columns: the table's columns.
        segments: the layout of an encoded row: one-hot vectors of categories stand before those of modes.
        frequencies: the share of the rows that each category has which can be a condition.
        notes: sentences about what is not learnt as it stands.

    Example:
        >>> import pandas
        >>> table = pandas.DataFrame({"size": [1.5, 2.5, None] * 20, "kind": ["a", "b", "b"] * 20})
        >>> encoding = TableEncoding.fit(table)
        >>> encoding.segments.widths, encoding.encode(table)[0]
        ((3, 2), tensor([1., 0., 0., 0., 1.]))
        >>> encoding.decode(encoding.encode(table)).equals(table)
        True
    """

    def __init__(self, columns: Sequence[Column], modes: Sequence[Modes], most_categories: int = 256) -> None:
        self.columns, self._most = list(columns), most_categories
        self._normaliser = Normaliser(modes)
        self._categories = [CategoryCodes(c, most_categories) for c in columns if c.kind == "category"]
        self._numbers = [c for c in columns if c.kind == "number"]
        widths = [c.width for c in self._categories]
        widths += [m.count + (c.missing > 0) for m, c in zip(modes, self._numbers, strict=True)]
        self.segments = Segments(len(self._numbers), tuple(widths), len(self._categories))
        self.frequencies = [share for c in self._categories for share in c.shares]
        self.notes = [
            f"column '{c.name}' is an id: it is not learnt from, and gets new values" for c in columns if c.kind == "id"
        ]
        self.notes += [note for c in self._categories for note in c.notes]

    @classmethod
    def fit(
        cls, table: Any, discrete_columns: Sequence[Any] | None = None, modes: int = 10, most_categories: int = 256
    ) -> TableEncoding:
        """Find the encoding of a table.

        Args:
            table: a pandas DataFrame.
            discrete_columns: names of columns that are categories in any case. Text, booleans and numbers of at most 20
                distinct values are so by themselves.
            modes: the largest number of Gaussians of a column of numbers.
            most_categories: how many categories of a column have an entry of their own.

        Raises:
            TypeError: for something that is not a DataFrame, or values that cannot be encoded.
            ValueError: for fewer than two rows, no columns, columns of one name, an unknown name, infinite numbers,
                text and numbers in one column, or a table of ids alone.
        """
        if not isinstance(table, _pandas.DataFrame):
            raise TypeError(f"tabular: expected a pandas DataFrame, got {type(table).__name__}")
        if len(table) < 2 or not len(table.columns):
            raise ValueError(f"tabular: expected at least 2 rows and 1 column, got {len(table)} and {table.shape[1]}")
        if not table.columns.is_unique:
            twice = table.columns[table.columns.duplicated()][0]
            raise ValueError(f"tabular: expected columns of different names, got '{twice}' more than once")
        for name in discrete_columns or ():
            if name not in table.columns:
                raise ValueError(unknown_name("tabular: unknown column", name, map(str, table.columns)))
        columns = [describe(name, table[name], name in (discrete_columns or ())) for name in table.columns]
        if all(c.kind == "id" for c in columns):
            raise ValueError("tabular: expected a column to learn from, got only ids; name it in `discrete_columns`")
        numbers = [c.numbers(table[c.name].dropna()) for c in columns if c.kind == "number"]
        return cls(columns, Normaliser.fit(numbers, modes).modes, most_categories)

    def encode(self, table: Any) -> Tensor:
        """A table as float32 (N, width of `segments`).

        Args:
            table: a DataFrame with the columns of the one that was fitted, in any order.

        Raises:
            ValueError: for a column that is not there, or a category that the fitted table did not have.
        """
        return self.expand(*self.codes(table))

    def codes(self, table: Any) -> tuple[Tensor, Tensor]:
        """The same as `encode` in little memory.

        Args:
            table: as for `encode`.

        Returns:
            The scalars, float32 (N, C), and the place of the 1 in each one-hot vector, int64 (N, S).

        Raises:
            ValueError: as `encode` does.
        """
        for column in self.columns:
            if column.kind != "id" and column.name not in table.columns:
                names = ", ".join(map(str, table.columns))
                raise ValueError(f"tabular: expected a column '{column.name}', got {names}")
        codes = [c.codes(table[c.column.name]) for c in self._categories]
        scalars = np.empty((len(table), 0), np.float32)
        if self._numbers:
            numbers = np.stack([c.numbers(table[c.name]) for c in self._numbers], 1)
            for column, x in zip(self._numbers, numbers.T, strict=True):
                refuse_missing(column, np.isnan(x))
            scalars, chosen = self._normaliser.apply(numbers)
            codes += list(chosen.T)
        return torch.from_numpy(scalars), torch.from_numpy(np.stack(codes, 1))

    def expand(self, scalars: Tensor, codes: Tensor) -> Tensor:
        """What `codes` returned, or some rows of it, as rows of `encode`.

        Args:
            scalars: float32 (N, C).
            codes: int64 (N, S), on the same device.
        """
        rows = torch.zeros(len(codes), self.segments.width, device=codes.device)
        rows[:, : self.segments.scalars] = scalars
        return rows.scatter_(1, codes + (self.segments.scalars + self.segments.starts.to(codes.device)), 1.0)

    def decode(self, rows: Tensor, seed: int = 0, first: int = 0) -> Any:
        """Rows as a DataFrame with the columns, order, dtypes, decimals, ranges and spellings of the fitted one.

        Args:
            rows: (N, width of `segments`); the largest entry of each one-hot vector counts.
            seed: of the draws among categories that share an entry.
            first: how many rows were decoded before these; ids go on behind them.

        Raises:
            ValueError: for rows of another width.
        """
        codes = choose(rows, self.segments)
        return self.decode_codes(rows[:, : self.segments.scalars], codes, seed, first)

    def decode_codes(self, scalars: Tensor, codes: Tensor, seed: int = 0, first: int = 0) -> Any:
        """What `codes` returns as a DataFrame, as `decode` does.

        Args:
            scalars: (N, C).
            codes: int64 (N, S).
            seed: as for `decode`.
            first: as for `decode`.
        """
        random = np.random.default_rng([seed, first])
        chosen = codes.cpu().numpy()
        found = {}
        for category, code in zip(self._categories, chosen.T, strict=False):
            found[category.column.name] = category.decode(code, random)
        if self._numbers:
            values = self._normaliser.invert(scalars.float().cpu().numpy(), chosen[:, len(self._categories) :])
            for column, x in zip(self._numbers, values.T, strict=True):
                found[column.name] = column.from_numbers(x)
        for column in self.columns:
            if column.kind == "id":
                found[column.name] = column.new_ids(len(chosen), first)
        return _pandas.DataFrame({c.name: found[c.name] for c in self.columns})

    def condition(self, name: Any, value: Any) -> int:
        """The place in [0, segments.condition_width) of a category.

        Args:
            name: a column of categories.
            value: one of its values, or its text.

        Raises:
            ValueError: for an unknown column, one of numbers or ids, or a value that the fitted table never had.
        """
        column = next((c for c in self.columns if str(c.name) == str(name)), None)
        if column is None:
            raise ValueError(unknown_name("tabular: unknown column", str(name), (str(c.name) for c in self.columns)))
        if column.kind != "category":
            raise ValueError(
                f"tabular: expected a column of categories as a condition, got '{name}', a column of {column.kind}s; "
                "`discrete_columns` makes it one"
            )
        place = next(i for i, c in enumerate(self._categories) if c.column is column)
        return int(self.segments.starts[place]) + self._categories[place].place(value)

    def to_json(self) -> dict[str, Any]:
        """The encoding as plain JSON."""
        return {
            "columns": [c.to_json() for c in self.columns],
            "modes": [m.to_json() for m in self._normaliser.modes],
            "most_categories": self._most,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> TableEncoding:
        """The encoding that `to_json` gave as `content`."""
        columns = [Column.from_json(c) for c in content["columns"]]
        return cls(columns, [Modes.from_json(m) for m in content["modes"]], content["most_categories"])
