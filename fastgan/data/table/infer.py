"""`infer_schema`: what the columns of a table hold, and what of it is worth a remark."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastgan.data.table.columns import Column, describe_column, numbers_of
from fastgan.data.table.missing import missing_mask
from fastgan.data.table.options import Dialect, TableOptions
from fastgan.data.table.reading import Table
from fastgan.data.table.schema import TableSchema

__all__ = ["infer_schema"]


def infer_schema(table: Any, options: TableOptions | None = None) -> tuple[TableSchema, list[str]]:
    """Find out what the columns of a table hold.

    A column of ids is one of whole numbers or text without a value twice, where its name says so (`id`, `userId`,
    `row_nr`), or where it is text of more than 20 values. It stays in the schema without being encoded, unless
    `options.columns` names it.

    Args:
        table: a `Table`, or a pandas DataFrame.
        options: `columns` and `text`.

    Returns:
        The schema, and remarks, in sentences.

    Raises:
        ValueError: for a column without a value, of infinite numbers, or of numbers with a few cells of text.
    """
    options = options or TableOptions()
    if isinstance(table, Table):
        source, frame, names, dialect = table, table.frame, table.names, table.dialect or Dialect()
    else:
        source, frame, names, dialect = None, table, [str(name) for name in table.columns], Dialect()
    columns = []
    notes: list[str] = []
    for name, given in zip(names, names if source else list(frame.columns), strict=True):
        cells = frame[given]
        column = describe_column(
            cells, name, dialect.decimal, name in options.text, name not in options.columns, source
        )
        notes += _remarks(column, cells, dialect.decimal)
        columns.append(column)
    return TableSchema(tuple(columns), dialect), notes


def _remarks(column: Column, cells: Any, decimal: str) -> list[str]:
    """What is odd about a column."""
    name = column.name
    if column.kind == "id":
        return [f"left out '{name}', which has another value in each row, as ids have (--columns may list it)"]
    if column.constant:
        return [f"'{name}' has the same value in each row"]
    if column.kind == "category":
        counts = cells[~missing_mask(cells)].value_counts()
        single = int((counts == 1).sum())
        if single and len(counts) > 1:
            few = "has a single row" if single == 1 else "have a single row each"
            return [f"{single} of the {len(counts)} categories of '{name}' {few}"]
    if column.kind == "integer" and not column.missing and column.high - column.low == len(cells) - 1 > 1:
        numbers = numbers_of(cells, replace(column, missing=False), decimal)
        if (numbers[1:] - numbers[:-1] == 1).all():
            return [f"'{name}' counts the rows; leave it out if that is all it tells"]
    return []
