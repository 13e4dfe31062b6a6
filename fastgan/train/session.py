"""The steps of a run with all that is due between them: records, samples, alarms, checkpoints, the stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch

from fastgan._support.errors import TrainingDivergedError, TrainingInterrupted
from fastgan._support.process import StopSignals
from fastgan.train import checkpoint, distributed
from fastgan.train.alarms import AlarmMonitor, TrainingAlarmError
from fastgan.train.callbacks import Callback, Trainer
from fastgan.train.grid import SampleGrid
from fastgan.train.monitor import Monitor
from fastgan.train.sizes import Pace

__all__ = ["Session", "SteppingTrainer"]


class SteppingTrainer(Trainer, Protocol):
    """The part of `GANTrainer` that a session uses.

    Attributes:
        callbacks: their hooks are called.
        waited: the seconds that all steps so far waited for data.
    """

    callbacks: list[Callback]

    @property
    def waited(self) -> float:
        """The seconds that all steps so far waited for data."""

    def step(self) -> None:
        """Do one step."""

    def statistics(self) -> dict[str, float]:
        """The means of the statistics since the last call."""

    def save(self, out: Path) -> Path:
        """Write a checkpoint and the weights into the run folder `out`; returns the checkpoint's path."""

    def is_finite(self) -> bool:
        """Whether all parameters are finite."""

    def take_notes(self) -> list[str]:
        """The messages since the last call."""


class Session:
    """Trains up to `config.steps` and does what is due after each step.

    Args:
        trainer: does the steps.
        out: the run folder.
        monitor: the progress and the records.
        alarms: checks the statistics and the samples.
        grid: draws the samples.
        stop: tells of a signal.
    """

    def __init__(
        self,
        trainer: SteppingTrainer,
        out: Path,
        monitor: Monitor,
        alarms: AlarmMonitor,
        grid: SampleGrid,
        stop: StopSignals,
    ) -> None:
        self._trainer, self._out, self._monitor = trainer, out, monitor
        self._alarms, self._grid, self._stop = alarms, grid, stop
        self._config = trainer.config

    def run(self) -> None:
        """Train.

        Raises:
            CheckpointError: if a checkpoint cannot be written.
            TrainingDivergedError: if a loss or a weight is NaN or infinite.
            TrainingInterrupted: after a signal, when the step is done and a checkpoint is saved.
            TrainingAlarmError: after an alarm, if `config.on_alarm` is "stop".
            LostProcessError: if another process died.
            FirstProcessError: if process 0 failed.
        """
        trainer, steps = self._trainer, self._config.steps
        self.say_notes()
        if trainer.global_step >= steps:
            distributed.run_on_rank_zero(lambda: trainer.save_weights(self._out))
        consensus = distributed.StopConsensus()
        pace = Pace(steps, trainer.global_step, trainer.device)
        while trainer.global_step < steps:
            trainer.step()
            self._monitor.advance()
            self.say_notes()
            if (note := pace(trainer.global_step)) is not None:
                self._monitor.say(note)
            self._call(lambda callback: callback.on_step(trainer))
            self._after_step(consensus(self._stop.caught))
        consensus.wait()

    def say_notes(self) -> None:
        """Print the trainer's notes."""
        for note in self._trainer.take_notes():
            self._monitor.say(note)

    def _after_step(self, caught: int | None) -> None:
        """What is due after a step; `caught` is a signal at which all processes stop, or None."""
        config, step = self._config, self._trainer.global_step
        last = step == config.steps
        saves = caught is not None or last or step % config.checkpoint_every == 0
        if saves or step % config.log_every == 0 or (config.eval_every and step % config.eval_every == 0):
            self._log(step, thorough=saves)
        if last or step % config.sample_every == 0:
            self._sample(step)
        if self._alarms.stopping is not None and not saves:
            self._check_finite({}, thorough=True)
            saves = True
        if not saves:
            return
        path = self._trainer.save(self._out)
        self._call(lambda callback: callback.on_checkpoint(self._trainer, path))
        if caught is not None:
            raise TrainingInterrupted(caught, path)
        if self._alarms.stopping is not None:
            raise TrainingAlarmError(self._alarms.stopping, path)

    def _log(self, step: int, thorough: bool) -> None:
        statistics = self._trainer.statistics()
        self._check_finite(statistics, thorough)
        self._call(lambda callback: callback.on_log(self._trainer, statistics))
        self.say_notes()
        self._monitor.log(step, statistics, self._trainer.waited)
        self._alarms.statistics(step, statistics)

    def _sample(self, step: int) -> None:
        """Draw the samples once, in process 0, for the records and the alarms."""
        samples = torch.empty(0)
        if distributed.rank() == 0:
            samples = self._grid.draw(self._trainer.ema)
            self._monitor.sample(step, self._grid.shown(samples), self._grid.captions)
        self._alarms.samples(step, lambda: samples)

    def _check_finite(self, statistics: dict[str, float], thorough: bool) -> None:
        """Check the statistics, and if `thorough` the weights."""
        not_finite = [name for name, value in statistics.items() if not math.isfinite(value)]
        if not not_finite and thorough and not self._trainer.is_finite():
            not_finite = ["a weight"]
        if not_finite:
            saved = checkpoint.listing(self._out / "checkpoints")
            raise TrainingDivergedError.at(self._trainer.global_step, not_finite[0], saved)

    def _call(self, hook: Callable[[Callback], None]) -> None:
        for callback in self._trainer.callbacks:
            hook(callback)
