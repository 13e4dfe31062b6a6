"""Readers of files: what they return, and which files they refuse."""

import numpy as np
import pytest
import torch
from PIL import Image

from fastgan.data import load


@pytest.fixture
def pictures(tmp_path):
    """Two classes of three RGB pictures, 6x5."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(rng.integers(0, 255, (5, 6, 3), np.uint8)).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_a_folder_gives_images_and_class_folders_labels(pictures):
    data = load(f"folder:{pictures}")
    assert data.samples.shape == (6, 3, 5, 6)
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(data.units.restore(data.samples)[4], Image.open(pictures / "dog" / "1.png"))


def test_grey_images_have_one_channel_and_mixed_ones_three(pictures):
    grey = Image.fromarray(np.full((5, 6), 99, np.uint8))
    (pictures / "grey").mkdir()
    grey.save(pictures / "grey" / "a.png")
    assert load(f"folder:{pictures}/grey").samples.shape == (1, 1, 5, 6)
    assert load(f"folder:{pictures}").samples.shape == (7, 3, 5, 6)


def test_color_converts_all_images(pictures):
    grey = load(f"folder:{pictures}", color="grey")
    assert grey.samples.shape == (6, 1, 5, 6)
    expected = np.asarray(Image.open(pictures / "dog" / "1.png").convert("L"))
    np.testing.assert_array_equal(grey.units.restore(grey.samples)[4], expected)
    for file in pictures.rglob("*.png"):
        Image.open(file).convert("L").save(file)
    assert load(f"folder:{pictures}").samples.shape == (6, 1, 5, 6)
    assert load(f"folder:{pictures}", color="rgb").samples.shape == (6, 3, 5, 6)


def test_sixteen_bits_a_pixel_are_rounded_to_eight(tmp_path):
    levels = np.array([[0, 255, 256, 30000, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    data = load(f"folder:{tmp_path}")
    np.testing.assert_array_equal(data.units.restore(data.samples)[0], np.rint(levels / 257))


def test_several_workers_read_the_same_images_in_the_same_order(pictures):
    (pictures / "cat" / "1.png").write_bytes(b"no image")
    one, three = load(f"folder:{pictures}"), load(f"folder:{pictures}", workers=3)
    assert any("skipped 1 of 6 images" in note for note in one.notes)
    assert one.notes == three.notes
    assert torch.equal(one.samples, three.samples)
    assert torch.equal(one.labels, three.labels)
    with pytest.raises(ValueError, match=r"cat/1\.png to be an image"):
        load(f"folder:{pictures}", strict=True, workers=3)


def test_image_size_crops_about_the_centre_and_resizes(tmp_path):
    wide = np.zeros((10, 90), np.uint8)
    wide[:, 30:60] = 200  # wider than the crop, as resizing blurs the edges
    Image.fromarray(wide).save(tmp_path / "wide.png")
    data = load(f"folder:{tmp_path}", image_size=4)
    np.testing.assert_array_equal(data.units.restore(data.samples), np.full((1, 4, 4), 200))


def test_a_broken_image_is_skipped_with_a_count_or_refused_if_strict(pictures):
    broken = pictures / "cat" / "1.png"
    broken.write_bytes(broken.read_bytes()[:60])
    data = load(f"folder:{pictures}")
    assert any("skipped 1 of 6 images" in note and "cat/1.png" in note for note in data.notes)
    assert data.labels.tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(ValueError, match=r"cat/1\.png to be an image"):
        load(f"folder:{pictures}", strict=True)


def test_a_decompression_bomb_is_not_read(pictures, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match=r"to be an image.*decompression bomb"):
        load(f"folder:{pictures}", strict=True)


def test_images_of_several_sizes_are_refused_and_the_message_names_the_option(pictures):
    Image.new("RGB", (9, 9)).save(pictures / "dog" / "odd.png")
    with pytest.raises(ValueError, match=r"of one size.*\(5, 6\), got .*odd\.png of \(9, 9\); --image-size"):
        load(f"folder:{pictures}")
    assert load(f"folder:{pictures}", image_size=8).samples.shape == (7, 3, 8, 8)


def test_a_folder_without_images_and_a_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=f"expected images in {tmp_path}, got none"):
        load(f"folder:{tmp_path}")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="to be a folder"):
        load(f"folder:{tmp_path}/file")


@pytest.mark.parametrize(("name", "modes", "sigma"), [("ring", 8, 0.01), ("grid", 25, 0.05)])
def test_mixtures_have_their_modes_and_spread(name, modes, sigma):
    data = load(name)
    points = data.units.restore(data.samples)
    centres = np.stack([points[data.labels == m].mean(0) for m in range(modes)])
    deviations = np.stack([points[data.labels == m].std(0) for m in range(modes)])
    # At least 2,000 points a mode: 5 standard errors.
    np.testing.assert_allclose(deviations, sigma, rtol=5 / np.sqrt(2 * 2000))
    expected = np.round(centres / 2) * 2 if name == "grid" else centres / np.linalg.norm(centres, axis=1)[:, None]
    np.testing.assert_allclose(centres, expected, atol=5 * sigma / np.sqrt(2000) + 1e-7)
    assert len(np.unique(np.round(expected, 3), axis=0)) == modes
    assert np.abs(centres).max() == pytest.approx({"ring": 1, "grid": 4}[name], abs=0.01)
    # What the networks see is standardised, to the rounding of float32.
    assert data.samples.mean(0).abs().max() < 1e-5
    np.testing.assert_allclose(data.samples.std(0), 1, atol=1e-4)
