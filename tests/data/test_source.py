"""Sources and `Data`: raw samples by index, converted batch by batch, and views that copy nothing."""

import numpy as np
import pytest
import torch

from fastgan.data import Data, Units, digits
from fastgan.data.source import ArraySource, MemorySource, View
from fastgan.train.batches import Batches


def test_every_byte_becomes_the_float32_nearest_to_the_exact_quotient():
    levels = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1)
    exact = (np.arange(256) - 127.5) / 127.5
    np.testing.assert_array_equal(Data(levels).samples.flatten(), exact.astype(np.float32))


def test_bytes_stay_bytes_until_a_batch_is_asked_for():
    pixels = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8)
    data = Data(pixels)
    assert data.source.read(torch.tensor([3])).dtype == torch.uint8
    assert data.source.samples.data_ptr() == pixels.data_ptr()
    assert Batches(data, 4, seed=0).source.samples.dtype == torch.uint8
    assert data.bounded


@pytest.mark.parametrize("layout", ["hwc", "chw", "hw"])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_batches_are_the_same_images_whatever_the_layout_they_are_stored_in(layout, flip, channels_last):
    images = torch.randint(0, 256, (20, 3, 6, 5), dtype=torch.uint8)
    images = images[:, :1] if layout == "hw" else images
    stored = {"chw": images, "hwc": images.permute(0, 2, 3, 1).contiguous(), "hw": images[:, 0]}[layout]
    units = Units([127.5], [127.5], 0, 255, "uint8", layout)
    plain = Batches(Data(images), 8, seed=3, flip=flip, channels_last=channels_last)
    batches = Batches(Data(stored, units=units), 8, seed=3, flip=flip, channels_last=channels_last)
    wanted = torch.channels_last if channels_last else torch.contiguous_format
    for k in range(4):
        assert torch.equal(plain[k][0], batches[k][0])
        assert batches[k][0].is_contiguous(memory_format=wanted)


def test_restored_samples_are_the_stored_ones():
    images = torch.randint(0, 256, (9, 6, 5, 3), dtype=torch.uint8)
    data = Data(images)
    assert data.units.layout == "hwc"
    np.testing.assert_array_equal(data.units.restore(data.samples), images)


def test_a_view_of_a_view_reads_the_base_and_copies_nothing():
    base = MemorySource(torch.arange(10.0).view(10, 1))
    view = View(View(base, torch.tensor([9, 5, 3])), torch.tensor([2, 0]))
    assert view.base is base
    assert view.read(torch.tensor([1, 0, 1])).flatten().tolist() == [9, 3, 9]
    first, second = digits().split(0.3)
    assert first.source.base.samples.data_ptr() == second.source.base.samples.data_ptr()


@pytest.mark.parametrize("dtype", [">i2", "<u2", "<u4", "<f2", "|i1", "<f8"])
def test_arrays_of_any_dtype_are_read_as_the_numbers_that_they_hold(dtype):
    values = np.arange(0, 12).reshape(6, 2).astype(dtype)
    read = ArraySource(values).read(torch.tensor([5, 0]))
    assert read.tolist() == values[[5, 0]].tolist()
    assert read.dtype == ArraySource(values).dtype


def test_only_what_is_read_of_a_mapped_array_is_looked_at(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(24, dtype=np.uint8).reshape(6, 2, 2))
    source = ArraySource(np.load(tmp_path / "a.npy", mmap_mode="r"))
    batches = Batches(Data(source, units=Units([127.5], [127.5], 0, 255, "uint8", "hw")), 2, seed=0)
    inside = Batches(Data(torch.arange(24, dtype=torch.uint8).view(6, 2, 2)), 2, seed=0)
    for k in (0, 1, 2, 7, 3):  # in any order: what was read in advance is thrown away
        assert torch.equal(batches[k][0], inside[k][0])


def test_the_fingerprint_knows_the_samples_and_not_where_they_lie(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 2, 4)
    np.save(tmp_path / "a.npy", pixels)
    mapped = ArraySource(np.load(tmp_path / "a.npy", mmap_mode="r"))
    inside = MemorySource(torch.from_numpy(pixels))
    assert mapped.fingerprint == inside.fingerprint
    assert MemorySource(torch.from_numpy(pixels[::-1].copy())).fingerprint != inside.fingerprint
    assert View(inside, torch.tensor([1])).fingerprint != View(inside, torch.tensor([2])).fingerprint


def test_waiting_for_data_is_counted():
    batches = Batches(digits(), 8, seed=0)
    assert batches.waited == 0
    batches[0]
    assert batches.waited > 0
