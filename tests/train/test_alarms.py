"""Alarms ring when they should, with exit codes of their own, and not in healthy runs."""

import json

import pytest
import torch
from torch import nn

import fastgan.cli
from fastgan.train import GANTrainer, TrainConfig, TrainingAlarmError, checkpoint
from fastgan.train.alarms import Alarm, SampleAlarms, StatisticsAlarms


class Deaf(nn.Module):
    """A D whose last layer is dead: the same logit whatever comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 1)
        nn.init.constant_(self.layer.bias, -5.0)

    def forward(self, x):
        return self.layer(x.flatten(1)).relu()


class Sharp(nn.Module):
    """A D that tells real from generated samples with certainty and cannot forget how."""

    def __init__(self) -> None:
        super().__init__()
        self.none = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        mean = x.flatten(1).mean(1, keepdim=True)
        return 100 * (mean - 0.5) + self.none * mean


class Constant(nn.Module):
    """A G that makes one image only; its gradient is 0."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("image", image)
        self.none = nn.Parameter(torch.zeros(()))

    def forward(self, latents):
        return self.image.expand(len(latents), *self.image.shape) + 0 * self.none * latents.mean()


class Copier(nn.Module):
    """A G that gives back training samples."""

    def __init__(self, images: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("images", images)
        self.none = nn.Parameter(torch.zeros(()))

    def forward(self, latents):
        chosen = (latents[:, 0].sigmoid() * len(self.images)).long()
        return self.images[chosen] + 0 * self.none


# name: (exit code, G, D); the data are bright images, so that G's dark ones are told apart at once.
CASES = {
    "dead": (4, None, lambda images: Deaf()),
    "saturated": (5, lambda images: Constant(-images[0]), lambda images: Sharp()),
    "collapsed": (6, lambda images: Constant(images[0]), None),
    "memorised": (7, Copier, None),
}


@pytest.fixture
def bright(images):
    return images.abs() * 0.2 + 0.8


def _trainer(name, images, out, **changes):
    _, generator, discriminator = CASES[name]
    # Sample grids are rare enough for the alarms on statistics to come first.
    settings = {"batch_size": 8, "steps": 200, "log_every": 2, "alarm_readings": 5, "ema_decay": 0.9, "dropout": 0.0}
    settings["sample_every"] = 10 if name in ("collapsed", "memorised") else 1000
    config = TrainConfig(out=str(out), convert=False, **{**settings, **changes})
    networks = [None if make is None else make(images) for make in (generator, discriminator)]
    return GANTrainer(config, *networks, data=images)


@pytest.mark.parametrize("name", CASES)
def test_an_alarm_stops_the_run_after_a_checkpoint_if_asked(name, bright, tmp_path):
    trainer = _trainer(name, bright, tmp_path, on_alarm="stop")
    with pytest.raises(TrainingAlarmError) as stop:
        trainer.fit()
    assert stop.value.alarm == name
    assert str(stop.value.checkpoint) in str(stop.value)
    assert checkpoint.load(stop.value.checkpoint)["step"] == trainer.global_step < 200


@pytest.mark.parametrize("name", CASES)
def test_by_default_an_alarm_is_told_once_and_recorded(name, bright, tmp_path, capfd):
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


def test_a_healthy_run_raises_none(trained_run):
    assert "alarm" not in (trained_run / "metrics.jsonl").read_text()


def test_a_wasserstein_critic_may_be_as_sure_as_it_likes():
    sure = {"loss_d": -50.0, "loss_g": 0.0, "p_real": 1.0, "p_fake": 0.0}
    for loss, names in (("bce", ["saturated"]), ("wasserstein", [])):
        watch = StatisticsAlarms(TrainConfig(loss=loss, alarm_readings=3))
        found = [watch({**sure, "loss_d": -50.0 - i}) for i in range(3)]
        assert found[:2] == [[], []]
        assert [alarm.name for alarm in found[2]] == names


def test_a_run_that_recovers_is_left_alone():
    watch = StatisticsAlarms(TrainConfig(alarm_readings=3))
    sure = {"loss_d": 0.0, "loss_g": 9.0, "p_real": 1.0, "p_fake": 0.0}
    for i in range(20):
        assert watch({**sure, "loss_g": 9.0 + i, "p_real": 0.9 if i % 3 == 0 else 1.0}) == []


@pytest.mark.parametrize("dim", [2, 100])
def test_samples_of_the_datas_own_distribution_are_neither_collapsed_nor_copies(dim):
    x = torch.randn(3000, dim)
    watch = SampleAlarms(x[:2000], TrainConfig())
    assert [watch(10_000 * i, x[2000 + 100 * i :]) for i in range(1, 5)] == [[]] * 4
    # Means over 100 samples: their spread is known to a few per cent.
    assert watch.spread == pytest.approx(1, abs=0.15)
    assert watch.nearness == pytest.approx(1, abs=0.3)
    near_copies = x[:100] + 0.001 * torch.randn(100, dim)
    watch(60_000, near_copies)
    assert [alarm.name for alarm in watch(70_000, near_copies)] == ["memorised"]
