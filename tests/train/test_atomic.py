"""Every file of a run is written whole or not at all, and a message about one that cannot be written names it."""

import errno
import os

import numpy as np
import pytest
import torch
from PIL import Image

import fastgan.cli
from fastgan._support.files import write_with
from fastgan.supervised.search import Search
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.pictures import make_grid, save_curves, save_picture

ROWS = [{"step": i, "loss_d": 1.0, "loss_g": 1.0, "p_real": 0.5, "p_fake": 0.5} for i in range(3)]


def _search(path):
    search = Search.__new__(Search)
    search._names, search.rows = ["l2"], []
    search.plot(path)


WRITERS = {
    "config.toml": TrainConfig().save,
    "grid.png": lambda path: save_picture(make_grid(torch.zeros(4, 1, 4, 4), 4), path),
    "grid.PNG": lambda path: save_picture(make_grid(torch.zeros(4, 3, 4, 4), 4), path),
    "curves.png": lambda path: save_curves(ROWS, path),
    "search.png": _search,
    "arrays.npz": lambda path: write_with(path, lambda file: np.savez_compressed(file, x=np.zeros(3))),
}


@pytest.fixture
def full_disk(monkeypatch):
    """A function after which no file can be written: each write ends as on a full disk."""

    def refuse(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr(os, "fsync", refuse)


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_keeps_the_older_file_and_the_message_names_it(name, tmp_path, full_disk):
    path = tmp_path / name
    WRITERS[name](path)
    assert path.stat().st_size > 0
    path.write_bytes(b"older")
    full_disk()
    with pytest.raises(OSError, match=r"No space left on device.*") as error:
        WRITERS[name](path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["s.npz", "s.npy", "s.NPZ", "s.png", "s.PNG", "s.jpg"])
def test_sample_on_a_full_disk_keeps_the_older_file_and_names_it(name, tmp_path, full_disk, capsys):
    images = torch.rand(40, 1, 4, 4) * 2 - 1
    run = GANTrainer(TrainConfig(steps=2, batch_size=8, latent_dim=4, out=str(tmp_path / "run")), data=images).fit()
    target = tmp_path / name
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main(["sample", str(run), "--n", "4", "--out", str(target)])
    assert stop.value.code == 0
    if target.suffix == ".npy":
        assert np.load(target).shape == (4, 1, 4, 4)
    elif target.suffix in (".png", ".PNG", ".jpg"):
        with Image.open(target) as picture:
            assert picture.size == (84, 84)
    target.write_bytes(b"older")
    full_disk()
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main(["sample", str(run), "--n", "4", "--out", str(target)])
    assert stop.value.code == 1
    assert f"No space left on device: '{target}'" in capsys.readouterr().err
    assert target.read_bytes() == b"older"


def test_what_a_killed_process_left_half_written_is_removed_on_resume(tmp_path):
    images = torch.rand(40, 1, 4, 4) * 2 - 1
    settings = {"batch_size": 8, "latent_dim": 4, "out": str(tmp_path)}
    GANTrainer(TrainConfig(steps=2, **settings), data=images).fit()
    left = [tmp_path / ".config.toml.7.tmp", tmp_path / "samples" / ".step-000000002.png.7.tmp"]
    for path in left:
        path.write_bytes(b"half")
    GANTrainer(TrainConfig(steps=3, resume=True, **settings), data=images).fit()
    assert not any(path.exists() for path in left)
