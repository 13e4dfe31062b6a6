"""`TableOptions`: what a user says about a table's file, and `Dialect`: what was found out about it."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from fastgan._support.messages import unknown_name

__all__ = ["HEADERS", "SEPARATORS", "Dialect", "TableOptions"]

HEADERS = ("auto", "yes", "no")
# The separators that are looked for, in the order in which they win a tie, and their names.
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "blank"}
_NAMED = {name: separator for separator, name in SEPARATORS.items()} | {"\\t": "\t"}


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    r"""How a table is to be read; what is not said is found out from the file.

    Attributes:
        separator: of the cells: auto, or one character or its name: comma, semicolon, tab, pipe, blank. Blanks stand
            for any run of spaces and tabs.
        decimal: the decimal mark: auto, or `.` or `,`.
        header: whether the first row holds the columns' names: auto, yes or no.
        encoding: of the text: auto is UTF-8, or UTF-16 behind a byte order mark; or a name such as latin-1.
        drop: the names of columns to leave out.
        columns: the names of the only columns to take, ids among them; () takes all but ids.
        text: the names of columns whose cells are text, also where they look like numbers or dates.
        discrete: the names of columns that the network `tabular` takes for categories, also where they hold numbers of
            many values.

    Raises:
        ValueError: for another value, or a column in both `drop` and `columns`.

    Example:
        >>> TableOptions(separator="tab").separator, TableOptions(drop="id, name").drop
        ('\t', ('id', 'name'))
    """

    separator: str = "auto"
    decimal: str = "auto"
    header: str = "auto"
    encoding: str = "auto"
    drop: Sequence[str] = ()
    columns: Sequence[str] = ()
    text: Sequence[str] = ()
    discrete: Sequence[str] = ()

    def __post_init__(self) -> None:
        separator = _NAMED.get(self.separator, self.separator)
        if separator != "auto" and (len(separator) != 1 or separator in '"\r\n.' or separator.isalnum()):
            raise ValueError(
                f"data: expected --separator to be auto, one character, or one of {', '.join(SEPARATORS.values())}; "
                f"got '{self.separator}'"
            )
        object.__setattr__(self, "separator", separator)
        for name, choices in (("decimal", ("auto", ".", ",")), ("header", HEADERS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"data: expected --{name} to be {', '.join(choices)}, got '{getattr(self, name)}'")
        if self.encoding != "auto":
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise ValueError(f"data: expected --encoding such as utf-8 or latin-1, got '{self.encoding}'") from None
        for name in ("drop", "columns", "text", "discrete"):
            given = getattr(self, name)
            names = given.split(",") if isinstance(given, str) else given
            object.__setattr__(self, name, tuple(n.strip() for n in names if n.strip()))
        for column in self.drop:
            if column in self.columns:
                raise ValueError(f"data: expected column '{column}' in --drop or in --columns, got it in both")

    @property
    def given(self) -> dict[str, Any]:
        """The options that differ from their defaults, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    def chosen(self, names: Sequence[str], path: str) -> list[str]:
        """Those of a table's columns that `drop` and `columns` leave.

        Args:
            names: of all columns.
            path: the table's file, for messages.

        Raises:
            ValueError: for a name in `drop`, `columns`, `text` or `discrete` that no column has, or where no
                column is left.
        """
        for name in (*self.drop, *self.columns, *self.text, *self.discrete):
            if name not in names:
                raise ValueError(unknown_name(f"{path}: unknown column", name, names))
        left = [name for name in names if name not in self.drop and (name in self.columns or not self.columns)]
        if not left:
            raise ValueError(f"data: expected a column of {path} that is not left out, got none")
        return left


@dataclass(frozen=True)
class Dialect:
    """How a file of text holds its table.

    Attributes:
        encoding: as Python names it; "utf-8-sig" is UTF-8 behind a byte order mark.
        separator: one character; a blank stands for any run of spaces and tabs.
        decimal: `.` or `,`.
        header: whether the first row holds the columns' names.
        words: whether words such as NA stand for missing cells; in a DataFrame of values they are text.
    """

    encoding: str = "utf-8"
    separator: str = ","
    decimal: str = "."
    header: bool = True
    words: bool = True

    def describe(self) -> str:
        """The dialect in a few words, such as "UTF-8, semicolons, decimal commas, a header"."""
        name = SEPARATORS.get(self.separator, f"'{self.separator}'")
        words = [self.encoding.removesuffix("-sig").upper(), f"{name}s" if name in _NAMED else f"separator {name}"]
        words += ["decimal commas"] if self.decimal == "," else []
        return ", ".join([*words, "a header" if self.header else "no header"])
