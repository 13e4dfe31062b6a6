"""IDX files: their arrays keep their dtype, their labels are found beside them, and damaged ones are refused."""

import gzip

import numpy as np
import pytest

from fastgan.data import load
from fastgan.data.idx import read_idx


def idx_bytes(array: np.ndarray, code: int) -> bytes:
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize(("dtype", "code"), [("u1", 8), ("i2", 0x0B), ("f8", 0x0E)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_images_and_their_labels_are_read(tmp_path, dtype, code, pack):
    images = np.random.default_rng(0).integers(0, 120, (7, 5, 4)).astype(dtype)
    (tmp_path / "t-images-idx3-ubyte").write_bytes(pack(idx_bytes(images, code)))
    (tmp_path / "t-labels-idx1-ubyte").write_bytes(pack(idx_bytes(np.arange(7, dtype="u1"), 8)))
    data = load(f"idx:{tmp_path}/t-images-idx3-ubyte")
    np.testing.assert_allclose(data.units.restore(data.samples), images, atol=1e-4)
    assert data.labels.tolist() == list(range(7))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "IDX header, got nothing"),
        (b"\x89PNG....", "IDX header, got 89 50 4e 47"),
        (idx_bytes(np.zeros((3, 4, 4), "u1"), 8)[:-1], r"hold \[3, 4, 4\] values of 1 bytes.*got a file of 63 bytes"),
        (idx_bytes(np.zeros((3, 4, 4), "u1"), 8)[:9], "as its header says"),
        (gzip.compress(b"x" * 99, mtime=0)[:-9], "readable IDX file"),
        (gzip.compress(bytes([0, 0, 8, 3]) + b"\xff" * 12, mtime=0), "hold at most this machine's .*, got 79,228"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, "as its header says, got a file of 16 bytes"),
        (gzip.compress(idx_bytes(np.zeros(9, "u1"), 8) + bytes(10**6), mtime=0), "got a file of more than 17 bytes"),
    ],
)
def test_a_truncated_idx_file_or_another_format_is_refused(tmp_path, content, words):
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        load(f"idx:{tmp_path}/images")


def test_bytes_are_mapped_and_stay_bytes(tmp_path):
    images = np.arange(40, dtype=np.uint8).reshape(2, 5, 4)
    (tmp_path / "images").write_bytes(idx_bytes(images, 8))
    stored = read_idx(f"{tmp_path}/images")
    assert isinstance(stored.samples, np.memmap)
    assert stored.samples.dtype == np.uint8
    np.testing.assert_array_equal(stored.samples, images)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels-idx1-ubyte.gz"),
        ("emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz"),
        ("Train_Images.IDX3", "train-labels.idx1"),
        ("images-idx4-ubyte", "labels-idx1-ubyte"),
        ("images.gz", "labels.gz"),
    ],
)
def test_labels_are_found_by_their_name_however_it_is_punctuated_or_packed(tmp_path, images, labels):
    for name, array in ((images, np.zeros((3, 4, 4), np.uint8)), (labels, np.array([7, 3, 7], np.uint8))):
        content = idx_bytes(array, 8)
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (tmp_path / "test-labels-idx1-ubyte").write_bytes(b"another set's")
    data = load(f"idx:{tmp_path}/{images}")
    assert data.labels.tolist() == [1, 0, 1]
    assert data.class_names == ("3", "7")
    assert data.notes == ["the images, uint8 of 0 and 1 only, are scaled from 0..1"]


def test_missing_labels_are_told_where_the_name_says_what_they_would_be_called(tmp_path):
    for name in ("t-images-idx3-ubyte", "faces"):
        (tmp_path / name).write_bytes(idx_bytes(np.zeros((3, 4, 4), np.uint8), 8))
    notes = read_idx(f"{tmp_path}/t-images-idx3-ubyte").notes
    assert notes == [f"no labels: no file such as t-labels-idx1-ubyte lies beside {tmp_path}/t-images-idx3-ubyte"]
    assert read_idx(f"{tmp_path}/faces").notes == []


def test_labels_of_another_length_are_refused(tmp_path):
    (tmp_path / "images").write_bytes(idx_bytes(np.zeros((3, 4, 4), np.uint8), 8))
    (tmp_path / "labels").write_bytes(idx_bytes(np.zeros(2, np.uint8), 8))
    with pytest.raises(ValueError, match=r"labels of shape \[3\], got \[2\]"):
        load(f"idx:{tmp_path}/images")
