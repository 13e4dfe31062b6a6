"""Captions under the cells of a sample grid."""

import numpy as np
import pytest

from fastgan.train.captions import with_captions

CELL = 40


def _grid(rows: int, columns: int, channels: int = 1) -> np.ndarray:
    return np.full((rows * CELL, columns * CELL, channels), 99, np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_images_stay_as_they_are_and_each_gets_a_line(channels):
    picture = np.random.default_rng(0).integers(0, 256, (2 * CELL, 3 * CELL, channels), np.uint8)
    captioned = with_captions(picture, 3, ["cat", "dog", "cat", "dog", "cat"])
    high = captioned.shape[0] // 2
    assert captioned.shape == (2 * high, 3 * CELL, channels)
    np.testing.assert_array_equal(captioned[:CELL], picture[:CELL])
    np.testing.assert_array_equal(captioned[high : high + CELL], picture[CELL:])
    lines = captioned[[*range(CELL, high), *range(high + CELL, 2 * high)]][..., 0].reshape(2, high - CELL, 3, CELL)
    cells = [lines[row, :, column] for row in range(2) for column in range(3)]
    np.testing.assert_array_equal(cells[0], cells[2])  # the same word looks the same
    assert (cells[0] != cells[1]).any()
    assert cells[0].max() > 150
    assert cells[5].max() == 0  # no caption, no letters
    if channels == 4:
        assert captioned[CELL:high, :, 3].min() == 255


def test_a_long_caption_is_cut_to_its_cell():
    alone = with_captions(_grid(1, 2), 2, ["Rhododendron", ""])[CELL:, :, 0]
    assert alone[:, :CELL].max() > 150
    assert alone[:, CELL:].max() == 0
    shorter = with_captions(_grid(1, 2), 2, ["Rhod", ""])[CELL:, :, 0]
    assert (shorter != alone).any()


@pytest.mark.parametrize("name", ["caf\u00e9", "\u043a\u043e\u0442", "two\nlines", r"caf\xe9", "10"])
def test_names_of_any_letters_are_drawn(name):
    assert with_captions(_grid(1, 1), 1, [name])[CELL:].max() > 150


def test_a_cell_that_is_too_narrow_has_no_caption():
    captioned = with_captions(np.zeros((CELL, 6, 1), np.uint8), 1, ["Rhododendron"])
    assert captioned.max() == 0
