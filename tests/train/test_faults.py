"""Faults of the machine: saved checkpoints stay intact, and a resumed run ends with the same weights."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from fastgan.train import CheckpointError, GANTrainer, TrainConfig, checkpoint
from fastgan.train.callbacks import Callback


class At(Callback):
    """Calls a function after the checkpoint of a step."""

    def __init__(self, step, function):
        self.step, self.function = step, function

    def on_checkpoint(self, trainer, path):
        if trainer.global_step == self.step:
            self.function()


class Rows(Dataset):
    """Rows of a .npy file, read for each sample; if a file `kill` is beside it, reading a row kills the process."""

    def __init__(self, path):
        self.path, self.count = path, len(np.load(path))

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        if self.path.with_name("kill").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.from_numpy(np.load(self.path)[i])


def _trainer(out, given, at=None, **changes):
    """A run of 80 steps on small networks, with a checkpoint every 20 steps and a record every step."""
    torch.manual_seed(3)
    networks = nn.Linear(4, 3), nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(8, 1))
    settings = {"steps": 80, "batch_size": 4, "latent_dim": 4, "checkpoint_every": 20, "log_every": 1, "keep": 9}
    config = TrainConfig(out=str(out), **settings, **changes)
    return GANTrainer(config, *networks, data=given, callbacks=[] if at is None else [At(*at)])


def _weights(run):
    return (run / "weights.safetensors").read_bytes()


def _newest(run):
    return checkpoint.load_newest(run / "checkpoints", print)[1]["step"]


@pytest.fixture
def data():
    return torch.randn(50, 3, generator=torch.Generator().manual_seed(7))


@pytest.fixture
def small_disk(tmp_path):
    """The folder of a file system of 4 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder):
    with contextlib.suppress(OSError), open(folder / "ballast", "wb", buffering=0) as file:
        while True:
            file.write(bytes(1000))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # TensorBoard's own thread
def test_a_full_disk_stops_the_run_and_earlier_checkpoints_stay(small_disk, tmp_path, data, capfd):
    whole = _trainer(tmp_path / "whole", data).fit()
    out = small_disk / "run"
    trainer = _trainer(out, data, at=(40, lambda: _fill(small_disk)))
    with pytest.raises(CheckpointError, match=r"step-000000060\.pt: No space left on device.*untouched"):
        trainer.fit()
    said = capfd.readouterr().err
    assert said.count("cannot write metrics.jsonl") == 1
    assert f"in {out}: No space left on device; going on without" in said
    assert _newest(out) == 40
    (small_disk / "ballast").unlink()
    assert _weights(_trainer(out, data, resume=True).fit()) == _weights(whole)
    assert "resumed from" in capfd.readouterr().err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_disk_that_is_full_for_a_while_does_not_stop_the_run(small_disk, tmp_path, data, capfd):
    whole = _trainer(tmp_path / "whole", data).fit()
    trainer = _trainer(small_disk / "run", data, at=(40, lambda: _fill(small_disk)))
    step = trainer.step

    def room_at_58():
        step()
        if trainer.global_step == 58:
            (small_disk / "ballast").unlink()

    trainer.step = room_at_58
    assert _weights(trainer.fit()) == _weights(whole)
    assert "cannot write metrics.jsonl" in capfd.readouterr().err
    recorded = (small_disk / "run/metrics.jsonl").read_text().splitlines()
    assert len(recorded) == 80  # including those of the time when the disk was full


def test_a_read_only_disk_is_named(small_disk, data):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(OSError, match=f"Read-only file system: '{small_disk}"):
        _trainer(small_disk / "run", data).fit()


@contextlib.contextmanager
def _plain_user():
    """A folder to write in, without the rights of root, to whom everything is writable."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder, onerror=lambda f, path, _: (os.chmod(Path(path).parent, 0o700), f(path)))


def test_a_folder_that_becomes_read_only_stops_the_run_and_earlier_checkpoints_stay(data):
    with _plain_user() as folder:
        folder = folder / "run"
        trainer = _trainer(folder, data, at=(40, lambda: (folder / "checkpoints").chmod(0o555)))
        with pytest.raises(CheckpointError, match=r"step-000000060\.pt: Permission denied.*untouched"):
            trainer.fit()
        assert _newest(folder) == 40


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_run_folder_that_is_deleted_is_created_again(tmp_path, data):
    whole = _trainer(tmp_path / "whole", data).fit()
    out = tmp_path / "run"
    assert _weights(_trainer(out, data, at=(40, lambda: shutil.rmtree(out))).fit()) == _weights(whole)
    assert _newest(out) == 80


def test_a_clock_that_runs_backwards_changes_nothing(tmp_path, data, monkeypatch):
    whole = _trainer(tmp_path / "whole", data).fit()
    out = tmp_path / "run"
    now = iter(range(2_000_000_000, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    with pytest.raises(KeyboardInterrupt):
        _trainer(out, data, at=(40, lambda: signal.raise_signal(signal.SIGINT))).fit()
    for age, path in enumerate(checkpoint.listing(out / "checkpoints")):
        os.utime(path, (1e9 - age, 1e9 - age))  # the newest has the oldest time
    assert _weights(_trainer(out, data, resume=True).fit()) == _weights(whole)


def test_a_data_file_may_vanish_after_it_is_read(tmp_path, data):
    np.savez(tmp_path / "data.npz", samples=data.numpy())
    name = f"npz:{tmp_path}/data.npz"
    whole = _trainer(tmp_path / "whole", None, data=name).fit()
    trainer = _trainer(tmp_path / "run", None, at=(40, (tmp_path / "data.npz").unlink), data=name)
    assert _weights(trainer.fit()) == _weights(whole)
    with pytest.raises(FileNotFoundError, match=r"data\.npz"):
        _trainer(tmp_path / "run", None, data=name, resume=True)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_data_file_that_vanishes_is_named_and_the_run_resumes(tmp_path, data, workers):
    np.save(tmp_path / "rows.npy", data.numpy())
    rows = Rows(tmp_path / "rows.npy")
    whole = _trainer(tmp_path / "whole", rows, workers=workers).fit()
    away = tmp_path / "away.npy"
    trainer = _trainer(tmp_path / "run", rows, at=(40, lambda: rows.path.rename(away)), workers=workers)
    with pytest.raises(FileNotFoundError, match=r"rows\.npy"):
        trainer.fit()
    assert _newest(tmp_path / "run") == 40
    away.rename(rows.path)
    assert _weights(_trainer(tmp_path / "run", rows, resume=True, workers=workers).fit()) == _weights(whole)


def test_a_loaders_worker_that_is_killed_is_named_and_the_run_resumes(tmp_path, data):
    np.save(tmp_path / "rows.npy", data.numpy())
    rows = Rows(tmp_path / "rows.npy")
    whole = _trainer(tmp_path / "whole", rows, workers=1).fit()
    out, kill = tmp_path / "run", tmp_path / "kill"
    trainer = _trainer(out, rows, at=(40, kill.touch), workers=1)
    # torch raises its own error in a signal handler, anywhere in the code of this process.
    said = r"expected batch .* from 1 `workers`, got none|DataLoader worker \(pid \d+\) is killed by signal"
    with pytest.raises(RuntimeError, match=said):
        trainer.fit()
    assert _newest(out) == 40
    kill.unlink()
    assert _weights(_trainer(out, rows, resume=True, workers=1).fit()) == _weights(whole)


_written: list[str] | None = None


def _record_writes(event, arguments):
    if _written is not None and event == "open" and isinstance(arguments[0], str):
        if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            _written.append(os.path.abspath(arguments[0]))
    elif _written is not None and event in ("os.rename", "os.remove", "os.mkdir", "shutil.rmtree"):
        _written.append(os.path.abspath(arguments[0]))


def test_nothing_is_written_outside_the_run_folder(tmp_path):
    global _written
    sys.addaudithook(_record_writes)
    images = torch.rand(40, 1, 4, 4) * 2 - 1
    config = TrainConfig(batch_size=8, steps=20, checkpoint_every=5, sample_every=10, keep=2, out=str(tmp_path / "run"))
    trainer = GANTrainer(config, data=images)
    _written = []
    try:
        trainer.fit()
    finally:
        written, _written = _written, None
    outside = {path for path in written if not path.startswith((str(tmp_path / "run"), "/dev/", "/proc/"))}
    assert any(path.endswith(f".pt.{os.getpid()}.tmp") for path in written)
    # matplotlib writes its font cache, and Python the bytecode of modules that are imported during the run.
    assert not {path for path in outside if "matplotlib" not in path and "__pycache__" not in path}
