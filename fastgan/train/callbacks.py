"""What a user's code may do while `GANTrainer.fit` runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastgan.train.loop import GANTrainer


class Callback:
    """Hooks into `GANTrainer.fit`; override those of interest.

    In a run of several processes (`fastgan.train.distributed`) each of them calls the hooks.

    An error raised in a hook ends the training as it would anywhere; checkpoints saved before stay.
    """

    def on_start(self, trainer: GANTrainer, out: Path) -> None:
        """Before the first step of `trainer`, resumed or not; `out` is the run folder."""

    def on_step(self, trainer: GANTrainer) -> None:
        """After each step of `trainer`; reading a tensor of the device here makes every step wait."""

    def on_log(self, trainer: GANTrainer, statistics: dict[str, float]) -> None:
        """After `trainer` read its `statistics`; what is added to the dict is recorded with them."""

    def on_checkpoint(self, trainer: GANTrainer, path: Path) -> None:
        """After `trainer` wrote a checkpoint, to `path`."""

    def on_end(self, trainer: GANTrainer, out: Path) -> None:
        """After the last step of `trainer` and its checkpoint in `out`; not where it was interrupted or failed."""
