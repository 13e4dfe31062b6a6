"""Images fitted to a size and a colour: the same crop, resampling and weights for files and for arrays."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan.data.formats import pillow

__all__ = ["COLORS", "REDUCING_GAP", "check_fit", "cropped", "fit_images", "parse_background"]

COLORS = ("auto", "grey", "rgb")
# Images are decoded (JPEG) and reduced to no less than this multiple of the size that they are then resized to.
REDUCING_GAP = 3


def parse_background(text: str) -> tuple[int, int, int]:
    """The red, green and blue of `white`, `black` or `#rrggbb`.

    Args:
        text: the colour.

    Raises:
        ValueError: for another text.
    """
    named = {"white": "#ffffff", "black": "#000000"}.get(text, text)
    if not re.fullmatch("#[0-9a-fA-F]{6}", named):
        raise ValueError(f"data: expected `background` to be white, black or #rrggbb, got '{text}'")
    red, green, blue = bytes.fromhex(named[1:])
    return red, green, blue


def check_fit(image_size: int, color: str) -> None:
    """Refuse a size or a colour that images cannot have.

    Args:
        image_size: at least 0.
        color: one of `COLORS`.

    Raises:
        ValueError: naming the setting.
    """
    if color not in COLORS:
        raise ValueError(f"data: expected `color` to be one of {', '.join(COLORS)}, got '{color}'")
    if image_size < 0:
        raise ValueError(f"data: expected `image_size` of at least 0, got {image_size}")


def cropped(image: Any, size: int) -> Any:
    """The centred square of an image of Pillow, resized by Lanczos' filter.

    Args:
        image: in a mode that Pillow resizes.
        size: the square's side in pixels.
    """
    side = min(image.size)
    if image.size == (size, size):
        return image
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), pillow().Resampling.LANCZOS, box=box, reducing_gap=float(REDUCING_GAP))


def fit_images(
    images: NDArray[Any],
    layout: str,
    bounds: tuple[float, float],
    image_size: int = 0,
    color: str = "auto",
    background: str = "white",
) -> tuple[NDArray[Any], str]:
    """Crop, resize and convert images of an array as `ImageReader` does those of files.

    Args:
        images: (N, ...) in the given layout, of any real dtype, which is kept.
        layout: "hw", "hwc" or "chw".
        bounds: the lowest and highest value that images may have; resizing does not leave them.
        image_size: the side in pixels of the centred squares; 0 keeps the size.
        color: grey, rgb, or auto, which keeps the channels.
        background: of images of 4 channels, whose last is opacity, where `color` is grey or rgb.

    Returns:
        The images and their layout, which is "hwc" for "hw" images that became RGB.

    Raises:
        ValueError: for an unknown `color`, or a negative size.
        MissingExtraError: to resize without Pillow.
    """
    check_fit(image_size, color)
    x = images[..., None] if layout == "hw" else np.moveaxis(images, 1, 3) if layout == "chw" else images
    if color != "auto":
        x = _recolored(x, color, bounds, parse_background(background))
    if image_size and x.shape[1:3] != (image_size, image_size):
        x = np.stack([_resized(image, image_size, bounds) for image in x])
    if layout == "hw" and x.shape[3] == 1:
        return x[..., 0], "hw"
    return (np.moveaxis(x, 3, 1), "chw") if layout == "chw" else (x, "hwc")


def _recolored(
    x: NDArray[Any], color: str, bounds: tuple[float, float], background: tuple[int, int, int]
) -> NDArray[Any]:
    """Images (N, H, W, C) with the channels of `color`."""
    channels, (low, high) = x.shape[3], bounds
    if channels == (1 if color == "grey" else 3):
        return x
    y: NDArray[Any] = x.astype(np.float32)
    if channels == 4:
        opacity = (y[..., 3:] - low) / ((high - low) or 1)
        over = low + np.array(background, np.float32) / 255 * (high - low)
        y = opacity * y[..., :3] + (1 - opacity) * over
    if color == "grey":
        y = y @ np.array([[0.299], [0.587], [0.114]], np.float32)  # ITU-R BT.601, as Pillow's L
    elif channels == 1:
        return np.repeat(x, 3, axis=3)
    return _as_dtype(y, x.dtype, bounds)


def _resized(image: NDArray[Any], size: int, bounds: tuple[float, float]) -> NDArray[Any]:
    """One image (H, W, C), cropped and resized."""
    if image.dtype == np.uint8 and bounds == (0, 255):  # as Pillow does it for files
        whole = pillow().fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image))
        return np.asarray(cropped(whole, size)).reshape(size, size, image.shape[2])
    planes = [
        np.asarray(cropped(pillow().fromarray(np.ascontiguousarray(image[..., c], np.float32)), size))
        for c in range(image.shape[2])
    ]
    return _as_dtype(np.stack(planes, axis=-1), image.dtype, bounds)


def _as_dtype(values: NDArray[Any], dtype: np.dtype[Any], bounds: tuple[float, float]) -> NDArray[Any]:
    values = np.clip(values, *bounds)
    return (np.rint(values) if dtype.kind in "uib" else values).astype(dtype)
