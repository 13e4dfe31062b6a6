"""Measuring FID during the training keeps the best checkpoint and does not change the training."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

import fastgan.cli
from fastgan.data import Data
from fastgan.train import Callback, GANTrainer, RunFolderError, TrainConfig, checkpoint, load_run

SETTINGS = {"data": "ring", "steps": 90, "log_every": 40, "checkpoint_every": 60, "device": "cpu", "ema_decay": 0.9}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run on the ring, measured every 30 steps."""
    out = tmp_path_factory.mktemp("best") / "run"
    GANTrainer(TrainConfig(out=str(out), eval_every=30, **SETTINGS)).fit()
    return out


def _measured(out):
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["fid"] for line in lines if "fid" in line}


def test_fid_is_recorded_at_its_steps_and_the_lowest_is_kept(run):
    measured = _measured(run)
    assert list(measured) == [30, 60, 90]
    best = json.loads((run / "best.json").read_text())
    assert best["fid"] == min(measured.values()) == measured[best["step"]]
    assert 0 < best["real"] < best["fid"]
    state = checkpoint.load(run / "checkpoints" / "best.pt")
    assert state["step"] == best["step"]
    assert [checkpoint.step_of(p) for p in checkpoint.listing(run / "checkpoints")] == [60, 90]


def test_the_best_weights_are_those_of_the_best_checkpoint(run):
    saved = load_file(run / "best.safetensors")
    state = checkpoint.load(run / "checkpoints" / "best.pt")["networks"]["ema"]
    assert all(torch.equal(saved[f"ema.{name}"], value) for name, value in state.items())
    assert load_run(run, best=True).step == json.loads((run / "best.json").read_text())["step"]


def test_sample_and_eval_take_the_best(run, capsys):
    for command in (["sample", "--n", "5", "--out", str(run / "s.npz")], ["eval", "--n", "100"]):
        with pytest.raises(SystemExit) as stop:
            fastgan.cli.main([command[0], str(run), "--best", *command[1:]])
        assert stop.value.code == 0
    step = json.loads((run / "best.json").read_text())["step"]
    assert f"of step {step} " in capsys.readouterr().out
    assert json.loads((run / "eval.json").read_text())["step"] == step


def test_measuring_does_not_change_the_training(run, tmp_path):
    GANTrainer(TrainConfig(out=str(tmp_path), **SETTINGS)).fit()
    with_measures, without = (load_file(path / "weights.safetensors") for path in (run, tmp_path))
    assert all(torch.equal(with_measures[name], value) for name, value in without.items())
    assert not (tmp_path / "best.json").exists()


class _SpoiledAverage(Callback):
    """Multiplies the moving average's weights by 3 after each step from 100 on."""

    def on_step(self, trainer):
        if trainer.global_step >= 100:
            for parameter in trainer.ema.parameters():
                parameter.data.mul_(3)


def test_a_resumed_run_keeps_the_earlier_best_checkpoint(run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    before = (out / "best.json").read_text()
    config = TrainConfig(**{**SETTINGS, "steps": 120}, out=str(out), resume=True, eval_every=30)
    GANTrainer(config, callbacks=[_SpoiledAverage()]).fit()
    assert list(_measured(out)) == [30, 60, 90, 120]
    assert _measured(out)[120] > json.loads(before)["fid"]
    assert (out / "best.json").read_text() == before


def test_a_folder_with_only_a_best_checkpoint_is_not_overwritten(run, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(run / "checkpoints" / "best.pt", tmp_path / "checkpoints" / "best.pt")
    with pytest.raises(RunFolderError, match="--out without checkpoints"):
        GANTrainer(TrainConfig(out=str(tmp_path), **SETTINGS)).fit()


def test_a_run_without_eval_every_has_no_best_weights(run, tmp_path, capsys):
    for name in ("config.toml", "weights.safetensors"):
        shutil.copy(run / name, tmp_path / name)
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main(["sample", str(tmp_path), "--best"])
    assert stop.value.code == 2
    assert "best.safetensors (--eval-every keeps it); got no best.safetensors" in capsys.readouterr().err


def test_eval_every_with_too_few_data_is_refused(tmp_path):
    config = TrainConfig(out=str(tmp_path), steps=2, batch_size=8, eval_every=1, device="cpu")
    with pytest.raises(ValueError, match="more samples than features for `eval_every`, got 15 in half the data"):
        GANTrainer(config, data=Data(torch.randn(30, 20))).fit()
