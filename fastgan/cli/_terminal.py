"""What the commands print besides their results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

Action = Callable[[], None]  # what a command does, once its options are parsed


def is_rank_zero() -> bool:
    """Whether this process is the one that prints; torchrun starts several."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0"


def print_error(message: str) -> None:
    """Print a message to stderr as one line."""
    print(f"fastgan: {' '.join(message.split())}", file=sys.stderr)
