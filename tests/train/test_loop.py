"""`GANTrainer`: given networks and data, the files it writes, refused arguments, divergence."""

import signal

import pytest
import torch
from PIL import Image
from torch import nn

from fastgan.data import Data
from fastgan.train import GANTrainer, TrainConfig, TrainingDivergedError, checkpoint


def test_constructing_and_stepping_write_no_file(tmp_path, monkeypatch, images):
    monkeypatch.chdir(tmp_path)
    trainer = GANTrainer(TrainConfig(batch_size=8), data=images)
    trainer.step()
    assert trainer.global_step == 1
    assert not any(tmp_path.iterdir())


def test_given_networks_are_trained_in_place(images):
    generator = nn.Sequential(nn.Linear(3, 16), nn.Unflatten(1, (1, 4, 4)))
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    before = generator[0].weight.clone()
    trainer = GANTrainer(TrainConfig(batch_size=8, latent_dim=3), generator, discriminator, images)
    trainer.step()
    assert trainer.generator is generator
    assert trainer.discriminator is discriminator
    assert not torch.equal(generator[0].weight, before)


def test_tensors_are_used_as_given(images):
    trainer = GANTrainer(TrainConfig(batch_size=40), data=images)
    batch = trainer._batches[0][0]
    assert sorted(batch.flatten().tolist()) == sorted(images.flatten().tolist())


def test_the_average_follows_the_generator_in_eval_mode(images):
    trainer = GANTrainer(TrainConfig(batch_size=8, ema_decay=0.5), data=images)
    start = [p.clone() for p in trainer.ema.parameters()]
    trainer.step()
    for average, value, first in zip(trainer.ema.parameters(), trainer.generator.parameters(), start, strict=True):
        torch.testing.assert_close(average, (first + value.detach()) / 2)
    assert not trainer.ema.training
    assert not any(p.requires_grad for p in trainer.ema.parameters())


def test_a_run_folder_holds_the_documented_files(trained_run):
    names = {p.name for p in trained_run.iterdir()}
    assert {"config.toml", "weights.safetensors", "metrics.jsonl", "curves.png", "samples"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert [p.name for p in checkpoint.listing(trained_run / "checkpoints")] == [
        "step-000003000.pt",
        "step-000004000.pt",
        "step-000005000.pt",
    ]
    grid = Image.open(trained_run / "samples" / "step-000005000.png")
    assert grid.mode == "L"
    assert min(grid.size) >= 400
    assert TrainConfig.load(trained_run / "config.toml").steps == 5000


def test_by_default_a_run_gets_a_new_folder_under_runs(tmp_path, monkeypatch, images):
    monkeypatch.chdir(tmp_path)
    config = TrainConfig(batch_size=8, steps=1)
    first, second = (GANTrainer(config, data=images).fit() for _ in range(2))
    assert first != second
    assert {p.parent.name for p in (first, second)} == {"runs"}
    assert first.name.startswith("mlp-own-20")


def test_fit_restores_signal_handlers_and_threads(tmp_path, images):
    before = torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    trainer = GANTrainer(TrainConfig(batch_size=8, steps=2, out=str(tmp_path), threads=1), data=images)
    trainer.fit()
    assert (torch.get_num_threads(), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize("logged", [True, False])
def test_nan_stops_the_run_and_keeps_the_last_finite_checkpoint(tmp_path, images, logged):
    config = TrainConfig(
        batch_size=8, steps=100, checkpoint_every=10, log_every=5 if logged else 1000, out=str(tmp_path)
    )
    trainer = GANTrainer(config, data=images)
    step = trainer.step

    def poisoned() -> None:
        step()
        if trainer.global_step == 23:
            with torch.no_grad():
                next(trainer.generator.parameters()).fill_(torch.nan)

    trainer.step = poisoned  # type: ignore[method-assign]
    with pytest.raises(TrainingDivergedError, match=r"NaN or infinite by step \d+.*step-000000020\.pt"):
        trainer.fit()
    assert trainer.global_step == (25 if logged else 30)
    newest, state = checkpoint.load_newest(tmp_path / "checkpoints", print)
    assert newest.name == "step-000000020.pt"
    assert all(v.isfinite().all() for v in state["networks"]["generator"].values())


def test_a_failed_checkpoint_stops_the_run_and_the_earlier_one_stays(tmp_path, images, monkeypatch):
    config = TrainConfig(batch_size=8, steps=100, checkpoint_every=10, out=str(tmp_path))
    trainer = GANTrainer(config, data=images)
    write, written = checkpoint.write_atomic, []

    def until_full(path, content):
        if path.name == "step-000000030.pt":
            raise OSError(28, "No space left on device")
        written.append(path.name)
        write(path, content)

    monkeypatch.setattr(checkpoint, "write_atomic", until_full)
    with pytest.raises(checkpoint.CheckpointError, match=r"step-000000030\.pt: No space left"):
        trainer.fit()
    assert checkpoint.load_newest(tmp_path / "checkpoints", print)[1]["step"] == 20


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_size": 41}, "`batch_size` to be at most the 40 samples of the data, got 41"),
        ({"device": "gpu"}, "`device` to be cpu, cuda, cuda:N or auto, got 'gpu'"),
        ({"device": "cuda:77"}, "`device` to be present, got 'cuda:77'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(images, changes, words):
    with pytest.raises(ValueError, match=words):
        GANTrainer(TrainConfig(**{"batch_size": 8, **changes}), data=images)


def test_networks_that_do_not_fit_are_refused(images):
    config = TrainConfig(batch_size=8)
    with pytest.raises(ValueError, match=r"generator\(latents\) of shape \[2, 1, 4, 4\], got \[2, 16\]"):
        GANTrainer(config, nn.Linear(100, 16), data=images)
    with pytest.raises(ValueError, match=r"discriminator\(samples\) of shape \[2, ...\], got \[1, 2\]"):
        GANTrainer(
            config, discriminator=nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (1, 32)), nn.Linear(32, 2)), data=images
        )


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (torch.zeros(40, 1, 4, 4, dtype=torch.int64), TypeError),
        (torch.zeros(40, 4, dtype=torch.uint8), TypeError),
        (torch.full((40, 4), torch.nan), ValueError),
        (torch.zeros(40), ValueError),
    ],
)
def test_unusable_data_is_refused(data, error):
    with pytest.raises(error, match="data: expected"):
        GANTrainer(TrainConfig(batch_size=8), data=data)


def test_a_data_set_keeps_its_units(images):
    data = Data(images)
    assert GANTrainer(TrainConfig(batch_size=8), data=data).data is data
