"""Classifiers and regressors with fused dropout layers: a function of tensors, and estimators for scikit-learn.

`fit_supervised` needs only torch, unless it is to hold out samples itself. `FastGANClassifier` and `FastGANRegressor`
need scikit-learn and are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastgan.supervised.config import FitConfig
from fastgan.supervised.training import Fit, fit_supervised

if TYPE_CHECKING:
    from fastgan.supervised.estimators import FastGANClassifier, FastGANRegressor

__all__ = ["FastGANClassifier", "FastGANRegressor", "Fit", "FitConfig", "fit_supervised"]


def __getattr__(name: str) -> Any:
    if name in ("FastGANClassifier", "FastGANRegressor"):
        from fastgan.supervised import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
