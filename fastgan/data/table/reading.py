"""Tables in files: `read_table` reads CSV and its relatives, and Parquet, for all commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastgan._support.extras import require
from fastgan._support.messages import unknown_name
from fastgan.data.table.find import cells_of, find_header, find_separator, read_start
from fastgan.data.table.options import Dialect, TableOptions
from fastgan.data.table.scan import line_of, rows

__all__ = ["PARQUET", "Table", "read_table"]

PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Table:
    """The cells of a table in a file.

    Attributes:
        path: the file.
        frame: a pandas DataFrame. Its cells are text without white space at their ends, or what Parquet holds.
        dialect: how the file of text holds it; None for Parquet.
        left_out: the columns that `TableOptions` leave out, or that number the rows; `frame` has them, too.
        notes: what was found out about the file, in sentences.
    """

    path: str
    frame: Any
    dialect: Dialect | None
    left_out: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The names of the columns that are not left out."""
        return [name for name in self.frame.columns if name not in self.left_out]

    def text(self) -> str:
        """The file's text, with line ends and a byte order mark as they are.

        Raises:
            ValueError: for Parquet, which is no text.
        """
        if self.dialect is None:
            raise ValueError(f"data: expected {self.path} to be text, got Parquet")
        return Path(self.path).read_bytes().decode(self._codec())

    def encoded(self, text: str) -> bytes:
        """The bytes of a text, such as that of `text` with changes, in the file's encoding."""
        return text.encode(self._codec())

    def _codec(self) -> str:
        """The encoding that leaves a byte order mark in the text."""
        encoding = self.dialect.encoding if self.dialect else ""
        if encoding in ("utf-16", "utf_16", "utf16"):
            with open(self.path, "rb") as file:
                return "utf-16-be" if file.read(2) == b"\xfe\xff" else "utf-16-le"
        return encoding.removesuffix("-sig")

    def line(self, row: int) -> str:
        """Where the row with the index `row` stands, such as "line 7"."""
        if self.dialect is None:
            return f"row {row + 1}"
        return f"line {line_of(self.text(), self.dialect, row, len(self.frame.columns) == 1)}"

    def column(self, name: str) -> str:
        """The column called `name`; a name that is unlike it in capitals alone serves, too.

        Raises:
            ValueError: for a name that no column has; the message suggests the most similar one.
        """
        names = list(self.frame.columns)
        alike = [other for other in names if other.lower() == name.lower()]
        if name in names or len(alike) == 1:
            return name if name in names else alike[0]
        raise ValueError(unknown_name(f"{self.path}: unknown column", name, names))


def read_table(path: str, options: TableOptions | None = None) -> Table:
    r"""Read a table from a file: text with separators, or Parquet.

    Args:
        path: the file.
        options: what is known about it.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a folder, a file that is no table, another encoding, rows of different lengths, two columns of
            one name, a file without rows, or options that do not fit.
        MissingExtraError: without pandas, or for Parquet without pyarrow.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        ...     _ = file.write(";size;colour\n0;1,5;red\n1;2,5;blue\n")
        ...     file.flush()
        ...     table = read_table(file.name)
        >>> table.names, table.left_out, table.dialect.separator
        (['size', 'colour'], ('column_1',), ';')
    """
    options = options or TableOptions()
    if _is_parquet(path):
        return _chosen(_read_parquet(path), options)
    start = read_start(path, options)
    separator = find_separator(start[1], path, start[2]) if options.separator == "auto" else options.separator
    first = cells_of(start[1], separator, start[2])
    header = find_header(first[:500]) if options.header == "auto" else options.header == "yes"
    dialect = Dialect(start[0], separator, "." if options.decimal == "auto" else options.decimal, header)
    width = max(len(row) for row in first[:2])
    frame = _read_cells(path, dialect, width)
    if header:
        names = [str(cell) for cell in frame.iloc[0]][: len(first[0])]
        frame = frame.iloc[1:].reset_index(drop=True)
        if len(names) == width - 1 and not frame.empty:  # names for all but the row names, as R writes them
            trailing = (frame[width - 1] == "").all()
            names = [*names, ""] if trailing else ["", *names]
    else:
        names = [""] * width
    if frame.empty:
        raise ValueError(f"data: expected rows of cells in {path}, got none{' below the header' * header}")
    frame.columns = _named(names, path)
    extra = _unnamed_index(frame, names) if header else ""
    notes = list[str]()
    empty = [name for name, given in zip(frame.columns, names, strict=True) if header and not given]
    empty = [name for name in empty if (frame[name] == "").all()]
    if extra:
        notes.append("left out the first column, which has no name and tells the rows apart, as an index does")
    if empty:
        notes.append(f"left out {', '.join(empty)}: no name and no cells")
    if options.decimal == "auto" and _has_decimal_commas(frame):
        dialect = Dialect(start[0], separator, ",", header)
    notes.insert(0, _size(path, frame, dialect.describe()))
    left_out = tuple(n for n in ([extra] if extra else []) + empty if n not in options.columns)
    return _chosen(Table(path, frame, dialect, left_out, notes), options)


def _chosen(table: Table, options: TableOptions) -> Table:
    """The table with the columns left out that the options drop, or do not keep."""
    names = list(table.frame.columns)
    chosen = options.chosen(names, table.path)
    left_out = tuple(name for name in names if name not in chosen or name in table.left_out)
    if len(left_out) == len(names):
        raise ValueError(f"data: expected columns beside one that numbers the rows in {table.path}, got none")
    return Table(table.path, table.frame, table.dialect, left_out, table.notes)


def _is_parquet(path: str) -> bool:
    if not Path(path).is_file():
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1" or Path(path).suffix.lower() in PARQUET


def _read_parquet(path: str) -> Table:
    require("pyarrow", "tables")
    pandas = require("pandas")
    try:
        frame = pandas.read_parquet(path)
    except Exception as error:  # pyarrow has many errors for damaged files
        raise ValueError(f"data: expected {path} to be a Parquet file: {error}") from error
    if len(frame) == 0 or len(frame.columns) == 0:
        raise ValueError(f"data: expected rows of cells in {path}, got none")
    frame = frame.reset_index(drop=True)
    frame.columns = _named([str(name) for name in frame.columns], path)
    return Table(path, frame, None, (), [_size(path, frame, "Parquet")])


def _size(path: str, frame: Any, kind: str) -> str:
    count, width = frame.shape
    return f"read {path}: {count:,} row{'s' * (count != 1)} of {width} column{'s' * (width != 1)} ({kind})"


def _read_cells(path: str, dialect: Dialect, width: int) -> Any:
    """All cells as text, the header among them."""
    pandas = require("pandas")
    one = width == 1
    try:
        frame = pandas.read_csv(
            path,
            sep=r"\s+" if dialect.separator == " " else dialect.separator,
            header=None,
            names=range(width),
            dtype=str,
            na_filter=False,  # which spellings are missing is decided per column
            skipinitialspace=True,
            skip_blank_lines=not one,
            encoding=dialect.encoding,
            compression=None,
            index_col=False,
        )
    except pandas.errors.ParserError as error:
        raise _not_a_table(path, dialect, width, str(error)) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"data: expected {path} to be text in {dialect.encoding.upper()}: {error}; --encoding names another one"
        ) from error
    if one:  # blank lines at the end are no rows
        filled = (frame[0] != "").to_numpy().nonzero()[0]
        frame = frame.iloc[: filled[-1] + 1 if len(filled) else 0]
    for column in frame.columns:
        frame[column] = frame[column].str.strip()
    if width > 1 and (frame[width - 1] == "").any() and not _are_full(path, dialect, width, len(frame)):
        _check_lengths(path, dialect, width)
    return frame


def _are_full(path: str, dialect: Dialect, width: int, count: int) -> bool:
    """Whether the number of separators shows that no row is too short; that none is too long is known."""
    separator, found, outside = dialect.separator.encode(), 0, True
    if dialect.separator == " " or dialect.encoding.startswith(("utf-16", "utf_16", "utf16", "utf-32", "utf_32")):
        return False
    with open(path, "rb") as file:
        while block := file.read(1 << 24):
            for part in block.split(b'"'):
                found += part.count(separator) * outside
                outside = not outside
            outside = not outside  # the next block goes on where the last part of this one ended
    return found == count * (width - 1)


def _check_lengths(path: str, dialect: Dialect, width: int) -> None:
    """Refuse a row that is too short, which pandas fills up with empty cells."""
    table = Table(path, None, dialect)
    for number, row in enumerate(rows(table.text(), dialect.separator, width == 1)):
        if len(row.spans) != width and not (number == 0 and dialect.header and len(row.spans) == width - 1):
            raise ValueError(
                f"data: expected {width} cells in line {row.line} of {path}, got {len(row.spans)}; "
                "--separator names what separates them"
            )


def _not_a_table(path: str, dialect: Dialect, width: int, error: str) -> ValueError:
    if "EOF inside string" in error:
        row = int(re.findall(r"\d+", error)[-1])
        found = line_of(Table(path, None, dialect).text(), Dialect(header=False, separator=dialect.separator), row)
        return ValueError(f"data: expected the quote in line {found} of {path} to close, got the end of the file")
    try:
        _check_lengths(path, dialect, width)
    except ValueError as found_error:
        return found_error
    return ValueError(f"data: expected {path} to be a table: {error}")


def _named(names: Sequence[str], path: str) -> list[str]:
    """The columns' names; column_1, column_2, ... where there are none."""
    full = [name.strip() or f"column_{i + 1}" for i, name in enumerate(names)]
    for name in full:
        if full.count(name) > 1:
            raise ValueError(
                f"data: expected columns of different names in {path}, got '{name}' {full.count(name)} times"
            )
    return full


def _unnamed_index(frame: Any, names: Sequence[str]) -> str:
    """The first column, if it has no name and no value twice, as an index that pandas or R wrote; else ""."""
    if names[0] or len(names) == 1 or any(not name for name in names[1:] if len(names) > 2):
        return ""
    cells = frame.iloc[:, 0]
    return str(frame.columns[0]) if cells.is_unique and (cells != "").all() else ""


def _has_decimal_commas(frame: Any) -> bool:
    """Whether commas are decimal marks: in all cells of some column that have one, and no column has points there."""
    commas = False
    for column in frame.columns:
        cells = frame[column]
        if not cells.str.contains(",", regex=False).any():
            if cells.str.fullmatch(r"[+-]?\d+\.\d+").mean() > 0.5:
                return False
            continue
        commas |= bool(cells[cells.str.contains(",", regex=False)].str.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?").all())
    return commas
