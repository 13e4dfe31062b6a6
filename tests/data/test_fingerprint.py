"""Fingerprints are equal where the data are, wherever they lie, and two of them tell what differs."""

import numpy as np
import pytest
import torch

from fastgan.data import fingerprint
from fastgan.data.fingerprint import difference, of_choice, of_dataset, of_entries, of_tensors

FILES = [("a/1.png", 6), ("a/2.png", 6), ("b/1.png", 6)]


def test_the_order_of_files_does_not_matter():
    assert of_entries(FILES) == of_entries(reversed(FILES))


def test_other_files_names_and_sizes_are_told():
    before = of_entries(FILES)
    assert difference(before, of_entries([*FILES, ("new.png", 6)])) == "4 files instead of 3, 24 bytes instead of 18"
    assert difference(before, of_entries([*FILES[:2], ("c/1.png", 6)])) == "other names or sizes of files"
    assert difference(before, of_entries([*FILES[:2], ("b/1.png", 7)])) == "19 bytes instead of 18"
    assert difference(before, before) == ""


@pytest.mark.parametrize("width", [1, 3, 5, 16, 40])
def test_all_bytes_of_small_data_count(width, monkeypatch):
    monkeypatch.setattr(fingerprint, "_BLOCK", 16)
    x = torch.zeros(12, width, dtype=torch.uint8)
    before = of_tensors(x)
    for changed in range(x.numel()):
        y = x.clone()
        y.flatten()[changed] = 1
        assert of_tensors(y) != before


def test_of_large_data_parts_are_read_the_first_and_the_last_among_them(monkeypatch):
    monkeypatch.setattr(fingerprint, "_BLOCK", 16)
    monkeypatch.setattr(fingerprint, "_BLOCKS", 4)
    x = torch.zeros(250, 4, dtype=torch.uint8)
    before = of_tensors(x)
    for changed, differs in ((0, True), (999, True), (40, False)):
        y = x.clone()
        y.flatten()[changed] = 1
        assert (of_tensors(y) != before) == differs


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


def test_data_of_another_kind_are_told():
    files, values = of_entries(FILES), of_tensors(torch.zeros(4, 2))
    assert difference(files, values) == "samples in memory instead of a folder"
    assert difference(of_dataset(4, torch.zeros(2)), files) == "a folder instead of a Dataset"


def test_a_choice_of_samples_and_labels_are_part_of_a_fingerprint():
    base = of_entries(FILES)
    one, other = (of_choice(base, torch.tensor(chosen)) for chosen in ([0, 1], [0, 2]))
    assert difference(one, other) == "other samples that can be read"
    assert difference(base, one) == "other samples that can be read"
    labelled, relabelled = (of_choice(base, torch.tensor(labels), "labels") for labels in ([0, 0, 1], [0, 1, 1]))
    assert difference(labelled, relabelled) == "other labels"
    assert difference(base, labelled) == "3 labels instead of none"
