"""Tables as matrices for a GAN, and the way back to a table of the same columns, order, dtypes and spellings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan._support.messages import unknown_name
from fastgan.data.table.columns import Column, numbers_of
from fastgan.data.table.conditions import draw_categories
from fastgan.data.table.decode import cells_from_numbers
from fastgan.data.table.infer import check_frame, frame_schema, left_out
from fastgan.data.table.levels import Levels
from fastgan.data.table.modes import Modes, Normaliser
from fastgan.data.table.schema import TableSchema
from fastgan.data.table.segments import Segments, choose, one_hot

__all__ = ["FEW", "TableEncoding"]

FEW = 20  # numbers with at most this many distinct values are categories

Array = NDArray[Any]


class TableEncoding:
    """Mode-specific normalisation of numbers and one-hot vectors of categories; Xu et al. (2019), section 4.2.

    A number becomes a one-hot vector, which says to which mode of the column's mixture of Gaussians it belongs, and a
    scalar, its distance from the mode's mean in units of 4 standard deviations. A number that 2% of the rows share is a
    mode of width 0, so it comes back exactly. Text, booleans and numbers of at most 20 distinct values are categories.
    Missing is one more mode, or one more category. Ids are left out and get new values. `fit` makes an encoding.

    Args:
        schema: what the table's columns hold.
        parts: how each column is encoded, in order: its `Levels`, its `Modes`, or None for one that is not learnt.

    Attributes:
        schema: the table's columns.
        segments: the layout of an encoded row: one-hot vectors of categories stand before those of modes.
        categories: the columns that are categories, in order.
        frequencies: the share of the rows that each category has which can be a condition.
        shared: sentences about categories that share an entry.
        notes: these, and sentences about the columns that are not learnt.

    Example:
        >>> import pandas
        >>> table = pandas.DataFrame({"size": [1.5, 2.5, None] * 20, "kind": ["a", "b", "b"] * 20})
        >>> encoding = TableEncoding.fit(table)
        >>> encoding.segments.widths, encoding.encode(table)[0]
        ((3, 2), tensor([1., 0., 0., 0., 1.]))
        >>> encoding.decode(encoding.encode(table)).equals(table)
        True
    """

    def __init__(self, schema: TableSchema, parts: Sequence[Levels | Modes | None]) -> None:
        self.schema, self._parts = schema, list(parts)
        self._levels = [part for part in parts if isinstance(part, Levels)]
        self._numbers = [c for c, p in zip(schema.columns, parts, strict=True) if isinstance(p, Modes)]
        modes = [part for part in parts if isinstance(part, Modes)]
        self._normaliser = Normaliser(modes)
        widths = [levels.width for levels in self._levels]
        widths += [m.count + c.missing for m, c in zip(modes, self._numbers, strict=True)]
        self.segments = Segments(len(self._numbers), tuple(widths), len(self._levels))
        self.categories = [levels.column for levels in self._levels]
        self.frequencies = [share for levels in self._levels for share in levels.shares]
        self.shared = [note for levels in self._levels for note in levels.notes]
        self.notes = [note for c in schema.columns for note in left_out(c)] + self.shared

    @classmethod
    def fit(
        cls,
        table: Any,
        discrete_columns: Sequence[Any] | None = None,
        modes: int = 10,
        most_categories: int = 256,
        schema: TableSchema | None = None,
    ) -> TableEncoding:
        """Find the encoding of a table.

        Args:
            table: a pandas DataFrame.
            discrete_columns: names of columns that are categories in any case.
            modes: the largest number of Gaussians of a column of numbers.
            most_categories: how many categories of a column have an entry of their own; the rarest beyond share one.
            schema: what the columns hold, where that is known, as of cells of a file; other columns are left out.

        Raises:
            TypeError: for something that is not a DataFrame, or values that cannot be encoded.
            ValueError: for fewer than two rows, no columns, columns of one name, an unknown name, infinite numbers,
                text and numbers in one column, or a table without a column that can be learnt.
        """
        discrete = list(discrete_columns or ())
        check_frame(table, discrete)
        schema = frame_schema(table, discrete) if schema is None else schema
        if not any(c.learnt for c in schema.columns):
            raise ValueError(
                f"tabular: expected a column to learn from, got only {schema.describe()}; name it in `discrete_columns`"
            )
        found: dict[Any, Levels | Modes] = {}
        numbers: dict[Any, Array] = {}
        for column in schema.columns:
            if not column.learnt:
                continue
            cells = table[column.name]
            if column.kind in ("boolean", "category") or column.name in discrete:
                found[column.name] = Levels.fit(cells, column, schema, most_categories)
                continue
            x = numbers_of(cells[~schema.missing(cells)], column, schema.dialect.decimal)
            if column.kind in ("integer", "decimal") and len(np.unique(x[: 1 << 16])) <= FEW >= len(np.unique(x)):
                found[column.name] = Levels.fit(cells, column, schema, most_categories)
            else:
                numbers[column.name] = x
        found |= dict(zip(numbers, Normaliser.fit(list(numbers.values()), modes).modes, strict=True))
        return cls(schema, [found.get(c.name) for c in schema.columns])

    def encode(self, table: Any) -> Tensor:
        """A table as float32 (N, width of `segments`).

        Args:
            table: a DataFrame with the columns of the one that was fitted, in any order.

        Raises:
            ValueError: as `codes` does.
        """
        return one_hot(*self.codes(table), self.segments)

    def codes(self, table: Any, strict: bool = True) -> tuple[Tensor, Tensor]:
        """The same as `encode` in little memory.

        Args:
            table: as for `encode`.
            strict: refuse values that the fitted table could not have. Else an unknown category is none, and a cell
                that is missing as none was before is none, too, or the column's mean.

        Returns:
            The scalars, float32 (N, C), and the place of the 1 in each one-hot vector, int64 (N, S); -1 for none.

        Raises:
            ValueError: for a column that is not there; if strict, for a category that the fitted table did not have, or
                a missing cell in a column that had none.
        """
        for column in self.schema.columns:
            if column.learnt and column.name not in table.columns:
                names = ", ".join(map(str, table.columns))
                raise ValueError(f"tabular: expected a column '{column.name}', got {names}")
        codes = [levels.codes(table[levels.column.name]) for levels in self._levels]
        if strict:
            for levels, found in zip(self._levels, codes, strict=True):
                self._refuse(levels.column, table[levels.column.name], found < 0)
        scalars = np.empty((len(table), 0), np.float32)
        if self._numbers:
            numbers = np.stack([self._numbers_of(column, table[column.name], strict) for column in self._numbers], 1)
            scalars, chosen = self._normaliser.apply(numbers)
            codes += list(chosen.T)
        return torch.from_numpy(scalars), torch.from_numpy(np.stack(codes, 1))

    def decode(self, rows: Tensor, seed: int = 0, first: int = 0) -> Any:
        """Rows as a DataFrame with the columns, order, dtypes, decimals, ranges and spellings of the fitted one.

        Args:
            rows: (N, width of `segments`); the largest entry of each one-hot vector counts.
            seed: of the draws among categories that share an entry.
            first: how many rows were decoded before these; ids go on behind them.

        Raises:
            ValueError: for rows of another width.
        """
        numbers, places = self._values(rows, seed, first)
        made = {c.name: cells_from_numbers(x, c) for c, x in zip(self._numbers, numbers.T, strict=True)}
        made |= {levels.column.name: levels.cells(p) for levels, p in zip(self._levels, places, strict=True)}
        return self.schema.complete(made, len(rows), first)

    def restore(self, rows: Tensor, seed: int = 0) -> NDArray[np.float64]:
        """Rows as the numbers (N, `schema.width`) by which the schema encodes a table.

        Args:
            rows: as for `decode`.
            seed: as for `decode`.

        Raises:
            ValueError: for rows of another width.
        """
        numbers, places = self._values(rows, seed, 0)
        by_name = dict(zip((c.name for c in self._numbers), numbers.T, strict=True))
        by_level = {levels.column.name: (levels, p) for levels, p in zip(self._levels, places, strict=True)}
        out, at = np.zeros((len(rows), self.schema.width)), 0
        for column in self.schema.columns:
            part = out[:, at : at + column.width]
            at += column.width
            if column.kind == "category":
                chosen = by_level[column.name][1]
                part[np.arange(len(out)), np.where(chosen < 0, column.width - 1, chosen)] = 1.0
            elif column.learnt:
                x = by_name.get(column.name)
                if x is None:
                    levels, chosen = by_level[column.name]
                    x = levels.numbers(chosen)
                part[:, 0] = np.where(np.isnan(x), column.mean, x)
                if column.missing:
                    part[:, 1] = np.isnan(x)
        return out

    @property
    def names(self) -> list[str]:
        """The name of each entry of an encoded row, such as "size", "kind=a" or "size in mode 1"."""
        found = [str(c.name) for c in self._numbers]
        for levels in self._levels:
            found += [f"{levels.column.name}={value}" for value in levels.names]
        for column, modes in zip(self._numbers, self._normaliser.modes, strict=True):
            found += [f"{column.name} in mode {i + 1}" for i in range(modes.count)]
            found += [f"{column.name} is missing"] * column.missing
        return found

    def condition(self, name: Any, value: Any) -> int:
        """The place in [0, segments.condition_width) of a category.

        Args:
            name: a column of categories.
            value: one of its values, or its text.

        Raises:
            ValueError: for an unknown column, one of numbers or ids, or a value that the fitted table never had.
        """
        columns = self.schema.columns
        column = next((c for c in columns if str(c.name) == str(name)), None)
        if column is None:
            raise ValueError(unknown_name("tabular: unknown column", str(name), (str(c.name) for c in columns)))
        place = next((i for i, c in enumerate(self.categories) if c is column), None)
        if place is None:
            raise ValueError(
                f"tabular: expected a column of categories as a condition, got '{name}', a column of "
                f"{'numbers' if column.learnt else column.kind}; `discrete_columns` makes it one"
            )
        return int(self.segments.starts[place]) + self._levels[place].place(value)

    def draw_conditions(self, count: int, generator: torch.Generator) -> Tensor | None:
        """Places of categories (count,) as often as the table has them; None where it has no category.

        Args:
            count: how many.
            generator: draws them, on its device.
        """
        if not self.segments.conditions:
            return None
        shares = torch.tensor(self.frequencies, dtype=torch.float64, device=generator.device)
        return draw_categories(shares.cumsum(0), count, generator)

    def to_json(self) -> dict[str, Any]:
        """The encoding as plain JSON."""
        return {
            "schema": self.schema.to_dict(),
            "parts": [None if part is None else part.to_json() for part in self._parts],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> TableEncoding:
        """The encoding that `to_json` gave as `content`."""
        schema = TableSchema.from_dict(content["schema"])
        parts: list[Levels | Modes | None] = []
        for column, saved in zip(schema.columns, content["parts"], strict=True):
            levels = saved is not None and "counts" in saved
            parts.append(Levels(column, schema, **saved) if levels else saved and Modes.from_json(saved))
        return cls(schema, parts)

    def _numbers_of(self, column: Column, cells: Any, strict: bool) -> Array:
        """The numbers (N,) of a column, NaN where a cell is missing that may be."""
        gone = self.schema.missing(cells)
        x = numbers_of(cells.mask(gone), column, self.schema.dialect.decimal)
        if not column.missing:
            if strict:
                self._refuse(column, cells, gone)
            x = np.where(gone, column.mean, x)
        return x

    def _refuse(self, column: Column, cells: Any, wrong: Array) -> None:
        """Refuse the cells of a column that are `wrong` (N,)."""
        if not wrong.any():
            return
        row = int(wrong.argmax())
        if self.schema.missing(cells)[row]:
            raise ValueError(f"tabular: expected no missing value in column '{column.name}', as in the fitted table")
        raise ValueError(
            f"tabular: expected a category of column '{column.name}' that the table to fit had, got {cells.iloc[row]!r}"
        )

    def _values(self, rows: Tensor, seed: int, first: int) -> tuple[Array, list[Array]]:
        """The numbers (N, C), NaN where missing, and the places (N,) of the values of each column of categories."""
        random = np.random.default_rng([seed, first])
        codes = choose(rows, self.segments).cpu().numpy()
        places = [levels.places(code, random) for levels, code in zip(self._levels, codes.T, strict=False)]
        scalars = rows[:, : self.segments.scalars].float().cpu().numpy()
        if not self._numbers:
            return scalars, places
        return self._normaliser.invert(scalars, codes[:, len(self._levels) :]), places
