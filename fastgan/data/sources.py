"""Data sets by name, such as `digits` or `folder:PATH`."""

from __future__ import annotations

import difflib
import os.path
from pathlib import Path

import torch

from fastgan.data import files
from fastgan.data.arrays import from_array
from fastgan.data.builtin import BUILTIN
from fastgan.data.samples import Data, Units
from fastgan.data.table import TableOptions
from fastgan.data.table.source import TableData, load_table

__all__ = ["FROM_PATH", "check_spec", "load"]

# The kinds of data that are read from a path, as in `npz:PATH`.
FROM_PATH = ("npz", "folder", "idx", "csv", "parquet")


def check_spec(spec: str) -> tuple[str, str]:
    """Split the name of a data set into its kind and its path, in which a leading `~` is expanded. No file is opened.

    Args:
        spec: such as `digits`, which has no path, or `npz:faces.npz`.

    Raises:
        ValueError: for an unknown name; the message suggests the most similar one.
    """
    kind, colon, path = spec.partition(":")
    if (kind in BUILTIN and not colon) or (kind in FROM_PATH and path):
        return kind, os.path.expanduser(path)
    known = [*BUILTIN, *(f"{name}:PATH" for name in FROM_PATH)]
    near = difflib.get_close_matches(kind, [*BUILTIN, *FROM_PATH], n=1)
    hint = f" (did you mean '{near[0]}'?)" if near and near[0] != kind else ""
    raise ValueError(f"data: expected `data` to be one of {', '.join(known)}; got '{spec}'{hint}")


def load(
    spec: str,
    image_size: int = 0,
    strict: bool = False,
    color: str = "auto",
    workers: int = 0,
    *,
    table: TableOptions | None = None,
    conditional: bool = True,
) -> Data:
    """Read the data set that `spec` names.

    Args:
        spec: digits, ring or grid; or npz:, folder:, idx:, csv: or parquet: followed by a path.
        image_size: of a folder's images: crop each to a centred square and resize it to this side; 0 keeps the size.
        strict: of a folder: raise on an unreadable image instead of skipping it with a warning.
        color: of a folder: grey, rgb, or auto, which is grey if all images are grey and RGB otherwise.
        workers: of a folder: threads that read images; 0 reads in the calling thread.
        table: of csv and parquet: how to read the table.
        conditional: of csv and parquet: whether the column `label` is the class of a row and no part of it.

    Raises:
        ValueError: for an unknown name or unusable data.
        FileNotFoundError: for a path that does not exist.
        MissingExtraError: for digits without scikit-learn, a folder without Pillow, or a table without pandas.
    """
    kind, path = check_spec(spec)
    if kind in BUILTIN:
        return BUILTIN[kind]()
    if not Path(path).exists():
        raise FileNotFoundError(f"data: expected '{path}' of '{spec}' to exist")
    if kind == "folder":
        if not Path(path).is_dir():
            raise ValueError(f"data: expected '{path}' of '{spec}' to be a folder")
        samples, labels = files.read_folder(path, image_size, strict, color, workers)
    elif kind == "idx":
        samples, labels = files.read_idx(path)
    elif kind in ("csv", "parquet"):
        return _table(load_table(path, table, conditional))
    else:
        samples, labels = files.read_npz(path)
    return from_array(samples, labels, path)


def _table(table: TableData) -> Data:
    """A table's rows, standardised."""
    schema = table.schema
    units = Units(schema.scale, schema.offset, dtype="float64", table=schema.to_dict())
    rows = torch.from_numpy((table.rows - schema.offset) / schema.scale).float()
    labels = None if table.labels is None else torch.from_numpy(table.labels)
    return Data(rows, labels, units, tuple(table.notes))
