"""Libraries that only a part of fastgan needs, imported where they are used."""

from __future__ import annotations

import importlib
from types import ModuleType


class MissingExtraError(ImportError):
    """A library of one of fastgan's extras is not installed; the message names the extra."""


def require(module: str, extra: str = "train") -> ModuleType:
    """Import `module`, which `pip install 'fastgan[extra]'` brings.

    Raises:
        MissingExtraError: where it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"fastgan: this needs the library {error.name}, which is not installed; "
            f"expected the extra [{extra}]: pip install 'fastgan[{extra}]'"
        ) from error
