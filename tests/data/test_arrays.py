"""Arrays: which dimension is which, what range the values fill, and what a user is told of it."""

import tracemalloc

import numpy as np
import pytest

from fastgan.data import digits, from_array, ring
from fastgan.data.arrays import array_form, image_layout
from fastgan.data.memory import fit_data

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("shape", "layout", "told"),
    [
        ((5, 28, 28), "hw", False),
        ((5, 3, 28, 28), "chw", False),
        ((5, 28, 28, 3), "hwc", False),
        ((5, 28, 28, 1), "hwc", False),
        ((5, 1, 40, 3), "hwc", True),  # one line of 40 RGB pixels
        ((5, 3, 40, 3), "hwc", True),
        ((5, 4, 40, 3), "hwc", True),
        ((5, 3, 40, 4), "hwc", True),
    ],
)
def test_images_of_height_1_3_or_4_are_not_turned_into_channels(shape, layout, told):
    got, notes = image_layout(shape, "x")
    assert got == layout
    assert bool(notes) == told
    if told:
        assert f"height {shape[1]}, width {shape[2]} and {shape[3]} channels" in notes[0]
        assert "give the layout chw" in notes[0]
    data = from_array(np.zeros(shape, np.uint8), None, "x")
    height, width, channels = (*shape[1:], 1)[:3] if layout != "chw" else (*shape[2:], shape[1])
    assert data.sample_shape == (channels, height, width)


@pytest.mark.parametrize("layout", ["chw", "CHW", "nchw"])
def test_a_layout_that_is_given_decides(layout):
    images = RNG.integers(0, 256, (5, 3, 40, 4), np.uint8)
    data = from_array(images, None, "x", layout=layout)
    assert data.sample_shape == (3, 40, 4)
    np.testing.assert_array_equal(data.units.restore(data.samples), images)
    assert data.notes == []


@pytest.mark.parametrize(
    ("shape", "layout", "words"),
    [
        ((5, 6, 7), "chw", r"images of the layout 'chw' in faces, got \(5, 6, 7\)"),
        ((5, 6, 7, 3), "hw", "images of the layout 'hw'"),
        ((5, 6, 7, 3), "chw", "images of the layout 'chw'"),
        ((5, 6, 7, 3), "hcw", "a layout of hwc, chw, hw in faces, got 'hcw'"),
        ((5, 6), "hw", r"images for the layout 'hw' in faces, got rows \(5, 6\)"),
        ((5, 6, 7, 2), "", r"images of 1, 3 or 4 channels in faces, got \(5, 6, 7, 2\)"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(shape, layout, words):
    with pytest.raises(ValueError, match=words):
        from_array(np.zeros(shape), None, "faces", layout)


@pytest.mark.parametrize(
    ("images", "bounds", "note"),
    [
        (np.array([0, 16, 255], np.uint8), (0, 255), ""),
        (np.array([0, 2], np.uint8), (0, 255), ""),
        (np.array([0, 1, 1], np.uint8), (0, 1), "uint8 of 0 and 1 only, are scaled from 0..1"),
        (np.array([False, True]), (0, 1), ""),
        (np.array([0, 0.5, 0.9], np.float32), (0, 1), "float32 in [0, 1], are scaled from 0..1"),
        (np.array([0, 1.0]), (0, 1), "float64 in [0, 1], are scaled from 0..1"),
        (np.array([-0.9, 0.5], np.float16), (-1, 1), ""),
        (np.array([-0.25, 1]), (-1, 1), "float64 of -0.25..1, are taken to have the range -1..1"),
        (np.array([0, 255.0]), (0, 255), "float64, are scaled from their smallest and largest value, 0..255"),
        (np.array([-3, 500], np.int16), (-3, 500), "int16, are scaled from their smallest and largest value, -3..500"),
        (np.array([9, 60000], np.uint16), (9, 60000), "uint16, are scaled from their smallest and largest value"),
    ],
)
def test_images_fill_the_range_of_tanh_by_a_rule_that_is_told(images, bounds, note):
    images = np.tile(images, 4).reshape(2, -1, 2)
    data = from_array(images, None, "x")
    assert (data.units.low, data.units.high) == bounds
    assert data.bounded
    # float16 has 11 bits.
    np.testing.assert_allclose(data.samples[:, 0], (images - bounds[0]) / np.ptp(bounds) * 2 - 1, atol=1e-3)
    np.testing.assert_allclose(data.units.restore(data.samples), images, atol=1e-3)
    assert (data.notes == []) if not note else (note in data.notes[0])


def test_one_sample_in_range_does_not_hide_those_that_are_not():
    images = np.zeros((3000, 64, 64), np.uint8)  # several of the parts that are looked at together
    images[-1, 0, 0] = 2
    assert array_form(images, "x").units.high == 255
    assert array_form(images[:-1], "x").units.high == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(3000, 64, 32), (3000, 64)])
def test_a_value_that_is_not_finite_is_named_by_its_sample(value, shape):
    array = np.zeros(shape, np.float32)
    array[2345].flat[7] = value
    with pytest.raises(ValueError, match="expected finite samples in x, got NaN or infinity in sample 2345"):
        from_array(array, None, "x")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_an_array_is_not_copied_to_be_looked_at(dtype):
    images = np.ones((2000, 64, 64), dtype)
    images[0, 0, 0] = 0
    tracemalloc.start()
    array_form(images, "x")
    assert tracemalloc.get_traced_memory()[1] < images.nbytes / 2
    tracemalloc.stop()


def test_bytes_stay_bytes_and_are_shared():
    images = RNG.integers(0, 256, (5, 8, 8, 3), np.uint8)
    data = from_array(images, None, "x")
    assert np.shares_memory(data.source.samples.numpy(), images)


def test_rows_are_standardised_also_far_from_zero():
    rows = 1e9 + RNG.normal(0, 3, (4000, 2))
    rows[:, 1] = 5
    data = from_array(rows, None, "x")
    np.testing.assert_allclose(data.samples.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(data.samples.std(0, correction=0), [1, 0], atol=1e-6)
    np.testing.assert_allclose(data.units.restore(data.samples), rows, rtol=1e-15, atol=1e-6)


def test_labels_are_the_classes_present():
    data = from_array(np.zeros((4, 2, 2)), np.array([7, 3, 3, 7]), "x")
    assert (data.labels.tolist(), data.class_names) == ([1, 0, 0, 1], ("3", "7"))


@pytest.mark.parametrize(
    ("dtype", "layout", "shape"),
    [(np.uint8, "", (9, 10, 12)), (np.uint16, "chw", (9, 3, 10, 12)), (float, "hwc", (9, 10, 12, 1))],
)
def test_size_and_colour_work_for_arrays(dtype, layout, shape, monkeypatch):
    monkeypatch.setattr("fastgan.data.memory._CHUNK", 4)
    images = RNG.uniform(0, 250, shape).astype(dtype)
    data = from_array(images, RNG.integers(0, 2, 9), "x", layout)
    fitted = fit_data(data, 8, "rgb")
    assert fitted.sample_shape == (3, 8, 8)
    assert (fitted.class_names, fitted.notes, fitted.units.dtype) == (data.class_names, data.notes, images.dtype.name)
    assert fitted.bounded
    assert fit_data(data) is data
    middle = fit_data(data, 0, "grey").samples[:, :, :, 1:11]  # the centred square
    assert fit_data(data, 10, "grey").samples.sub(middle).abs().max() < 1e-5


def test_digits_can_be_enlarged_and_coloured():
    data = fit_data(digits(), 32, "rgb")
    assert data.sample_shape == (3, 32, 32)
    assert data.samples.min() >= -1


@pytest.mark.parametrize(("settings", "words"), [((8, "auto"), "`image_size` 8"), ((0, "grey"), "`color` grey")])
def test_size_and_colour_of_points_are_refused(settings, words):
    with pytest.raises(ValueError, match=rf"expected images for {words}, got samples \(2,\)$"):
        fit_data(ring(), *settings)
