"""How a training run ends early."""

from __future__ import annotations

import signal
from pathlib import Path


class TrainingDivergedError(RuntimeError):
    """A loss or a weight became NaN or infinite; the message names the last good checkpoint."""


class TrainingInterrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM ended the training after a whole step.

    Attributes:
        signal: the signal's number.
        checkpoint: the one saved then.
    """

    def __init__(self, number: int, path: Path) -> None:
        name = signal.Signals(number).name
        super().__init__(f"interrupted by {name}: saved {path}")
        self.signal, self.checkpoint = number, path
