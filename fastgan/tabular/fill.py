"""`fill_table`: a table file with its missing cells filled in by an imputer, and all else to the byte."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastgan.data.table import Table, TableSchema
from fastgan.data.table.missing import missing_mask
from fastgan.data.table.scan import rewrite
from fastgan.data.table.writing import spell

__all__ = ["MOST_CATEGORIES", "Filled", "fill_table", "learnable"]

MOST_CATEGORIES = 100  # of a column that an imputer learns


@dataclass(frozen=True)
class Filled:
    """A table whose missing cells are filled in.

    Attributes:
        content: of the file to write.
        count: number of cells filled in.
        cells: number of cells in the columns that were learnt.
        left: number of missing cells in the other columns.
    """

    content: bytes
    count: int
    cells: int
    left: int


def learnable(table: Table, schema: TableSchema, notes: list[str]) -> tuple[TableSchema, list[str]]:
    """The schema of the columns that an imputer can learn: without ids, and without columns of too many categories.

    Args:
        table: the table.
        schema: of its columns.
        notes: what was decided before.

    Returns:
        The schema, whose missing cells are encoded as NaN, and the notes, with those on what was left out.

    Raises:
        ValueError: for a column without any value, which nothing can fill in.
    """
    if empty := [str(c.name) for c in schema.columns if c.kind == "empty"]:
        raise ValueError(
            f"impute: expected at least one value in column '{empty[0]}' of {table.path}, got only missing cells; "
            f"--keep {empty[0]} leaves it as it is"
        )
    many = [c for c in schema.columns if c.kind == "category" and len(c.values) > MOST_CATEGORIES]
    notes = notes + [f"left out '{c.name}', which has {len(c.values):,} categories" for c in many]
    columns = tuple(c for c in schema.columns if c.width and c not in many)
    return replace(schema, columns=columns).without_missing(), notes


def fill_table(table: Table, schema: TableSchema, imputer: Any) -> Filled:
    """Fill in the missing cells of the schema's columns: whole numbers stay whole, and all values in their range.

    Args:
        table: the table.
        schema: of the columns to learn from and to fill in, as `learnable` returns it.
        imputer: such as `GAINImputer`: its method `fit_transform` takes rows (N, F) with NaN and returns them without.

    Raises:
        ValueError: as the imputer does.
    """
    frame, names = table.frame, [column.name for column in schema.columns]
    missing = {str(name): missing_mask(frame[name]).to_numpy(dtype=bool) for name in frame.columns}
    holes = np.logical_or.reduce([missing[name] for name in names])
    left = sum(int(mask.sum()) for name, mask in missing.items() if name not in names)
    count = sum(int(missing[name].sum()) for name in names)
    values = frame.iloc[:0]
    if count:
        rows = imputer.fit_transform(schema.encode(frame))[holes]
        values = schema.decode(_with_few_digits(rows, schema))
    place = np.cumsum(holes) - 1  # of a row among those that are filled in
    if table.dialect is None:
        filled = frame.copy()
        for name in names if count else []:
            new = values[name].iloc[place[missing[name]]]
            filled.loc[missing[name], name] = new.astype(frame[name].dtype).to_numpy()
        content = io.BytesIO()
        filled.to_parquet(content, index=False)
        return Filled(content.getvalue(), count, len(frame) * len(names), left)
    spelt = spell(values, schema) if count else values
    cells = {
        (int(row), list(frame.columns).index(name)): str(spelt[name].iloc[place[row]])
        for name in (names if count else [])
        for row in np.flatnonzero(missing[name])
    }
    text = rewrite(table.text(), table.dialect, cells, blank_lines=len(frame.columns) == 1)
    return Filled(table.encoded(text), count, len(frame) * len(names), left)


def _with_few_digits(rows: Any, schema: TableSchema) -> Any:
    """Rows with 9 significant digits in columns of full precision, more than an estimate has."""
    rows, at = rows.copy(), 0
    for column in schema.columns:
        if column.kind == "decimal" and column.decimals < 0:
            rows[:, at] = [float(f"{value:.9g}") for value in rows[:, at]]
        at += column.width
    return rows
