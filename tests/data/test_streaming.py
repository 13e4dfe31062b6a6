"""Folders that do not fit in memory: the same batches, decoded as they are read."""

import copy
import os

import numpy as np
import pytest
import torch
from PIL import Image

from fastgan.data import load, options
from fastgan.data.source import is_resident
from fastgan.metrics.evaluator import FIDEvaluator
from fastgan.train import GANTrainer, TrainConfig, distributed
from fastgan.train.batches import Batches


@pytest.fixture
def pictures(tmp_path):
    """Three classes of twelve grey JPEG files, 16x16."""
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(12):
            image = Image.fromarray(rng.integers(0, 255, (16, 16), np.uint8))
            image.save(tmp_path / f"pictures/{name}/{i}.jpg")
    return tmp_path / "pictures"


@pytest.fixture
def no_memory(monkeypatch):
    monkeypatch.setattr(options, "free_memory", lambda: 1000)


def _cut(path):
    content = path.read_bytes()
    path.write_bytes(content[:-100])  # the header is whole; only decoding tells


def _weights(config, steps=6, data=None):
    trainer = GANTrainer(config, data=data)
    for _ in range(steps):
        trainer.step()
    return [p.detach().clone() for p in trainer.generator.parameters()]


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("settings", [{}, {"flip": True, "conditional": True}, {"balance": "sampler"}], ids=str)
def test_a_run_that_decodes_as_it_reads_is_the_run_in_memory(pictures, monkeypatch, workers, settings):
    config = TrainConfig(data=f"folder:{pictures}", batch_size=8, workers=workers, **settings)
    inside = _weights(config)
    monkeypatch.setattr(options, "free_memory", lambda: 1000)
    assert not is_resident(load(config.data).source)
    assert all(torch.equal(a, b) for a, b in zip(inside, _weights(config), strict=True))


def test_images_are_kept_while_they_fill_a_quarter_of_the_free_memory(pictures, monkeypatch):
    pixels = 36 * 16 * 16
    for free, kept in ((4 * pixels, True), (4 * pixels - 1, False)):
        monkeypatch.setattr(options, "free_memory", lambda free=free: free)
        assert is_resident(load(f"folder:{pictures}").source) is kept
    monkeypatch.setattr(options, "free_memory", lambda: 4 * pixels)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")  # each process would hold them
    assert not is_resident(load(f"folder:{pictures}").source)


def test_a_resumed_run_continues_bit_for_bit(pictures, no_memory):
    config = TrainConfig(data=f"folder:{pictures}", batch_size=8, workers=2, dropout=0.0)
    whole = GANTrainer(config)
    for _ in range(5):
        whole.step()
    state = copy.deepcopy(whole.state_dict())
    again = GANTrainer(config)
    again.load_state_dict(state)
    for trainer in (whole, again):
        for _ in range(3):
            trainer.step()
    pairs = zip(whole.generator.parameters(), again.generator.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


def test_in_place_of_an_image_that_cannot_be_decoded_the_next_of_its_class_is_read_and_counted(pictures, no_memory):
    _cut(pictures / "b" / "11.jpg")
    data = load(f"folder:{pictures}")
    assert len(data) == 36
    assert not any("skipped" in note for note in data.notes)
    broken = 23
    assert torch.equal(data.batch(torch.tensor([broken])), data.batch(torch.tensor([12])))
    assert any("skipped 1 of 36 images" in note and "b/11.jpg" in note for note in data.notes)


def test_a_broken_image_stops_a_strict_run(pictures, no_memory):
    _cut(pictures / "b" / "11.jpg")
    data = load(f"folder:{pictures}", strict=True)
    with pytest.raises(ValueError, match=r"b/11\.jpg to be an image that can be read"):
        data.batch(torch.arange(36))


@pytest.mark.parametrize("change", ["unlink", "rewrite"])
def test_a_file_that_changes_while_training_is_named(pictures, no_memory, change):
    trainer = GANTrainer(TrainConfig(data=f"folder:{pictures}", batch_size=32))
    for file in pictures.rglob("*.jpg"):
        file.unlink() if change == "unlink" else file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"\.jpg to stay as it was when the data were read"):
        [trainer.step() for _ in range(3)]


def test_evaluation_reads_only_the_samples_that_it_needs(pictures, no_memory, monkeypatch):
    data = load(f"folder:{pictures}")
    read = []
    plain = type(data.source.base).read
    monkeypatch.setattr(type(data.source.base), "read", lambda self, i: (read.append(len(i)), plain(self, i))[1])
    monkeypatch.setattr("fastgan.metrics.evaluator._MAX_SAMPLES", 7)
    evaluator = FIDEvaluator(data, extractor=lambda x: x.flatten(1)[:, :4])
    assert evaluator.count == 7
    assert sum(read) == 14


def test_a_run_says_what_share_of_the_time_it_waited_and_what_it_skipped(pictures, no_memory, tmp_path, capfd):
    _cut(pictures / "a" / "3.jpg")
    out = tmp_path / "run"
    GANTrainer(TrainConfig(data=f"folder:{pictures}", batch_size=12, steps=6, log_every=2, out=str(out))).fit()
    rows = [line for line in (out / "metrics.jsonl").read_text().splitlines() if "data_wait" in line]
    assert len(rows) == 3
    assert capfd.readouterr().err.count("skipped 1 of 36 images") == 1


def test_a_folder_that_cannot_be_read_to_the_end_is_no_reason_to_keep_threads(pictures, no_memory):
    data = load(f"folder:{pictures}", workers=3)
    assert torch.equal(data.samples, load(f"folder:{pictures}").samples)
    os.rename(pictures, pictures.with_name("moved"))
    with pytest.raises(ValueError, match="got none"):
        data.batch(torch.tensor([5]))


@pytest.mark.parametrize("kind", ["npz", "npy", "idx"])
def test_an_array_that_does_not_fit_stays_on_the_disk_and_gives_the_same_run(tmp_path, monkeypatch, kind):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 6, 5), np.uint8)
    path = tmp_path / f"a.{kind}"
    if kind == "idx":
        path.write_bytes(bytes([0, 0, 8, 3]) + np.array(pixels.shape, ">u4").tobytes() + pixels.tobytes())
    else:
        np.savez(path, samples=pixels) if kind == "npz" else np.save(path, pixels)
    config = TrainConfig(data=f"{kind.replace('npy', 'npz')}:{path}", batch_size=8)
    assert is_resident(load(config.data).source)
    inside = _weights(config)
    monkeypatch.setattr(options, "free_memory", lambda: 1000)
    data = load(config.data)
    assert not is_resident(data.source)
    assert all(torch.equal(a, b) for a, b in zip(inside, _weights(config), strict=True))
    os.truncate(path, 500)
    with pytest.raises(ValueError, match=r"a\.\w+ to stay as it was"):
        data.batch(torch.tensor([39]))


def test_each_process_reads_its_own_share_of_a_batch(pictures, no_memory, monkeypatch):
    data = load(f"folder:{pictures}")
    whole = Batches(data, 12, seed=0, flip=True)[3][0]
    monkeypatch.setattr(distributed, "_is_distributed", lambda: True)
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        share = load(f"folder:{pictures}")
        batches = Batches(share, 12, seed=0, flip=True)
        read = []
        plain = share.source.base.read
        monkeypatch.setattr(share.source.base, "read", lambda i, plain=plain, read=read: (read.append(i), plain(i))[1])
        assert torch.equal(batches[3][0], whole.chunk(2)[rank])
        assert {len(indices) for indices in read} == {6}
