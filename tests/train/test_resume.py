"""A run that is interrupted, killed or extended ends with the weights of an uninterrupted one, bit for bit."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fastgan.train import (
    CheckpointError,
    GANTrainer,
    RunFolderError,
    TrainConfig,
    TrainingInterrupted,
    checkpoint,
)
from fastgan.train.optimizers import make_optimizer, restore_optimizer
from forked import SERVER, command


def _config(out: Path, **changes) -> TrainConfig:
    settings = {"steps": 60, "batch_size": 8, "checkpoint_every": 10, "log_every": 5, "sample_every": 30}
    return TrainConfig(out=str(out), **{**settings, **changes})


def _weights(run: Path) -> dict[str, bytes]:
    return {k: v.numpy().tobytes() for k, v in load_file(run / "weights.safetensors").items()}


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory) -> Path:
    """An uninterrupted run."""
    return GANTrainer(_config(tmp_path_factory.mktemp("whole") / "run")).fit()


def _fit_until(out: Path, stop_at: int, number: int = signal.SIGINT, **changes) -> TrainingInterrupted:
    trainer = GANTrainer(_config(out, **changes))
    step = trainer.step

    def step_then_signal() -> None:
        step()
        if trainer.global_step == stop_at:
            signal.raise_signal(number)

    trainer.step = step_then_signal  # type: ignore[method-assign]
    with pytest.raises(TrainingInterrupted) as stop:
        trainer.fit()
    return stop.value


def test_a_run_is_a_function_of_its_seed(whole_run, tmp_path):
    again = GANTrainer(_config(tmp_path / "again")).fit()
    other = GANTrainer(_config(tmp_path / "other", seed=1)).fit()
    assert _weights(again) == _weights(whole_run)
    assert _weights(other).keys() == _weights(whole_run).keys()
    assert _weights(other) != _weights(whole_run)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_finishes_the_step_saves_and_resumes_exactly(whole_run, tmp_path, number):
    stop_at = random.Random(number).randrange(1, 59)
    handler = signal.getsignal(number)
    stop = _fit_until(tmp_path, stop_at, number)
    assert stop.signal == number
    assert stop.checkpoint == tmp_path / "checkpoints" / f"step-{stop_at:09d}.pt"
    assert str(stop.checkpoint) in str(stop)
    assert checkpoint.load(stop.checkpoint)["step"] == stop_at
    assert signal.getsignal(number) is handler
    GANTrainer(_config(tmp_path, resume=True)).fit()
    assert _weights(tmp_path) == _weights(whole_run)


def test_a_run_with_several_critic_updates_resumes_exactly(tmp_path):
    changes = {"n_critic": 3, "optimizer": "rmsprop", "steps": 20}
    GANTrainer(_config(tmp_path / "a", **changes)).fit()
    _fit_until(tmp_path / "b", 13, **changes)
    for _ in range(7):  # disturb every global generator
        random.random()
    GANTrainer(_config(tmp_path / "b", resume=True, **changes)).fit()
    assert _weights(tmp_path / "a") == _weights(tmp_path / "b")


def test_a_later_number_of_steps_extends_the_run(whole_run, tmp_path):
    GANTrainer(_config(tmp_path, steps=25)).fit()
    GANTrainer(_config(tmp_path, resume=True)).fit()
    assert _weights(tmp_path) == _weights(whole_run)


def test_after_a_resume_metrics_hold_each_step_once(tmp_path):
    stop = _fit_until(tmp_path, 23)
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 25, "loss_d": 0}\n{"step": 30, "lo')  # as a killed process leaves it
    assert stop.checkpoint.exists()
    GANTrainer(_config(tmp_path, resume=True)).fit()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == [5, 10, 15, 20, 23, *range(25, 61, 5)]
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_with_a_damaged_newest_checkpoint_the_previous_one_is_resumed(whole_run, tmp_path, capfd):
    GANTrainer(_config(tmp_path, steps=40)).fit()
    newest = checkpoint.listing(tmp_path / "checkpoints")[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    GANTrainer(_config(tmp_path, resume=True)).fit()
    said = capfd.readouterr().err
    assert f"passed over checkpoint: {newest} is damaged" in said
    assert "resumed from" in said
    assert "step-000000030.pt" in said
    assert _weights(tmp_path) == _weights(whole_run)


def test_resuming_without_a_checkpoint_starts_at_step_0_with_a_message(whole_run, tmp_path, capfd):
    GANTrainer(_config(tmp_path, resume=True)).fit()
    assert "starting at step 0" in capfd.readouterr().err
    assert _weights(tmp_path) == _weights(whole_run)


@pytest.mark.parametrize("content", [b"", b"torn"])
def test_resuming_where_no_checkpoint_is_whole_stops_and_names_them(tmp_path, content):
    GANTrainer(_config(tmp_path, steps=20)).fit()
    damaged = checkpoint.listing(tmp_path / "checkpoints")
    for path in damaged:
        path.write_bytes(content)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError, match=r"expected a whole checkpoint in .*, got only damaged ones") as error:
        GANTrainer(_config(tmp_path, resume=True)).fit()
    assert all(path.name in str(error.value) for path in damaged)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == kept


def test_where_only_the_best_checkpoint_is_whole_it_is_resumed(whole_run, tmp_path, capfd):
    GANTrainer(_config(tmp_path, steps=20)).fit()
    first, second = checkpoint.listing(tmp_path / "checkpoints")
    first.rename(first.with_name("best.pt"))
    second.write_bytes(b"torn")
    GANTrainer(_config(tmp_path, resume=True)).fit()
    assert "best.pt" in capfd.readouterr().err
    assert _weights(tmp_path) == _weights(whole_run)


def test_resuming_a_finished_run_rewrites_its_weights(whole_run, tmp_path):
    GANTrainer(_config(tmp_path)).fit()
    (tmp_path / "weights.safetensors").write_bytes(b"torn")
    GANTrainer(_config(tmp_path, resume=True)).fit()
    assert _weights(tmp_path) == _weights(whole_run)


def test_other_settings_than_the_checkpoints_are_refused_by_name(tmp_path):
    GANTrainer(_config(tmp_path, steps=5)).fit()
    settings = (tmp_path / "config.toml").read_text()
    with pytest.raises(ValueError, match=r"expected `lr_g` to be 0.002, as in the checkpoint, got 0.5"):
        GANTrainer(_config(tmp_path, resume=True, lr_g=0.5)).fit()
    assert (tmp_path / "config.toml").read_text() == settings


def test_settings_that_change_no_result_may_change_on_resume(whole_run, tmp_path):
    GANTrainer(_config(tmp_path, steps=20)).fit()
    GANTrainer(_config(tmp_path, resume=True, workers=2, strict=True, keep=2)).fit()
    assert _weights(tmp_path) == _weights(whole_run)
    saved = TrainConfig.load(tmp_path / "config.toml")
    assert (saved.workers, saved.strict, saved.keep) == (2, True, 2)


def test_the_number_of_threads_may_change_on_resume(tmp_path):
    GANTrainer(_config(tmp_path, steps=10, threads=2)).fit()
    GANTrainer(_config(tmp_path, steps=20, threads=1, resume=True)).fit()  # sums of other threads may round otherwise
    assert TrainConfig.load(tmp_path / "config.toml").threads == 1
    assert checkpoint.load_newest(tmp_path / "checkpoints", print)[1]["step"] == 20


def test_a_folder_with_checkpoints_is_refused_without_resume(tmp_path):
    GANTrainer(_config(tmp_path, steps=5)).fit()
    before = _weights(tmp_path)
    with pytest.raises(RunFolderError, match=r"without checkpoints, got .* with 1; --resume continues"):
        GANTrainer(_config(tmp_path)).fit()
    assert _weights(tmp_path) == before


def test_a_checkpoint_of_another_kind_of_device_is_resumed_with_newly_seeded_latents(tmp_path, capfd):
    GANTrainer(_config(tmp_path, steps=5)).fit()
    (path,) = checkpoint.listing(tmp_path / "checkpoints")
    state = checkpoint.load(path)
    own = state["noise"]
    state["noise"] = torch.zeros(16, dtype=torch.uint8)  # the size of a GPU generator's state
    checkpoint.write(state, path)
    noises = []
    for _ in range(2):
        trainer = GANTrainer(_config(tmp_path))
        trainer.load_state_dict(checkpoint.load(path))
        noises.append(trainer._noise.get_state())
        assert not torch.equal(noises[-1], own)
        assert not torch.equal(noises[-1], GANTrainer(_config(tmp_path))._noise.get_state())  # nor that of a new run
    assert torch.equal(*noises)
    GANTrainer(_config(tmp_path, steps=10, resume=True)).fit()
    assert "another kind of device: cpu draws latents of its own" in capfd.readouterr().err


def test_an_optimizer_loads_a_state_with_its_own_settings():
    """Torch decides by the settings of the state on which device a step counter belongs."""
    config, network = TrainConfig(optimizer="rmsprop"), torch.nn.Linear(2, 1)
    optimizer = make_optimizer(config, network, 0.1)
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    state["param_groups"][0] |= {"capturable": True, "lr": torch.tensor(0.3)}  # as on a GPU
    again, loaded = make_optimizer(config, network, 0.2), []
    again.register_load_state_dict_pre_hook(lambda _, state: loaded.append(state))
    restore_optimizer(again, state)
    assert [(g["capturable"], g["lr"], g["params"]) for g in loaded[0]["param_groups"]] == [(False, 0.2, [0, 1])]
    assert (again.param_groups[0]["capturable"], again.param_groups[0]["lr"]) == (False, 0.2)
    assert state["param_groups"][0]["capturable"]  # the given one is left as it was
    for parameter in network.parameters():
        assert torch.equal(again.state[parameter]["square_avg"], optimizer.state[parameter]["square_avg"])


_FLAGS = ["--steps=60", "--batch-size=8", "--checkpoint-every=10", "--log-every=5", "--sample-every=30"]  # as _config


def _train(out: Path, *flags: str) -> multiprocessing.process.BaseProcess:
    """A process that runs `fastgan train` as `_config` has it."""
    process = SERVER.Process(target=command, args=(["train", "--out", str(out), *_FLAGS, *flags],))
    process.start()
    return process


def test_killed_at_20_random_moments_a_run_still_ends_bit_identical(whole_run, tmp_path):
    rng = random.Random(time.time_ns())
    kills = resumed = 0
    while kills < 20:
        before = checkpoint.listing(tmp_path / "checkpoints")
        process = _train(tmp_path, "--resume")
        if kills % 4 == 3:  # wait for a new checkpoint first
            while process.is_alive() and checkpoint.listing(tmp_path / "checkpoints") == before:
                time.sleep(0.001)
            process.join(rng.uniform(0, 0.03))
        else:
            process.join(rng.uniform(0, 0.5))
        finished = not process.is_alive()
        process.kill()
        process.join()
        kills, resumed = kills + 1, resumed + bool(before)
        if finished:
            assert process.exitcode == 0
            assert _weights(tmp_path) == _weights(whole_run)
            shutil.rmtree(tmp_path)
    process = _train(tmp_path, "--resume")
    process.join()
    assert process.exitcode == 0
    assert resumed > 0
    assert _weights(tmp_path) == _weights(whole_run)


def test_a_folder_in_use_is_refused_until_its_process_dies(tmp_path):
    first = _train(tmp_path, "--resume", "--steps", "100000000")
    while not checkpoint.listing(tmp_path / "checkpoints"):
        assert first.is_alive()
        time.sleep(0.02)
    with pytest.raises(RunFolderError, match="is in use by another run"):
        GANTrainer(_config(tmp_path, resume=True)).fit()
    os.kill(first.pid, signal.SIGTERM)
    first.join()
    assert first.exitcode == 143
    GANTrainer(_config(tmp_path, resume=True, steps=1)).fit()
