"""Checkpoints: one file each, whole or not there at all, and checked when read.

A checkpoint is what `torch.save` writes, a ZIP archive, with a SHA-256 of its bytes in the archive's
comment. So `torch.load(path, weights_only=True)` reads it too, and a torn file or a flipped bit shows.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from fastgan._support.files import write_atomic

__all__ = ["CheckpointError", "listing", "load", "load_newest", "path_of", "save", "step_of", "write"]

_COMMENT = b"fastgan sha256 "
_DIGEST_CHARS = 64
_NAME = re.compile(r"step-(\d{9,})\.pt")


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written or read; the message names the file and the reason."""


def path_of(folder: Path, step: int) -> Path:
    """The checkpoint's path for a step."""
    return folder / f"step-{step:09d}.pt"


def step_of(path: Path) -> int:
    """The step in a checkpoint's name."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ValueError(f"checkpoint: expected a name as step-000001000.pt, got {path.name}")
    return int(match[1])


def listing(folder: Path) -> list[Path]:
    """The folder's checkpoints, oldest first; empty where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if _NAME.fullmatch(p.name)), key=step_of)


def save(state: dict[str, Any], folder: Path, step: int, keep: int) -> Path:
    """Write `state` and drop all but the newest `keep` checkpoints.

    Args:
        state: tensors, numbers, strings, and lists, tuples and dicts of them.
        folder: made where it does not exist.
        step: for the name.
        keep: checkpoints to leave, this one included.

    Raises:
        CheckpointError: where it cannot be written; the earlier checkpoints stay as they are.
    """
    path = path_of(folder, step)
    write(state, path)
    for old in listing(folder)[:-keep]:
        if old != path:
            old.unlink(missing_ok=True)
    return path


def write(state: dict[str, Any], path: Path) -> None:
    """Write `state` to a file of its own, which `save` leaves alone.

    Raises:
        CheckpointError: where it cannot be written; an earlier file of the name stays as it is.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, _sealed(buffer.getvalue()))
    except OSError as error:
        raise CheckpointError(
            f"checkpoint: cannot write {path}: {error.strerror or error}; earlier checkpoints are untouched"
        ) from error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint on to the CPU, running no code from it.

    Raises:
        CheckpointError: for a file that is torn, altered, or not a checkpoint.
    """
    try:
        sealed = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"checkpoint: cannot read {path}: {error.strerror}") from error
    if _sealed(_opened(sealed)) != sealed:
        raise CheckpointError(f"checkpoint: {path} is damaged: its checksum does not fit")
    try:
        state = torch.load(io.BytesIO(sealed), map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"checkpoint: {path} is no checkpoint: {error}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"checkpoint: expected a dict in {path}, got {type(state).__name__}")
    return state


def load_newest(folder: Path, say: Callable[[str], None]) -> tuple[Path, dict[str, Any]] | None:
    """The newest whole checkpoint of a folder, or None where there is none.

    Each damaged one that is passed over is named through `say`.
    """
    for path in reversed(listing(folder)):
        try:
            return path, load(path)
        except CheckpointError as error:
            say(f"passed over {error}")
    return None


def _sealed(archive: bytes) -> bytes:
    """The ZIP archive with its digest as comment; the last two bytes hold the comment's length."""
    comment = _COMMENT + hashlib.sha256(archive).hexdigest().encode()
    return archive[:-2] + len(comment).to_bytes(2, "little") + comment


def _opened(sealed: bytes) -> bytes:
    """The archive as it was before `_sealed`."""
    end = len(sealed) - len(_COMMENT) - _DIGEST_CHARS
    return sealed[: max(0, end - 2)] + b"\0\0"
