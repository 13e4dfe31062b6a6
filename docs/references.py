"""An extension of Griffe, which reads docstrings for the API pages.

A role such as `:func:`name`` becomes a link to what it names. The heading `Example:` becomes `Examples:`, the one that
Griffe knows.
"""

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)
ROLE = re.compile(r":(?:func|class|meth|mod):`~?([\w.]+)`")


class References(griffe.Extension):
    """Rewrites the docstring of every object before it is rendered."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Replace each role by a link, or by plain code where the name cannot be found, and each heading."""
        if obj.docstring is None:
            return

        def link(found: re.Match[str]) -> str:
            name = found[1]
            scope = obj if isinstance(obj, griffe.Module) else obj.module
            try:
                path = name if name.startswith("fastgan.") else scope.resolve(name)
            except griffe.NameResolutionError:
                return f"`{name}`"
            return f"[`{name}`][{path}]"

        obj.docstring.value = EXAMPLE.sub(r"\1Examples:", ROLE.sub(link, obj.docstring.value))
