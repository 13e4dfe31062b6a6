"""Fitting a classifier or regressor to a data set: data, pipeline, search, figures and files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan import data as gan_data
from fastgan._support.extras import require
from fastgan._support.files import write_atomic
from fastgan.data import tables
from fastgan.supervised.search import Search
from fastgan.train.run_folder import save_weights

__all__ = ["FitResult", "Samples", "fit_samples", "load", "make_model", "measure", "network"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Samples:
    """What to fit: features (N, F), targets (N,), and the features' names ([] for pixels)."""

    x: Array
    y: Array
    names: list[str]


def load(data: str, target: str | None, task: str) -> Samples:
    """The data that `--data` names: a table for csv:PATH, else samples and labels of `fastgan.data.load`.

    Raises:
        ValueError: for data without a target, or that no classifier can learn.
        FileNotFoundError: for a path that does not exist.
    """
    kind, path = gan_data.check_spec(data)
    if kind == "csv":
        samples = Samples(*tables.features_and_target(path, target, task == "classify"))
    else:
        if target is not None:
            raise ValueError(f"fit: expected --target only with --data csv:PATH, got --data {data}")
        loaded = gan_data.load(data)
        if loaded.labels is None:
            raise ValueError(f"fit: expected data with labels, got none in '{data}'")
        samples = Samples(loaded.samples.flatten(1).double().numpy(), loaded.labels.numpy(), [])
    if task == "classify":
        require("sklearn.utils.multiclass").check_classification_targets(samples.y)
        classes, counts = np.unique(samples.y, return_counts=True)
        if len(classes) < 2:
            raise ValueError(f"fit: expected at least 2 classes in {data}, got only {classes[0]}")
        if counts.min() < 2:
            raise ValueError(f"fit: expected at least 2 samples of each class, got 1 of {classes[counts.argmin()]}")
    if len(samples.x) < 5:
        raise ValueError(f"fit: expected at least 5 samples in {data}, got {len(samples.x)}")
    return samples


@dataclass(frozen=True)
class FitResult:
    """A fitted model and its figures.

    Attributes:
        model: the pipeline of `make_model`, fitted to the training samples.
        search: the search that chose its settings, or None.
        figures: for each figure its value on the training samples and on those held out.
        counts: the number of training samples, and of those held out.
        names: the features' names; [] for pixels.
    """

    model: Any
    search: Search | None
    figures: dict[str, dict[str, float]]
    counts: tuple[int, int]
    names: list[str]

    def write(self, folder: Path, about: dict[str, Any]) -> None:
        """Write fit.json, history.png and weights.safetensors into `folder`, and search.csv and search.png.

        Args:
            folder: made where it does not exist.
            about: the settings, which fit.json starts with; "task" is one of them.
        """
        folder.mkdir(parents=True, exist_ok=True)
        fitted = network(self.model)
        if self.search is not None:
            write_atomic(folder / "search.csv", self.search.csv().encode())
            titles = ("log loss", "accuracy") if about["task"] == "classify" else ("squared error", "R^2")
            self.search.plot(folder / "search.png", titles)
            about = about | {"search": self.search.rows, "best": self.search.best}
        _plot(fitted.history_, folder / "history.png")
        scales = {"task": about["task"], "features": self.names, **_scales(self.model)}
        save_weights(folder / "weights.safetensors", {"model": fitted.fit_.model}, scales)
        about = about | {"figures": self.figures, "best_epoch": fitted.fit_.best_epoch, "history": fitted.history_}
        write_atomic(folder / "fit.json", (json.dumps(about, indent=2) + "\n").encode())


def fit_samples(
    samples: Samples,
    task: str,
    settings: dict[str, Any],
    grid: dict[str, list[float]],
    *,
    cv: int,
    draws: int,
    test: float,
    seed: int,
) -> FitResult:
    """Fit a model to a part of the samples, and measure it on that part and on the rest.

    Args:
        samples: features and targets.
        task: "classify" or "regress".
        settings: of the estimator.
        grid: values of settings to choose from by cross-validation; {} takes `settings` as they are.
        cv: folds of the cross-validation.
        draws: combinations of `grid` to try, drawn at random; 0 tries all.
        test: share of the samples that is held out.
        seed: of every random choice.
    """
    classify = task == "classify"
    x, x_held, y, y_held = require("sklearn.model_selection").train_test_split(
        samples.x, samples.y, test_size=test, random_state=seed, stratify=samples.y if classify else None
    )
    model, prefix = make_model(task, seed, settings, table=bool(samples.names))
    found = None
    if grid:
        found = Search(model, grid, prefix=prefix, classify=classify, cv=cv, draws=draws, seed=seed).fit(x, y)
        model = found.model
    else:
        model.fit(x, y)
    held_out = measure(model, x_held, y_held)
    figures = {name: {"training": value, "held out": held_out[name]} for name, value in measure(model, x, y).items()}
    return FitResult(model, found, figures, (len(x), len(x_held)), samples.names)


def make_model(task: str, seed: int, settings: dict[str, Any], table: bool = True) -> tuple[Any, str]:
    """A pipeline about the estimator, and the prefix of the estimator's parameters in it.

    It standardises the features of a `table`; pixels share a scale, and keep it.
    """
    from fastgan.supervised.estimators import FastGANClassifier, FastGANRegressor

    pipeline, scaler = require("sklearn.pipeline").Pipeline, require("sklearn.preprocessing").StandardScaler
    scale = scaler() if table else "passthrough"
    if task == "classify":
        model = FastGANClassifier(random_state=seed, **settings)
        return pipeline([("scale", scale), ("model", model)]), "model__"
    for name in ("class_weight", "sampling"):
        if settings.get(name) not in (None, "uniform"):
            raise ValueError(f"fit: expected --{name.replace('_', '-')} with --task classify only")
    own = {name: value for name, value in settings.items() if name not in ("class_weight", "sampling")}
    steps = pipeline([("scale", scale), ("model", FastGANRegressor(random_state=seed, **own))])
    transformed = require("sklearn.compose").TransformedTargetRegressor
    return transformed(steps, transformer=scaler()), "regressor__model__"


def network(model: Any) -> Any:
    """The fitted estimator in what `make_model` made."""
    return getattr(model, "regressor_", model)["model"]


def measure(model: Any, x: Array, y: Array) -> dict[str, float]:
    """Figures of a fitted model on some samples, by name."""
    metrics = require("sklearn.metrics")
    if hasattr(model, "predict_proba"):
        probabilities, found = model.predict_proba(x), model.predict(x)
        return {
            "log loss": float(metrics.log_loss(y, probabilities, labels=model.classes_)),
            "accuracy": float(metrics.accuracy_score(y, found)),
            "balanced accuracy": float(metrics.balanced_accuracy_score(y, found)),
        }
    found = model.predict(x)
    return {
        "mean squared error": float(metrics.mean_squared_error(y, found)),
        "R^2": float(metrics.r2_score(y, found)),
    }


def _scales(model: Any) -> dict[str, Any]:
    """How features and targets are standardised, and the classes, for the weights' metadata."""
    scale = getattr(model, "regressor_", model)["scale"]
    about: dict[str, Any] = {}
    if scale != "passthrough":
        about |= {"feature_mean": scale.mean_.tolist(), "feature_scale": scale.scale_.tolist()}
    if hasattr(model, "regressor_"):
        target = model.transformer_
        return about | {"target_mean": target.mean_.tolist(), "target_scale": target.scale_.tolist()}
    return about | {"classes": model.classes_.tolist()}


def _plot(history: list[dict[str, float]], path: Path) -> None:
    """Draw loss and score over the epochs, in training and on what early stopping watches."""
    figure = require("matplotlib.figure").Figure(figsize=(10, 4), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for panel, name in zip(figure.subplots(1, 2), ("loss", "score"), strict=True):
        for part, label in (("train", "training"), ("held_out", "held out of it")):
            if f"{part}_{name}" in history[0]:
                panel.plot(epochs, [row[f"{part}_{name}"] for row in history], label=label)
        panel.set(xlabel="epoch", ylabel=name)
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(path, dpi=100)
