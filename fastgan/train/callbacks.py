"""What a user's code may do while `GANTrainer.fit` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from fastgan.data.samples import Data
from fastgan.models.size import NetworkSize
from fastgan.train.config import TrainConfig

__all__ = ["Callback", "Trainer"]


class Trainer(Protocol):
    """What a callback may read of `GANTrainer` and ask of it."""

    config: TrainConfig
    data: Data
    device: torch.device
    global_step: int
    size: NetworkSize

    @property
    def generator(self) -> nn.Module:
        """G."""

    @property
    def discriminator(self) -> nn.Module:
        """D."""

    @property
    def ema(self) -> nn.Module:
        """The moving average of G, in eval mode."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on; several processes call it together."""

    def save_weights(self, out: Path, name: str = "weights.safetensors") -> None:
        """Write all networks' weights into the run folder `out`, to a file `name`."""


class Callback:
    """Hooks into `GANTrainer.fit`; override those of interest.

    In a run of several processes (`fastgan.train.distributed`) each of them calls the hooks.

    An error raised in a hook ends the training as it would anywhere; checkpoints saved before stay.
    """

    def on_start(self, trainer: Trainer, out: Path) -> None:
        """Before the first step of `trainer`, resumed or not; `out` is the run folder."""

    def on_step(self, trainer: Trainer) -> None:
        """After each step of `trainer`; reading a tensor of the device here makes every step wait."""

    def on_log(self, trainer: Trainer, statistics: dict[str, float]) -> None:
        """After `trainer` read its `statistics`; what is added to the dict is recorded with them."""

    def on_checkpoint(self, trainer: Trainer, path: Path) -> None:
        """After `trainer` wrote a checkpoint, to `path`."""

    def on_end(self, trainer: Trainer, out: Path) -> None:
        """After the last step of `trainer` and its checkpoint in `out`; not where it was interrupted or failed."""
