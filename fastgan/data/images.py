"""Image files as uint8 arrays: upright, composed over a background, grey or RGB, cropped and resized."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan.data.fit import REDUCING_GAP, check_fit, cropped, parse_background
from fastgan.data.formats import UnreadableImageError, opened, pillow

__all__ = ["ImageHeader", "ImageReader", "pixel_values", "probe"]

_GREY_MODES = {"1", "L", "LA", "La", "I", "F"}
_ORIENTATION = 0x0112  # the EXIF tag
_TAIL = 65536  # bytes at the end of a PNG in which metadata are looked for
# How to set upright an image of each orientation: the name of Pillow's transposition.
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


@dataclass(frozen=True)
class ImageHeader:
    """What a file's header says; no pixel is decoded.

    Attributes:
        height, width: of the upright image.
        mode: Pillow's mode.
        grey: whether it has no colour.
        deep: "" for 8 bits a channel; else the kind of its values: "16-bit", "32-bit", "float" or "16-bit colour".
        transparent: whether it has an alpha channel or a transparent colour.
        frames: whether it has several frames or pages.
    """

    height: int
    width: int
    mode: str
    grey: bool
    deep: str
    transparent: bool
    frames: bool


def probe(source: str | bytes, name: str) -> ImageHeader:
    """Read the header of an image.

    Args:
        source: a path, or a file's content.
        name: what to call it in messages.

    Raises:
        UnreadableImageError: for a file that is not an image.
        MissingExtraError: without Pillow.
    """
    with opened(source, name) as image:
        width, height = image.size
        # Of a TIFF Pillow gives the upright size; of a PNG without metadata it would decode the pixels to seek some.
        known = image.format == "TIFF" or (image.format == "PNG" and not _png_has_metadata(image))
        if not known and _orientation(image) >= 5:
            width, height = height, width
        deep, transparent = _deep(image), bool(image.has_transparency_data)
        return ImageHeader(height, width, image.mode, _is_grey(image), deep, transparent, _has_frames(image))


def _has_frames(image: Any) -> bool:
    try:
        # An MPO is a photo with further pictures for the camera's maker.
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except Exception:  # a damaged second frame of a good first one
        return False


def _png_has_metadata(image: Any) -> bool:
    """Whether a PNG may hold an orientation, before its pixels or behind them."""
    if {"exif", "Raw profile type exif", "XML:com.adobe.xmp"} & image.info.keys():
        return True
    file, position = image.fp, image.fp.tell()
    file.seek(max(0, file.seek(0, io.SEEK_END) - _TAIL))
    tail = file.read()
    file.seek(position)
    return b"eXIf" in tail or b"tiff:Orientation" in tail


def _orientation(image: Any) -> int:
    """The EXIF orientation, 1 to 8."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged metadata of a good image
        return 1
    return value if value in _UPRIGHT else 1


def _raw_mode(image: Any) -> str:
    """How the file packs its pixels, in Pillow's words, as RGB;16B."""
    arguments = image.tile[0][3] if getattr(image, "tile", None) else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _deep(image: Any) -> str:
    if image.mode.startswith("I;16"):
        return "16-bit"
    if image.mode in ("I", "F"):
        declared = image.mode == "I" and image.format in ("PNG", "PPM")  # of which Pillow gives 0 to 65,535
        return "16-bit" if declared else {"I": "32-bit", "F": "float"}[image.mode]
    return "16-bit colour" if ";16" in _raw_mode(image) else ""


def pixel_values(image: Any) -> NDArray[Any]:
    """The pixels of an open image of Pillow as an array; 32-bit integers have a sign where the file says so.

    Args:
        image: as `fastgan.data.formats.opened` yields it, not decoded yet.
    """
    unsigned = image.mode == "I" and _raw_mode(image).startswith("I;32") and not _raw_mode(image).endswith("S")
    values = np.asarray(image)
    return values.view(np.uint32) if unsigned else values  # Pillow's own 32 bits have a sign


def _is_grey(image: Any) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB") or [0], dtype=np.uint8)
        return len(palette) % 3 == 0 and bool((palette.reshape(-1, 3) == palette[::3, None]).all())
    return image.mode in _GREY_MODES or image.mode.startswith("I;16") or _raw_mode(image).startswith("LA;16")


@dataclass(frozen=True)
class ImageReader:
    """Reads image files.

    An image is set upright by its EXIF orientation, composed over `background` where it is transparent, converted to
    grey or RGB, and, with `image_size`, cropped to a centred square and resized. Of several frames or pages the first
    is read. Values of more than 8 bits are scaled from a range to 0..255: `ranges` gives it; 16-bit images without it
    have 0 to 65,535, and 32-bit and float images without it are refused.

    Args:
        image_size: the side in pixels; 0 keeps the size.
        color: grey, rgb, or auto, which keeps each image's own.
        background: white, black or #rrggbb.
        ranges: lowest and highest value of the kinds in `ImageHeader.deep`, as `fastgan.data.survey` finds them.

    Raises:
        ValueError: for an unknown `color` or `background`, or a negative size.
    """

    image_size: int = 0
    color: str = "auto"
    background: str = "white"
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parse_background(self.background)
        check_fit(self.image_size, self.color)

    def read(self, source: str | bytes, name: str) -> NDArray[np.uint8]:
        """The image, uint8 (H, W, 1) if it is grey and (H, W, 3) if it is RGB.

        Args:
            source: a path, or a file's content.
            name: what to call it in messages.

        Raises:
            UnreadableImageError: for a file that is not an image, is damaged, or has values outside its range.
            MissingExtraError: without Pillow.
        """
        with opened(source, name) as image:
            deep, grey = _deep(image), _is_grey(image)  # first, as decoding drops how the file packs its pixels
            if self.image_size:
                image.draft(None, (REDUCING_GAP * self.image_size, REDUCING_GAP * self.image_size))
            values = pixel_values(image) if deep else None
            image.load()
            orientation = _orientation(image)
            image = self._to_8_bits(image, values, deep, name)
            if orientation in _UPRIGHT:
                image = image.transpose(getattr(pillow().Transpose, _UPRIGHT[orientation]))
            transparent = bool(image.has_transparency_data)
            if transparent:
                image = _composed(image, parse_background(self.background))
            as_grey = self._keeps_grey(grey, transparent) if self.color == "auto" else self.color == "grey"
            image = image.convert("L" if as_grey else "RGB")
            if self.image_size:
                image = cropped(image, self.image_size)
            pixels = np.array(image)
        return pixels if pixels.ndim == 3 else pixels[..., None]

    def keeps_grey(self, header: ImageHeader) -> bool:
        """Whether the image of this `header` is grey also when it is composed over the background."""
        return self._keeps_grey(header.grey, header.transparent)

    def _keeps_grey(self, grey: bool, transparent: bool) -> bool:
        return grey and not (transparent and len(set(parse_background(self.background))) > 1)

    def _to_8_bits(self, image: Any, values: NDArray[Any] | None, deep: str, name: str) -> Any:
        """The decoded image with 8 bits a channel."""
        if values is None or deep == "16-bit colour":  # of 16 bits a colour Pillow itself keeps the upper 8
            return image
        known = self.ranges.get(deep, (0, 65535) if deep == "16-bit" else None)
        if known is None:
            raise UnreadableImageError(
                name, f"of {deep} values", "expected 8 or 16 bits, or others to tell their range"
            )
        low, high = known
        least, most = float(values.min()), float(values.max())
        if not low <= least <= most <= high:  # NaN, too
            detail = (
                f"expected values from {low:,.9g} to {high:,.9g}, as of the others, got {least:,.9g} to {most:,.9g}"
            )
            raise UnreadableImageError(name, f"of {deep} values outside the range of the others", detail)
        scaled = (values - np.float32(low)) * np.float32(255 / ((high - low) or 1))
        grey = pillow().fromarray(np.rint(scaled).astype(np.uint8))
        if (transparent := image.info.get("transparency")) is not None:
            grey.putalpha(pillow().fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
        return grey


def _composed(image: Any, background: tuple[int, int, int]) -> Any:
    """A transparent image over a plain background."""
    over = pillow().new("RGBA", image.size, background)
    over.alpha_composite(image.convert("RGBA"))
    return over
