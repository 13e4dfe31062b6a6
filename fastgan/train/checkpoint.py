"""Checkpoints: files that are written atomically and checked by a digest when they are read.

A checkpoint is the ZIP archive that `torch.save` writes, with a SHA-256 of its bytes in the archive's comment.
`torch.load(path, weights_only=True)` reads it as well. The digest detects truncated files and flipped bits.
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
    """The path of the checkpoint of a `step` in a `folder`."""
    return folder / f"step-{step:09d}.pt"


def step_of(path: Path) -> int:
    """The step in the name of the checkpoint `path`.

    Raises:
        ValueError: for another name than a checkpoint's.
    """
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ValueError(f"checkpoint: expected a name as step-000001000.pt, got {path.name}")
    return int(match[1])


def listing(folder: Path) -> list[Path]:
    """The checkpoints in a `folder`, in the order of their steps; empty if the folder does not exist."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if _NAME.fullmatch(p.name)), key=step_of)


def save(state: dict[str, Any], folder: Path, step: int, keep: int) -> Path:
    """Write a checkpoint and delete all but the newest ones.

    Args:
        state: tensors, numbers, strings, and lists, tuples and dicts of them.
        folder: created if it does not exist.
        step: the step, for the file's name.
        keep: number of checkpoints to keep, this one included.

    Returns:
        The checkpoint's path.

    Raises:
        CheckpointError: if it cannot be written; earlier checkpoints are untouched.
    """
    path = path_of(folder, step)
    write(state, path)
    for old in listing(folder)[:-keep]:
        if old != path:
            old.unlink(missing_ok=True)
    return path


def write(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint to a path of any name; `save` deletes only files named by `path_of`.

    Args:
        state: tensors, numbers, strings, and lists, tuples and dicts of them.
        path: the file; its folder is created if it does not exist.

    Raises:
        CheckpointError: for an OSError, if it cannot be written; an earlier file at the path is untouched.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, _with_digest(buffer.getvalue()))
    except OSError as error:
        raise CheckpointError(
            f"checkpoint: cannot write {path}: {error.strerror or error}; earlier checkpoints are untouched"
        ) from error


def load(path: Path) -> dict[str, Any]:
    """Read the checkpoint at `path` to the CPU, without running code from it.

    Raises:
        CheckpointError: for a file that is missing, damaged, or not a checkpoint.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"checkpoint: cannot read {path}: {error.strerror}") from error
    if _with_digest(_without_digest(content)) != content:
        raise CheckpointError(f"checkpoint: {path} is damaged: its checksum does not fit")
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"checkpoint: {path} is no checkpoint: {error}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"checkpoint: expected a dict in {path}, got {type(state).__name__}")
    return state


def load_newest(folder: Path, say: Callable[[str], None]) -> tuple[Path, dict[str, Any]] | None:
    """Read the newest undamaged checkpoint of a folder; where no other is whole, the best one, best.pt.

    Args:
        folder: the run's folder of checkpoints; it need not exist.
        say: called with a message for each newer checkpoint that is damaged.

    Returns:
        The checkpoint's path and state, or None if the folder has no checkpoints.

    Raises:
        CheckpointError: naming the checkpoints, if there are some and none is whole.
    """
    candidates = [*reversed(listing(folder)), *folder.glob("best.pt")]
    for path in candidates:
        try:
            return path, load(path)
        except CheckpointError as error:
            say(f"passed over {error}")
    if candidates:
        raise CheckpointError(
            f"checkpoint: expected a whole checkpoint in {folder} to resume from, got only damaged ones: "
            f"{', '.join(path.name for path in candidates)}; put back a whole one, or train anew in another folder"
        )
    return None


def _with_digest(archive: bytes) -> bytes:
    """The ZIP archive with its digest as comment; the last two bytes of an archive hold the comment's length."""
    comment = _COMMENT + hashlib.sha256(archive).hexdigest().encode()
    return archive[:-2] + len(comment).to_bytes(2, "little") + comment


def _without_digest(content: bytes) -> bytes:
    """The archive as it was before `_with_digest`."""
    end = len(content) - len(_COMMENT) - _DIGEST_CHARS
    return content[: max(0, end - 2)] + b"\0\0"
