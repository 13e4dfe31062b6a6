"""The image formats that are read: those of the installed Pillow that hold pixels and need no other program."""

from __future__ import annotations

import functools
import importlib
from typing import Any

from fastgan._support.extras import require

__all__ = ["image_endings", "image_formats", "missing_plugin", "pillow"]

# EPS runs Ghostscript on the file, WMF exists on Windows only; the others are recognised by Pillow but not read.
_NOT_READ = {"EPS", "WMF", "MPEG", "HDF5", "GRIB", "BUFR", "IPTC"}
# Packages that teach Pillow further formats: the module, the function that does it ("" does so by its import), endings.
_PLUGINS = {
    "pillow-heif": ("pillow_heif", "register_heif_opener", (".heic", ".heif", ".hif")),
    "pillow-jxl-plugin": ("pillow_jxl", "", (".jxl",)),
    "pillow-avif-plugin": ("pillow_avif", "", (".avif", ".avifs")),
}


@functools.cache
def pillow() -> Any:
    """The module PIL.Image, with all formats registered, also those of the plug-in packages that are installed.

    Raises:
        MissingExtraError: without Pillow.
    """
    image = require("PIL.Image")
    image.init()  # imports Pillow's own formats, which threads would race to do
    for module, register, endings in _PLUGINS.values():
        if endings[0] not in image.registered_extensions():
            try:
                plugin = importlib.import_module(module)
            except ImportError:
                continue
            if register:
                getattr(plugin, register)()
    return image


@functools.cache
def image_formats() -> tuple[str, ...]:
    """The names of the formats to be read, for the argument `formats` of `PIL.Image.open`.

    Raises:
        MissingExtraError: without Pillow.
    """
    return tuple(name for name in pillow().OPEN if name not in _NOT_READ)


@functools.cache
def image_endings() -> frozenset[str]:
    """The endings, such as `.png`, of files in the formats to be read.

    Raises:
        MissingExtraError: without Pillow.
    """
    formats = set(image_formats())
    return frozenset(ending for ending, name in pillow().registered_extensions().items() if name in formats)


def missing_plugin(ending: str) -> str:
    """The package that would read files of this `ending`; "" where none is known or it is installed.

    Args:
        ending: in lower case, such as `.heic`.
    """
    if ending in image_endings():
        return ""
    return next((package for package, (_, _, endings) in _PLUGINS.items() if ending in endings), "")
