"""Fit a classifier or regressor to samples: search for settings, measure, and write the results."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fastgan._support.extras import require
from fastgan._support.files import write_atomic
from fastgan.supervised.samples import Samples
from fastgan.supervised.search import Search
from fastgan.train.pictures import save_figure
from fastgan.train.run_folder import save_weights

__all__ = ["FitResult", "fit_samples", "make_model"]

Array = NDArray[Any]


@dataclass(frozen=True)
class FitResult:
    """A fitted model and its figures.

    Attributes:
        task: "classify" or "regress".
        model: the model of `make_model`, fitted to the training samples.
        search: the search that chose its settings, or None.
        figures: for each figure of merit, its value on the training samples ("training") and on the rest ("held out").
        counts: the numbers of training samples and of held-out ones.
        samples: what it was fitted to.
    """

    task: str
    model: Any
    search: Search | None
    figures: dict[str, dict[str, float]]
    counts: tuple[int, int]
    samples: Samples

    def write(self, folder: Path, about: dict[str, Any]) -> None:
        """Write fit.json, history.png and weights.safetensors, and after a search search.csv and search.png.

        Args:
            folder: where to; it is made if it does not exist.
            about: the settings, with which fit.json starts.

        Raises:
            CheckpointError: where the weights cannot be written.
            OSError: where another file cannot be written.
            MissingExtraError: without Matplotlib or safetensors.
        """
        folder.mkdir(parents=True, exist_ok=True)
        fitted = _estimator(self.model)
        if self.search is not None:
            write_atomic(folder / "search.csv", self.search.csv().encode())
            titles = ("log loss", "accuracy") if self.task == "classify" else ("squared error", "R^2")
            self.search.plot(folder / "search.png", titles)
            about = about | {"search": self.search.rows, "best": self.search.best}
        _plot(fitted.history_, folder / "history.png")
        schema, target, settings = self.samples.schema, self.samples.target, fitted.fit_.config
        scales = {
            "task": self.task,
            "hidden": list(settings.hidden),
            "negative_slope": settings.negative_slope,
            "features": self.samples.names,
            "schema": None if schema is None else schema.to_dict(),
            "target": None if target is None else asdict(target),
            **_scales(self.model),
        }
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
        grid: values of settings, of which cross-validation chooses the best; {} fits with `settings` alone.
        cv: number of folds of the cross-validation.
        draws: number of combinations of `grid` to try, drawn at random; 0 tries all.
        test: share of the samples that is held out.
        seed: of all random choices.

    Raises:
        ValueError: for settings out of range, or too few samples.
        TrainingDivergedError: where the loss becomes NaN or infinite.
        MissingExtraError: without scikit-learn.
    """
    classify = task == "classify"
    x, x_held, y, y_held = require("sklearn.model_selection").train_test_split(
        samples.x, samples.y, test_size=test, random_state=seed, stratify=samples.y if classify else None
    )
    numbers = None if samples.schema is None else samples.schema.standardised
    model, prefix = make_model(task, seed, settings, table=bool(samples.names), numbers=numbers)
    found = None
    if grid:
        found = Search(model, grid, prefix=prefix, classify=classify, cv=cv, draws=draws, seed=seed).fit(x, y)
        model = found.model
    else:
        model.fit(x, y)
    held_out = _measure(model, x_held, y_held)
    figures = {name: {"training": value, "held out": held_out[name]} for name, value in _measure(model, x, y).items()}
    return FitResult(task, model, found, figures, (len(x), len(x_held)), samples)


def make_model(
    task: str, seed: int, settings: dict[str, Any], table: bool = True, numbers: list[bool] | None = None
) -> tuple[Any, str]:
    """A scikit-learn model that scales the data for the estimator, and the prefix of the estimator's parameters.

    Args:
        task: "classify" or "regress".
        seed: of all random choices.
        settings: of the estimator.
        table: whether to standardise the features; pixels are used as they are. Targets of a regression are
            standardised in either case.
        numbers: of each feature, whether it is standardised; None standardises all.

    Raises:
        ValueError: for a regression with settings that only a classifier has.
        MissingExtraError: without scikit-learn.
    """
    from fastgan.supervised.estimators import FastGANClassifier, FastGANRegressor
    from fastgan.supervised.scaling import NumberScaler

    pipeline, scaler = require("sklearn.pipeline").Pipeline, require("sklearn.preprocessing").StandardScaler
    scale = NumberScaler(numbers or ()) if table else "passthrough"
    if task == "classify":
        model = FastGANClassifier(random_state=seed, **settings)
        return pipeline([("scale", scale), ("model", model)]), "model__"
    for name in ("class_weight", "sampling"):
        if settings.get(name) not in (None, "uniform"):
            raise ValueError(f"fit: expected `{name}` with `task` classify only")
    own = {name: value for name, value in settings.items() if name not in ("class_weight", "sampling")}
    steps = pipeline([("scale", scale), ("model", FastGANRegressor(random_state=seed, **own))])
    transformed = require("sklearn.compose").TransformedTargetRegressor
    return transformed(steps, transformer=scaler()), "regressor__model__"


def _estimator(model: Any) -> Any:
    """The fitted estimator in a model of `make_model`."""
    return getattr(model, "regressor_", model)["model"]


def _measure(model: Any, x: Array, y: Array) -> dict[str, float]:
    """A fitted model's figures of merit on some samples, by name."""
    metrics = require("sklearn.metrics")
    if hasattr(model, "predict_proba"):
        probabilities, predicted = model.predict_proba(x), model.predict(x)
        return {
            "log loss": float(metrics.log_loss(y, probabilities, labels=model.classes_)),
            "accuracy": float(metrics.accuracy_score(y, predicted)),
            "balanced accuracy": float(metrics.balanced_accuracy_score(y, predicted)),
        }
    predicted = model.predict(x)
    return {
        "mean squared error": float(metrics.mean_squared_error(y, predicted)),
        "R^2": float(metrics.r2_score(y, predicted)),
    }


def _scales(model: Any) -> dict[str, Any]:
    """The metadata of the weights: means and scales of features and targets, and the classes."""
    scale = getattr(model, "regressor_", model)["scale"]
    about: dict[str, Any] = {}
    if scale != "passthrough":
        about |= {"feature_mean": scale.mean_.tolist(), "feature_scale": scale.scale_.tolist()}
    if hasattr(model, "regressor_"):
        target = model.transformer_
        return about | {"target_mean": target.mean_.tolist(), "target_scale": target.scale_.tolist()}
    return about | {"classes": model.classes_.tolist()}


def _plot(history: list[dict[str, float]], path: Path) -> None:
    """Draw loss and score over the epochs, on the training samples and on those held out for validation."""
    figure = require("matplotlib.figure").Figure(figsize=(10, 4), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for panel, name in zip(figure.subplots(1, 2), ("loss", "score"), strict=True):
        for part, label in (("train", "training"), ("held_out", "held out of it")):
            if f"{part}_{name}" in history[0]:
                panel.plot(epochs, [row[f"{part}_{name}"] for row in history], label=label)
        panel.set(xlabel="epoch", ylabel=name)
        panel.grid(alpha=0.3)
        panel.legend()
    save_figure(figure, path)
