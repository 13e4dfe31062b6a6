"""What a table's file does not say: its encoding, its separator, and whether it has a header."""

from __future__ import annotations

import codecs
from collections import Counter
from pathlib import Path

from fastgan.data.table.dates import is_date
from fastgan.data.table.missing import is_missing, is_number, is_value
from fastgan.data.table.options import SEPARATORS, TableOptions
from fastgan.data.table.scan import rows

__all__ = ["Start", "cells_of", "find_encoding", "find_header", "find_separator", "read_start"]

_START = 1 << 17  # bytes that are looked at
_MAGIC = {
    b"PK\x03\x04": "a zip archive or an Excel file; save the table as CSV",
    b"\x1f\x8b": "a gzip archive; unpack it first",
    b"\xd0\xcf\x11\xe0": "an old Excel file; save the table as CSV",
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG picture",
}

Start = tuple[str, str, bool]  # encoding, text, and whether it is all of the file


def find_encoding(start: bytes, path: str) -> str:
    """The encoding that a file's first bytes show: UTF-8, or UTF-16 by its byte order mark.

    Args:
        start: the first bytes.
        path: the file, for messages.

    Raises:
        ValueError: for a file that is not text.
    """
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            raise ValueError(f"data: expected {path} to be a table of text, got {kind}")
    if b"\0" in start:
        raise ValueError(
            f"data: expected {path} to be a table of text, got a binary file, or UTF-16 without a byte order mark "
            "(--encoding utf-16-le)"
        )
    return "utf-8"


def read_start(path: str, options: TableOptions) -> Start:
    """Decode the start of a file, up to the end of a line.

    Args:
        path: the file.
        options: `encoding`.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a folder, an empty file, a file that is not text, or another encoding.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"data: expected a table '{path}', found none")
    if Path(path).is_dir():
        raise ValueError(f"data: expected {path} to be a file, got a folder")
    with open(path, "rb") as file:
        start = file.read(_START)
        whole = not file.read(1)
    if not start.strip():
        raise ValueError(f"data: expected rows of cells in {path}, got none")
    encoding = find_encoding(start, path) if options.encoding == "auto" else options.encoding.lower()
    text = _decoded(start, encoding, path, whole)
    if not whole and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    return encoding, text, whole


def _decoded(start: bytes, encoding: str, path: str, whole: bool) -> str:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        return decoder.decode(start, final=whole)
    except UnicodeDecodeError as error:
        line = start[: error.start].count(b"\n") + 1
        raise ValueError(
            f"data: expected {path} to be text in {encoding.upper()}, got byte {start[error.start]:#04x} in line "
            f"{line}; --encoding names another one, such as latin-1"
        ) from error


def cells_of(text: str, separator: str, whole: bool = True) -> list[list[str]]:
    """The cells of a text, without quotes and surrounding blanks; blank lines are skipped.

    Args:
        text: of a file.
        separator: of the cells.
        whole: whether the text is all of the file; else a last row is left out, which may be cut.
    """
    table = [[_unquoted(text[a:b]) for a, b in row.spans] for row in rows(text, separator)]
    return table if whole or len(table) < 2 else table[:-1]


def _unquoted(cell: str) -> str:
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell


def find_separator(text: str, path: str, whole: bool = True) -> str:
    """The separator that gives rows of one length, of more than one cell, and of the most cells that are numbers.

    Args:
        text: the start of a file.
        path: the file, for messages.
        whole: whether the text is all of the file.

    Returns:
        A comma, where no separator does, as in a table of one column.
    """
    best, chosen = (0.0, 0.0), ","
    for separator in SEPARATORS:
        table = cells_of(text, separator, whole)[:500]
        if max(map(len, table), default=0) < 2:
            continue
        # A row that the mark of a list or a name cuts into two has another length than its neighbours.
        width, count = Counter(map(len, table)).most_common(1)[0]
        alike = count / len(table)
        body = [cell for row in table[1:] for cell in row] or table[0]
        numbers = sum(map(is_number, body)) / len(body)
        if width < 2 or alike < 0.5 or (separator == " " and numbers < 0.5):
            continue
        # Where commas are decimal marks, a comma cuts rows into other lengths than the header, or leaves no numbers.
        if (alike, numbers) > best:
            best, chosen = (alike, numbers), separator
    return chosen


def find_header(table: list[list[str]]) -> bool:
    """Whether the first row holds names.

    It does where a cell of it is text over a column of numbers, dates or booleans, or where it counts: 0, 1, 2, as
    pandas names columns, or years; and where all columns are text, unless a name is also a value of its column.

    Args:
        table: the cells of the first rows.
    """
    first, body = table[0], table[1:]
    if not any(first):
        return False
    if not body:
        return not any(map(is_value, first))
    shift = max(0, min(map(len, body)) - len(first))  # R's header lacks the column of row names
    columns = [tuple(row[i + shift] for row in body if i + shift < len(row)) for i in range(len(first))]
    for name, column in zip(first, columns, strict=True):
        known = [cell for cell in column if not is_missing(cell)]
        if known and not is_missing(name) and not _typed(name) and all(map(_typed, known)):
            return True
    if _counts(first, columns):
        return True
    if any(map(_typed, filter(None, first))):
        return False
    return not any(name and name in column for name, column in zip(first, columns, strict=True))


def _typed(cell: str) -> bool:
    return is_number(cell) or is_date(cell) or cell.lower() in ("true", "false")


def _counts(first: list[str], columns: list[tuple[str, ...]]) -> bool:
    """Whether a row of numbers counts, as no row of the body does; an empty corner, over an index, does not matter."""
    names = first[1:] if first[0] == "" else first
    if not names or not all(name.isdigit() for name in names):
        return False
    numbers = [int(name) for name in names]
    years = all(1800 <= n <= 2200 for n in numbers)
    counting = numbers == list(range(numbers[0], numbers[0] + len(numbers))) and (numbers[0] == 0 or years)
    if first[0] == "":
        return counting
    if not counting or len(numbers) < 2:
        return False
    body = columns[len(first) - len(names) :]
    if years:
        return not any(cell.isdigit() and 1800 <= int(cell) <= 2200 for column in body for cell in column)
    # Of two columns 0 and 1 may well be values: names are they only where the body holds other than small integers.
    return len(numbers) > 2 or any(not cell.isdigit() for column in body for cell in column if not is_missing(cell))
