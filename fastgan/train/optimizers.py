"""Optimizers, and the schedules of their numbers, of penalties, of the moving average and of instance noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import cast

import torch
from torch import Tensor, nn

from fastgan.train.config import TrainConfig

__all__ = ["SCHEDULE_FACTORS", "Schedules", "make_optimizer", "restore_optimizer"]

SCHEDULE_FACTORS: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
}


def make_optimizer(config: TrainConfig, module: nn.Module, lr: float) -> torch.optim.Optimizer:
    """The configured optimizer over a network's parameters, with torch's fused implementation where there is one.

    On a GPU the learning rate is a tensor and no part of a step runs on the host, so a CUDA graph can hold the step.

    Args:
        config: `optimizer` and `betas`.
        module: the network; parameters with `requires_grad=False` are left out.
        lr: the learning rate.
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
    """Load a state, but keep the optimizer's learning rates and flags, which depend on the device.

    Args:
        optimizer: the optimizer to change.
        state: what `state_dict` of an optimizer of the same kind returned, perhaps on another device.
    """
    kept = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    saved = cast(list[dict[str, object]], state["param_groups"])
    # torch decides by the loaded settings where each step counter belongs: with `capturable` it is on the GPU.
    groups = [{**group, **settings} for group, settings in zip(saved, kept, strict=True)]
    optimizer.load_state_dict({**state, "param_groups": groups})
    # load_state_dict copies the settings. Put the originals back, so that a learning rate stays the same tensor.
    for group, settings in zip(optimizer.param_groups, kept, strict=True):
        group.update(settings)


_STAIRS = 8  # values of beta2 before its last one


class Schedules:
    """Sets learning rates, Adam's beta2, penalty weights, the moving average and instance noise before each step.

    Learning rates follow `lr_schedule` after a linear warm-up. The weights of the gradient penalties follow
    `gamma_schedule`, beta2 a cosine from `beta2_start` in a few stairs, the moving average `ema_schedule`. These end
    after `schedule_share` of the run. Instance noise falls linearly to 0 at its end. All are functions of the step, so
    checkpoints hold none.

    Args:
        config: the schedules and the initial values.
        rates: pairs of an optimizer and its initial learning rate.
        device: the training device.

    Attributes:
        r1: the weight of the R1 penalty. Like the other tensors, a 0-d float32 tensor on `device`, which the step
            reads, so that a CUDA graph uses the current value.
        r2: the weight of the R2 penalty.
        noise: the standard deviation of the instance noise.
        ema_weight: the weight of the new parameters in the moving average: 1 less its decay.
        beta2: Adam's second beta, which its optimizers hold as a plain float; None before the first step, or where it
            does not change. A CUDA graph would keep its first value, so one is captured for each.
    """

    def __init__(
        self, config: TrainConfig, rates: Iterable[tuple[torch.optim.Optimizer, float]], device: torch.device
    ) -> None:
        self._config, self._rates = config, list(rates)
        self.r1, self.r2, self.noise, self.ema_weight = (
            torch.tensor(value, device=device)
            for value in (config.r1_gamma, config.r2_gamma, config.instance_noise, 1 - config.ema_decay)
        )
        self._lr_changes = config.lr_schedule != "constant" or config.warmup_steps > 0
        self._gamma_changes = config.gamma_schedule != "constant"
        self._length = config.schedule_share * max(1, config.steps)
        self.beta2: float | None = None

    def set(self, step: int) -> None:
        """Set the values for step number `step`, counted from 0."""
        config = self._config
        progress = min(1.0, step / self._length)
        if self._lr_changes:
            warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
            factor = warmup * _factor(config.lr_schedule, progress, config.lr_final)
            for optimizer, rate in self._rates:
                _set_rate(optimizer, rate * factor)
        if config.beta2_start > 0:
            start, (beta1, end) = config.beta2_start, config.betas
            stair = math.floor(progress * _STAIRS) / _STAIRS
            self.beta2 = end + (start - end) * SCHEDULE_FACTORS["cosine"](stair)
            for optimizer, _ in self._rates:
                for group in optimizer.param_groups:
                    group["betas"] = (beta1, self.beta2)
        if self._gamma_changes:
            factor = _factor(config.gamma_schedule, progress, config.gamma_final)
            self.r1.fill_(config.r1_gamma * factor)
            self.r2.fill_(config.r2_gamma * factor)
        if config.ema_schedule != "constant":
            self.ema_weight.fill_(1 - _decay(config.ema_decay, progress))
        if config.instance_noise > 0:
            self.noise.fill_(config.instance_noise * (1.0 - min(1.0, step / max(1, config.steps))))


def _factor(schedule: str, progress: float, final: float) -> float:
    """A schedule's share of its first value."""
    if schedule == "constant":
        return 1.0
    return final + (1.0 - final) * SCHEDULE_FACTORS[schedule](progress)


def _decay(decay: float, progress: float) -> float:
    """The decay whose half-life is `progress` times that of `decay`."""
    return decay ** (1 / progress) if progress > 0 else 0.0


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
