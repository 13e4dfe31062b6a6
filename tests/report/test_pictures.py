"""Pictures as data URIs, and the frames of the slider within their bytes."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from fastgan.report.pictures import cell, frames


def decoded(uri):
    head, content = uri.split(",")
    return head, Image.open(io.BytesIO(base64.b64decode(content)))


def noise(path, side=200, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_an_image_keeps_its_pixels_and_its_size():
    sample = torch.tensor([[[-1.0, 1.0], [0.0, 0.5]]])
    head, image = decoded(cell(sample))
    assert head == "data:image/png;base64"
    assert np.asarray(image).tolist() == [[0, 255], [128, 191]]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_large_image_is_shrunk(channels):
    image = decoded(cell(torch.rand(channels, 256, 512)))[1]
    assert image.size == (128, 64)


def test_all_grids_are_frames_while_they_fit(tmp_path):
    grids = [(10 * i, noise(tmp_path / f"{i}.png", 8, i)) for i in range(5)]
    found, notes = frames(grids, 1_000_000)
    assert [frame.step for frame in found] == [0, 10, 20, 30, 40]
    assert (found[0].width, found[0].height) == (8, 8)
    assert notes == []


def test_frames_stay_within_their_bytes_and_keep_both_ends(tmp_path):
    grids = [(i, noise(tmp_path / f"{i}.png", seed=i)) for i in range(30)]
    found, _ = frames(grids, 300_000)
    steps = [frame.step for frame in found]
    assert sum(len(frame.uri) for frame in found) <= 300_000
    assert (steps[0], steps[-1]) == (0, 29)
    assert 3 < len(steps) < 30
    assert max(np.diff(steps)) <= 2 * min(np.diff(steps))


def test_a_picture_that_cannot_be_read_is_a_note(tmp_path):
    whole, torn = noise(tmp_path / "a.png"), tmp_path / "b.png"
    torn.write_bytes(whole.read_bytes()[:500])
    found, notes = frames([(1, whole), (2, torn)], 1_000_000)
    assert [frame.step for frame in found] == [1]
    assert len(notes) == 1
    assert "b.png cannot be read" in notes[0]


def test_no_grids_are_no_frames():
    assert frames([], 1000) == ([], [])
