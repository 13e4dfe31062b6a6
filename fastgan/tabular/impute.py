"""Imputation of missing values by a GAN: GAIN (Yoon, Jordon and van der Schaar, 2018) as a scikit-learn transformer."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fastgan import functional as FF
from fastgan import nn as fnn
from fastgan._support.errors import TrainingDivergedError
from fastgan._support.extras import require
from fastgan._support.process import pick_device
from fastgan._support.random import derive

_base = require("sklearn.base")
_utils = require("sklearn.utils")
_validation = require("sklearn.utils.validation")
_BaseEstimator: Any = _base.BaseEstimator
_TransformerMixin: Any = _base.TransformerMixin
_OneToOne: Any = _base.OneToOneFeatureMixin

__all__ = ["GAINImputer"]

Array = NDArray[Any]
_INTERVAL, _PATIENCE = 100, 8  # steps between validations, and validations without a lower error before it stops
_NOISE = 0.01  # missing inputs of G are uniform in [0, 0.01), as in the authors' experiments


class GAINImputer(_OneToOne, _TransformerMixin, _BaseEstimator):  # type: ignore[misc]
    """Fills in missing values (NaN) by a GAIN trained on the table. Observed values stay as they are, bit for bit.

    The mask is 1 where a value is observed and 0 where it is missing. G completes a sample from its observed values. D
    predicts the mask from the completed sample and a hint, which reveals most of the mask. G's loss has two terms: a
    binary cross-entropy that is low where D takes imputed values for observed ones, and `alpha` times the mean squared
    error of G's output at the observed values. Features are scaled to [0, 1] by their observed range, and all imputed
    values lie in that range.

    Args:
        steps: largest number of updates of D and of G.
        batch_size: samples in an update; all samples if there are fewer.
        hidden: width of both networks' hidden layers; 0 takes `max(features, 16)`.
        dropout: probability in D, in one kernel with its activation.
        hint_rate: share of the mask that the hint reveals to D.
        alpha: weight of the reconstruction error.
        lr: learning rate of Adam.
        validation_fraction: share of the observed values that is held out of the training. Their error, computed every
            100 steps, decides when to stop, as GAIN soon memorises small tables. 0 holds none out and takes all steps.
        random_state: an int, a `numpy.random.RandomState`, or None for NumPy's global one.
        device: cpu, cuda, cuda:N, or auto, which takes a GPU if there is one.

    Attributes:
        generator_: maps samples and mask (N, 2 F) to samples (N, F) in [0, 1]; in eval mode, float64, on the CPU.
        n_iter_: number of updates behind its weights.
        data_min_, data_range_: (F,) each feature's smallest observed value, and its range (1 for a constant feature).

    Example:
        >>> X = np.linspace(0, 1, 200)[:, None] * [1.0, 2.0, -1.0]  # the columns determine each other
        >>> X[::3, 1] = np.nan
        >>> filled = GAINImputer(steps=200, lr=0.01, random_state=0).fit_transform(X)
        >>> bool((abs(filled[:, 1] - 2 * filled[:, 0]) < 0.2).all())
        True
    """

    def __init__(
        self,
        steps: int = 3000,
        batch_size: int = 128,
        hidden: int = 0,
        dropout: float = 0.0,
        hint_rate: float = 0.9,
        alpha: float = 100.0,
        lr: float = 1e-3,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        device: str = "auto",
    ) -> None:
        self.steps = steps
        self.batch_size = batch_size
        self.hidden = hidden
        self.dropout = dropout
        self.hint_rate = hint_rate
        self.alpha = alpha
        self.lr = lr
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any = None) -> GAINImputer:
        """Train on samples `X` (N, F), in which NaN stands for a missing value; `y` is ignored.

        Raises:
            ValueError: for infinite values, a feature without an observed value, or settings out of range.
            TrainingDivergedError: where a loss becomes NaN or infinite.
        """
        self._check_settings()
        device = pick_device("impute", self.device)
        x = _validation.validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2)
        empty = np.isnan(x).all(axis=0)
        if empty.any():
            names = getattr(self, "feature_names_in_", np.arange(x.shape[1]))
            raise ValueError(
                f"impute: expected an observed value of feature {names[empty.argmax()]}, got only missing ones"
            )
        self.data_min_ = np.nanmin(x, axis=0)
        spread = np.nanmax(x, axis=0) - self.data_min_
        self.data_range_ = np.where(spread > 0, spread, 1.0)
        seed = int(_utils.check_random_state(self.random_state).randint(2**31))
        values, mask = self._scaled(x, torch.float32, device)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(derive(seed, 0))
            self.generator_ = self._train(values, mask).eval().cpu().double()
        return self

    @torch.no_grad()
    def transform(self, X: Any) -> Array:
        """Fill in every NaN of the samples `X` (N, F).

        Missing inputs of G are the mean of the noise in training, so a sample's values depend on that sample alone.

        Raises:
            ValueError: for another number of features, or infinite values.
        """
        _validation.check_is_fitted(self)
        x = _validation.validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        values, mask = self._scaled(x, torch.float64, torch.device("cpu"))
        noise = torch.full_like(values, _NOISE / 2)
        filled = _complete(self.generator_, values, mask, noise).numpy() * self.data_range_ + self.data_min_
        completed: Array = np.where(np.isnan(x), filled, x)
        return completed

    def _scaled(self, x: Array, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
        """Values scaled to [0, 1], 0 where missing, and the mask, 1 where observed."""
        mask = ~np.isnan(x)
        values = np.where(mask, (x - self.data_min_) / self.data_range_, 0.0)
        return torch.from_numpy(values).to(device, dtype), torch.from_numpy(mask).to(device, dtype)

    def _train(self, values: Tensor, mask: Tensor) -> nn.Module:
        features = values.shape[1]
        held_out = (mask > 0) & (torch.rand_like(mask) < self.validation_fraction)
        mask = mask * ~held_out
        validates = self.validation_fraction > 0 and bool(held_out.any())
        best, state, self.n_iter_ = math.inf, None, self.steps
        width = self.hidden or max(features, 16)
        generator, discriminator = _network(features, width, 0.0), _network(features, width, self.dropout)
        generator, discriminator = generator.to(values.device), discriminator.to(values.device)
        generator.append(nn.Sigmoid())
        optimizer_g = torch.optim.Adam(generator.parameters(), self.lr, fused=True)
        optimizer_d = torch.optim.Adam(discriminator.parameters(), self.lr, fused=True)
        for step in range(self.steps):
            rows = torch.randint(len(values), (min(self.batch_size, len(values)),), device=values.device)
            x, m = values[rows], mask[rows]
            completed = _complete(generator, x, m, torch.rand_like(x) * _NOISE)
            hinted = torch.rand_like(m) < self.hint_rate
            hint = torch.where(hinted, m, 0.5)
            # D predicts the mask of all values, also of those that the hint reveals.
            imputed = torch.where(m > 0, x, completed.detach())
            loss_d = FF.binary_cross_entropy_with_logits(discriminator(torch.cat((imputed, hint), 1)), m)
            optimizer_d.zero_grad()
            loss_d.backward()
            optimizer_d.step()
            # Imputed values should look observed to D, and G's output should equal the observed values.
            imputed = torch.where(m > 0, x, completed)
            logits = discriminator(torch.cat((imputed, hint), 1))
            adversarial = FF.binary_cross_entropy_with_logits(logits, 1.0, 1 - m)
            loss_g = adversarial + self.alpha * (m * (x - completed)).square().sum() / m.sum().clamp_min(1)
            optimizer_g.zero_grad()
            loss_g.backward()
            optimizer_g.step()
            if (step + 1) % _INTERVAL and step + 1 < self.steps:
                continue
            if not bool(torch.isfinite(loss_d + loss_g)):
                raise TrainingDivergedError(
                    f"impute: a loss is NaN or infinite by step {step + 1}; a lower `lr` may help"
                )
            if validates:
                error = _error(generator, values, mask, held_out)
                if error < best:
                    best, state, self.n_iter_ = error, copy.deepcopy(generator.state_dict()), step + 1
                elif step + 1 >= self.n_iter_ + _PATIENCE * _INTERVAL:
                    break
        if state is not None:
            generator.load_state_dict(state)
        return generator

    def _check_settings(self) -> None:
        for name, low in (("steps", 1), ("batch_size", 1), ("hidden", 0), ("alpha", 0)):
            if not getattr(self, name) >= low:
                raise ValueError(f"impute: expected `{name}` to be at least {low}, got {getattr(self, name)}")
        if not 0 <= self.hint_rate <= 1:
            raise ValueError(f"impute: expected `hint_rate` in [0, 1], got {self.hint_rate}")
        for name in ("dropout", "validation_fraction"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"impute: expected `{name}` in [0, 1), got {getattr(self, name)}")
        if not 0 < self.lr < float("inf"):
            raise ValueError(f"impute: expected `lr` above 0, got {self.lr}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _network(features: int, width: int, dropout: float) -> nn.Sequential:
    """Maps values and mask, or values and hint, (N, 2 F) to (N, F), through two hidden layers."""
    return nn.Sequential(
        nn.Linear(2 * features, width),
        fnn.LeakyReLUDropout(0.0, dropout, inplace=True),
        nn.Linear(width, width),
        fnn.LeakyReLUDropout(0.0, dropout, inplace=True),
        nn.Linear(width, features),
    )


def _complete(generator: nn.Module, values: Tensor, mask: Tensor, noise: Tensor) -> Tensor:
    """G's output (N, F), in which the observed values are not put back yet."""
    completed: Tensor = generator(torch.cat((torch.where(mask > 0, values, noise), mask), 1))
    return completed


@torch.no_grad()
def _error(generator: nn.Module, values: Tensor, mask: Tensor, held_out: Tensor) -> float:
    """G's mean squared error on the `held_out` values, which are 0 in the mask."""
    completed = _complete(generator, values, mask, torch.full_like(values, _NOISE / 2))
    return (completed - values)[held_out].square().mean().item()
