"""The places of a table's cells in its text: for messages that name a line, and for changes of single cells.

pandas reads the cells. It does not tell where they lie, nor that a row is too short; both are found here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastgan.data.table.options import Dialect

__all__ = ["Row", "line_of", "quoted", "rewrite", "rows"]


@dataclass(frozen=True)
class Row:
    """A row of cells in a text.

    Attributes:
        line: the number of its first line, from 1.
        spans: the start and end of each cell, quotes and surrounding blanks included.
    """

    line: int
    spans: list[tuple[int, int]]


def _pattern(separator: str) -> re.Pattern[str]:
    """A cell, quoted or not, and what ends it."""
    if separator == " ":
        return re.compile(r'("(?:[^"]|"")*"[^ \t\r\n]*|[^ \t\r\n]*)([ \t]*(?:\r\n|\n|\r|\Z)|[ \t]+)')
    s = re.escape(separator)
    return re.compile(rf'( *"(?:[^"]|"")*"[^{s}\r\n]*|[^{s}\r\n]*)({s}|\r\n|\n|\r|\Z)')


def rows(text: str, separator: str, blank_lines: bool = False) -> Iterator[Row]:
    """The rows of a text, header included.

    Args:
        text: of the file, line ends as they are; a byte order mark at its start is no part of the first cell.
        separator: of the cells; a blank stands for any run of spaces and tabs.
        blank_lines: whether a blank line is a row, of one empty cell, as in a table of one column.
    """
    pattern, at, line = _pattern(separator), int(text.startswith("\ufeff")), 1
    while at < len(text):
        row, start, more = Row(line, []), at, True
        while separator == " " and at < len(text) and text[at] in " \t":
            at += 1  # blanks before the first cell separate nothing
        while more:
            match = pattern.match(text, at)
            assert match is not None  # the pattern matches any text, if need be the empty cell
            row.spans.append(match.span(1))
            at = match.end()
            more = match[2] == separator if separator != " " else not match[2].strip(" \t") and at < len(text)
        line += text.count("\n", start, at) or text.count("\r", start, at)
        blank = len(row.spans) == 1 and not text[slice(*row.spans[0])].strip()
        if not blank or blank_lines:
            yield row


def line_of(text: str, dialect: Dialect, row: int, blank_lines: bool = False) -> int:
    """The number of the line in which a row of cells begins.

    Args:
        text: of the file.
        dialect: how it holds the table.
        row: the row's index, from 0, the header not counted.
        blank_lines: whether a blank line is a row, as in a table of one column.
    """
    wanted = row + dialect.header
    for number, found in enumerate(rows(text, dialect.separator, blank_lines)):
        if number == wanted:
            return found.line
    return 0


def quoted(cell: str, separator: str, always: bool = False) -> str:
    """The text of a cell as a file holds it: in quotes where it needs them.

    Args:
        cell: its value.
        separator: of the cells.
        always: put it in quotes in any case.
    """
    blanks = separator == " " and (not cell or " " in cell or "\t" in cell)
    if always or blanks or any(c in cell for c in (separator, '"', "\n", "\r")) or cell != cell.strip():
        return '"' + cell.replace('"', '""') + '"'
    return cell


def rewrite(
    text: str,
    dialect: Dialect,
    cells: Mapping[tuple[int, int], str],
    appended: list[list[str]] | None = None,
    blank_lines: bool = False,
) -> str:
    """Change cells of a table in its text, and append columns; all else stays as it is, to the letter.

    Args:
        text: of the file.
        dialect: how it holds the table.
        cells: the new values, by row and column from 0, the header not counted. A cell in quotes keeps them.
        appended: the cells to append to each row, those of the header first where there is one.
        blank_lines: whether a blank line is a row, as in a table of one column.
    """
    separator, pieces, done = dialect.separator, list[str](), 0
    for number, row in enumerate(rows(text, separator, blank_lines)):
        for column, (start, end) in enumerate(row.spans):
            cell = cells.get((number - dialect.header, column))
            if cell is not None:
                pieces += [text[done:start], quoted(cell, separator, '"' in text[start:end])]
                done = end
        if appended is not None:
            end = row.spans[-1][1]
            more = "".join(separator + quoted(cell, separator) for cell in appended[number])
            pieces += [text[done:end], more]
            done = end
    return "".join([*pieces, text[done:]])
