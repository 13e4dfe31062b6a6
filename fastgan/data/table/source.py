"""`load_table`: a table as rows of numbers to train on, with its labels, its schema, and what was decided."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan.data.labels import encode_labels
from fastgan.data.table.columns import Column, is_text
from fastgan.data.table.infer import infer_schema
from fastgan.data.table.missing import missing_mask
from fastgan.data.table.options import TableOptions
from fastgan.data.table.reading import Table, read_table
from fastgan.data.table.schema import TableSchema

__all__ = ["LABEL", "MOST_CATEGORIES", "TableData", "check_categories", "label_of", "load_table"]

LABEL = "label"  # in any capitals: the column of classes
MOST_CATEGORIES = 1000  # of a column, each of which is a number of every row


@dataclass(frozen=True)
class TableData:
    """A table to train on.

    Attributes:
        rows: (N, F) float64, encoded by `schema`, in the table's own units.
        labels: (N,) int64 classes from 0, or None.
        class_names: of the classes; () without labels.
        schema: of the columns; `scale` and `offset` standardise the rows.
        notes: what was decided, in sentences.
    """

    rows: NDArray[np.float64]
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    schema: TableSchema
    notes: list[str] = field(default_factory=list)


def load_table(path: str, options: TableOptions | None = None, conditional: bool = True) -> TableData:
    """Read a table to train on; text, dates, booleans and missing cells are encoded as numbers.

    Args:
        path: the file, of text or Parquet.
        options: how to read it.
        conditional: whether the column `label`, in any capitals, is the class of each row and no part of it. Else it is
            a column as the others, and labels are its classes where it has few enough values.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file that is no table, a column that cannot be encoded, too many categories, or labels that
            are missing or fractions.
        MissingExtraError: without pandas, or for Parquet without pyarrow.
    """
    options = options or TableOptions()
    table = read_table(path, options)
    label = label_of(table)
    schema, notes = infer_schema(table, options)
    labels, class_names = None, tuple[str, ...]()
    if label is not None:
        place = next(i for i, column in enumerate(schema.columns) if column.name == label)
        column = schema.columns[place]
        if conditional or _is_class(table, column):
            labels, class_names = _classes(table, label)
            kind = "class" if conditional else "category"
            spelt = class_names if conditional else _by_frequency(class_names, labels)
            number = column.kind in ("integer", "decimal", "id") or not is_text(table.frame[label])
            found = Column(label, kind, column.dtype if number else "str", values=spelt)
            schema = replace(schema, columns=(*schema.columns[:place], found, *schema.columns[place + 1 :]))
    check_categories(schema, path)
    if schema.width == 0:
        raise ValueError(f"data: expected a column to learn from in {path}, got only {schema.describe()}")
    if len(table.frame) < 2:
        raise ValueError(f"data: expected at least 2 rows in {path}, got 1")
    width = f"{schema.width} number{'s' * (schema.width != 1)}"
    notes = [*table.notes, f"columns: {schema.describe()}; a row is {width}", *notes]
    if class_names:
        notes.append(f"'{label}' is the class: {_shown(class_names)}")
    return TableData(schema.encode(table.frame), labels, class_names, schema, notes)


def label_of(table: Table) -> str | None:
    """The column of a `table` called `label`, in any capitals, if there is one that is not left out; else None."""
    if LABEL in table.names:
        return LABEL
    alike = [name for name in table.names if name.lower() == LABEL]
    return alike[0] if len(alike) == 1 else None


def check_categories(schema: TableSchema, path: str) -> None:
    """Refuse a column of too many categories.

    Args:
        schema: of the table.
        path: its file, for the message.

    Raises:
        ValueError: naming the column.
    """
    for column in schema.columns:
        if column.kind == "category" and len(column.values) > MOST_CATEGORIES:
            raise ValueError(
                f"data: expected at most {MOST_CATEGORIES:,} categories in column '{column.name}' of {path}, "
                f"got {len(column.values):,}; --drop {column.name} leaves it out"
            )


def _is_class(table: Table, column: Column) -> bool:
    """Whether a column can be one of classes: complete, of text, booleans or whole numbers, with few values."""
    plain = column.kind in ("category", "boolean") or (column.kind == "integer" and column.decimals == 0)
    return plain and not column.missing and table.frame[column.name].nunique() <= 100


def _classes(table: Table, label: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The class of each row, and the classes' names: numbers in order of size, text in natural order."""
    cells = table.frame[label]
    missing = missing_mask(cells).to_numpy(dtype=bool)
    if missing.any():
        where = table.line(int(missing.argmax()))
        raise ValueError(f"data: expected a label in column '{label}' of {table.path}, got none in {where}")
    values = _whole(cells)
    if values is None:
        values = cells.astype("str").to_numpy(dtype=object)
    return encode_labels(values, table.path)


def _whole(cells: Any) -> NDArray[Any] | None:
    """Cells as numbers, if all are numbers as people write them; 007 is none."""
    if cells.dtype.kind in "uifb":
        return np.asarray(cells)
    text = cells.astype("str")
    if text.str.fullmatch(r"[+-]?(0|[1-9]\d{0,17})").all():
        return np.asarray(text.astype("int64"))
    number = text.str.fullmatch(r"[+-]?(0|[1-9]\d{0,17})(\.\d*)?").all()
    return np.asarray(text.astype("float64")) if number else None  # a fraction is refused by name


def _by_frequency(names: tuple[str, ...], labels: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(names[i] for i in np.argsort(-np.bincount(labels, minlength=len(names)), kind="stable"))


def _shown(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
