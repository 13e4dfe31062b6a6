"""The options of the commands that read a table: what to know about its file, and which columns to take."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from fastgan.data.table.options import HEADERS, SEPARATORS, TableOptions


def table_flags(typer: Any) -> SimpleNamespace:
    """The options, as defaults of a command's arguments for the module `typer`."""
    names = ", ".join(SEPARATORS.values())
    return SimpleNamespace(
        separator=typer.Option("auto", help=f"What separates a table's cells: auto, {names}, or one character."),
        decimal=typer.Option("auto", help="A table's decimal mark: auto, . or a comma."),
        header=typer.Option("auto", help=f"Whether a table's first row holds names: {', '.join(HEADERS)}."),
        encoding=typer.Option(
            "auto", help="Encoding of a table's text: auto, which is UTF-8, or a name such as latin-1."
        ),
        drop=typer.Option("", help="Columns of a table to leave out, with commas, as id,name.", show_default="none"),
        columns=typer.Option(
            "",
            help="The only columns of a table to take, with commas, also where they look like ids.",
            show_default="all",
        ),
        text=typer.Option(
            "", help="Columns of a table that are text although they look like numbers or dates.", show_default="none"
        ),
        condition=typer.Option(
            [], help="What all rows of a table must have, as colour=red; may be repeated.", show_default="none"
        ),
    )


def parse_conditions(command: str, conditions: Sequence[str]) -> dict[str, str]:
    """The conditions of the option `condition`, by column.

    Raises:
        ValueError: for one without `=`; the message names the `command`.
    """
    found = {}
    for text in conditions:
        name, equals, value = text.partition("=")
        if not (equals and name.strip()):
            raise ValueError(f"{command}: expected --condition as column=value, got '{text}'")
        found[name.strip()] = value.strip()
    return found


def table_options(
    separator: str, decimal: str, header: str, encoding: str, drop: str, columns: str, text: str, discrete: str = ""
) -> TableOptions:
    """The values of the options of `table_flags`, of which the last four are names with commas."""
    return TableOptions(
        separator=separator,
        decimal=decimal,
        header=header,
        encoding=encoding,
        drop=drop.split(","),
        columns=columns.split(","),
        text=text.split(","),
        discrete=discrete.split(","),
    )
