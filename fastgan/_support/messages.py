"""Messages that several packages share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown `name`, with the nearest of the `known` names, or all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"expected one of {', '.join(known)}"
    return f"{what} '{name}'; {hint}"
