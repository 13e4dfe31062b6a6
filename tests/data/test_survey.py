"""What a set of image files has in common, from their headers and, for deep values, some pixels."""

import numpy as np
import pytest
from PIL import Image, ImageFile

from fastgan.data.images import ImageReader
from fastgan.data.survey import survey_images, value_bounds


@pytest.fixture
def survey(tmp_path):
    """A function that writes images, as arrays or Pillow's, and surveys them."""

    def make(images, ending="png", workers=0, **settings):
        paths = []
        for i, image in enumerate(images):
            paths.append(tmp_path / f"{i}.{ending}")
            if isinstance(image, bytes):
                paths[-1].write_bytes(image)
            else:
                (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(paths[-1])
        names = [path.name for path in paths]
        found = survey_images(len(paths), lambda i: str(paths[i]), names.__getitem__, ImageReader(**settings), workers)
        read = [found.reader.read(str(path), path.name) for i, path in enumerate(paths) if i not in found.unreadable]
        assert {image.shape for image in read} == {found.shape}
        return found, np.stack(read)

    return make


GREY, RGB = np.full((4, 5), 9, np.uint8), np.full((4, 5, 3), 9, np.uint8)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("images", "color", "channels", "words"),
    [
        ([GREY, GREY], "auto", 1, ""),
        ([RGB, RGB], "auto", 3, ""),
        ([GREY, RGB], "auto", 3, "grey and RGB images are mixed: all are read as RGB"),
        ([GREY, RGB], "grey", 1, ""),
        ([GREY, GREY], "rgb", 3, ""),
    ],
)
def test_auto_is_grey_if_all_images_are(survey, images, color, channels, words, workers):
    found, _ = survey(images, color=color, workers=workers)
    assert found.shape == (4, 5, channels)
    assert words in " ".join(found.notes)
    assert bool(words) == bool(found.notes)


def test_no_pixel_of_ordinary_images_is_decoded(tmp_path, monkeypatch):
    for i, image in enumerate((GREY, RGB)):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("decoded"))
    found = survey_images(2, lambda i: f"{tmp_path}/{i}.png", str, ImageReader())
    assert (found.shape, found.unreadable) == ((4, 5, 3), {})


def test_images_of_several_sizes_are_refused_by_name_or_fitted(survey):
    images = [RGB, RGB, np.zeros((9, 9, 3), np.uint8)]
    with pytest.raises(ValueError, match=r"of one size, as 0\.png of \(4, 5\), got 2\.png of \(9, 9\); --image-size"):
        survey(images)
    assert survey(images, image_size=8)[0].shape == (8, 8, 3)


def test_a_photo_turned_by_its_exif_and_one_turned_in_its_pixels_have_one_size(survey, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    assert survey([np.zeros((60, 40, 3), np.uint8), (tmp_path / "turned.jpg").read_bytes()])[0].shape == (60, 40, 3)


def test_unreadable_images_are_told_apart_and_a_set_of_them_is_refused(survey):
    found, _ = survey([b"", RGB, b"nothing"])
    assert {i: error.reason for i, error in found.unreadable.items()} == dict.fromkeys((0, 2), "in no known format")
    with pytest.raises(ValueError, match=r"images that can be read, got none of 1: .*0\.png"):
        survey([b""])


def test_transparency_and_frames_are_told(survey):
    clear = Image.new("RGBA", (5, 4))
    found, pixels = survey([RGB, clear], background="#010203")
    assert found.notes == ["transparent images, 1.png first, are composed over #010203; --background sets the colour"]
    assert pixels[1, 0, 0].tolist() == [1, 2, 3]


def test_the_first_of_several_frames_is_read_and_said_to_be(survey, tmp_path):
    frames = [Image.new("L", (5, 4), level) for level in (10, 20)]
    frames[0].save(tmp_path / "x.tif", save_all=True, append_images=frames[1:])
    found, pixels = survey([GREY, (tmp_path / "x.tif").read_bytes()], "tif")
    assert found.notes == ["of images with several frames or pages, 1.tif first, the first frame is read"]
    assert (pixels[1] == 10).all()


LEVELS = np.linspace(0, 1, 1600).reshape(40, 40)


@pytest.mark.parametrize(
    ("images", "ending", "expected"),
    [
        ([LEVELS * 65535, LEVELS * 1000], np.uint16, [LEVELS, LEVELS * 1000 / 65535]),
        ([LEVELS * 4095, LEVELS * 1000], np.uint16, [LEVELS, LEVELS * 1000 / 4095]),
        ([LEVELS * (2**31 - 1)], np.int32, [LEVELS]),
        ([LEVELS * 255], np.int32, [LEVELS]),
        ([LEVELS.round()], np.int32, [LEVELS.round()]),
        ([LEVELS * 600 - 300, LEVELS * 300], np.int32, [LEVELS, 0.5 + LEVELS / 2]),
        ([LEVELS, LEVELS / 2], np.float32, [LEVELS, LEVELS / 2]),
        ([LEVELS * 2 - 1], np.float32, [LEVELS]),
        ([LEVELS * 255, LEVELS], np.float32, [LEVELS, LEVELS / 255]),
        ([LEVELS * 3000 - 500, LEVELS], np.float32, [LEVELS, (LEVELS + 500) / 3000]),
    ],
)
def test_deep_values_keep_their_levels_and_one_scale_for_all_images(survey, images, ending, expected):
    whole = ending != np.float32
    stored = [(np.rint(image) if whole else image).astype(ending) for image in images]
    found, pixels = survey(stored, "png" if ending == np.uint16 else "tif")
    assert len(np.unique(pixels[0])) == len(np.unique(np.rint(255 * expected[0])))
    # Half a level for rounding to 8 bits, and what rounding to whole numbers before it cost.
    tolerance = 0.5 + (255 * 0.5 / np.ptp(images[0]) if whole else 0) + 1e-3
    np.testing.assert_allclose(pixels[..., 0], 255 * np.array(expected), atol=tolerance)
    assert len(found.notes) == (0 if np.max(images) == 65535 else 1)


def test_the_note_names_the_range(survey):
    found, _ = survey([(LEVELS * 4000).astype(np.uint16)])
    assert found.notes == ["16-bit images, 0.png first, are scaled from 0..4,095, as their values lie in 0..4,000"]


def test_an_image_of_nan_is_unreadable(survey):
    found, pixels = survey([np.full((4, 4), np.nan, np.float32), np.eye(4, dtype=np.float32)], "tif")
    assert found.unreadable[0].reason == "with NaN or infinity"
    np.testing.assert_array_equal(pixels[0, ..., 0], 255 * np.eye(4))


def test_of_many_deep_images_some_tell_the_range_and_one_outside_it_is_refused(survey, monkeypatch):
    monkeypatch.setattr("fastgan.data.survey._DECODED", 2)
    bright = np.full((40, 40), 5000, np.uint16)
    with pytest.raises(ValueError, match=r"2\.png .*expected values from 0 to 4,095, as of the others, got 5,000 to"):
        survey([(LEVELS * 4095).astype(np.uint16), (LEVELS * 4095).astype(np.uint16), bright])


@pytest.mark.parametrize(("images", "channels"), [([GREY] * 6, 1), ([GREY] * 5 + [RGB], 3)])
def test_a_large_set_is_grey_only_if_all_are(survey, monkeypatch, images, channels):
    monkeypatch.setattr("fastgan.data.survey._LOOKED_AT", 2)
    assert survey(images, image_size=4)[0].shape == (4, 4, channels)


def test_16_bits_a_colour_of_which_the_upper_8_hold_little_are_refused(survey, monkeypatch):
    monkeypatch.setattr("fastgan.data.images._raw_mode", lambda image: "RGB;16B")  # as in a PNG of 16 bits a colour
    assert survey([RGB * 10])[0].notes == []
    with pytest.raises(ValueError, match=r"got 0\.png and others with values below 2,560; Pillow reads the upper 8"):
        survey([RGB])


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (0, 1, True, (0, 1)),
        (0, 2, True, (0, 255)),
        (5, 256, True, (0, 1023)),
        (0, 2**32 - 1, True, (0, 2**32 - 1)),
        (-1, 5, True, None),
        (0.0, 0.1, False, (0, 1)),
        (-0.1, 0.1, False, (-1, 1)),
        (0.0, 1.5, False, (0, 255)),
        (-1.1, 1.0, False, None),
    ],
)
def test_the_range_of_values_is_the_smallest_known_one_that_holds_them(low, high, whole, expected):
    assert value_bounds(low, high, whole) == expected
