"""Data sets by name, such as `digits` or `folder:PATH`."""

from __future__ import annotations

import difflib
import importlib
import os.path
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from fastgan.data.builtin import BUILTIN
from fastgan.data.memory import fit_data
from fastgan.data.options import ReadOptions
from fastgan.data.samples import Data
from fastgan.data.table.options import TableOptions

__all__ = ["FROM_PATH", "Kind", "check_spec", "load"]


@dataclass(frozen=True)
class Kind:
    """A kind of data that is read from a path.

    Attributes:
        reader: MODULE:FUNCTION, which is imported when it is first used; called with the path and `ReadOptions`.
        what: what it reads, in a few words.
        pattern: whether the path may be more than that of one file or folder; the reader looks for it itself.
    """

    reader: str
    what: str
    pattern: bool = False

    def read(self, path: str, options: ReadOptions) -> Data:
        """Read the data at `path` as the `options` say."""
        module, _, name = self.reader.partition(":")
        function: Callable[[str, ReadOptions], Data] = getattr(importlib.import_module(module), name)
        return function(path, options)


# A new kind is a line here, and a function that returns a `Data`.
FROM_PATH = {
    "npz": Kind("fastgan.data.array_files:read_npz_data", "an array in an .npz file"),
    "folder": Kind("fastgan.data.image_files:read_folder", "image files; class folders are labels"),
    "pairs": Kind("fastgan.data.pairs:read_pairs", "pairs of images for image to image, as pix2pix's"),
    "idx": Kind("fastgan.data.array_files:read_idx_data", "an IDX file, as MNIST's"),
    "csv": Kind("fastgan.data.table_files:read_table_data", "a table in a file of text"),
    "parquet": Kind("fastgan.data.table_files:read_table_data", "a table in a Parquet file"),
    "prepared": Kind("fastgan.data.prepared:read_prepared", "what fastgan prepare wrote"),
    "hf": Kind("fastgan.data.huggingface:read_hf", "a data set that Hugging Face's datasets saved", pattern=True),
    "tar": Kind("fastgan.data.shards:read_tar", "WebDataset's shards", pattern=True),
}


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
    background: str = "white",
    exclude: tuple[str, ...] = (),
    keep: bool = True,
    *,
    table: TableOptions | None = None,
    conditional: bool = True,
    reverse: bool = False,
    encoded: bool = False,
) -> Data:
    """Read the data set that `spec` names.

    Args:
        spec: digits, ring or grid; or a kind of `FROM_PATH`, a colon and a path.
        image_size: crop each image to a centred square and resize it to this side; 0 keeps the size.
        strict: raise on a sample that cannot be read instead of leaving it out.
        color: grey or rgb converts all images; auto is grey if all images are grey and RGB otherwise.
        workers: threads that decode images; 0 decodes where they are read.
        background: white, black or #rrggbb, over which transparent images are composed.
        exclude: folders that are not data, such as that of the run.
        keep: whether decoded images may be kept in memory, where they fill at most a quarter of what is free.
        table: how to read a table.
        conditional: whether the column `label` of a table is the class of a row and no part of it.
        reverse: of pairs, whether the right image, or that of folder B, is the input of the other.
        encoded: whether the rows of a table are encoded by modes and categories, as the network `tabular` takes them;
            then there is no class.

    Raises:
        ValueError: for an unknown name, unusable data, settings of images for a table, or `reverse` for other data than
            pairs.
        FileNotFoundError: for a path that does not exist.
        MissingExtraError: where a library that reads the data is missing.
    """
    kind, path = check_spec(spec)
    options = ReadOptions(image_size, color, background, strict, workers, exclude, keep)
    options = replace(options, table=table or TableOptions(), conditional=conditional)
    options = replace(options, reverse=reverse, encoded=encoded)
    if reverse and kind != "pairs":
        hint = "; fastgan prepare --reverse swaps them" if kind == "prepared" else ""
        raise ValueError(f"data: expected pairs:PATH for `reverse`, got '{spec}'{hint}")
    if kind in BUILTIN:
        return fit_data(BUILTIN[kind](), image_size, color, background)
    if not FROM_PATH[kind].pattern and not Path(path).exists():
        raise FileNotFoundError(f"data: expected '{path}' of '{spec}' to exist")
    return FROM_PATH[kind].read(path, options)
