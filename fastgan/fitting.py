"""What `fastgan fit` does: train a classifier or regressor, or search for its settings, and write what came out."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan import data as gan_data
from fastgan import search, tables
from fastgan._extras import check, require
from fastgan.train.checkpoint import write_atomic
from fastgan.train.process import threads
from fastgan.train.run_folder import RunFolderError, save_weights

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


def fit(
    *,
    task: str,
    data: str,
    target: str | None,
    settings: dict[str, Any],
    searches: list[str],
    cv: int,
    draws: int,
    test: float,
    seed: int,
    cpu_threads: int,
    out: str | None,
) -> None:
    """Train a classifier or regressor with dropout, L1 and L2; with --search, choose them by cross-validation."""
    check(("sklearn", "matplotlib", "safetensors"))
    grid = dict(map(search.parse, searches))
    if task not in ("classify", "regress"):
        raise ValueError(f"fit: expected --task to be classify or regress, got '{task}'")
    if not 0 < test < 1:
        raise ValueError(f"fit: expected --test in (0, 1), got {test}")
    if not 0 <= seed < 2**32:
        raise ValueError(f"fit: expected --seed in [0, 2**32), got {seed}")
    folder = _folder(out, data)
    samples = load(data, target, task)
    with threads(cpu_threads):
        _fit(task, data, samples, settings, grid, cv, draws, test, seed, folder)


def _fit(
    task: str,
    data: str,
    samples: Samples,
    settings: dict[str, Any],
    grid: dict[str, list[float]],
    cv: int,
    draws: int,
    test: float,
    seed: int,
    folder: Path,
) -> None:
    classify = task == "classify"
    x, x_held, y, y_held = require("sklearn.model_selection").train_test_split(
        samples.x, samples.y, test_size=test, random_state=seed, stratify=samples.y if classify else None
    )
    model, prefix = make_model(task, seed, settings, table=bool(samples.names))
    result: dict[str, Any] = {"task": task, "data": data, "seed": seed, "test": test, "settings": settings}
    found = None
    if grid:
        found = search.Search(model, grid, prefix=prefix, classify=classify, cv=cv, draws=draws, seed=seed).fit(x, y)
        model = found.model
        result |= {"search": found.rows, "best": found.best}
        print("\n".join(found.lines()))
        print(f"best: {', '.join(f'{name} {value:g}' for name, value in found.best.items())}; trained with it:")
    else:
        model.fit(x, y)
    figures = {
        name: {"training": value, "held out": held}
        for (name, value), held in zip(
            measure(model, x, y).items(), measure(model, x_held, y_held).values(), strict=True
        )
    }
    fitted = network(model)
    print(f"{'':<20}{'training':>12}{'held out':>12}   ({len(x)} and {len(x_held)} samples)")
    for name, pair in figures.items():
        print(f"{name:<20}{pair['training']:>12.4f}{pair['held out']:>12.4f}")
    result |= {"figures": figures, "best_epoch": fitted.fit_.best_epoch, "history": fitted.history_}

    folder.mkdir(parents=True, exist_ok=True)
    if found is not None:
        write_atomic(folder / "search.csv", found.csv().encode())
        found.plot(folder / "search.png", ("log loss", "accuracy") if classify else ("squared error", "R^2"))
    _plot(fitted.history_, folder / "history.png")
    about = {"task": task, "features": samples.names, **_scales(model)}
    save_weights(folder / "weights.safetensors", {"model": fitted.fit_.model}, about)
    write_atomic(folder / "fit.json", (json.dumps(result, indent=2) + "\n").encode())
    print(f"written to {folder}")


def _folder(out: str | None, data: str) -> Path:
    """The folder for the results, which must be new or hold none; not made yet."""
    if out is None:
        return Path("runs") / f"fit-{data.partition(':')[0]}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"fit: expected --out to be a folder, got the file {folder}")
    for name in ("fit.json", "config.toml"):
        if (folder / name).exists():
            raise RunFolderError(f"fit: expected an --out without results, got {folder} with {name}")
    return folder


def make_model(task: str, seed: int, settings: dict[str, Any], table: bool = True) -> tuple[Any, str]:
    """A pipeline about the estimator, and the prefix of the estimator's parameters in it.

    It standardises the features of a `table`; pixels share a scale, and keep it.
    """
    from fastgan.estimators import FastGANClassifier, FastGANRegressor

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
