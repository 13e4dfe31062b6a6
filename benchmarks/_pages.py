"""Writing tables into the pages of the documentation, between marks."""

from collections.abc import Iterable
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def rewrite(text: str, marks: tuple[str, str], content: str) -> str | None:
    """A page `text` with other `content` between its marks; None where it lacks the marks."""
    before, begin, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    return f"{before}{begin}\n{content}\n{end}{after}" if begin and end else None


def write_between(page: Path, name: str, lines: Iterable[str]) -> None:
    """Write lines into a page, between its marks `<!-- NAME -->` and `<!-- end of NAME -->`.

    Raises:
        ValueError: for a page without them.
    """
    marks = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = rewrite(page.read_text(encoding="utf-8"), marks, "\n".join(lines))
    if text is None:
        raise ValueError(f"{page}: expected the lines {marks[0]} and {marks[1]}, found none")
    page.write_text(text, encoding="utf-8")
