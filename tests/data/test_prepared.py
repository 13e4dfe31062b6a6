"""Prepared data: what is written is what is read, from the disk, and anything damaged is refused by name."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

import fastgan.cli
from fastgan.data import digits, load
from fastgan.data.prepared import prepare
from fastgan.data.source import is_resident
from fastgan.train import GANTrainer, TrainConfig


@pytest.fixture
def pictures(tmp_path):
    """Two classes of eight RGB pictures, 20x16, of which the third cannot be decoded."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(8):
            Image.fromarray(rng.integers(0, 255, (16, 20, 3), np.uint8)).save(tmp_path / f"pictures/{name}/{i}.png")
    broken = tmp_path / "pictures/cat/2.png"
    broken.write_bytes(broken.read_bytes()[:400])
    return tmp_path / "pictures"


@pytest.fixture
def prepared(pictures, tmp_path):
    return prepare(load(f"folder:{pictures}", image_size=8, keep=False), tmp_path / "out")


def test_prepared_data_are_those_of_the_folder_and_stay_on_the_disk(pictures, prepared):
    folder, data = load(f"folder:{pictures}", image_size=8), load(f"prepared:{prepared}")
    assert torch.equal(data.samples, folder.samples)
    assert torch.equal(data.labels, folder.labels)
    assert (data.class_names, data.units, data.sample_shape) == (("cat", "dog"), folder.units, (3, 8, 8))
    assert not is_resident(data.source)
    assert data.source.dtype == torch.uint8
    assert any("skipped 1 of 16 images" in note for note in data.notes)


def test_other_programs_read_the_arrays(prepared):
    assert np.load(prepared / "samples.npy").shape == (15, 8, 8, 3)
    assert np.load(prepared / "labels.npy").tolist() == [0] * 7 + [1] * 8


def test_data_of_any_source_can_be_prepared(tmp_path):
    data = load(f"prepared:{prepare(digits(), tmp_path / 'digits')}")
    assert torch.equal(data.samples, digits().samples)
    assert torch.equal(data.labels, digits().labels)
    assert data.units == digits().units


def test_a_run_of_prepared_data_is_that_of_the_folder(pictures, prepared):
    ends = []
    for data in (f"folder:{pictures}", f"prepared:{prepared}"):
        config = TrainConfig(data=data, image_size=8, batch_size=4, conditional=True, flip=True, dropout=0.0)
        trainer = GANTrainer(config)
        for _ in range(5):
            trainer.step()
        ends.append(trainer.statistics())
    assert ends[0] == ends[1]


def _rewrite(folder, **changes):
    about = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps(about | changes))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: _rewrite(folder, version=99), "version 1 in .*out, got version 99"),
        (lambda folder: _rewrite(folder, count=99), r"samples.npy to hold uint8 \[99, 8, 8, 3\].*got uint8 \[15,"),
        (lambda folder: (folder / "data.json").write_text("{}"), "to be a folder that fastgan prepare wrote"),
        (lambda folder: (folder / "data.json").unlink(), "to be a folder that fastgan prepare wrote"),
        (lambda folder: os.truncate(folder / "samples.npy", 2000), "whole prepared data, got one cut short"),
        (lambda folder: (folder / "samples.npy").unlink(), "whole prepared data, got one cut short.*samples.npy"),
        (lambda folder: os.truncate(folder / "labels.npy", 140), "whole prepared data, got one cut short"),
        (lambda folder: np.save(folder / "labels.npy", np.zeros(3, np.int64)), r"int64 \[15\]"),
    ],
    ids=["version", "count", "json", "no json", "cut samples", "no samples", "cut labels", "other labels"],
)
def test_damaged_data_are_refused_by_name(prepared, damage, words):
    damage(prepared)
    with pytest.raises(ValueError, match=words):
        load(f"prepared:{prepared}")


def test_a_file_that_changes_while_it_is_read_is_named(prepared):
    data = load(f"prepared:{prepared}")
    data.batch(torch.tensor([0]))
    os.truncate(prepared / "samples.npy", 2000)
    with pytest.raises(ValueError, match=r"samples\.npy to stay as it was when the data were read"):
        data.batch(torch.tensor([14]))


def test_another_size_is_refused_and_the_same_is_not(prepared):
    assert load(f"prepared:{prepared}", image_size=8, color="rgb").sample_shape == (3, 8, 8)
    with pytest.raises(ValueError, match=r"no --image-size with prepared data.*got|fastgan prepare takes it"):
        load(f"prepared:{prepared}", image_size=16)
    with pytest.raises(ValueError, match="no --color"):
        load(f"prepared:{prepared}", color="grey")


def test_an_interrupted_preparation_leaves_nothing_and_starts_anew(pictures, tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(load(f"folder:{pictures}", image_size=8, keep=False), tmp_path / "new", stop)
    assert not list(tmp_path.glob("*new*"))
    (tmp_path / ".new.unfinished").mkdir()  # as a killed process leaves it
    (tmp_path / ".new.unfinished" / "samples.npy").write_bytes(b"half")
    prepare(load(f"folder:{pictures}", image_size=8, keep=False), tmp_path / "new")
    assert len(load(f"prepared:{tmp_path}/new")) == 15
    assert not list(tmp_path.glob(".new*"))


def test_the_command_prepares_says_what_it_skipped_and_does_not_overwrite(pictures, tmp_path, capsys):
    command = ["prepare", f"folder:{pictures}", "--image-size", "8", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main(command)
    printed = capsys.readouterr().out
    assert stop.value.code == 0
    assert "wrote 15 samples of 3 x 8 x 8, 2 classes" in printed
    assert "skipped 1 of 16 images" in printed
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main(command)
    assert stop.value.code == 2
    assert "which exists" in capsys.readouterr().err
