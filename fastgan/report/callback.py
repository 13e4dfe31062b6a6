"""A report of a training that is going on."""

from __future__ import annotations

from pathlib import Path

from fastgan.report.writer import write_report
from fastgan.train import distributed
from fastgan.train.callbacks import Callback, Trainer

__all__ = ["ReportCallback"]


class ReportCallback(Callback):
    """Writes report.html into the run folder at the checkpoints, at most once in `every` steps, and at the end.

    The samples on the page are those of the checkpoint's weights. Process 0 writes.

    Args:
        every: steps from one report to the next, at least; a report is written with the checkpoint that follows.
    """

    def __init__(self, every: int) -> None:
        self._every, self._last = every, 0
        self._out = Path()

    def on_start(self, trainer: Trainer, out: Path) -> None:
        """Remember the run folder `out` and the step of the `trainer`."""
        self._out, self._last = out, trainer.global_step

    def on_checkpoint(self, trainer: Trainer, path: Path) -> None:
        """Write the report of the `trainer` if it is due, with the weights of the checkpoint at `path`."""
        if trainer.global_step - self._last >= self._every:
            self._last = trainer.global_step
            self._write(trainer)

    def on_end(self, trainer: Trainer, out: Path) -> None:
        """Write the report of the `trainer` whose run is in the folder `out`."""
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        data = trainer.data, trainer.held_out
        distributed.run_on_rank_zero(lambda: write_report([self._out], measure=False, data=data))
