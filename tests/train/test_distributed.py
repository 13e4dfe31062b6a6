"""Several processes train as a single one does, stop together, and resume after one of them dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import distributed_work as work
from fastgan.train import checkpoint, distributed
from forked import command, team, together


def _weights_after(run: Path) -> dict[str, torch.Tensor]:
    networks = checkpoint.load(checkpoint.listing(run / "checkpoints")[-1])["networks"]
    return {f"{part}.{k}": v for part in ("generator", "discriminator", "ema") for k, v in networks[part].items()}


SGD = {"optimizer": "sgd", "lr_g": 0.01, "lr_d": 0.01}
CASES = {
    # Adam divides gradients by their size, so it turns a gradient that is only rounding error into a whole step.
    "adam": {"lr_g": 2e-4, "lr_d": 2e-4},
    "several critics and steps of G": {**SGD, "n_critic": 2, "g_steps": 2},
    "r1, r2 and clipping": {**SGD, "r1_gamma": 1.0, "r2_gamma": 1.0, "grad_clip": 0.1},
    "wgan-gp": {**SGD, "recipe": "wgan-gp", "n_critic": 2},
    "clipped weights": {**SGD, "recipe": "wgan", "n_critic": 2},
    "relativistic and packed": {**SGD, "recipe": "relativistic", "pack": 2},
}


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_as_one_with_the_joined_batch(case, tmp_path):
    changes = CASES[case]
    together(work.train, tmp_path / "two", changes)
    together(work.train, tmp_path / "one", changes, count=1)
    one, two = (torch.load(tmp_path / name) for name in ("one", "two"))
    torch.testing.assert_close(two["weights"], one["weights"], rtol=0, atol=1e-6)
    assert two["statistics"] == pytest.approx(one["statistics"], abs=1e-6)
    start = work.weights(work.GANTrainer(work.config(**changes), data=work.images()))
    moved = {k[0] for k, v in start.items() if (one["weights"][k] - v).abs().max() > 1e-4}
    assert {"g", "d"} <= moved


def test_synchronised_batch_normalisation_sees_the_joined_batch(tmp_path):
    together(work.normalise)
    changes = {**SGD, "recipe": "dcgan", "sync_batchnorm": True, "precision": "fp32"}
    together(work.train, tmp_path / "two", changes, 3)
    together(work.train, tmp_path / "one", changes, 3, count=1)
    one, two = (torch.load(tmp_path / name)["weights"] for name in ("one", "two"))
    torch.testing.assert_close(
        two, one, rtol=0, atol=5e-6
    )  # rounding of float32 sums over up to 512 numbers, in three steps


@pytest.mark.parametrize("changes", [{"dropout": 0.3}, {"recipe": "dcgan", "dropout": 0.3}])
def test_all_processes_hold_the_same_bits_and_draw_their_own_masks(changes):
    together(work.compare, changes)


def test_all_processes_start_with_the_networks_of_process_0():
    together(work.different_networks)


def test_an_uneven_batch_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 3)
    with pytest.raises(ValueError, match="`batch_size` to be a multiple of 3 processes, got 8"):
        distributed.check_batch_size(8)
    with pytest.raises(ValueError, match="`batch_size` to be a multiple of 3 processes times `pack` 2, got 9"):
        distributed.check_batch_size(9, 2)


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_a_run_resumes_with_another_number_of_processes(before, after, tmp_path):
    changes = {"lr_g": 2e-4, "lr_d": 2e-4}
    together(work.fit, {**changes, "out": str(tmp_path / "a"), "steps": 8}, count=before)
    together(work.fit, {**changes, "out": str(tmp_path / "a"), "steps": 16, "resume": True}, count=after)
    together(work.fit, {**changes, "out": str(tmp_path / "b"), "steps": 16}, count=1)
    torch.testing.assert_close(_weights_after(tmp_path / "a"), _weights_after(tmp_path / "b"), rtol=0, atol=1e-6)


def test_with_as_many_processes_a_run_resumes_bit_for_bit(tmp_path):
    changes = {"dropout": 0.3}
    together(work.fit, {**changes, "out": str(tmp_path / "a"), "steps": 7})
    together(work.fit, {**changes, "out": str(tmp_path / "a"), "steps": 14, "resume": True})
    together(work.fit, {**changes, "out": str(tmp_path / "b"), "steps": 14})
    torch.testing.assert_close(_weights_after(tmp_path / "a"), _weights_after(tmp_path / "b"), rtol=0, atol=0)


def _flags(out: Path, steps: int = 100_000_000) -> list[str]:
    flags = {"out": out, "steps": steps, "batch-size": 8, "checkpoint-every": 20, "log-every": 5, "sample-every": 1000}
    return ["train", "--resume", *(f"--{name}={value}" for name, value in flags.items())]


def _wait_for_checkpoint(out: Path, newer: int = 0, alive=lambda: True) -> int:
    """The newest checkpoint's step, once it is later than `newer`."""
    give_up = time.monotonic() + 500  # on a busy machine importing torch takes minutes
    while True:
        saved = checkpoint.listing(out / "checkpoints")
        if saved and checkpoint.step_of(saved[-1]) > newer:
            return checkpoint.step_of(saved[-1])
        assert alive()
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_only_process_0_writes_and_prints(tmp_path):
    out = tmp_path / "run"
    with team(command, _flags(out, 40), folder=tmp_path) as processes:
        for process in processes:
            process.join(120)
        assert [p.exitcode for p in processes] == [0, 0]
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(5, 41, 5))
    assert len(list(out.glob("events.out.tfevents*"))) == 1
    assert "trained 40 steps" in (tmp_path / "said-0.txt").read_text()
    assert (tmp_path / "said-1.txt").read_text() == ""


def test_a_signal_to_one_process_ends_both_after_the_same_step_with_a_checkpoint(tmp_path):
    out = tmp_path / "run"
    with team(command, _flags(out), folder=tmp_path) as processes:
        _wait_for_checkpoint(out, alive=processes[0].is_alive)
        os.kill(processes[1].pid, signal.SIGTERM)
        for process in processes:
            process.join(60)
        assert [p.exitcode for p in processes] == [143, 143]
    saved = checkpoint.listing(out / "checkpoints")[-1]
    assert f"interrupted by SIGTERM: saved {saved}" in (tmp_path / "said-0.txt").read_text()
    assert checkpoint.load(saved)["step"] == checkpoint.step_of(saved)


@pytest.mark.parametrize("victim", [0, 1])
def test_when_a_process_is_killed_the_other_ends_and_says_why(victim, tmp_path):
    out = tmp_path / "run"
    with team(command, _flags(out), folder=tmp_path) as processes:
        _wait_for_checkpoint(out, alive=processes[0].is_alive)
        processes[victim].kill()
        processes[1 - victim].join(100)  # nearly always 1 s; otherwise the connection's timeout of 40 s
        assert processes[1 - victim].exitcode == 1
    said = (tmp_path / f"said-{1 - victim}.txt").read_text()
    assert f"process {1 - victim} lost another one" in said
    assert "--resume goes on from the last checkpoint" in said
    assert checkpoint.load_newest(out / "checkpoints", print) is not None


def test_an_error_in_process_0_ends_the_others(tmp_path):
    (tmp_path / "run").write_text("no folder")
    with team(command, _flags(tmp_path / "run"), folder=tmp_path) as processes:
        for process in processes:
            process.join(60)
        assert [p.exitcode for p in processes] == [2, 1]
    assert "expected --out to be a folder" in (tmp_path / "said-0.txt").read_text()
    assert (tmp_path / "said-1.txt").read_text() == ""


def test_torchrun_restarts_from_the_last_checkpoint_and_forwards_sigterm(tmp_path):
    out = tmp_path / "run"
    scripts = Path(sys.executable).parent
    launch = ["--standalone", "--nproc-per-node=2", "--max-restarts=1", "--no-python", str(scripts / "fastgan")]
    with open(tmp_path / "said.txt", "w") as said:
        torchrun = subprocess.Popen([scripts / "torchrun", *launch, *_flags(out)], stdout=said, stderr=said)
        try:
            step = _wait_for_checkpoint(out, alive=lambda: torchrun.poll() is None)
            os.kill(_children(torchrun.pid)[1], signal.SIGKILL)
            _wait_for_checkpoint(out, step + 40, alive=lambda: torchrun.poll() is None)
            os.kill(torchrun.pid, signal.SIGTERM)
            assert torchrun.wait(60) != 0
        finally:
            for process in (*_children(torchrun.pid), torchrun.pid) if torchrun.poll() is None else ():
                os.kill(process, signal.SIGKILL)
    said = (tmp_path / "said.txt").read_text()
    assert "train: resumed from" in said
    saved = checkpoint.listing(out / "checkpoints")[-1]
    assert f"interrupted by SIGTERM: saved {saved}" in said


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
