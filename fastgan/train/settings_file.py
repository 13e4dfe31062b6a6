"""The TOML file of a run's settings: those that were chosen, what all resolved to, and what no setting describes."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastgan._support.messages import unknown_name

__all__ = ["Settings", "read_settings", "settings_text"]

_CHOSEN = """\
# The settings that were chosen; `fastgan train --config` takes them. All others are those of the recipe.
"""
_RESOLVED = """
# What all settings came to. `--resume`, `sample` and `eval` read this table, and `--config` does not.
[resolved]
"""
_PASSED = """
# What was passed to GANTrainer in Python, which no setting describes.
[passed]
"""


@dataclass(frozen=True)
class Settings:
    """The contents of a settings file.

    Attributes:
        chosen: the settings that were given.
        resolved: all settings; empty in a file that was written by hand.
        passed: what was passed to `GANTrainer` in place of a setting, in words: data, generator, discriminator.
    """

    chosen: dict[str, Any]
    resolved: dict[str, Any] = field(default_factory=dict)
    passed: dict[str, str] = field(default_factory=dict)


def read_settings(path: Path, known: Sequence[str] = ()) -> Settings:
    """Read a TOML file of settings, with or without a byte order mark.

    Args:
        path: the file.
        known: names of settings; others are refused, unless there are none.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: for a folder, a file that is not TOML, or an unknown key.
    """
    # tomllib came with Python 3.11; tomli is the same parser for 3.10.
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    if path.is_dir():
        raise ValueError(f"{path}: expected a TOML file of settings, got a folder")
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected a TOML file of settings: {error}") from error
    tables = {}
    for name in ("resolved", "passed"):
        tables[name] = content.pop(name, {})
        if not isinstance(tables[name], dict):
            raise ValueError(f"{path}: expected `{name}` to be a table, got {tables[name]!r}")
    for name in (*content, *tables["resolved"]):
        if known and name not in known:
            raise ValueError(unknown_name(f"{path}: unknown key", name, known))
    return Settings(content, tables["resolved"], {name: str(value) for name, value in tables["passed"].items()})


def settings_text(settings: Settings) -> str:
    """The `settings` as TOML that `read_settings` reads."""
    text = _CHOSEN + _lines(settings.chosen)
    if settings.resolved:
        text += _RESOLVED + _lines(settings.resolved)
    if settings.passed:
        text += _PASSED + _lines(settings.passed)
    return text


def _lines(values: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {_to_toml(value)}\n" for name, value in values.items())


def _to_toml(value: Any) -> str:
    """The TOML form of a number, a string, a bool or a list of them."""
    if isinstance(value, str):  # a TOML basic string is a JSON string, except that DEL is escaped
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(map(_to_toml, value))}]"
    return repr(value).lower() if isinstance(value, bool) else repr(value)
