"""Images of arrays are cropped, resized and converted as those of files are."""

import io

import numpy as np
import pytest
from PIL import Image

from fastgan.data.fit import fit_images
from fastgan.data.images import ImageReader

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("color", ["auto", "grey", "rgb"])
@pytest.mark.parametrize("size", [0, 8, 20])
def test_an_array_becomes_what_the_same_images_in_files_become(channels, color, size):
    images = RNG.integers(0, 256, (2, 12, 16, channels), np.uint8)
    fitted, layout = fit_images(images, "hwc", (0, 255), size, color)
    assert layout == "hwc"
    for image, got in zip(images, fitted, strict=True):
        with io.BytesIO() as file:
            Image.fromarray(image[..., 0] if channels == 1 else image).save(file, "png")
            read = ImageReader(image_size=size, color=color).read(file.getvalue(), "x")
        assert got.dtype == np.uint8
        np.testing.assert_allclose(got.astype(int), read, atol=1)  # of rounding twice where colour and size change


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize(
    ("layout", "shape", "color", "expected", "becomes"),
    [
        ("hw", (3, 6, 4), "auto", (3, 5, 5), "hw"),
        ("hw", (3, 6, 4), "rgb", (3, 5, 5, 3), "hwc"),
        ("hw", (3, 6, 4), "grey", (3, 5, 5), "hw"),
        ("chw", (3, 3, 6, 4), "auto", (3, 3, 5, 5), "chw"),
        ("chw", (3, 3, 6, 4), "grey", (3, 1, 5, 5), "chw"),
        ("chw", (3, 1, 6, 4), "rgb", (3, 3, 5, 5), "chw"),
        ("hwc", (3, 6, 4, 4), "auto", (3, 5, 5, 4), "hwc"),
        ("hwc", (3, 6, 4, 4), "rgb", (3, 5, 5, 3), "hwc"),
    ],
)
def test_dtype_and_layout_are_kept(dtype, layout, shape, color, expected, becomes):
    images = (RNG.uniform(0, 100, shape)).astype(dtype)
    fitted, got = fit_images(images, layout, (0, 100), 5, color)
    assert (fitted.shape, fitted.dtype, got) == (expected, dtype, becomes)
    assert fitted.min() >= 0
    assert fitted.max() <= 100


def test_resizing_keeps_to_the_bounds():
    edges = np.zeros((1, 40, 40))
    edges[:, :, 20:] = 16
    fitted, _ = fit_images(edges, "hw", (0, 16), 13)
    assert (fitted.min(), fitted.max()) == (0, 16)  # Lanczos' filter alone would overshoot


@pytest.mark.parametrize(("background", "expected"), [("white", [1.0, 0.75, 0.75]), ("black", [0.25, 0.0, 0.0])])
def test_four_channels_are_composed_over_the_background(background, expected):
    red = np.array([1, -1, -1, -0.5]).reshape(1, 4, 1, 1)  # a quarter opaque, in [-1, 1]
    fitted, _ = fit_images(red, "chw", (-1, 1), color="rgb", background=background)
    np.testing.assert_allclose((fitted[0, :, 0, 0] + 1) / 2, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "color", "words"), [(-1, "auto", "`image_size` of at least 0"), (0, "red", "`color`")]
)
def test_another_size_or_colour_is_refused(size, color, words):
    for refuse in (
        lambda: fit_images(np.zeros((1, 2, 2)), "hw", (0, 1), size, color),
        lambda: ImageReader(image_size=size, color=color),
    ):
        with pytest.raises(ValueError, match=words):
            refuse()


def test_nothing_is_copied_where_nothing_changes():
    images = RNG.integers(0, 256, (2, 8, 8, 3), np.uint8)
    assert np.shares_memory(fit_images(images, "hwc", (0, 255), 8, "rgb")[0], images)
