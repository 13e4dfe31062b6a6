"""Fingerprints are equal where the data are, wherever they lie, and two of them tell what differs."""

import os

import numpy as np
import pytest
import torch

from fastgan.data import fingerprint
from fastgan.data.fingerprint import difference, of_builtin, of_dataset, of_file, of_files, of_tensors


def _folder(root, names=("a/1.png", "a/2.png", "b/1.png"), content=b"pixels"):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return [root / name for name in names]


def test_a_moved_folder_keeps_its_fingerprint(tmp_path, monkeypatch):
    files = _folder(tmp_path / "here")
    before = of_files(tmp_path / "here", files)
    os.rename(tmp_path / "here", tmp_path / "there")
    names = [file.relative_to(tmp_path / "here") for file in reversed(files)]
    assert of_files(tmp_path / "there", names) == before
    monkeypatch.chdir(tmp_path)
    assert of_files("there", [f"./{name}" for name in names]) == before


def test_other_files_names_and_sizes_are_told(tmp_path):
    before = of_files(tmp_path / "a", _folder(tmp_path / "a"))
    more = of_files(tmp_path / "b", [*_folder(tmp_path / "b"), *_folder(tmp_path / "b", ["new.png"])])
    assert difference(before, more) == "4 files instead of 3, 24 bytes instead of 18"
    renamed = of_files(tmp_path / "c", _folder(tmp_path / "c", ("a/1.png", "a/2.png", "c/1.png")))
    assert difference(before, renamed) == "other names or sizes of files"
    longer = of_files(tmp_path / "d", _folder(tmp_path / "d", content=b"pixels!"))
    assert difference(before, longer) == "21 bytes instead of 18"
    assert difference(before, before) == ""


def test_a_file_outside_the_folder_is_refused(tmp_path):
    _folder(tmp_path, ["out.png", "in/1.png"])
    with pytest.raises(ValueError, match="expected files in"):
        of_files(tmp_path / "in", [tmp_path / "out.png"])


def test_a_file_is_known_by_its_bytes_and_not_by_its_name(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    (tmp_path / "b.csv").write_text("x\n1\n2\n")
    (tmp_path / "c.csv").write_text("x\n1\n3\n")
    assert of_file(tmp_path / "a.csv") == of_file(tmp_path / "b.csv")
    assert difference(of_file(tmp_path / "a.csv"), of_file(tmp_path / "c.csv")) == "other values"


def test_of_large_data_parts_are_read_the_first_and_the_last_among_them(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "_BLOCK", 16)
    monkeypatch.setattr(fingerprint, "_BLOCKS", 4)
    whole = bytearray(1000)
    path = tmp_path / "large"
    path.write_bytes(whole)
    before, x = of_file(path), torch.zeros(250, 4, dtype=torch.uint8)
    values = of_tensors(x)
    for changed in (0, 999):
        other = whole.copy()
        other[changed] = 1
        path.write_bytes(other)
        assert of_file(path) != before
        y = x.clone()
        y.flatten()[changed] = 1
        assert of_tensors(y) != values


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8, torch.float64])
def test_samples_in_memory_are_known_by_shape_dtype_and_values(dtype):
    x = (torch.rand(10, 3, 4, 4) * 9).to(dtype)
    same = x.clone().contiguous(memory_format=torch.channels_last)
    assert of_tensors(x) == of_tensors(same)
    y = x.clone()
    y[-1, -1, -1, -1] += 1
    assert difference(of_tensors(x), of_tensors(y)) == "other values"
    assert difference(of_tensors(x), of_tensors(x[:9])) == "shape 9x3x4x4 instead of 10x3x4x4"
    assert "dtype int32 instead of" in difference(of_tensors(x), of_tensors(x.int()))


def test_labels_are_part_of_the_fingerprint_in_any_integer_dtype():
    x, labels = np.zeros((4, 2)), np.array([0, 1, 0, 1])
    assert of_tensors(x, labels) == of_tensors(torch.zeros(4, 2, dtype=torch.float64), torch.tensor(labels).int())
    assert of_tensors(x, labels) != of_tensors(x, labels[::-1].copy())
    assert difference(of_tensors(x), of_tensors(x, labels)) == "4 labels instead of none"


def test_no_samples_have_a_fingerprint_too():
    assert of_tensors(torch.zeros(0, 3)) != of_tensors(torch.zeros(0, 4))


def test_a_dataset_is_known_by_its_length_and_form():
    one = of_dataset(100, torch.rand(3, 8, 8))
    assert one == of_dataset(100, torch.rand(3, 8, 8))
    assert difference(one, of_dataset(90, torch.rand(3, 8, 8))) == "90 samples instead of 100"


def test_data_of_another_kind_are_told(tmp_path):
    (file,) = _folder(tmp_path, ["a.png"])
    assert difference(of_files(tmp_path, [file]), of_file(file)) == "a file instead of a folder"
    assert difference(of_builtin("digits"), of_file(file)) == "a file instead of digits"
    assert difference(of_builtin("digits"), of_builtin("ring")) == "set ring instead of digits"
