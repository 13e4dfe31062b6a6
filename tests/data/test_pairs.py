"""`pairs:PATH`: side by side and in two folders, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import fastgan.cli
from fastgan.data import load


def _pixels(seed, height=16, width=16, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _save(path: Path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _as_tensor(pixels):
    x = torch.from_numpy(pixels.copy())
    return (x[None] if x.dim() == 2 else x.permute(2, 0, 1)) / 127.5 - 1


@pytest.fixture
def two_folders(tmp_path):
    """Five grey inputs in A, and colour targets of the same names, of other endings, in B."""
    for i in range(5):
        _save(tmp_path / "A" / "deep" / f"{i}.png", _pixels(i, channels=1))
        _save(tmp_path / "B" / "deep" / f"{i}.bmp", _pixels(10 + i))
    return tmp_path


@pytest.mark.parametrize("reverse", [False, True])
def test_side_by_side_the_left_half_is_the_input(tmp_path, reverse):
    for i in range(4):
        _save(tmp_path / f"{i}.png", np.concatenate((_pixels(i), _pixels(10 + i)), 1))
    targets, inputs = load(f"pairs:{tmp_path}", reverse=reverse).pair_batch(torch.arange(4))
    left, right = (targets, inputs) if reverse else (inputs, targets)
    for i in range(4):
        torch.testing.assert_close(left[i], _as_tensor(_pixels(i)))
        torch.testing.assert_close(right[i], _as_tensor(_pixels(10 + i)))


@pytest.mark.parametrize("reverse", [False, True])
def test_in_two_folders_equal_names_are_a_pair(two_folders, reverse):
    data = load(f"pairs:{two_folders}", reverse=reverse)
    assert (data.input_shape[0], data.sample_shape[0]) == ((3, 1) if reverse else (1, 3))
    targets, inputs = data.pair_batch(torch.arange(5))
    of_a, of_b = (targets, inputs) if reverse else (inputs, targets)
    for i in range(5):
        torch.testing.assert_close(of_a[i], _as_tensor(_pixels(i, channels=1)))
        torch.testing.assert_close(of_b[i], _as_tensor(_pixels(10 + i)))


def test_both_sides_are_cropped_and_resized_alike(tmp_path):
    for i in range(3):
        whole = _pixels(i, 24, 40 + 8 * i)
        _save(tmp_path / f"{i}.png", np.concatenate((whole, whole), 1))  # of three sizes, each twice the same image
    data = load(f"pairs:{tmp_path}", image_size=8)
    targets, inputs = data.pair_batch(torch.arange(3))
    assert data.sample_shape == (3, 8, 8)
    assert torch.equal(targets, inputs)


def test_images_that_are_not_kept_in_memory_are_the_same(two_folders):
    kept, read = (load(f"pairs:{two_folders}", keep=keep) for keep in (True, False))
    assert torch.equal(kept.source.read(torch.arange(5)), read.source.read(torch.arange(5)))
    assert kept.base_fingerprint == read.base_fingerprint


def test_a_broken_image_takes_its_pair_with_it(two_folders):
    (two_folders / "B" / "deep" / "1.bmp").write_bytes(b"broken")
    data = load(f"pairs:{two_folders}")
    targets, inputs = data.pair_batch(torch.arange(len(data)))
    assert len(data) == 4
    for k, i in enumerate((0, 2, 3, 4)):
        torch.testing.assert_close(inputs[k], _as_tensor(_pixels(i, channels=1)))
        torch.testing.assert_close(targets[k], _as_tensor(_pixels(10 + i)))
    assert any("skipped 1 of 5 images" in note for note in data.notes)
    with pytest.raises(ValueError, match=r"1\.bmp"):
        load(f"pairs:{two_folders}", strict=True)


def test_the_fingerprint_is_of_both_folders(two_folders):
    before = load(f"pairs:{two_folders}").base_fingerprint
    _save(two_folders / "B" / "deep" / "4.bmp", _pixels(99, channels=1))  # of another size on disk
    (two_folders / "A" / "deep" / "4.png").unlink()
    _save(two_folders / "A" / "deep" / "4.png", _pixels(4, channels=1))
    assert load(f"pairs:{two_folders}").base_fingerprint != before


def test_prepare_keeps_pairs_and_may_swap_them(two_folders, capsys):
    out = two_folders / "prepared"
    with pytest.raises(SystemExit, match="0"):
        fastgan.cli.main(["prepare", f"pairs:{two_folders}", "--out", str(out), "--reverse"])
    assert "wrote 5 samples of 1 x 16 x 16, with inputs of 3 x 16 x 16" in capsys.readouterr().out
    for ours, theirs in zip(
        load(f"prepared:{out}").pair_batch(torch.arange(5)),
        load(f"pairs:{two_folders}", reverse=True).pair_batch(torch.arange(5)),
        strict=True,
    ):
        assert torch.equal(ours, theirs)
    for spec, hint in ((f"prepared:{out}", "; fastgan prepare --reverse swaps them"), ("digits", "")):
        with pytest.raises(ValueError, match=f"expected pairs:PATH for `reverse`, got '{spec}'{hint}"):
            load(spec, reverse=True)


def _lacking_a_folder(root):
    _save(root / "A" / "1.png", _pixels(0))


def _one_lonely(root):
    for i in range(3):
        _save(root / "A" / f"{i}.png", _pixels(i))
        _save(root / "B" / f"{i}.png", _pixels(i))
    _save(root / "A" / "7.png", _pixels(0))


def _of_two_sizes(root):
    for i in range(3):
        _save(root / "A" / f"{i}.png", _pixels(i))
        _save(root / "B" / f"{i}.png", _pixels(i, 8, 8) if i == 1 else _pixels(i))


def _odd(root):
    for i in range(2):
        _save(root / f"{i}.png", _pixels(i, 16, 33))


def _one_pair(root):
    _save(root / "1.png", _pixels(0, 16, 32))


def _of_many_sizes(root):
    for i in range(2):
        _save(root / f"{i}.png", _pixels(i, 16, 32 + 2 * i))


def _one_name_twice(root):
    for name in ("A/1.png", "A/1.jpg", "B/1.png"):
        _save(root / name, _pixels(0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_lacking_a_folder, "expected the folders A and B in .*, got no folder B"),
        (_one_lonely, r"for each pair, got 4 in A and 3 in B: none in B for .*7\.png"),
        (_of_two_sizes, r"both images of a pair of one size, got .*1\.png of 16 x 16 and .*1\.png of 8 x 8"),
        (_odd, r"two images of one width side by side in each file, got .*0\.png of 33 x 16"),
        (_one_pair, "expected at least two pairs of images in .*, got one"),
        (_of_many_sizes, "expected images of one size"),
        (_one_name_twice, r"one image of each name in a folder of pairs, got .*1\.\w+ and .*1\.\w+"),
        (lambda root: None, "expected images in .*, got none"),
    ],
)
def test_what_is_no_set_of_pairs_is_refused(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(ValueError, match=message):
        load(f"pairs:{tmp_path}")
