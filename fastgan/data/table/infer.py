"""`infer_schema`: what the columns of a table hold, and what of it is worth a remark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastgan._support.extras import require
from fastgan._support.messages import unknown_name
from fastgan.data.table.columns import Column, known_cells, numbers_of
from fastgan.data.table.describe import describe_column
from fastgan.data.table.options import Dialect, TableOptions
from fastgan.data.table.reading import Table
from fastgan.data.table.schema import TableSchema

__all__ = ["check_frame", "frame_schema", "infer_schema", "left_out"]


def infer_schema(table: Any, options: TableOptions | None = None) -> tuple[TableSchema, list[str]]:
    """Find out what the columns of a table hold.

    A column of ids is one of whole numbers or text without a value twice, where its name says so (`id`, `userId`,
    `row_nr`), or where it is text of more than 20 values. It stays in the schema without being encoded, unless
    `options.columns` or `options.discrete` names it. So do columns of free text and those without any value.

    Args:
        table: a `Table`, or a pandas DataFrame.
        options: `columns`, `discrete` and `text`.

    Returns:
        The schema, and remarks, in sentences.

    Raises:
        ValueError: for a column of infinite numbers, or of numbers with a few cells of text.
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
            cells,
            name,
            dialect.decimal,
            name in options.text,
            name not in (*options.columns, *options.discrete),
            source,
        )
        notes += _remarks(column, cells, dialect.decimal)
        columns.append(column)
    return TableSchema(tuple(columns), dialect), notes


def check_frame(table: Any, discrete: Sequence[Any] = ()) -> None:
    """Refuse what is no table to learn from.

    Args:
        table: a pandas DataFrame.
        discrete: names of some of its columns.

    Raises:
        TypeError: for something that is not a DataFrame.
        ValueError: for fewer than two rows, no columns, columns of one name, or an unknown name.
        MissingExtraError: without pandas.
    """
    if not isinstance(table, require("pandas").DataFrame):
        raise TypeError(f"tabular: expected a pandas DataFrame, got {type(table).__name__}")
    if len(table) < 2 or not len(table.columns):
        raise ValueError(f"tabular: expected at least 2 rows and 1 column, got {len(table)} and {table.shape[1]}")
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise ValueError(f"tabular: expected columns of different names, got '{twice}' more than once")
    for name in discrete:
        if name not in table.columns:
            raise ValueError(unknown_name("tabular: unknown column", str(name), map(str, table.columns)))


def frame_schema(frame: Any, discrete: Sequence[Any] = ()) -> TableSchema:
    """What the columns of a DataFrame of values hold. Text is text, also where it looks like numbers, dates or NA.

    Args:
        frame: a pandas DataFrame.
        discrete: names of columns that are no ids in any case.

    Raises:
        ValueError: for a column of infinite numbers, or of values of several types.
        TypeError: for values of a kind that cannot be described, such as lists.
    """
    columns = (
        describe_column(frame[name], name, text=True, ids=name not in discrete, words=False) for name in frame.columns
    )
    return TableSchema(tuple(columns), Dialect(words=False))


def left_out(column: Column) -> list[str]:
    """What to say of the rows that are made of a `column`, if it is not learnt."""
    words = {
        "id": "is an id: it is not learnt from, and gets new values",
        "text": "is free text: it is not learnt from, and left out",
        "empty": "has no value: it stays empty",
    }
    return [f"column '{column.name}' {words[column.kind]}"] if column.kind in words else []


def _remarks(column: Column, cells: Any, decimal: str) -> list[str]:
    """What is odd about a column."""
    name = column.name
    if column.kind == "id":
        return [f"left out '{name}', which has another value in each row, as ids have (--columns may list it)"]
    if column.kind == "text":
        return [f"left out '{name}', whose text differs in nearly each row (--columns may list it)"]
    if column.kind == "empty":
        return [f"left out '{name}', which has no value"]
    if column.constant:
        return [f"'{name}' has the same value in each row"]
    if column.kind == "category":
        counts = known_cells(cells).value_counts()
        single = int((counts == 1).sum())
        if single and len(counts) > 1:
            few = "has a single row" if single == 1 else "have a single row each"
            return [f"{single} of the {len(counts)} categories of '{name}' {few}"]
    if column.kind == "integer" and not column.missing and column.high - column.low == len(cells) - 1 > 1:
        numbers = numbers_of(cells, replace(column, missing=False), decimal)
        if (numbers[1:] - numbers[:-1] == 1).all():
            return [f"'{name}' counts the rows; leave it out if that is all it tells"]
    return []
