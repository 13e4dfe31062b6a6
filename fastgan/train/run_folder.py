"""The folder of a training run: creating and locking it, and writing the networks' weights."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from fastgan._support.extras import require
from fastgan._support.files import remove_leftovers, write_atomic
from fastgan.train import checkpoint, distributed
from fastgan.train.config import TrainConfig

__all__ = ["RunFolderError", "check_out", "open_run_folder", "save_weights"]


class RunFolderError(ValueError):
    """A folder is in use by another run, holds another run, or is not a run folder; the message names it."""


def check_out(out: Path, resume: bool) -> None:
    """Refuse a run folder `out` that is a file or, unless the run is to `resume`, has checkpoints.

    Raises:
        RunFolderError: naming the folder.
    """
    if out.exists() and not out.is_dir():
        raise RunFolderError(f"train: expected --out to be a folder, got the file {out}")
    checkpoints = [*checkpoint.listing(out / "checkpoints"), *(out / "checkpoints").glob("best.pt")]
    if checkpoints and not resume:
        raise RunFolderError(
            f"train: expected an --out without checkpoints, got {out} with {len(checkpoints)}; "
            "--resume continues that run"
        )


@contextlib.contextmanager
def open_run_folder(config: TrainConfig, data: str) -> Iterator[Path]:
    """Create the folder of a run if needed, and lock it until the block ends; process 0 does so for all processes.

    Args:
        config: `out`, or None for a new folder under runs/, and `resume`.
        data: the kind of the data, for the name of a new folder.

    Yields:
        The folder.

    Raises:
        RunFolderError: if another run is training there, or the folder has checkpoints and `config.resume` is not set.
        FirstProcessError: in the other processes, if process 0 could not open the folder.
    """
    with contextlib.ExitStack() as stack:
        yield distributed.run_on_rank_zero(lambda: stack.enter_context(_locked_folder(config, data)))


@contextlib.contextmanager
def _locked_folder(config: TrainConfig, data: str) -> Iterator[Path]:
    """The folder, with a lock on the folder itself, which the system releases when the process dies."""
    out = Path(config.out) if config.out is not None else _new_folder(config, data)
    check_out(out, resume=True)
    out.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunFolderError(f"train: the run folder {out} is in use by another run") from None
        check_out(out, config.resume)
        remove_leftovers(out)
        remove_leftovers(out / "checkpoints")
        remove_leftovers(out / "samples")
        yield out
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # explicitly: forked workers that outlive this block hold the lock, too
        os.close(descriptor)


def _new_folder(config: TrainConfig, data: str) -> Path:
    """Create a new folder runs/RECIPE-DATA-TIME."""
    stem = f"{config.recipe}-{data}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 1
    while True:
        path = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return path


def save_weights(path: Path, networks: dict[str, nn.Module], about: dict[str, Any]) -> None:
    """Write the weights of networks to a safetensors file.

    Args:
        path: the file.
        networks: by name; each key in the file is prefixed with the network's name and a dot.
        about: metadata, stored as JSON.

    Raises:
        CheckpointError: for an OSError, if the file cannot be written.
        MissingExtraError: without safetensors.
    """
    tensors = {
        f"{name}.{key}": value.detach().cpu().clone().contiguous()  # safetensors refuses tensors that share memory
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    content = require("safetensors.torch").save(tensors, {"fastgan": json.dumps(about)})
    try:
        write_atomic(path, content)
    except OSError as error:
        raise checkpoint.CheckpointError(f"checkpoint: cannot write {path}: {error.strerror or error}") from error
