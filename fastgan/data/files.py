"""The reader of tables of numbers in CSV files."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from fastgan.data.tables import read_table

__all__ = ["Arrays", "read_csv"]

Arrays = tuple[NDArray[Any], NDArray[Any] | None]


def read_csv(path: str) -> Arrays:
    """Read a comma-separated table of numbers, with or without a header; the column `label` holds the classes.

    Args:
        path: the file.

    Raises:
        ValueError: for a file that is not a table (see `fastgan.data.tables.read_table`), or a cell that is not a
            finite number; the message gives its line.
    """
    table = read_table(path)
    names = [name.lower() for name in table.names]
    if "label" not in names:
        return table.numbers(range(len(names))), None
    label = names.index("label")
    return table.numbers([i for i in range(len(names)) if i != label]), table.numbers([label])[:, 0]
