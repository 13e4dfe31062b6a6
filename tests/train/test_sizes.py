"""A run says what it takes before it takes gigabytes or hours, and refuses grids that do not fit."""

import pytest
import torch
from torch import nn

from fastgan._support.memory import available_memory, size_text
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train import sizes as module
from fastgan.train.sizes import Pace, RunSizes


def _sizes(**changes):
    return RunSizes.of(nn.Linear(10, 99), nn.Linear(9, 10), TrainConfig(**changes), (3, 8, 8))


@pytest.mark.parametrize(("optimizer", "moments"), [("adam", 2), ("rmsprop", 1), ("sgd", 0)])
def test_a_checkpoint_is_as_large_as_foretold(optimizer, moments, tmp_path):
    generator = nn.Sequential(nn.Linear(8, 500), nn.Linear(500, 2))
    discriminator = nn.Sequential(nn.Linear(2, 500), nn.Linear(500, 1))
    config = TrainConfig(steps=1, batch_size=8, latent_dim=8, optimizer=optimizer, out=str(tmp_path))
    trainer = GANTrainer(config, generator, discriminator, torch.randn(40, 2))
    (file,) = (trainer.fit() / "checkpoints").iterdir()
    found = trainer.sizes
    assert found.parameters == 5502 + 2001
    assert found.checkpoint == 4 * ((2 + moments) * 5502 + (1 + moments) * 2001)
    # Beside the weights a checkpoint holds names, random states and the archive's own entries.
    assert found.checkpoint < file.stat().st_size < found.checkpoint + 60_000


def test_small_runs_say_nothing_and_large_ones_all_their_sizes(monkeypatch):
    assert _sizes().notes() == []
    monkeypatch.setattr(module, "_LARGE", 10_000)
    (note,) = _sizes().notes()
    assert "1,189 parameters" in note
    assert "a checkpoint takes" in note


def test_a_grid_that_does_not_fit_is_refused_before_the_training(monkeypatch, tmp_path):
    trainer = GANTrainer(TrainConfig(steps=5, batch_size=8, out=str(tmp_path / "r")), data=torch.rand(40, 1, 8, 8))
    monkeypatch.setattr("fastgan.train.loop.available_memory", lambda: 1000)
    with pytest.raises(ValueError, match=r"memory for the sample grid of 100, got 0 MB that are free"):
        trainer.fit()
    assert trainer.global_step == 0
    assert not (tmp_path / "r").exists()
    _sizes().check(None)
    _sizes().check(_sizes().grid)


def _notes(seconds, steps, first=0):
    """What the pace says of steps that take these numbers of seconds."""
    now = [0.0]
    pace, said = Pace(steps, first, torch.device("cpu"), lambda: now[0]), []
    for i, duration in enumerate(seconds):
        now[0] += duration
        said.append(pace(first + i + 1))
    return said


def test_hours_are_foretold_once_from_a_first_measured_step():
    said = _notes([5, 4, 4, 4], 10_000)
    assert said[1].startswith("train: 9,998 more steps of 4 s each take about 11.1 hours; memory until now ")
    assert said[0] is said[2] is said[3] is None


def test_a_first_step_of_many_seconds_tells_at_once():
    first, second = _notes([60, 60], 100)
    assert "99 more steps of 60 s each take about 1.6 hours" in first
    assert second is None


def test_fast_steps_are_measured_together_and_short_runs_say_nothing():
    said = _notes([3, *[0.1] * 20], 100_000, first=500)
    assert [i for i, note in enumerate(said) if note] in ([10], [11])
    assert "of 0.1 s each take about 2.8 hours" in next(filter(None, said))
    assert not any(_notes([3, *[0.1] * 20], 1000))


def test_a_run_says_it_on_the_way(monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(module, "_LONG", 0.0)
    monkeypatch.setattr(module, "_MEASURED", 0.0)
    GANTrainer(TrainConfig(steps=5, batch_size=8, out=str(tmp_path)), data=torch.rand(40, 2)).fit()
    assert capfd.readouterr().err.count("more steps of") == 1


def test_the_memory_that_is_left_is_less_than_the_machines():
    left = available_memory()
    assert left is None or 0 < left < 2**50
    assert (size_text(1.54e9), size_text(640e6)) == ("1.5 GB", "640 MB")
