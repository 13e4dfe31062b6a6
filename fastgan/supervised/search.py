"""Choice of an estimator's settings by cross-validation, with a table and a plot of the scores."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastgan._support.extras import require
from fastgan._support.messages import unknown_name
from fastgan.train.pictures import save_figure

__all__ = ["Search", "parse_setting"]

_FRACTIONS = ("dropout", "l1", "l2", "lr", "negative_slope", "validation_fraction")
_SEARCHABLE: dict[str, type] = dict.fromkeys(_FRACTIONS, float) | dict.fromkeys(
    ("batch_size", "epochs", "patience"), int
)


def parse_setting(spec: str) -> tuple[str, list[float]]:
    """Read the name and the values of a setting from text.

    Args:
        spec: such as `dropout=0.0:0.8:9` for 9 values from 0 to 0.8, or `l2=0,1e-4,1e-3`.

    Raises:
        ValueError: for a setting that cannot be searched, or values of another form.
    """
    name, equals, text = spec.partition("=")
    name = name.strip().replace("-", "_")
    if name not in _SEARCHABLE:
        raise ValueError(unknown_name("fit: search: unknown setting", name, _SEARCHABLE))
    try:
        if ":" in text:
            low, high, count = text.split(":")
            values = np.linspace(float(low), float(high), int(count)).round(12).tolist()
        else:
            values = [float(value) for value in text.split(",")]
    except ValueError:
        values = []
    kind = _SEARCHABLE[name]
    if not equals or not values or not all(math.isfinite(v) and kind(v) == v for v in values):
        raise ValueError(
            f"fit: expected a search {name}=LOW:HIGH:COUNT or {name}=A,B,C of {kind.__name__}s, got '{spec}'"
        )
    return name, [kind(value) for value in values]


class Search:
    """A search over a grid of settings: cross-validated scores, and the best estimator fitted to all samples.

    Args:
        model: an estimator.
        grid: the values of each setting.
        prefix: of the settings' names among the estimator's parameters, such as "model__" for a pipeline's step.
        classify: whether loss and score are log loss and accuracy, or else mean squared error and R^2. The lowest loss
            is the best.
        cv: number of folds, of shuffled samples.
        draws: number of combinations to try, drawn at random; 0 tries all.
        seed: of folds and draws.

    Attributes:
        rows: for each combination its settings and `loss`, `loss_se`, `train_loss`, `score`, `score_se`,
            `train_score`; the standard errors are over folds.
        best: the settings with the lowest loss.
        model: the estimator with these settings, fitted to all samples.

    Raises:
        ValueError: for fewer than two folds, or more draws than combinations.
        MissingExtraError: without scikit-learn.
    """

    def __init__(
        self, model: Any, grid: dict[str, list[float]], *, prefix: str, classify: bool, cv: int, draws: int, seed: int
    ) -> None:
        selection = require("sklearn.model_selection")
        if cv < 2:
            raise ValueError(f"fit: expected `cv` to be at least 2, got {cv}")
        combinations = math.prod(map(len, grid.values()))
        if not 0 <= draws <= combinations:
            raise ValueError(f"fit: expected `draws` from 0 to {combinations}, the combinations, got {draws}")
        folds = (selection.StratifiedKFold if classify else selection.KFold)(cv, shuffle=True, random_state=seed)
        losses = ("neg_log_loss", "accuracy") if classify else ("neg_mean_squared_error", "r2")
        settings = {
            "scoring": dict(zip(("loss", "score"), losses, strict=True)),
            "refit": "loss",
            "cv": folds,
            "return_train_score": True,
            "error_score": "raise",
        }
        space = {prefix + name: values for name, values in grid.items()}
        self._search = (
            selection.RandomizedSearchCV(model, space, n_iter=draws, random_state=seed, **settings)
            if draws
            else selection.GridSearchCV(model, space, **settings)
        )
        self._names, self._prefix, self._cv = list(grid), prefix, cv

    def fit(self, x: Any, y: Any) -> Search:
        """Try all combinations on samples `x` and targets `y`."""
        self._search.fit(x, y)
        results = self._search.cv_results_
        self.rows = [
            {name: settings[self._prefix + name] for name in self._names}
            | {
                "loss": -float(results["mean_test_loss"][i]),
                "loss_se": self._standard_error(results, "loss", i),
                "train_loss": -float(results["mean_train_loss"][i]),
                "score": float(results["mean_test_score"][i]),
                "score_se": self._standard_error(results, "score", i),
                "train_score": float(results["mean_train_score"][i]),
            }
            for i, settings in enumerate(results["params"])
        ]
        self.best = {name: self._search.best_params_[self._prefix + name] for name in self._names}
        self.model = self._search.best_estimator_
        return self

    def _standard_error(self, results: Any, name: str, i: int) -> float:
        folds = [results[f"split{fold}_test_{name}"][i] for fold in range(self._cv)]
        return float(np.std(folds, ddof=1) / math.sqrt(self._cv))

    def lines(self) -> list[str]:
        """The table of scores as lines of text, with a mark at the best."""
        lines = [f"{' '.join(f'{n:>10}' for n in self._names)}   held-out loss      train   held-out score     train"]
        for row in self.rows:
            mark = " *" if all(row[name] == value for name, value in self.best.items()) else ""
            lines.append(
                f"{' '.join(f'{row[n]:>10.4g}' for n in self._names)}   "
                f"{row['loss']:.4f} +- {row['loss_se']:.4f}  {row['train_loss']:.4f}   "
                f"{row['score']:.4f} +- {row['score_se']:.4f}  {row['train_score']:.4f}{mark}"
            )
        return lines

    def csv(self) -> str:
        """The table of scores as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]))
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def plot(self, path: Path, labels: Sequence[str] = ("loss", "score")) -> None:
        """Draw loss and score against the first setting, in training and held out (with standard errors).

        Combinations that differ in the first setting only are joined by a line.

        Args:
            path: the picture's file; its suffix gives the format.
            labels: names of loss and score for the axes.

        Raises:
            MissingExtraError: without Matplotlib.
            OSError: if the file cannot be written; an earlier one is untouched.
        """
        figure = require("matplotlib.figure").Figure(figsize=(10, 4), layout="constrained")
        first, *others = self._names
        groups: dict[tuple[Any, ...], list[dict[str, float]]] = {}
        for row in sorted(self.rows, key=lambda row: row[first]):
            groups.setdefault(tuple(row[name] for name in others), []).append(row)
        for panel, name, label in zip(figure.subplots(1, 2), ("loss", "score"), labels, strict=True):
            for i, (key, rows) in enumerate(groups.items()):
                about = "".join(f", {n} {v:g}" for n, v in zip(others, key, strict=True))
                at, colour = [row[first] for row in rows], f"C{i % 10}"
                held_out, errors = [row[name] for row in rows], [row[f"{name}_se"] for row in rows]
                panel.errorbar(at, held_out, errors, marker="o", capsize=3, color=colour, label=f"held out{about}")
                panel.plot(at, [row[f"train_{name}"] for row in rows], "--", color=colour, label=f"training{about}")
            panel.set(xlabel=first, ylabel=label)
            panel.grid(alpha=0.3)
            panel.legend()
        save_figure(figure, path)
