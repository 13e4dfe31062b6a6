"""Optimizers, and what changes over a run: learning rates, penalties' weights, instance noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from fastgan.train.config import TrainConfig

__all__ = ["FACTORS", "Schedules", "make_optimizer", "restore_optimizer"]

FACTORS: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
}


def make_optimizer(config: TrainConfig, module: nn.Module, lr: float) -> torch.optim.Optimizer:
    """The configured optimizer over a network's parameters, fused where torch has it so.

    On a GPU the learning rate is a tensor and nothing of a step needs the host, so that a CUDA graph can hold it.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    on_gpu = bool(parameters) and parameters[0].is_cuda
    rate: float | Tensor = torch.tensor(lr, device=parameters[0].device) if on_gpu else lr
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, rate, config.betas, fused=True, capturable=on_gpu)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, rate, config.betas, fused=True, capturable=on_gpu)
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, fused=True)
    return torch.optim.RMSprop(parameters, rate, foreach=True, capturable=on_gpu)


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, object]) -> None:
    """Load a state and keep this optimizer's own learning rates and flags, which may be another device's."""
    kept = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    saved = cast(list[dict[str, object]], state["param_groups"])
    # torch looks in the loaded settings for where a step's count belongs: `capturable` has it on the GPU.
    groups = [{**group, **settings} for group, settings in zip(saved, kept, strict=True)]
    optimizer.load_state_dict({**state, "param_groups": groups})
    # And again, as it took copies: a learning rate that is a tensor stays this very one.
    for group, settings in zip(optimizer.param_groups, kept, strict=True):
        group.update(settings)


class Schedules:
    """Sets, before each step, what depends on how far the run is.

    Learning rates follow `lr_schedule` after a linear warm-up; the gradient penalties' weights follow
    `gamma_schedule`; instance noise falls linearly to 0. Everything is a function of the step, so nothing needs saving.

    Attributes:
        r1, r2, noise: 0-d float32 tensors on `device`, read by the step; a CUDA graph sees their changes.
    """

    def __init__(
        self, config: TrainConfig, rates: Iterable[tuple[torch.optim.Optimizer, float]], device: torch.device
    ) -> None:
        self._config, self._rates = config, list(rates)
        self.r1, self.r2, self.noise = (
            torch.tensor(value, device=device) for value in (config.r1_gamma, config.r2_gamma, config.instance_noise)
        )
        self._lr_changes = config.lr_schedule != "constant" or config.warmup_steps > 0
        self._gamma_changes = config.gamma_schedule != "constant"

    def set(self, step: int) -> None:
        """Prepare for step number `step`, counted from 0."""
        config = self._config
        progress = min(1.0, step / max(1, config.steps))
        if self._lr_changes:
            warmth = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
            factor = warmth * FACTORS[config.lr_schedule](progress)
            for optimizer, rate in self._rates:
                _set_rate(optimizer, rate * factor)
        if self._gamma_changes:
            factor = FACTORS[config.gamma_schedule](progress)
            self.r1.fill_(config.r1_gamma * factor)
            self.r2.fill_(config.r2_gamma * factor)
        if config.instance_noise > 0:
            self.noise.fill_(config.instance_noise * (1.0 - progress))


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
