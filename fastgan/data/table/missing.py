"""The spellings of a missing cell and of a number."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["MISSING", "is_missing", "is_number", "is_value", "missing_mask"]

# In small letters. Beside the usual ones: Excel's #N/A, pandas' <NA> and NaT, and the NaN of C libraries.
MISSING = frozenset(
    {"", "na", "n/a", "n.a.", "nan", "null", "none", "?", "#n/a", "#n/a!", "#n/a n/a", "#na", "<na>", "nat"}
    | {sign + spelt for sign in ("-", "+") for spelt in ("nan", "nan(ind)", "nan(snan)")}
    | {sign + spelt for sign in ("", "-") for spelt in ("1.#qnan", "1.#snan", "1.#ind")}
)

# Either decimal mark. float() would also take 1_000.
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*|\s*[+-]?(inf|infinity)\s*", re.IGNORECASE)


def is_missing(cell: str) -> bool:
    """Whether the text `cell` stands for a missing value."""
    return cell.strip().lower() in MISSING


def is_number(cell: str) -> bool:
    """Whether the text `cell` is a number, with a decimal point or comma; infinity is one, NaN is not."""
    return _NUMBER.fullmatch(cell) is not None


def is_value(cell: str) -> bool:
    """Whether the text `cell` is neither missing nor a name: a number."""
    return not is_missing(cell) and is_number(cell)


def missing_mask(cells: Any, words: bool = True) -> Any:
    """Which cells of a column are missing.

    Args:
        cells: a pandas Series, of text without white space at its ends, or of values.
        words: whether text such as NA stands for a missing cell.

    Returns:
        A Series of bool.
    """
    if not words or str(cells.dtype) not in ("str", "string", "object"):
        return cells.isna()
    # The longest spelling has 8 letters, and most cells of text have more or are no candidate by their first letter.
    return cells.isna() | cells.str.lower().isin(MISSING)
