"""What the commands print besides their results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

Action = Callable[[], None]  # what a command does, once its options are parsed


def is_rank_zero() -> bool:
    """Whether this process is the one that prints; torchrun starts several."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0"


def print_error(message: str) -> None:
    """Print a message to stderr as one line."""
    print(f"fastgan: {' '.join(message.split())}", file=sys.stderr)


def check_output(source: str, target: str, command: str) -> None:
    """Refuse a file to write that is the one to read, a folder or in none, or of another kind.

    Raises:
        FileNotFoundError: if its folder does not exist.
        ValueError: for another one that cannot be written.
    """
    out, given = Path(target), Path(source)
    if not out.parent.is_dir():
        raise FileNotFoundError(f"{command}: expected the folder {out.parent} of OUT.CSV to exist")
    if out.is_dir() or (out.exists() and given.exists() and out.samefile(given)):
        raise ValueError(f"{command}: expected OUT.CSV to be another file than IN.CSV and no folder, got '{target}'")
    parquet = [path.suffix.lower() in (".parquet", ".pq") for path in (given, out)]
    if parquet[0] != parquet[1]:
        raise ValueError(f"{command}: expected OUT.CSV to be of the kind of IN.CSV, got '{target}' of '{source}'")
