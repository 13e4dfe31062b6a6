"""What is done to the arguments of every command before typer parses them."""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Sequence

__all__ = ["check_count_and_seed", "expand_home", "split_pairs"]


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


def split_pairs(arguments: Sequence[str], pairs: Iterable[str]) -> list[str]:
    """The arguments with `--betas 0.5,0.9` and `--betas=0.5,0.9` as `--betas 0.5 0.9`, which typer takes.

    Args:
        arguments: the command and its options.
        pairs: the names of the settings that are several numbers, such as betas.
    """
    flags = {"--" + name.replace("_", "-") for name in pairs}
    split: list[str] = []
    for argument in arguments:
        flag, _, value = argument.partition("=")
        if flag in flags and "," in value:
            split += [flag, *value.split(",")]
        elif split and split[-1] in flags and "," in argument:
            split += argument.split(",")
        else:
            split.append(argument)
    return split


def check_count_and_seed(command: str, n: int, seed: int) -> None:
    """Refuse a `--n` or `--seed` out of range.

    Args:
        command: the command's name.
        n: number of samples.
        seed: of the samples.

    Raises:
        ValueError: for `n` below 1, or a seed that torch does not take.
    """
    if n < 1:
        raise ValueError(f"{command}: expected --n to be at least 1, got {n}")
    if not 0 <= seed < 2**63:
        raise ValueError(f"{command}: expected --seed in [0, 2**63), got {seed}")
