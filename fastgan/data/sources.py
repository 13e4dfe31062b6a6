"""Data sets by name, such as `digits` or `folder:PATH`."""

from __future__ import annotations

import difflib
import os.path
from pathlib import Path

from fastgan.data import files
from fastgan.data.builtin import BUILTIN
from fastgan.data.idx import read_idx
from fastgan.data.memory import fit_data, from_array
from fastgan.data.npz import read_npz
from fastgan.data.samples import Data

__all__ = ["FROM_PATH", "check_spec", "load"]

# The kinds of data that are read from a path, as in `npz:PATH`.
FROM_PATH = ("npz", "folder", "idx", "csv")


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


def load(spec: str, image_size: int = 0, strict: bool = False, color: str = "auto", workers: int = 0) -> Data:
    """Read the data set that `spec` names.

    Args:
        spec: digits, ring or grid; or npz:, folder:, idx: or csv: followed by a path.
        image_size: of a folder's images: crop each to a centred square and resize it to this side; 0 keeps the size.
        strict: of a folder: raise on an unreadable image instead of skipping it with a warning.
        color: of a folder: grey, rgb, or auto, which is grey if all images are grey and RGB otherwise.
        workers: of a folder: threads that read images; 0 reads in the calling thread.

    Raises:
        ValueError: for an unknown name or unusable data.
        FileNotFoundError: for a path that does not exist.
        MissingExtraError: for digits without scikit-learn, or a folder without Pillow.
    """
    kind, path = check_spec(spec)
    if kind in BUILTIN:
        return fit_data(BUILTIN[kind](), image_size, color)
    if not Path(path).exists():
        raise FileNotFoundError(f"data: expected '{path}' of '{spec}' to exist")
    if kind == "folder":
        if not Path(path).is_dir():
            raise ValueError(f"data: expected '{path}' of '{spec}' to be a folder")
        return from_array(*files.read_folder(path, image_size, strict, color, workers), path)
    if kind == "csv":
        return fit_data(from_array(*files.read_csv(path), path), image_size, color)
    stored = read_idx(path) if kind == "idx" else read_npz(path)
    data = from_array(stored.samples, stored.labels, path, stored.layout, stored.notes)
    return fit_data(data, image_size, color)
