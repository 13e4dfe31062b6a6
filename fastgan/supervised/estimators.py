"""`fit_supervised` with scikit-learn's face: `FastGANClassifier` and `FastGANRegressor`.

They take part in pipelines, cross-validation and searches as any estimator of scikit-learn does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fastgan._support.extras import require
from fastgan.supervised.config import FitConfig
from fastgan.supervised.training import Fit, fit_supervised

_base = require("sklearn.base")
_BaseEstimator: Any = _base.BaseEstimator
_ClassifierMixin: Any = _base.ClassifierMixin
_RegressorMixin: Any = _base.RegressorMixin
_utils = require("sklearn.utils")
_validation = require("sklearn.utils.validation")
_multiclass = require("sklearn.utils.multiclass")
_class_weight = require("sklearn.utils.class_weight")

__all__ = ["FastGANClassifier", "FastGANRegressor"]

Array = NDArray[Any]


class _Estimator(_BaseEstimator):  # type: ignore[misc]
    """What both share: settings, the call of `fit_supervised`, the network's output."""

    fit_: Fit
    n_features_in_: int

    def _train(self, x: Array, y: torch.Tensor, task: str, class_weight: tuple[float, ...] | None = None) -> None:
        if len(x) < 2:
            raise ValueError(f"fit: expected at least 2 samples, got n_samples = {len(x)}")
        settings = {name: value for name, value in self.get_params(deep=False).items() if name != "random_state"}
        settings |= {"hidden": tuple(self.hidden), "class_weight": class_weight}
        seed = int(_utils.check_random_state(self.random_state).randint(2**31))
        self.fit_ = fit_supervised(torch.tensor(x, dtype=torch.float32), y, FitConfig(task=task, seed=seed, **settings))
        # float64 from here on: a sample's prediction then does not depend, to all digits shown, on its batch.
        self.fit_.model.double()
        self.n_iter_ = len(self.fit_.history)

    @torch.no_grad()
    def _output(self, X: Any) -> torch.Tensor:
        _validation.check_is_fitted(self)
        x = _validation.validate_data(self, X, reset=False, dtype=np.float64)
        output: torch.Tensor = self.fit_.model(torch.tensor(x))
        return output

    @property
    def history_(self) -> list[dict[str, float]]:
        """For each epoch losses and scores on the training samples and on those held out of them."""
        return self.fit_.history


class FastGANClassifier(_ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A dense network with fused dropout layers, or (`hidden=()`) a logistic regression, as a classifier.

    Two classes are trained with the fused binary cross-entropy, more with softmax's. Scale the features first, as with
    `sklearn.preprocessing.StandardScaler`.

    Args:
        class_weight: None, "balanced" (inversely to the classes' frequencies), or a number for each class.
        random_state: an int, a `numpy.random.RandomState`, or None for NumPy's global one.

    Settings not named here are those of :class:`fastgan.train.FitConfig`.

    Attributes:
        classes_: the classes, sorted.
        fit_: the `fastgan.train.Fit`, whose network is float64 now.
        n_iter_: epochs trained.
        history_: losses and scores of each epoch.

    Example:
        >>> X = np.random.RandomState(0).randn(200, 2)
        >>> y = np.where(X[:, 0] > 0, "right", "left")
        >>> model = FastGANClassifier(hidden=(16,), epochs=10, lr=0.02, random_state=0).fit(X, y)
        >>> model.predict([[2.0, 0.0], [-2.0, 0.0]]).tolist()
        ['right', 'left']
    """

    classes_: Array

    def __init__(
        self,
        hidden: Sequence[int] = (128, 128),
        dropout: float = 0.5,
        negative_slope: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        class_weight: str | Mapping[Any, float] | None = None,
        sampling: str = "uniform",
        epochs: int = 200,
        batch_size: int = 64,
        lr: float = 1e-3,
        schedule: str = "constant",
        validation_fraction: float = 0.1,
        patience: int = 20,
        random_state: Any = None,
        device: str = "auto",
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.negative_slope = negative_slope
        self.l1 = l1
        self.l2 = l2
        self.class_weight = class_weight
        self.sampling = sampling
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.schedule = schedule
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any) -> FastGANClassifier:
        """Train on samples `X` (N, features) and their classes `y` (N,), numbers or strings.

        Raises:
            ValueError: for anything but finite samples of at least two classes, or settings out of range.
        """
        X, y = _validation.validate_data(self, X, y, dtype=np.float64)
        _multiclass.check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"fit: expected at least 2 classes, got one class only: {self.classes_[0]!r}")
        weights = None
        if self.class_weight is not None:
            computed = _class_weight.compute_class_weight(self.class_weight, classes=self.classes_, y=y)
            weights = tuple(computed.tolist())
        self._train(X, torch.from_numpy(codes.astype(np.int64)), "classify", weights)
        return self

    def predict_proba(self, X: Any) -> Array:
        """The classes' probabilities (N, classes) for samples `X` (N, features), in the order of `classes_`."""
        output = self._output(X)
        if output.shape[1] == 1:
            return torch.cat((torch.sigmoid(-output), torch.sigmoid(output)), 1).numpy()
        return output.softmax(1).numpy()

    def predict(self, X: Any) -> Array:
        """The likeliest classes (N,) for samples `X` (N, features)."""
        rows = self.predict_proba(X).argmax(1)
        likeliest: Array = self.classes_[rows]
        return likeliest


class FastGANRegressor(_RegressorMixin, _Estimator):  # type: ignore[misc]
    """A dense network with fused dropout layers, or (`hidden=()`) a linear model, as a regressor.

    With `hidden=()`, `l1 = alpha * l1_ratio` and `l2 = alpha * (1 - l1_ratio)` it minimises what
    `sklearn.linear_model.ElasticNet` does. Scale features and targets first.

    Args:
        random_state: an int, a `numpy.random.RandomState`, or None for NumPy's global one.

    Settings not named here are those of :class:`fastgan.train.FitConfig`.

    Attributes:
        fit_: the `fastgan.train.Fit`, whose network is float64 now.
        n_iter_: epochs trained.
        history_: losses and scores of each epoch.

    Example:
        >>> X = np.random.RandomState(0).randn(200, 3)
        >>> y = X @ [1.0, 0.0, -2.0] + 3
        >>> model = FastGANRegressor(hidden=(), epochs=50, lr=0.1, random_state=0).fit(X, y)
        >>> model.predict([[1.0, 5.0, 1.0]]).round(1).tolist()
        [2.0]
    """

    def __init__(
        self,
        hidden: Sequence[int] = (128, 128),
        dropout: float = 0.0,
        negative_slope: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        epochs: int = 200,
        batch_size: int = 64,
        lr: float = 1e-3,
        schedule: str = "constant",
        validation_fraction: float = 0.1,
        patience: int = 20,
        random_state: Any = None,
        device: str = "auto",
    ) -> None:
        self.hidden = hidden
        self.dropout = dropout
        self.negative_slope = negative_slope
        self.l1 = l1
        self.l2 = l2
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.schedule = schedule
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any) -> FastGANRegressor:
        """Train on samples `X` (N, features) and numbers `y` (N,).

        Raises:
            ValueError: for anything but finite samples and targets, or settings out of range.
        """
        X, y = _validation.validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._train(X, torch.from_numpy(y.astype(np.float32)), "regress")
        return self

    def predict(self, X: Any) -> Array:
        """Predictions (N,) for samples `X` (N, features)."""
        return self._output(X).squeeze(1).numpy()
