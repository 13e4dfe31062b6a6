"""What is done to the arguments of every command before typer parses them."""

from __future__ import annotations

import os.path
from collections.abc import Sequence

__all__ = ["expand_home", "split_pairs"]


def expand_home(arguments: Sequence[str]) -> list[str]:
    """The arguments with a leading `~` of a path expanded, also that of `--out=~/run`, which a shell leaves alone.

    Args:
        arguments: the command and its options. The path in `folder:~/images` is expanded where the data are read.
    """
    expanded = []
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        if flag.startswith("--") and equals:
            expanded.append(f"{flag}={os.path.expanduser(value)}")
        else:
            expanded.append(os.path.expanduser(argument))
    return expanded


def split_pairs(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--betas 0.5,0.9` and `--betas=0.5,0.9` as `--betas 0.5 0.9`, which typer takes.

    Args:
        arguments: the command and its options.
    """
    split: list[str] = []
    for argument in arguments:
        if argument.startswith("--betas=") and "," in argument:
            split += ["--betas", *argument.removeprefix("--betas=").split(",")]
        elif split and split[-1] == "--betas" and "," in argument:
            split += argument.split(",")
        else:
            split.append(argument)
    return split
