"""Supervised training of dense networks with dropout and of linear models, with the fused layers and losses."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from fastgan import functional as FF
from fastgan import nn as fnn
from fastgan._support.errors import TrainingDivergedError
from fastgan._support.extras import require
from fastgan._support.process import pick_device
from fastgan._support.random import derive
from fastgan.losses import with_decay
from fastgan.supervised.config import FitConfig
from fastgan.train.optimizers import SCHEDULE_FACTORS

__all__ = ["Fit", "dense_network", "fit_supervised"]

_CHUNK = 8192  # samples of a forward pass in evaluation


@dataclass(frozen=True)
class Fit:
    """A trained network.

    Attributes:
        model: maps (N, features) to logits (N, classes), to one logit (N, 1) for two classes, or to a prediction
            (N, 1); in eval mode, on the CPU.
        config: the settings of the training.
        best_epoch: the epoch, counted from 1, that the weights are of.
        history: for each epoch `epoch`, `train_loss` and `train_score`, and where samples were held out
            `held_out_loss` and `held_out_score`. They are computed without dropout and penalties; the score is
            accuracy or R^2.
    """

    model: nn.Sequential
    config: FitConfig
    best_epoch: int
    history: list[dict[str, float]] = field(repr=False)


def dense_network(features: int, outputs: int, config: FitConfig) -> nn.Sequential:
    """Dense layers, each hidden one followed by leaky ReLU and dropout in one kernel.

    Args:
        features: width of the input.
        outputs: width of the output.
        config: `hidden`, `negative_slope` and `dropout`.
    """
    layers: list[nn.Module] = []
    for width in config.hidden:
        layers += [nn.Linear(features, width), fnn.LeakyReLUDropout(config.negative_slope, config.dropout, True)]
        features = width
    return nn.Sequential(*layers, nn.Linear(features, outputs))


def fit_supervised(
    x: Tensor,
    y: Tensor,
    config: FitConfig | None = None,
    *,
    held_out: tuple[Tensor, Tensor] | None = None,
    **settings: Any,
) -> Fit:
    """Train a dense network, or without hidden layers a linear model, to predict `y` from `x`.

    The loss is the mean over samples of the binary cross-entropy (two classes), the softmax cross-entropy (more
    classes), or half the squared error (regression), plus `l1 * l1_penalty + l2 * l2_penalty` of the weight matrices.
    scikit-learn's `Lasso` and `ElasticNet` correspond to `l1 = alpha * l1_ratio` and `l2 = alpha * (1 - l1_ratio)`, its
    `Ridge` to `l2 = alpha / N`. The same arguments give the same weights on one device; torch's random generators keep
    their states.

    Args:
        x: (N, features) finite, float32 or float64; the network has the same dtype.
        y: classes (N,) int64 from 0, each with at least one sample; or finite real targets (N,), which are converted
            to the dtype of `x`.
        config: the settings.
        held_out: samples and targets for validation, in place of `config.validation_fraction` of `x`.
        **settings: fields of `config` to replace.

    Raises:
        ValueError: for settings out of range, samples or targets other than described, or a single class.
        TrainingDivergedError: where the loss becomes NaN or infinite.
        MissingExtraError: without scikit-learn, where samples are to be held out of `x`.

    Example:
        >>> x = torch.linspace(-1, 1, 64)[:, None]
        >>> fit = fit_supervised(x, 2 * x[:, 0] + 1, task="regress", hidden=(), lr=0.1, epochs=60)
        >>> round(fit.model(torch.tensor([[0.5]])).item(), 1)
        2.0
    """
    config = replace(config or FitConfig(), **settings)
    device = pick_device("fit", config.device)
    _check_samples(x, y, config)
    if held_out is not None and (held_out[0].shape[1:] != x.shape[1:] or held_out[0].dtype != x.dtype):
        raise ValueError(f"fit: expected held-out samples as those of training, got {tuple(held_out[0].shape)}")
    if held_out is not None and config.task == "classify" and not bool(torch.isin(held_out[1], y).all()):
        raise ValueError("fit: expected held-out classes that the training samples have too")
    if config.task == "regress":
        y = y.to(x.dtype)
        held_out = None if held_out is None else (held_out[0], held_out[1].to(x.dtype))
    train, validation = _split(x, y, config) if held_out is None else ((x, y), held_out)
    # Only the generators of the CPU and of this device are used.
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(derive(config.seed, 0))
        return _Training(config, device, train, validation).run()


def _check_samples(x: Tensor, y: Tensor, config: FitConfig) -> None:
    if x.dim() != 2 or x.numel() == 0 or x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"fit: expected samples (N, features) of float32 or float64, got {tuple(x.shape)}, {x.dtype}")
    if y.shape != x.shape[:1]:
        raise ValueError(f"fit: expected targets of shape ({len(x)},), got {tuple(y.shape)}")
    for name, values in (("samples", x), ("targets", y)):
        if not bool(values.isfinite().all()):
            raise ValueError(f"fit: expected finite {name}, got NaN or infinity")
    if config.task == "regress":
        return
    if y.dtype != torch.int64 or int(y.min()) < 0:
        raise ValueError(f"fit: expected classes of int64 from 0, got {y.dtype} from {y.min().item()}")
    counts = torch.bincount(y)
    if len(counts) < 2 or not bool(counts.all()):
        raise ValueError(
            f"fit: expected samples of at least 2 classes, each of 0, 1, ..., got counts {counts.tolist()}"
        )
    if config.class_weight is not None and len(config.class_weight) != len(counts):
        raise ValueError(
            f"fit: expected `class_weight` of {len(counts)} numbers, one a class, got {len(config.class_weight)}"
        )


def _split(x: Tensor, y: Tensor, config: FitConfig) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor] | None]:
    """Training samples and held-out ones, with equal shares of each class if there are enough samples."""
    count = round(config.validation_fraction * len(x))
    if count == 0 or count == len(x):
        return (x, y), None
    classes = torch.bincount(y) if config.task == "classify" else torch.tensor([])
    stratify = (
        y.numpy(force=True) if 0 < len(classes) <= min(count, len(x) - count) and int(classes.min()) > 1 else None
    )
    split = require("sklearn.model_selection").train_test_split
    rows, held_out = split(
        torch.arange(len(x)), test_size=count, random_state=derive(config.seed, 1) % 2**32, stratify=stratify
    )
    if config.task == "classify" and len(y[rows].unique()) < len(classes):
        return (x, y), None  # a class of one sample stays in training
    return (x[rows], y[rows]), (x[held_out], y[held_out])


_Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def _binary(output: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    return FF.binary_cross_entropy_with_logits(output.squeeze(1), y.to(output.dtype), weight)


def _softmax(output: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    losses = nn.functional.cross_entropy(output, y, reduction="none")
    return losses.mean() if weight is None else (losses * weight).mean()


def _half_squares(output: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    return 0.5 * (output.squeeze(1) - y).square().mean()


def _score(output: Tensor, y: Tensor, task: str) -> float:
    """Accuracy, or R^2, which is taken as 0 where all targets are equal."""
    if task == "classify":
        predicted = output.argmax(1) if output.shape[1] > 1 else (output.squeeze(1) > 0).long()
        return (predicted == y).double().mean().item()
    total = (y - y.mean()).square().sum().item()
    return 1 - (output.squeeze(1) - y).square().sum().item() / total if total > 0 else 0.0


class _Training:
    """One training from start to end. The caller seeds torch's generators first."""

    def __init__(
        self,
        config: FitConfig,
        device: torch.device,
        train: tuple[Tensor, Tensor],
        validation: tuple[Tensor, Tensor] | None,
    ) -> None:
        self.config = config
        classes = int(train[1].max()) + 1 if config.task == "classify" else 0
        self.x, self.y = (t.to(device) for t in train)
        self.validation = None if validation is None else (validation[0].to(device), validation[1].to(device))
        self.loss: _Loss = _half_squares if classes == 0 else _binary if classes == 2 else _softmax
        self.class_weight: Tensor | None = None
        if config.class_weight is not None:
            weight = torch.tensor(config.class_weight, dtype=self.x.dtype, device=device)
            self.class_weight = weight / weight[self.y].mean()
        self.model = dense_network(self.x.shape[1], classes if classes > 2 else 1, config).to(device, self.x.dtype)
        self._init_output_bias(classes)
        self.penalised = [p for p in self.model.parameters() if p.dim() > 1]
        self.optimizer = torch.optim.Adam(self.model.parameters(), config.lr, fused=True)

    @torch.no_grad()
    def _init_output_bias(self, classes: int) -> None:
        """Set the last bias to the mean target, or to the log frequencies of the classes."""
        bias = cast(Tensor, self.model[-1].bias)
        if classes == 0:
            bias.fill_(self.y.mean())
            return
        logs = torch.bincount(self.y, minlength=classes).to(bias.dtype).log()
        bias.copy_(logs if classes > 2 else logs[1] - logs[0])

    def run(self) -> Fit:
        config, history = self.config, list[dict[str, float]]()
        best, best_epoch, best_state = math.inf, 0, None
        stops = config.patience > 0 and self.validation is not None
        for epoch in range(1, config.epochs + 1):
            factor = SCHEDULE_FACTORS[config.schedule]((epoch - 1) / config.epochs)
            self.optimizer.param_groups[0]["lr"] = config.lr * factor
            self._epoch()
            history.append({"epoch": epoch, **self._measure()})
            if not all(map(math.isfinite, history[-1].values())):
                raise TrainingDivergedError(
                    f"fit: the loss is NaN or infinite after epoch {epoch}; a lower `lr` may help"
                )
            if not stops:
                continue
            if history[-1]["held_out_loss"] < best:
                best, best_epoch = history[-1]["held_out_loss"], epoch
                best_state = copy.deepcopy(self.model.state_dict())
            elif epoch - best_epoch >= config.patience:
                break
        if best_state is not None:
            self.model.load_state_dict(best_state)
        return Fit(self.model.eval().cpu(), config, best_epoch or len(history), history)

    def _epoch(self) -> None:
        config = self.config
        self.model.train()
        for rows in self._order().split(config.batch_size):
            x, y = self.x[rows], self.y[rows]
            loss = self.loss(self.model(x), y, self._weights(y))
            loss = with_decay(loss, self.penalised, config.l1, config.l2)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def _order(self) -> Tensor:
        """The rows of one epoch, in the order of training."""
        if self.config.sampling == "uniform" or self.config.task == "regress":
            return torch.randperm(len(self.y), device=self.y.device)
        rarity = torch.bincount(self.y).double().reciprocal()
        return torch.multinomial(rarity[self.y], len(self.y), replacement=True)

    def _weights(self, y: Tensor) -> Tensor | None:
        return None if self.class_weight is None else self.class_weight[y]

    @torch.no_grad()
    def _measure(self) -> dict[str, float]:
        self.model.eval()
        parts = [("train", (self.x, self.y))] + ([("held_out", self.validation)] if self.validation is not None else [])
        row: dict[str, float] = {}
        for name, (x, y) in parts:
            output = torch.cat([self.model(chunk) for chunk in x.split(_CHUNK)])
            row[f"{name}_loss"] = self.loss(output, y, self._weights(y)).item()
            row[f"{name}_score"] = _score(output, y, self.config.task)
        return row
