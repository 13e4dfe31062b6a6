"""The samples to fit a model to: `load_samples` reads them from tables and other data sets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan import data as gan_data
from fastgan._support.extras import require
from fastgan.data.labels import class_values
from fastgan.data.options import ReadOptions
from fastgan.data.table import Column, Table, TableOptions, TableSchema, infer_schema, read_table
from fastgan.data.table.columns import is_text, numbers_of
from fastgan.data.table.describe import describe_column
from fastgan.data.table.missing import is_missing, is_number, missing_mask
from fastgan.data.table.source import label_of

__all__ = ["MOST_CATEGORIES", "Samples", "load_samples"]

Array = NDArray[Any]
MOST_CATEGORIES = 100  # of a feature that have a number of their own; all others have none


@dataclass(frozen=True)
class Samples:
    """The samples to fit.

    Attributes:
        x: features (N, F).
        y: targets (N,).
        names: of the features; [] for pixels.
        schema: how the features of a table are encoded; None for pixels.
        target: the column that the targets are; None for pixels.
        notes: what was decided, left out or skipped, a sentence each.
    """

    x: Array
    y: Array
    names: list[str]
    schema: TableSchema | None = None
    target: Column | None = None
    notes: list[str] = field(default_factory=list)


def load_samples(data: str, target: str | None, task: str, options: ReadOptions | None = None) -> Samples:
    """Read a data set with targets.

    Args:
        data: csv:PATH or parquet:PATH, or a name for `fastgan.data.load`, whose labels are the targets.
        target: the table's column to predict; None takes `label`, in any capitals.
        task: "classify" or "regress". A classification's target may be text.
        options: how to read a table, or images.

    Raises:
        ValueError: for data without targets, a table that cannot be encoded, or too few samples or classes.
        FileNotFoundError: for a path that does not exist.
        MissingExtraError: for a classification without scikit-learn, or a table without pandas.
    """
    kind, path = gan_data.check_spec(data)
    options = options or ReadOptions()
    if kind in ("csv", "parquet"):
        if options.image_size or options.color != "auto":
            raise ValueError(f"fit: expected --image-size and --color only with images, got --data {data}")
        samples = _table_samples(path, target, task == "classify", options.table)
    else:
        if target is not None:
            raise ValueError(f"fit: expected --target only with --data csv:PATH or parquet:PATH, got --data {data}")
        if options.table.given:
            raise ValueError(f"fit: expected --{next(iter(options.table.given))} only with a table, got --data {data}")
        loaded = gan_data.load(
            data, options.image_size, options.strict, options.color, background=options.background, exclude=("runs",)
        )
        if loaded.labels is None:
            raise ValueError(f"fit: expected data with labels, got none in '{data}'")
        targets = class_values(loaded.class_names)[loaded.labels.numpy()]
        pixels = loaded.samples.flatten(1).double().numpy()
        samples = Samples(pixels, targets, [], notes=loaded.notes)  # after the pixels are read, which may skip some
    if task == "classify":
        require("sklearn.utils.multiclass").check_classification_targets(samples.y)
        classes, counts = np.unique(samples.y, return_counts=True)
        if len(classes) < 2:
            raise ValueError(f"fit: expected at least 2 classes in {data}, got only {classes[0]}")
        if counts.min() < 2:
            raise ValueError(f"fit: expected at least 2 samples of each class, got 1 of {classes[counts.argmin()]}")
    if len(samples.x) < 5:
        raise ValueError(f"fit: expected at least 5 samples in {data}, got {len(samples.x)}")
    return samples


def _table_samples(path: str, target: str | None, classify: bool, options: TableOptions) -> Samples:
    table = read_table(path, options if target is None or not options.columns else _with(options, target))
    name = label_of(table) if target is None else table.column(target)
    if name is None:
        raise ValueError(f"fit: expected --target, one of the columns {', '.join(table.names)} of {path}")
    if name in options.drop:
        raise ValueError(f"fit: expected a target that is not in --drop, got column '{name}' of {path}, left out")
    others = replace(table, left_out=(*table.left_out, name))
    if not others.names:
        raise ValueError(f"fit: expected columns beside the target in {path}, got only '{name}'")
    column, y = _targets(table, name, classify, options)
    schema, notes = infer_schema(others, options)
    for many in schema.columns:
        if many.kind == "category" and len(many.values) > MOST_CATEGORIES:
            notes.append(
                f"'{many.name}' has {len(many.values):,} categories: the {MOST_CATEGORIES} most frequent are told "
                "apart, the rest is one"
            )
    schema = schema.at_most(MOST_CATEGORIES)
    if schema.width == 0:
        raise ValueError(f"fit: expected features beside the target in {path}, got only {schema.describe()}")
    notes = [*table.notes, f"target '{name}'; features: {schema.describe()}", *notes]
    return Samples(schema.encode(table.frame), y, schema.names, schema, column, notes)


def _with(options: TableOptions, target: str) -> TableOptions:
    """The options, with the target among the columns to take."""
    alike = target.lower() in map(str.lower, options.columns)
    return options if alike else replace(options, columns=(*options.columns, target))


def _targets(table: Table, name: str, classify: bool, options: TableOptions) -> tuple[Column, Array]:
    """The target's column, and the targets: numbers, or text in a classification."""
    cells, decimal = table.frame[name], table.dialect.decimal if table.dialect else "."
    missing = missing_mask(cells).to_numpy(dtype=bool)
    if missing.any():
        line = table.line(int(missing.argmax()))
        raise ValueError(f"fit: expected a target in column '{name}' of {table.path}, got none in {line}")
    # A class named 7 among classes with names is no mistake.
    mixed = classify and is_text(cells) and not all(map(is_number, cells.unique()))
    column = describe_column(cells, name, decimal, name in options.text or mixed, ids=False, table=table)
    if column.kind in ("integer", "decimal"):
        y = numbers_of(cells, column, decimal)
        return column, y.astype(np.int64) if column.kind == "integer" and column.decimals == 0 and classify else y
    if not classify:
        values = cells.astype("str")
        wrong = int(np.argmax([not is_number(cell) or is_missing(cell) for cell in values]))
        raise ValueError(
            f"fit: expected numbers to regress in column '{name}' of {table.path}, got {values.iloc[wrong]!r} in "
            f"{table.line(wrong)}"
        )
    return column, np.asarray(cells.astype("str").to_numpy(dtype=object), dtype=str)
