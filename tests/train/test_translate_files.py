"""Files through a trained run: names, sizes, what is known stays, and what does not serve."""

import numpy as np
import pytest
import torch
from PIL import Image

from fastgan.data import Data
from fastgan.data.formats import UnreadableImageError
from fastgan.data.inputs import INPUTS
from fastgan.train import GANTrainer, TrainConfig, load_run
from fastgan.train.translate_files import FileSettings, image_files, translate_file, translate_files


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A function that returns a run of a step for a kind of inputs; each is trained once."""
    made, root = {}, tmp_path_factory.mktemp("runs")
    images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def run(kind):
        if kind not in made:
            data = Data.pairs(images[:, :1], images) if kind == "pairs" else Data(images)
            from_ = "none" if kind == "pairs" else kind
            config = TrainConfig(recipe="pix2pix", from_=from_, batch_size=2, steps=1, threads=1, out=str(root / kind))
            made[kind] = load_run(GANTrainer(config, data=data).fit())
        return made[kind]

    return run


def _save(path, height=32, width=32, channels=3, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    if channels == 4:
        pixels[..., 3] = 255
        pixels[4:20, 6:18, 3] = 0
    Image.fromarray(pixels).save(path)
    return path, pixels


def test_a_folders_files_keep_their_names_and_places(runs, tmp_path):
    for name in ("b.png", "deep/a.jpg", "deep/c.gif", ".hidden/d.png"):
        _save(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").write_text("no image")
    (tmp_path / "in" / "broken.png").write_bytes(b"broken")
    said = []
    written = translate_files(runs("grey"), tmp_path / "in", tmp_path / "in" / "out", say=said.append)
    expected = ["b.png", "deep/a.jpg", "deep/c.gif.png"]
    assert [str(path.relative_to(tmp_path / "in" / "out")) for path in written] == expected
    assert all(Image.open(path).size == (32, 32) for path in written)
    assert len(said) == 1
    assert "broken.png" in said[0]
    again = translate_files(runs("grey"), tmp_path / "in", tmp_path / "in" / "out")
    assert again == written  # the results of before are no images to translate


def test_a_file_goes_to_a_file_or_into_a_folder(runs, tmp_path):
    path, _ = _save(tmp_path / "one.png")
    assert translate_files(runs("grey"), path, tmp_path / "two.bmp") == [tmp_path / "two.bmp"]
    (tmp_path / "out").mkdir()
    assert translate_files(runs("grey"), path, tmp_path / "out") == [tmp_path / "out" / "one.png"]


def test_a_translation_is_a_function_of_image_and_seed(runs, tmp_path):
    path, _ = _save(tmp_path / "one.png")
    run = runs("grey")
    made = {s: translate_file(run, path, FileSettings(seed=s)) for s in (0, 1)}
    assert np.array_equal(made[0], translate_file(run, path, number=5))
    assert not np.array_equal(made[0], made[1])
    quiet = [translate_file(run, path, FileSettings(seed=s, noise=False)) for s in (0, 1)]
    assert np.array_equal(*quiet)


def test_a_colour_image_is_an_input_of_a_run_of_grey_ones(runs, tmp_path):
    path, _ = _save(tmp_path / "one.png")
    Image.open(path).convert("L").save(tmp_path / "grey.png")
    run = runs("grey")
    assert np.array_equal(translate_file(run, path), translate_file(run, tmp_path / "grey.png"))


def test_sides_that_are_served_are_translated_as_they_are_and_others_named_with_the_nearest(runs, tmp_path):
    run = runs("grey")
    assert translate_file(run, _save(tmp_path / "wide.png", 32, 64)[0]).shape == (32, 64, 3)
    path, _ = _save(tmp_path / "odd.png", 50, 90)
    with pytest.raises(ValueError, match=r"got .*odd\.png of 90 x 50; the nearest that works is 96 x 48, and --resize"):
        translate_file(run, path)
    assert translate_file(run, path, FileSettings(resize=True)).shape == (50, 90, 3)


@pytest.mark.parametrize("kind", INPUTS)
def test_every_kind_makes_its_inputs_of_targets(runs, tmp_path, kind):
    path, _ = _save(tmp_path / "one.png")
    made = translate_file(runs(kind), path, FileSettings(make_inputs=True))
    assert made.shape == (32, 32, 3)


def test_made_holes_differ_from_file_to_file(runs, tmp_path):
    path, pixels = _save(tmp_path / "one.png")
    made = [translate_file(runs("mask"), path, FileSettings(make_inputs=True), number) for number in (0, 1)]
    changed = [(x != pixels).any(2) for x in made]
    assert changed[0].any()
    assert not np.array_equal(*changed)


def test_transparent_pixels_are_filled_in_and_all_others_stay(runs, tmp_path):
    path, pixels = _save(tmp_path / "one.png", channels=4)
    made = translate_file(runs("mask"), path)
    hole = pixels[..., 3] == 0
    assert np.array_equal(made[~hole], pixels[~hole][:, :3])
    assert (made[hole] != pixels[hole][:, :3]).any()
    Image.open(path).convert("RGB").save(tmp_path / "opaque.png")
    with pytest.raises(ValueError, match=r"expected transparent pixels, .* in .*opaque\.png, got none; --make-inputs"):
        translate_file(runs("mask"), tmp_path / "opaque.png")


def test_the_colours_under_a_hole_say_nothing(runs, tmp_path):
    path, pixels = _save(tmp_path / "one.png", channels=4)
    hole = pixels[..., 3] == 0
    pixels[hole, :3] = 7
    Image.fromarray(pixels).save(tmp_path / "other.png")
    assert np.array_equal(translate_file(runs("mask"), path), translate_file(runs("mask"), tmp_path / "other.png"))


def test_the_left_half_stays_and_the_right_is_not_looked_at(runs, tmp_path):
    path, pixels = _save(tmp_path / "one.png")
    made = translate_file(runs("half"), path)
    assert np.array_equal(made[:, :16], pixels[:, :16])
    pixels[:, 16:] = 0
    Image.fromarray(pixels).save(tmp_path / "half.png")
    assert np.array_equal(translate_file(runs("half"), tmp_path / "half.png"), made)


def test_a_small_image_is_enlarged_by_four(runs, tmp_path):
    path, _ = _save(tmp_path / "small.png", 8, 16)
    assert translate_file(runs("downscale"), path).shape == (32, 64, 3)


def test_inputs_are_made_of_images_of_any_sides_and_translations_have_them(runs, tmp_path):
    path, _ = _save(tmp_path / "odd.png", 70, 101)
    for kind in ("downscale", "half", "mask"):
        assert translate_file(runs(kind), path, FileSettings(resize=True, make_inputs=True)).shape == (70, 101, 3)


def test_a_run_of_pairs_takes_inputs_alone(runs, tmp_path):
    path, _ = _save(tmp_path / "one.png")
    assert translate_file(runs("pairs"), path).shape == (32, 32, 3)
    with pytest.raises(ValueError, match="expected inputs for a run of pairs, got `make_inputs`"):
        translate_files(runs("pairs"), path, tmp_path / "out.png", FileSettings(make_inputs=True))


def test_files_that_do_not_serve_are_named(runs, tmp_path):
    run, (path, _) = runs("grey"), _save(tmp_path / "one.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "all" / "in").mkdir(parents=True)
    (tmp_path / "all" / "broken.png").write_bytes(b"broken")
    for source, out, error, message in (
        (tmp_path / "none", tmp_path / "out", FileNotFoundError, "expected the file or folder .*none to exist"),
        (path, path, ValueError, "expected another file or folder to write than .*one.png, got the same"),
        (path, tmp_path / "a.txt", ValueError, r"expected OUT to end in .*\.png.*, got '.*a\.txt'"),
        (path, tmp_path / "no" / "a.png", FileNotFoundError, "expected the folder .*no of OUT to exist"),
        (tmp_path / "empty", tmp_path / "out", ValueError, "expected images in .*empty, got none"),
        (tmp_path / "all", tmp_path / "out", ValueError, "expected images that can be read in .*, got none of 1 files"),
        (tmp_path / "all", path, ValueError, "expected OUT to be a folder, as .* is one, got the file .*one.png"),
        (tmp_path / "all" / "broken.png", tmp_path / "b.png", UnreadableImageError, "broken.png to be an image"),
    ):
        with pytest.raises(error, match=message):
            translate_files(run, source, out)
    assert not (tmp_path / "b.png").exists()
    with pytest.raises(ValueError, match=r"expected images in .*empty"):
        image_files(tmp_path / "empty")
