"""Imports of optional libraries, which only a part of fastgan needs."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from types import ModuleType


class MissingExtraError(ImportError):
    """A library of one of fastgan's extras is not installed. The message names the extra."""


def require(module: str, extra: str = "train") -> ModuleType:
    """Import and return `module`, which `pip install 'fastgan[extra]'` installs.

    Raises:
        MissingExtraError: where it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(_message(error.name or module, extra)) from error


def check(modules: Iterable[str], extra: str = "train") -> None:
    """Raise MissingExtraError for the first of `modules` that is not installed. Nothing is imported."""
    for module in modules:
        if module in sys.modules:
            found = sys.modules[module] is not None
        else:
            found = importlib.util.find_spec(module) is not None
        if not found:
            raise MissingExtraError(_message(module, extra))


def _message(module: str, extra: str) -> str:
    return (
        f"fastgan: this needs the library {module}, which is not installed; "
        f"expected the extra [{extra}]: pip install 'fastgan[{extra}]'"
    )
