"""What a run shows and records while it trains."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastgan._support.extras import require
from fastgan._support.files import write_atomic
from fastgan.train import distributed
from fastgan.train.alarms import Alarm
from fastgan.train.config import TrainConfig
from fastgan.train.pictures import is_image, save_curves, save_grid, tile

__all__ = ["Monitor", "NullMonitor", "open_monitor"]

_SHOWN = {"loss_d": "D", "loss_g": "G", "p_real": "p(real)", "p_fake": "p(fake)"}


class Monitor:
    """Progress bar, metrics.jsonl, TensorBoard events, sample grids and loss curves of one run.

    Where the disk refuses a record, this is said and the run goes on without it.

    Args:
        out: the run folder.
        step: where the run starts; lines of later steps, which a kill left behind, are dropped.
        steps: where it ends.
        images_per_step: real samples that a step consumes.
        inputs: of the generator for the sample grids: fixed latents (N, latent_dim), perhaps labels.
    """

    def __init__(self, out: Path, step: int, steps: int, images_per_step: int, inputs: tuple[Tensor, ...]) -> None:
        self._out, self._inputs, self._images = out, inputs, images_per_step
        self._metrics = out / "metrics.jsonl"
        _drop_after(self._metrics, step)
        self._file = open(self._metrics, "ab", buffering=0)  # noqa: SIM115 - closed by close
        self._waiting = b""
        writer = require("torch.utils.tensorboard").SummaryWriter
        self._board = writer(log_dir=str(out), purge_step=step + 1 if step else None)
        self._bar = require("tqdm").tqdm(total=steps, initial=step, unit="step", smoothing=0.1, dynamic_ncols=True)
        self._last = (step, time.perf_counter())
        self._refused: set[str] = set()

    def say(self, text: str) -> None:
        """Print a line above the progress bar."""
        self._bar.write(text, file=sys.stderr)

    def advance(self) -> None:
        """Count one step."""
        self._bar.update()

    def alarm(self, step: int, alarm: Alarm) -> None:
        """Say that something is amiss, and record it in metrics.jsonl."""
        self.say(f"train: step {step}: {alarm.message}")
        self._write({"step": step, "alarm": alarm.name, "message": alarm.message})

    def log(self, step: int, statistics: dict[str, float]) -> None:
        """Record a step's statistics, each a mean since the last call, and images a second."""
        now = time.perf_counter()
        last_step, last_time = self._last
        rate = (step - last_step) * self._images / max(now - last_time, 1e-9)
        self._last = (step, now)
        row = {"step": step, **statistics, "images_per_second": rate, "time": time.time()}
        self._write(row)
        with self._recording("TensorBoard's events"):
            for name, value in statistics.items():
                self._board.add_scalar(name, value, step)
            self._board.add_scalar("images_per_second", rate, step)
        shown = {label: f"{statistics[name]:.3f}" for name, label in _SHOWN.items()}
        self._bar.set_postfix({**shown, "images/s": f"{rate:,.0f}"}, refresh=False)

    def _write(self, row: dict[str, Any]) -> None:
        self._waiting += json.dumps(row).encode() + b"\n"
        with self._recording("metrics.jsonl"):
            while self._waiting:  # a full disk takes a part of a line, or none
                self._waiting = self._waiting[self._file.write(self._waiting) :]

    @contextlib.contextmanager
    def _recording(self, what: str) -> Iterator[None]:
        """A disk that refuses costs a record, not the run; said once until one gets through."""
        try:
            yield
        except OSError as error:
            if what not in self._refused:
                self.say(f"train: cannot write {what} in {self._out}: {error.strerror or error}; going on without")
            self._refused.add(what)
        else:
            self._refused.discard(what)

    @torch.no_grad()
    def sample(self, step: int, generator: nn.Module) -> None:
        """Write samples/step-*.png, the generator's samples of the fixed inputs, if images."""
        images = generator(*self._inputs)
        if not is_image(tuple(images.shape[1:])):
            return
        folder = self._out / "samples"
        with self._recording("samples"):
            folder.mkdir(parents=True, exist_ok=True)
            save_grid(images, folder / f"step-{step:09d}.png")
        with self._recording("TensorBoard's events"):
            self._board.add_image("samples", tile(images), step, dataformats="HWC")

    def close(self) -> None:
        """End the bar, flush the records and draw curves.png."""
        self._bar.close()
        self._file.close()
        with self._recording("TensorBoard's events"):
            self._board.close()
        with self._recording("curves.png"):
            if rows := [row for row in _rows(self._metrics) if "loss_d" in row]:  # not alarms
                save_curves(rows, self._out / "curves.png")


class NullMonitor(Monitor):
    """The monitor of all processes but the first: it shows and records nothing."""

    def __init__(self) -> None:
        pass

    def say(self, text: str) -> None:
        """Nothing."""

    def advance(self) -> None:
        """Nothing."""

    def alarm(self, step: int, alarm: Alarm) -> None:
        """Nothing."""

    def log(self, step: int, statistics: dict[str, float]) -> None:
        """Nothing."""

    def sample(self, step: int, generator: nn.Module) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def open_monitor(out: Path, step: int, config: TrainConfig, inputs: tuple[Tensor, ...]) -> Monitor:
    """The monitor of a run from `step` on, in the first process; the others' is silent."""
    if distributed.rank() > 0:
        return NullMonitor()
    return Monitor(out, step, config.steps, config.batch_size * config.n_critic, inputs)


def _drop_after(metrics: Path, step: int) -> None:
    """Keep the whole lines of steps up to `step`: a killed run may leave later and torn ones."""
    if metrics.exists():
        kept = [json.dumps(row) + "\n" for row in _rows(metrics) if row["step"] <= step]
        write_atomic(metrics, "".join(kept).encode())


def _rows(metrics: Path) -> list[dict[str, Any]]:
    """What the whole lines of a metrics.jsonl hold."""
    rows = []
    for line in metrics.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict) and isinstance(row.get("step"), int):
                rows.append(row)
    return rows
