"""The errors that end a training run early."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path


class TrainingDivergedError(RuntimeError):
    """A loss or a weight became NaN or infinite; the message names the last good checkpoint."""

    @classmethod
    def at(cls, step: int, what: str, saved: Sequence[Path]) -> TrainingDivergedError:
        """Return the error for `what` being NaN or infinite at `step`, with the checkpoints `saved` until then."""
        last = saved[-1] if saved else "missing: none was saved yet"
        return cls(f"train: {what} is NaN or infinite by step {step}; the last good checkpoint is {last}")


class TrainingInterrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM ended the training at the end of a step.

    Attributes:
        signal: the signal's number.
        checkpoint: the path of the checkpoint that was saved then.
    """

    def __init__(self, number: int, path: Path) -> None:
        name = signal.Signals(number).name
        super().__init__(f"interrupted by {name}: saved {path}")
        self.signal, self.checkpoint = number, path
