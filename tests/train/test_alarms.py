"""Each alarm is raised by its fault and not by a healthy run, and has its own exit code."""

import json

import pytest
import torch
from torch import nn

import fastgan.cli
from fastgan.data import Data
from fastgan.train import GANTrainer, TrainConfig, TrainingAlarmError, checkpoint
from fastgan.train.alarms import Alarm, SampleAlarms, StatisticsAlarms


class DeadDiscriminator(nn.Module):
    """A D whose last layer is dead: its logit is 0 for every input."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 1)
        nn.init.constant_(self.layer.bias, -5.0)

    def forward(self, x):
        return self.layer(x.flatten(1)).relu()


class CertainDiscriminator(nn.Module):
    """A D that is certain which samples are real, and that training cannot change."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        mean = x.flatten(1).mean(1, keepdim=True)
        return 100 * (mean - 0.5) + self.unused * mean


class ConstantGenerator(nn.Module):
    """A G that generates a single image; its gradient is 0."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("image", image)
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, latents):
        return self.image.expand(len(latents), *self.image.shape) + 0 * self.unused * latents.mean()


class CopyingGenerator(nn.Module):
    """A G that returns training samples."""

    def __init__(self, images: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("images", images)
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, latents):
        chosen = (latents[:, 0].sigmoid() * len(self.images)).long()
        return self.images[chosen] + 0 * self.unused


# name: (exit code, G, D). The data are bright images, so a D can be certain that G's dark ones are generated.
CASES = {
    "dead": (4, None, lambda images: DeadDiscriminator()),
    "saturated": (5, lambda images: ConstantGenerator(-images[0]), lambda images: CertainDiscriminator()),
    "collapsed": (6, lambda images: ConstantGenerator(images[0]), None),
    "memorised": (7, CopyingGenerator, None),
}


@pytest.fixture
def bright(images):
    return images.abs() * 0.2 + 0.8


def _trainer(name, images, out, **changes):
    _, generator, discriminator = CASES[name]
    # For the alarms on statistics, sample grids are so rare that no alarm on samples comes first.
    settings = {"batch_size": 8, "steps": 200, "log_every": 2, "alarm_readings": 5, "ema_decay": 0.9, "dropout": 0.0}
    settings["sample_every"] = 10 if name in ("collapsed", "memorised") else 1000
    config = TrainConfig(out=str(out), convert=False, **{**settings, **changes})
    networks = [None if make is None else make(images) for make in (generator, discriminator)]
    return GANTrainer(config, *networks, data=images)


@pytest.mark.parametrize("name", CASES)
def test_with_on_alarm_stop_an_alarm_saves_a_checkpoint_and_stops_the_run(name, bright, tmp_path):
    trainer = _trainer(name, bright, tmp_path, on_alarm="stop")
    with pytest.raises(TrainingAlarmError) as stop:
        trainer.fit()
    assert stop.value.alarm == name
    assert str(stop.value.checkpoint) in str(stop.value)
    assert checkpoint.load(stop.value.checkpoint)["step"] == trainer.global_step < 200


@pytest.mark.parametrize("name", CASES)
def test_by_default_an_alarm_is_printed_once_and_recorded(name, bright, tmp_path, capfd):
    _trainer(name, bright, tmp_path, steps=60).fit()
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    alarms = [row for row in rows if row.get("alarm") == name]
    assert len(alarms) == 1
    assert f"train: step {alarms[0]['step']}: {alarms[0]['message']}" in capfd.readouterr().err
    assert (tmp_path / "curves.png").exists()


def test_alarms_can_be_off(bright, tmp_path, capfd):
    _trainer("dead", bright, tmp_path, steps=60, on_alarm="off").fit()
    assert "alarm" not in (tmp_path / "metrics.jsonl").read_text()
    assert "constant" not in capfd.readouterr().err


@pytest.mark.parametrize("name", CASES)
def test_each_alarm_has_its_own_exit_code(name, tmp_path, monkeypatch, capsys):
    def fit(trainer):
        raise TrainingAlarmError(Alarm(name, "something is amiss"), tmp_path / "step-000000001.pt")

    monkeypatch.setattr(GANTrainer, "fit", fit)
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main(["train", "--steps", "1"])
    assert stop.value.code == CASES[name][0]
    assert "something is amiss" in capsys.readouterr().err


def test_a_healthy_run_raises_no_alarm(trained_run):
    assert "alarm" not in (trained_run / "metrics.jsonl").read_text()


def test_a_wasserstein_critic_is_never_saturated():
    certain = {"loss_d": -50.0, "loss_g": 0.0, "p_real": 1.0, "p_fake": 0.0}
    for loss, names in (("bce", ["saturated"]), ("wasserstein", [])):
        alarms = StatisticsAlarms(TrainConfig(loss=loss, alarm_readings=3))
        found = [alarms({**certain, "loss_d": -50.0 - i}) for i in range(3)]
        assert found[:2] == [[], []]
        assert [alarm.name for alarm in found[2]] == names


def test_a_run_that_recovers_raises_no_alarm():
    alarms = StatisticsAlarms(TrainConfig(alarm_readings=3))
    certain = {"loss_d": 0.0, "loss_g": 9.0, "p_real": 1.0, "p_fake": 0.0}
    for i in range(20):
        assert alarms({**certain, "loss_g": 9.0 + i, "p_real": 0.9 if i % 3 == 0 else 1.0}) == []


@pytest.mark.parametrize("dim", [2, 100])
def test_samples_from_the_data_distribution_are_neither_collapsed_nor_memorised(dim):
    x = torch.randn(3000, dim)
    alarms = SampleAlarms(Data(x[:2000]), TrainConfig())
    assert [alarms(10_000 * i, x[2000 + 100 * i :]) for i in range(1, 5)] == [[]] * 4
    # Means over 100 samples: their spread is known to a few per cent.
    assert alarms.spread == pytest.approx(1, abs=0.15)
    assert alarms.nearness == pytest.approx(1, abs=0.3)
    near_copies = x[:100] + 0.001 * torch.randn(100, dim)
    alarms(60_000, near_copies)
    assert [alarm.name for alarm in alarms(70_000, near_copies)] == ["memorised"]
