"""The image formats that are read: those of the installed Pillow that hold pixels and need no other program."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from fastgan._support.extras import require

__all__ = [
    "UnreadableImageError",
    "image_endings",
    "image_formats",
    "missing_plugin",
    "opened",
    "pillow",
    "quiet_pillow",
    "skipped_note",
]

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
    formats = {*image_formats(), "MPO"}  # a JPEG with further pictures behind it, which is opened as a JPEG
    return frozenset(ending for ending, name in pillow().registered_extensions().items() if name in formats)


def missing_plugin(ending: str) -> str:
    """The package that would read files of this `ending`; "" where none is known or it is installed.

    Args:
        ending: in lower case, such as `.heic`.
    """
    if ending in image_endings():
        return ""
    return next((package for package, (_, _, endings) in _PLUGINS.items() if ending in endings), "")


class UnreadableImageError(ValueError):
    """A file is not an image that can be read; the message names it.

    Attributes:
        name: the file.
        reason: why, in a few words that fit behind a count.
    """

    def __init__(self, name: str, reason: str, detail: str) -> None:
        super().__init__(f"data: expected {name} to be an image that can be read, got one {reason}: {detail}")
        self.name, self.reason = name, reason


def skipped_note(errors: Sequence[UnreadableImageError], total: int) -> str:
    """One sentence about the images that were skipped.

    Args:
        errors: one for each image that was skipped, at least one.
        total: the number of all images.
    """
    reasons = Counter(error.reason for error in errors).most_common()
    listed = ", ".join(f"{count:,} {reason}" for reason, count in reasons)
    return f"skipped {len(errors):,} of {total:,} images: {listed}; {errors[0].name} first"


@contextlib.contextmanager
def opened(source: str | bytes, name: str) -> Iterator[Any]:
    """Open an image file; nothing but its header is read until its pixels are asked for.

    Args:
        source: a path, or a file's content.
        name: what to call it in messages.

    Yields:
        Pillow's image.

    Raises:
        UnreadableImageError: for whatever Pillow raises, here or in the block.
        MissingExtraError: without Pillow.
    """
    module = pillow()
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with module.open(file, formats=image_formats()) as image:
            yield image
    except UnreadableImageError:
        raise
    except Exception as error:  # Pillow's formats raise errors of many classes
        kinds = (
            (PermissionError, "that may not be read"),
            (FileNotFoundError, "that is gone"),
            (module.DecompressionBombError, "with too many pixels"),
            (MemoryError, "with too many pixels"),
            (module.UnidentifiedImageError, "in no known format"),
        )
        reason = next((reason for kind, reason in kinds if isinstance(error, kind)), "damaged or cut short")
        unknown = isinstance(error, module.UnidentifiedImageError)  # whose message holds the path again
        detail = "none that Pillow knows fits its content" if unknown else str(error) or type(error).__name__
        raise UnreadableImageError(name, reason, detail) from error


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings, as of odd metadata, in the block. Not for threads: enter it around them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
