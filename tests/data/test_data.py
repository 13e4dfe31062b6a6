"""Data sets: their contents, the conversion back to their own units, and bad files."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from fastgan.data import Data, check_spec, digits, from_array, load


def test_digits_are_the_published_ones():
    data, published = digits(), load_digits()
    assert data.samples.shape == (1797, 1, 8, 8)
    assert (data.samples.min(), data.samples.max()) == (-1, 1)
    np.testing.assert_array_equal(data.units.restore(data.samples), published.images)
    np.testing.assert_array_equal(data.labels, published.target)


def _arrays():
    rng = np.random.default_rng(0)
    return {
        "uint8 grey": rng.integers(0, 200, (6, 5, 4), np.uint8),
        "uint8 colour": rng.integers(3, 256, (6, 5, 4, 3), np.uint8),
        "uint16 channels first": rng.integers(0, 40000, (6, 3, 5, 7), np.uint16),
        "float in [0, 255]": rng.uniform(0, 255, (6, 5, 4)),
        "float in [-1, 1]": rng.uniform(-1, 1, (6, 1, 5, 4)).astype(np.float32),
        "table": rng.normal(50, 20, (30, 4)),
        "constant image": np.full((6, 5, 4), 7.0),
    }


@pytest.mark.parametrize("kind", _arrays())
def test_arrays_return_to_their_own_units(kind, tmp_path):
    array = _arrays()[kind]
    np.savez(tmp_path / "a.npz", samples=array, labels=np.arange(len(array)))
    data = load(f"npz:{tmp_path}/a.npz")
    restored = data.units.restore(data.samples)
    assert restored.shape == array.shape
    assert restored.dtype == array.dtype
    # Samples are float32, so floats come back to about 2^-23 of the range. Integers come back exactly.
    tolerance = 0 if array.dtype.kind == "u" else 1e-6 * np.ptp(array)
    np.testing.assert_allclose(restored, array, rtol=0, atol=tolerance)
    assert torch.equal(data.labels, torch.arange(len(array)))
    if kind != "table":
        assert data.bounded


def test_uint8_spans_its_whole_range_whatever_the_images_use():
    data = from_array(np.full((2, 3, 3), 127.5 + 63.75).astype(np.uint8), None, "x")
    assert data.samples.max() == pytest.approx(191 / 127.5 - 1)


def test_floats_within_one_are_used_as_given():
    array = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 1, 5, 5)).astype(np.float32)
    np.testing.assert_allclose(from_array(array, None, "x").samples, array, atol=1e-7)


def test_samples_are_clipped_to_the_datas_range():
    units = digits().units
    assert units.restore(torch.full((1, 1, 8, 8), 1.5)).max() == 16


@pytest.mark.parametrize("spec", ["digits:3", "faces", "", "npz", "npz:", ":x"])
def test_an_unknown_name_is_refused_with_those_known(spec):
    with pytest.raises(ValueError, match=r"expected `data` to be one of digits.*npz:PATH") as error:
        check_spec(spec)
    assert f"got '{spec}'" in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        load(f"npz:{tmp_path}/none.npz")


@pytest.mark.parametrize(
    ("samples", "error", "words"),
    [
        (torch.zeros(4, 3, dtype=torch.int64), TypeError, "floating dtype, or images of bytes, got torch.int64"),
        (torch.zeros(4), ValueError, r"shape \(N, ...\), got \(4,\)"),
        (torch.zeros(0, 3), ValueError, "got"),
        (torch.full((4, 3), torch.inf), ValueError, "finite samples"),
    ],
)
def test_unusable_tensors_are_refused(samples, error, words):
    with pytest.raises(error, match=words):
        Data(samples)


def test_a_split_keeps_the_classes_shares_and_duplicates_no_sample():
    data = digits()
    first, second = data.split(0.3)
    assert len(first.samples) + len(second.samples) == 1797
    counts = [torch.bincount(part.labels, minlength=10) for part in (data, second)]
    assert ((counts[0] * 0.3 - counts[1]).abs() <= 0.5).all()
    everything = torch.cat((first.samples, second.samples)).flatten(1)
    assert torch.equal(everything.unique(dim=0), data.samples.flatten(1).unique(dim=0))
    assert torch.equal(data.split(0.3)[1].labels, second.labels)


def test_a_split_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match=r"samples enough to hold out 0.1 of them, got 3"):
        Data(torch.zeros(3, 2)).split(0.1)
