"""Progress bar and records of a training run."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from fastgan._support.extras import require
from fastgan._support.files import write_atomic
from fastgan._support.progress import open_progress
from fastgan.train import distributed
from fastgan.train.alarms import Alarm
from fastgan.train.config import TrainConfig
from fastgan.train.pictures import is_image, make_grid, save_curves, save_picture

__all__ = ["Monitor", "NullMonitor", "open_monitor", "read_metrics"]

_SHOWN = {"loss_d": "D", "loss_g": "G", "p_real": "p(real)", "p_fake": "p(fake)"}


class Monitor:
    """Progress, metrics.jsonl, TensorBoard events, sample grids and plots of the losses of a run.

    If a record cannot be written, a message says so and the run goes on without it.

    Args:
        out: the run folder.
        step: number of steps done before; lines of later steps, left by a killed process, are dropped.
        steps: number of steps in the whole run.
        images_per_step: real samples in a step.

    Raises:
        OSError: if metrics.jsonl cannot be opened.
        MissingExtraError: without TensorBoard, or tqdm on a terminal.
    """

    def __init__(self, out: Path, step: int, steps: int, images_per_step: int) -> None:
        self._out, self._images = out, images_per_step
        self._metrics = out / "metrics.jsonl"
        _drop_after(self._metrics, step)
        self._file = open(self._metrics, "ab", buffering=0)  # noqa: SIM115 - closed by close
        self._unwritten = b""
        writer = require("torch.utils.tensorboard").SummaryWriter
        self._board = writer(log_dir=str(out), purge_step=step + 1 if step else None)
        self._progress = open_progress("train", steps, step)
        self._last, self._waited = (step, time.perf_counter()), 0.0
        self._failing: set[str] = set()

    def say(self, text: str) -> None:
        """Print `text` as a line above the progress bar."""
        self._progress.say(text)

    def advance(self) -> None:
        """Advance the progress bar by one step."""
        self._progress.update()

    def alarm(self, step: int, alarm: Alarm) -> None:
        """Print an `alarm` of a `step` and record it in metrics.jsonl."""
        self.say(f"train: step {step}: {alarm.message}")
        self._write({"step": step, "alarm": alarm.name, "message": alarm.message})

    def log(self, step: int, statistics: dict[str, float], waited: float = 0.0) -> None:
        """Record the `statistics` of a `step`, each a mean since the last call, and the images per second.

        `waited` are the seconds that all steps so far waited for data; their share of the time is `data_wait`.
        """
        now = time.perf_counter()
        last_step, last_time = self._last
        seconds = max(now - last_time, 1e-9)
        speed = {
            "images_per_second": (step - last_step) * self._images / seconds,
            "data_wait": max(0.0, waited - self._waited) / seconds,
        }
        self._last, self._waited = (step, now), waited
        row = {"step": step, **statistics, **speed, "time": time.time()}
        self._write(row)
        with self._recording("TensorBoard's events"):
            for name, value in {**statistics, **speed}.items():
                self._board.add_scalar(name, value, step)
        shown = [f"{label} {statistics[name]:.3f}" for name, label in _SHOWN.items()]
        self._progress.status(", ".join([*shown, f"images/s {speed['images_per_second']:,.0f}"]))

    def _write(self, row: dict[str, Any]) -> None:
        self._unwritten += json.dumps(row).encode() + b"\n"
        with self._recording("metrics.jsonl"):
            while self._unwritten:  # a full disk may take a part of a line; the rest is written later
                self._unwritten = self._unwritten[self._file.write(self._unwritten) :]

    @contextlib.contextmanager
    def _recording(self, what: str) -> Iterator[None]:
        """Turn an OSError into a message, once until writing succeeds again: a lost record must not end the run."""
        try:
            yield
        except OSError as error:
            if what not in self._failing:
                self.say(f"train: cannot write {what} in {self._out}: {error.strerror or error}; going on without")
            self._failing.add(what)
        else:
            self._failing.discard(what)

    def sample(self, step: int, samples: Tensor, captions: Sequence[str] = ()) -> None:
        """Write the `samples` (N, ...) of a `step` to samples/step-*.png; does nothing if they are not images.

        The `captions` are written below the samples.
        """
        if not is_image(tuple(samples.shape[1:])):
            return
        folder, picture = self._out / "samples", make_grid(samples, len(samples), captions)
        with self._recording("samples"):
            folder.mkdir(parents=True, exist_ok=True)
            save_picture(picture, folder / f"step-{step:09d}.png")
        with self._recording("TensorBoard's events"):
            self._board.add_image("samples", picture, step, dataformats="HWC")

    def close(self) -> None:
        """Close the progress bar and the records, and plot curves.png."""
        self._progress.close()
        self._file.close()
        with self._recording("TensorBoard's events"):
            self._board.close()
        with self._recording("curves.png"):
            if rows := [row for row in read_metrics(self._metrics) if "loss_d" in row]:  # alarms have no losses
                save_curves(rows, self._out / "curves.png")


class NullMonitor(Monitor):
    """The monitor of every process except process 0: it shows and records nothing."""

    def __init__(self) -> None:
        pass

    def say(self, text: str) -> None:
        """Does nothing: process 0 prints the same `text`."""

    def advance(self) -> None:
        """Does nothing: process 0 shows the progress bar."""

    def alarm(self, step: int, alarm: Alarm) -> None:
        """Does nothing: process 0 raises the same `alarm` at the same `step` and records it."""

    def log(self, step: int, statistics: dict[str, float], waited: float = 0.0) -> None:
        """Does nothing: process 0 records the `statistics` of a `step`, means over all processes, and its `waited`."""

    def sample(self, step: int, samples: Tensor, captions: Sequence[str] = ()) -> None:
        """Does nothing: process 0 writes the `samples` of each `step` with their `captions`."""

    def close(self) -> None:
        """Does nothing: only process 0 has files to close."""


def open_monitor(out: Path, step: int, config: TrainConfig) -> Monitor:
    """A `Monitor` in process 0, a `NullMonitor` in the others.

    Args:
        out: the run folder.
        step: number of steps done before.
        config: the run's settings.

    Raises:
        OSError: if metrics.jsonl cannot be opened.
        MissingExtraError: without TensorBoard, or tqdm on a terminal.
    """
    if distributed.rank() > 0:
        return NullMonitor()
    return Monitor(out, step, config.steps, config.batch_size * config.n_critic)


def _drop_after(metrics: Path, step: int) -> None:
    """Keep the complete lines of steps up to `step`; a killed process may leave later or incomplete lines."""
    if metrics.exists():
        kept = [json.dumps(row) + "\n" for row in read_metrics(metrics) if row["step"] <= step]
        write_atomic(metrics, "".join(kept).encode())


def read_metrics(metrics: Path) -> list[dict[str, Any]]:
    """The complete lines of the file `metrics`, a metrics.jsonl: a dict for each reading or alarm, with its `step`."""
    rows = []
    for line in metrics.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict) and isinstance(row.get("step"), int):
                rows.append(row)
    return rows
