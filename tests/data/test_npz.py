"""Files of NumPy arrays: what they may hold, what is mapped instead of read, and what is refused."""

import io
import os
import zipfile

import numpy as np
import pytest

from fastgan.data import load
from fastgan.data.npz import read_npz

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.uint8, ">u2", np.float32, np.float64, bool])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_keep_their_values_dtype_and_shape(tmp_path, save, dtype, order):
    images = np.asarray(RNG.uniform(0, 200, (5, 6, 7)).astype(dtype), order=order)
    save(tmp_path / "a.npz", samples=images, labels=np.array(["b", "a", "a", "b", "a"]))
    stored = read_npz(f"{tmp_path}/a.npz")
    assert stored.samples.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(stored.samples, images)
    data = load(f"npz:{tmp_path}/a.npz")
    assert (data.labels.tolist(), data.class_names) == ([1, 0, 0, 1, 0], ("a", "b"))


def test_what_is_not_compressed_is_mapped(tmp_path):
    images = RNG.integers(0, 256, (5, 6, 7), np.uint8)
    np.savez(tmp_path / "a.npz", labels=np.arange(5), samples=images)
    np.save(tmp_path / "a.npy", images)
    for path in ("a.npz", "a.npy"):
        samples = read_npz(f"{tmp_path}/{path}").samples
        assert isinstance(samples, np.memmap)
        np.testing.assert_array_equal(samples, images)


@pytest.mark.parametrize("text", ["chw", np.bytes_("chw"), np.array(["chw"])])
def test_a_layout_in_the_file_decides(tmp_path, text):
    images = RNG.integers(0, 256, (5, 3, 6, 4), np.uint8)
    np.savez(tmp_path / "a.npz", samples=images)
    np.savez(tmp_path / "b.npz", samples=images, layout=text)
    assert load(f"npz:{tmp_path}/a.npz").sample_shape == (4, 3, 6)
    assert load(f"npz:{tmp_path}/b.npz").sample_shape == (3, 6, 4)


@pytest.mark.parametrize("layout", [np.array(["hwc", "chw"]), 3])
def test_a_layout_that_is_no_text_is_refused(tmp_path, layout):
    np.savez(tmp_path / "a.npz", samples=np.zeros((2, 3, 4)), layout=layout)
    with pytest.raises(ValueError, match=r"the array `layout` of .*a\.npz to be a text"):
        read_npz(f"{tmp_path}/a.npz")


def test_a_mapped_file_that_was_cut_short_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", samples=np.zeros((5, 6, 7), np.uint8))
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[:150])
    with pytest.raises(ValueError, match=r"a\.npz to be an \.npz file"):
        read_npz(f"{tmp_path}/a.npz")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.zeros((2, 2)), "b": np.zeros((2, 2))}, "expected an array `samples`.*got a, b"),
        ({"samples": np.zeros((4, 2, 2, 5, 2))}, r"got \(4, 2, 2, 5, 2\)"),
        ({"samples": np.zeros((0, 3))}, r"got \(0, 3\)"),
        ({"samples": np.zeros((4, 9, 9, 9))}, "1, 3 or 4 channels"),
        ({"samples": np.array([["a", "b"]])}, "expected numbers"),
        ({"samples": np.full((4, 3), np.nan)}, "expected finite samples.*NaN"),
        ({"samples": np.zeros((4, 3)), "labels": np.zeros(3)}, r"labels of shape \[4\], got \[3\]"),
    ],
)
def test_unusable_arrays_are_refused(arrays, words, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=words):
        load(f"npz:{tmp_path}/a.npz")


def test_a_file_that_is_no_npz_and_a_pickle_are_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"not a zip")
    with pytest.raises(ValueError, match=r"a\.npz to be an \.npz file"):
        load(f"npz:{tmp_path}/a.npz")
    np.savez(tmp_path / "b.npz", samples=np.array([{}, {}]))
    with pytest.raises(ValueError, match=r"b\.npz to be an \.npz file"):
        load(f"npz:{tmp_path}/b.npz")


def test_an_npz_that_would_unpack_to_more_than_the_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, samples=np.zeros((1000, 1000)))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(os, "sysconf", lambda name: 1000)  # a machine of 1,000 pages of 1,000 bytes
    with pytest.raises(ValueError, match=r"bomb\.npz to hold at most this machine's 1,000,000 bytes, got 8,000,"):
        load(f"npz:{path}")


def test_an_npz_whose_array_is_shorter_than_its_header_says_is_refused(tmp_path):
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "<f8", "fortran_order": False, "shape": (2**50, 8)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as packed:
        packed.writestr("samples.npy", array.getvalue() + bytes(64))
    with pytest.raises(ValueError, match=r"a\.npz to be an \.npz file"):
        load(f"npz:{tmp_path}/a.npz")
