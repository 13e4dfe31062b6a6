"""Checkpoints are written atomically, refused when damaged, and run no code."""

import os
import pickle
import random

import pytest
import torch

from fastgan._support import files
from fastgan.train import CheckpointError, checkpoint

STATE = {"weights": torch.arange(600.0), "step": 7, "python": random.getstate(), "name": "x"}


def test_a_checkpoint_loads_as_it_was_saved(tmp_path):
    path = checkpoint.save(STATE, tmp_path, step=7, keep=3)
    assert path.name == "step-000000007.pt"
    loaded = checkpoint.load(path)
    assert torch.equal(loaded.pop("weights"), STATE["weights"])
    assert loaded == {k: v for k, v in STATE.items() if k != "weights"}


def test_plain_torch_reads_a_checkpoint(tmp_path):
    path = checkpoint.save(STATE, tmp_path, step=7, keep=3)
    assert torch.load(path, weights_only=True)["step"] == 7


def test_flipped_bits_and_truncated_files_are_detected(tmp_path):
    path = checkpoint.save(STATE, tmp_path, step=7, keep=3)
    whole = path.read_bytes()
    rng = random.Random(0)
    bits = [rng.randrange(8 * len(whole)) for _ in range(200)] + list(range(8 * len(whole) - 900, 8 * len(whole)))
    for bit in bits:
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="step-000000007"):
            checkpoint.load(path)
    for length in [*range(100), len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(100))]:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="step-000000007"):
            checkpoint.load(path)
    path.write_bytes(whole)
    assert checkpoint.load(path)["step"] == 7


def test_a_damaged_newest_checkpoint_is_named_and_the_previous_one_loaded(tmp_path):
    for step in (10, 20):
        checkpoint.save({**STATE, "step": step}, tmp_path, step, keep=3)
    newest = checkpoint.path_of(tmp_path, 20)
    newest.write_bytes(newest.read_bytes()[:-40])
    said: list[str] = []
    path, state = checkpoint.load_newest(tmp_path, said.append)
    assert (path.name, state["step"]) == ("step-000000010.pt", 10)
    assert len(said) == 1
    assert str(newest) in said[0]


def test_without_checkpoints_nothing_is_loaded_and_damaged_ones_are_an_error(tmp_path):
    assert checkpoint.load_newest(tmp_path / "missing", print) is None
    checkpoint.path_of(tmp_path, 5).write_bytes(b"no checkpoint")
    said: list[str] = []
    with pytest.raises(CheckpointError, match=r"got only damaged ones: step-000000005\.pt"):
        checkpoint.load_newest(tmp_path, said.append)
    assert len(said) == 1


def test_the_newest_are_kept(tmp_path):
    for step in (10, 20, 999_999_999, 1_000_000_000):
        checkpoint.save(STATE, tmp_path, step, keep=2)
    names = [p.name for p in checkpoint.listing(tmp_path)]
    assert names == ["step-999999999.pt", "step-1000000000.pt"]


class _Harmful:
    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    harmful = _Harmful()
    harmful.path = str(tmp_path / "harm")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        checkpoint.load(checkpoint.save({"x": harmful}, tmp_path, 1, keep=1))
    assert pickle.dumps(harmful)  # pickling it is no error
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_a_failed_save_raises_and_leaves_the_earlier_checkpoint_intact(tmp_path, monkeypatch, failing):
    earlier = checkpoint.save(STATE, tmp_path, 10, keep=1)
    content = earlier.read_bytes()

    def refuse(*_args, **_kwargs):
        raise OSError(28, os.strerror(28))

    if failing == "write":
        monkeypatch.setattr(files, "open", refuse, raising=False)
    else:
        monkeypatch.setattr(os, failing, refuse)
    with pytest.raises(CheckpointError, match=r"step-000000020.*No space left on device.*untouched"):
        checkpoint.save(STATE, tmp_path, 20, keep=1)
    monkeypatch.undo()
    assert earlier.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == [earlier.name]


def test_leftovers_of_a_killed_save_are_removed(tmp_path):
    (tmp_path / ".step-000000010.pt.123.tmp").write_bytes(b"half")
    kept = checkpoint.save(STATE, tmp_path, 10, keep=1)
    files.remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [kept]
