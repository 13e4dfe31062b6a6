"""Dates and times in a table's cells: the formats that are known, and the seconds that they stand for."""

from __future__ import annotations

import re
from typing import Any

from fastgan._support.extras import require

__all__ = ["find_format", "is_date", "parse_dates", "write_dates"]

_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M", "T%H:%M:%S", "T%H:%M:%S.%f")
_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
_DATE = re.compile(
    r"(\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{1,2}[- ][A-Za-z]{3}[- ]\d{4}|"
    r"[A-Za-z]{3} \d{1,2}, \d{4})([T ]\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z?)?"
)


def is_date(cell: str) -> bool:
    """Whether the text `cell` looks like a date, with or without a time."""
    return _DATE.fullmatch(cell.strip()) is not None


def find_format(cells: Any) -> str | None:
    """The format of a column of dates, as `strftime` takes it, or None where no format fits all cells.

    A column that both the American 12/31/2024 and 31/12/2024 fit is taken for the former.

    Args:
        cells: a pandas Series of different texts, none missing.
    """
    first = cells.iloc[0]
    if not is_date(first) or not cells.str.fullmatch(_DATE.pattern).all():
        return None
    zone = "Z" if first.endswith("Z") else ""
    for day in _DAYS:
        for time in _TIMES if ":" in first else ("",):
            for padded in (True, False):
                form = (day if padded else day.replace("%m", "%-m").replace("%d", "%-d")) + time + zone
                parsed = parse_dates(cells, form)
                if parsed.isna().any():
                    break
                if (write_dates(parsed, form) == cells).all():
                    return form
    return None


def parse_dates(cells: Any, form: str) -> Any:
    """Cells of text as a Series of dates; NaT where they do not have the format.

    Args:
        cells: a pandas Series of text.
        form: the format, of `find_format`.

    Raises:
        MissingExtraError: without pandas.
    """
    return require("pandas").to_datetime(cells, format=form.replace("%-", "%"), errors="coerce")


def write_dates(dates: Any, form: str) -> Any:
    """Dates as text.

    Args:
        dates: a pandas Series of dates.
        form: the format, of `find_format`.
    """
    text = dates.dt.strftime(form)
    if form.rstrip("Z").endswith("%f"):
        return text.str.replace(r"(\.\d{3})000(?=Z?$)", r"\1", regex=True)
    return text
