"""`encode_like`: a table encoded by the schema of another, with what does not fit named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fastgan.data.table.columns import Column, numbers_of
from fastgan.data.table.reading import Table
from fastgan.data.table.schema import TableSchema

__all__ = ["check_like", "encode_like", "in_dialect_of"]


def encode_like(table: Table, schema: TableSchema) -> tuple[NDArray[np.float64], list[str]]:
    """Rows of numbers from a table by the schema of the table that a model was fitted to.

    A category that the schema does not know is encoded as none of the known ones. A missing cell of a column without
    missing cells there is the mean, or no category.

    Args:
        table: the new table, with at least the schema's columns, in any order.
        schema: of the old table.

    Returns:
        The rows (rows, `schema.width`), and remarks on unknown categories and missing cells, in sentences.

    Raises:
        ValueError: for columns that the table lacks, or a cell that is no finite number, date or boolean where the
            schema has one; the message gives its line.
    """
    schema = in_dialect_of(table, schema)
    notes = check_like(table, schema)
    rows, at = schema.encode(table.frame), 0
    for column in schema.columns:
        part = rows[:, at : at + column.width]
        at += column.width
        if column.learnt and not column.missing:
            part[schema.missing(table.frame[column.name])] = 0.0 if column.kind == "category" else column.mean
    return rows, notes


def in_dialect_of(table: Table, schema: TableSchema) -> TableSchema:
    """The `schema` for the cells of a `table` in a file that may have other separators and decimal marks."""
    return replace(schema, dialect=table.dialect or schema.dialect)


def check_like(table: Table, schema: TableSchema) -> list[str]:
    """Remarks on what a table has that the schema of another does not know, in sentences.

    Args:
        table: the new table, with at least the schema's columns, in any order.
        schema: of the old table, in the dialect of the new one.

    Raises:
        ValueError: as `encode_like` does.
    """
    needed = [column for column in schema.columns if column.learnt]
    lacking = [column.name for column in needed if column.name not in table.frame.columns]
    if lacking:
        raise ValueError(
            f"data: expected the columns {', '.join(c.name for c in needed)} in {table.path}, "
            f"got none called {', '.join(lacking)}"
        )
    notes = list[str]()
    for column in needed:
        cells = table.frame[column.name]
        missing = schema.missing(cells)
        if column.kind != "category":
            wrong = ~np.isfinite(numbers_of(cells.mask(missing), column, schema.dialect.decimal)) & ~missing
            if wrong.any():
                raise _refusal(table, column, int(wrong.argmax()))
        if missing.any() and not column.missing:
            filled = "no category" if column.kind == "category" else f"the mean, {column.mean:.6g}"
            holes = _cells(int(missing.sum()))
            notes.append(f"'{column.name}' lacks {holes} and had all in training: taken as {filled}")
    for name, values in schema.unknown(table.frame).items():
        count = int(table.frame[name].astype("str").isin(values).sum())
        named = ", ".join(values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")
        notes.append(f"'{name}' has unknown categories in {_cells(count)}: {named}; taken as none of the known ones")
    return notes


def _cells(count: int) -> str:
    return f"{count:,} cell{'s' * (count != 1)}"


def _refusal(table: Table, column: Column, row: int) -> ValueError:
    kinds = {"date": f"a date as {column.form}", "boolean": " or ".join(column.values)}
    kind = kinds.get(column.kind, "a finite number")
    cell = str(table.frame[column.name].iloc[row])
    return ValueError(
        f"data: expected {kind} in column '{column.name}' of {table.path}, got {cell!r} in {table.line(row)}"
    )
