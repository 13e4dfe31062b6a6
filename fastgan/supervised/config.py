"""`FitConfig`: the settings of a supervised training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["SAMPLINGS", "SCHEDULES", "TASKS", "FitConfig"]

TASKS = ("classify", "regress")
SAMPLINGS = ("uniform", "balanced")
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """The settings of a supervised training.

    Attributes:
        task: "classify" or "regress".
        hidden: width of each hidden layer; () gives a linear model.
        dropout: probability after each hidden layer (Srivastava et al., 2014).
        negative_slope: of the hidden layers' leaky ReLU; 0 is ReLU.
        l1, l2: weights of `l1_penalty` and `l2_penalty` of the weight matrices; biases are not penalised.
        class_weight: a weight for each class, which multiplies the losses of its samples. The weights are scaled to a
            mean of 1 over the training samples. None weights all samples equally.
        sampling: "uniform" visits each sample once an epoch. "balanced" draws the same number of samples with
            replacement, from all classes equally often.
        epochs: largest number of passes over the samples.
        batch_size: samples in an update; all samples if there are fewer.
        lr: learning rate of Adam.
        schedule: of the learning rate: "constant", or "cosine" from `lr` to 0 over the epochs.
        validation_fraction: share of the samples that is held out for validation; 0 holds none out.
        patience: stop after this many epochs without a lower loss on the held-out samples, and keep the weights of the
            epoch with the lowest; 0 trains all epochs and keeps the last weights.
        seed: of all random choices.
        device: cpu, cuda, cuda:N, or auto, which takes a GPU if there is one.

    Raises:
        ValueError: for a value out of its range.
    """

    task: str = "classify"
    hidden: tuple[int, ...] = (128, 128)
    dropout: float = 0.5
    negative_slope: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    class_weight: tuple[float, ...] | None = None
    sampling: str = "uniform"
    epochs: int = 200
    batch_size: int = 64
    lr: float = 1e-3
    schedule: str = "constant"
    validation_fraction: float = 0.1
    patience: int = 20
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, choices in (("task", TASKS), ("sampling", SAMPLINGS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in choices:
                raise ValueError(f"fit: expected `{name}` to be {' or '.join(choices)}, got {getattr(self, name)!r}")
        for name, low in (("epochs", 1), ("batch_size", 1), ("patience", 0), ("seed", 0)):
            _require(name, getattr(self, name), low <= getattr(self, name), f"at least {low}")
        for name in ("l1", "l2"):
            _require(name, getattr(self, name), 0 <= getattr(self, name) < math.inf, "a finite number, at least 0")
        _require("dropout", self.dropout, 0 <= self.dropout < 1, "in [0, 1)")
        _require("validation_fraction", self.validation_fraction, 0 <= self.validation_fraction < 1, "in [0, 1)")
        _require("lr", self.lr, 0 < self.lr < math.inf, "a finite number above 0")
        _require("negative_slope", self.negative_slope, math.isfinite(self.negative_slope), "finite")
        _require("hidden", self.hidden, all(n >= 1 for n in self.hidden), "whole numbers of at least 1")
        weights = self.class_weight
        if weights is not None:
            good = all(0 <= w < math.inf for w in weights) and sum(weights) > 0
            _require("class_weight", weights, good, "numbers of at least 0, not all 0")
            _require("class_weight", weights, self.task == "classify", "None in a regression")


def _require(name: str, value: Any, good: bool, words: str) -> None:
    if not good:
        raise ValueError(f"fit: expected `{name}` to be {words}, got {value}")
