"""Tables as files: the cells of a DataFrame spelt as in the table that it resembles."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastgan._support.extras import require
from fastgan._support.files import write_with
from fastgan.data.table.columns import Column, is_text
from fastgan.data.table.dates import write_dates
from fastgan.data.table.reading import PARQUET
from fastgan.data.table.schema import TableSchema

__all__ = ["TABLES", "spell", "write_table"]

TABLES = (".csv", ".tsv", *PARQUET)


def write_table(frames: Iterable[Any], schema: TableSchema, path: Path) -> None:
    """Write a table as Parquet, or as text with the separator, decimal mark, encoding and spellings of its schema.

    Args:
        frames: pandas DataFrames, as `TableSchema.decode` gives them, one below the other.
        schema: of the table that they resemble.
        path: the file; its ending says what it is. A .tsv has tabs.

    Raises:
        MissingExtraError: without pandas, or for Parquet without pyarrow.
        OSError: where the file cannot be written; an earlier one is untouched.
    """
    if path.suffix.lower() in PARQUET:
        require("pyarrow", "tables")
        whole = require("pandas").concat(list(frames), ignore_index=True)
        write_with(path, lambda file: whole.to_parquet(file, index=False))
        return
    write_with(path, lambda file: _write_text(file, frames, schema, tabs=path.suffix.lower() == ".tsv"))


def _write_text(file: BinaryIO, frames: Iterable[Any], schema: TableSchema, tabs: bool) -> None:
    dialect = schema.dialect
    text = io.TextIOWrapper(file, dialect.encoding, newline="")
    for number, frame in enumerate(frames):
        spelt = spell(frame, schema)
        separator, header = "\t" if tabs else dialect.separator, dialect.header and number == 0
        text.write(spelt.to_csv(None, sep=separator, index=False, header=header, lineterminator="\n"))
    text.detach()


def spell(frame: Any, schema: TableSchema) -> Any:
    """A DataFrame of text: the cells spelt as in the table, with its decimals, dates and missing cells.

    Args:
        frame: a pandas DataFrame, as `TableSchema.decode` gives it.
        schema: of the table.

    Raises:
        MissingExtraError: without pandas.
    """
    pandas = require("pandas")
    found, decimal = {}, schema.dialect.decimal
    for column in schema.columns:
        if column.name not in frame.columns:
            continue
        cells = frame[column.name]
        gone = cells.isna()
        if column.kind == "date":
            spelt = write_dates(cells, column.form)
        elif column.kind == "boolean":
            spelt = pandas.Series(np.where(cells.fillna(False).astype(bool), column.values[1], column.values[0]))
        elif column.kind in ("integer", "decimal") and not is_text(cells):
            spelt = _spell_numbers(cells.mask(gone, 0), column)
            spelt = spelt.str.replace(".", decimal, regex=False) if decimal != "." else spelt
        else:
            spelt = cells.astype("str")
        found[column.name] = spelt.astype("str").mask(gone, column.missing_as)
    return pandas.DataFrame(found)


def _spell_numbers(cells: Any, column: Column) -> Any:
    """Numbers, none missing, with the decimals of their column."""
    pandas = require("pandas")
    if column.kind == "integer" and column.decimals == 0 and column.dtype.lower().startswith(("int", "uint")):
        return cells.astype("str")
    numbers = cells.to_numpy(dtype=np.float64).tolist()
    if column.decimals < 0:
        return pandas.Series(list(map(repr, numbers)), dtype="str")
    form = f"%.{column.decimals}f"
    spelt = pandas.Series([form % number for number in numbers], dtype="str")
    if column.fewest_decimals < column.decimals:
        spelt = spelt.str.replace(rf"(\.\d{{{column.fewest_decimals}}}\d*?)0+$", r"\1", regex=True).str.rstrip(".")
    return spelt
