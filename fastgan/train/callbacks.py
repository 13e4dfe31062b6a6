"""Callbacks: hooks for a user's code into `GANTrainer.fit`."""

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
    """The part of `GANTrainer` that a callback may use.

    Attributes:
        config: the settings.
        data: the training data.
        held_out: those that are kept from the training, or None.
        device: the training device.
        global_step: number of steps done.
        size: shapes and sizes of the networks.
    """

    config: TrainConfig
    data: Data
    held_out: Data | None
    device: torch.device
    global_step: int
    size: NetworkSize

    @property
    def generator(self) -> nn.Module:
        """The generator."""

    @property
    def discriminator(self) -> nn.Module:
        """The discriminator."""

    @property
    def ema(self) -> nn.Module:
        """The moving average of the generator, in eval mode."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on; all processes must call it together."""

    def save_weights(self, out: Path, name: str = "weights.safetensors") -> None:
        """Write the weights of all networks to a file `name` in the run folder `out`."""


class Callback:
    """Base class of callbacks: override the hooks that you need.

    In a run of several processes (`fastgan.train.distributed`) every process calls the hooks. An error raised in a hook
    ends the training; checkpoints saved before it remain.
    """

    def on_start(self, trainer: Trainer, out: Path) -> None:
        """Called before the first step of `trainer`, resumed or not; `out` is the run folder."""

    def on_step(self, trainer: Trainer) -> None:
        """Called after each step of `trainer`. Reading a GPU tensor here makes every step wait for the GPU."""

    def on_log(self, trainer: Trainer, statistics: dict[str, float]) -> None:
        """Called when the `statistics` of `trainer` are read; values added to the dict are recorded with them."""

    def on_checkpoint(self, trainer: Trainer, path: Path) -> None:
        """Called after `trainer` wrote a checkpoint to `path`."""

    def on_end(self, trainer: Trainer, out: Path) -> None:
        """Called after the last step and checkpoint of `trainer`; not if the run, in folder `out`, stopped early."""
