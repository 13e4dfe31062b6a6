"""What a synthetic table is worth: for a model that learns from it, and as a secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require
from fastgan._support.messages import unknown_name
from fastgan.metrics._columns import codes_by, is_numeric, numbers, same_columns

_ensemble = require("sklearn.ensemble")
_metrics = require("sklearn.metrics")
_neighbors = require("sklearn.neighbors")

__all__ = ["ClosestRecord", "TableUtility", "closest_record", "table_utility"]

Array = NDArray[Any]
_MOST_CATEGORIES = 254  # that scikit-learn's trees can tell apart; the rarer ones count as missing


@dataclass(frozen=True)
class TableUtility:
    """The score on real rows of a model trained on a table.

    Attributes:
        score: of the model trained on the synthetic table.
        real_score: of the same model trained on real rows; what to expect at best.
        measure: what the scores are: "R2" for a target of numbers, "balanced accuracy" for others.
    """

    score: float
    real_score: float
    measure: str


def table_utility(synthetic: Any, train: Any, test: Any, target: Any, seed: int = 0) -> TableUtility:
    """Train on synthetic rows, test on real ones, with scikit-learn's gradient boosting of histograms.

    Args:
        synthetic: a pandas DataFrame.
        train: the real table that the synthetic one was learnt from.
        test: real rows that were not learnt from.
        target: the column to predict from all others; rows without a value in it are left out.
        seed: of the model.

    Raises:
        ValueError: for tables of different columns, empty ones, an unknown target, or no other column.

    Example:
        >>> import pandas
        >>> real = pandas.DataFrame({"a": range(200), "b": ["x"] * 100 + ["y"] * 100})
        >>> table_utility(real.assign(b="x"), real, real, "b")  # which teaches chance
        TableUtility(score=0.5, real_score=1.0, measure='balanced accuracy')
    """
    same_columns("table_utility", train, synthetic, test)
    if target not in train.columns:
        raise ValueError(unknown_name("table_utility: unknown column", str(target), map(str, train.columns)))
    if len(train.columns) < 2:
        raise ValueError("table_utility: expected a column beside the target, got none")
    number = is_numeric(train[target]) and train[target].nunique() > 2
    tables = [table[table[target].notna()] for table in (synthetic, train, test)]
    x = [_features(table, train, target) for table in tables]
    y = [numbers(t[target]) if number else codes_by(train[target], t[target]) for t in tables]
    scores = []
    for i in (0, 1):
        if not len(y[i]) or (not number and len(np.unique(y[i])) < 2):  # nothing to learn: the one class there is
            predicted: Array = np.full(len(y[2]), y[i][0] if len(y[i]) else -1)
        else:
            kind = "HistGradientBoostingRegressor" if number else "HistGradientBoostingClassifier"
            categorical = [not is_numeric(train[name]) for name in train.columns if name != target]
            model = getattr(_ensemble, kind)(categorical_features=categorical, random_state=seed)
            predicted = model.fit(x[i], y[i]).predict(x[2])
        scores.append(float(_r2(y[2], predicted) if number else _balanced_accuracy(y[2], predicted)))
    return TableUtility(scores[0], scores[1], "R2" if number else "balanced accuracy")


@dataclass(frozen=True)
class ClosestRecord:
    """How near synthetic rows are to the real ones they were learnt from, beside rows that were held out.

    The distance of two rows is Gower's (1971): the mean over the columns of the difference in units of the range, or of
    0 and 1 for equal and other categories.

    Attributes:
        train: the median distance of a synthetic row to the closest row that was learnt from.
        held_out: that to the closest row of as many that were not.
        nearer: the share of the synthetic rows that are closer to the rows learnt from; 0.5 where these are no secret
            that leaks, 1 for copies.
        copies: the share of the synthetic rows that equal a row learnt from.
        held_out_copies: the share that equal one that was not; as many copies are chance.
    """

    train: float
    held_out: float
    nearer: float
    copies: float
    held_out_copies: float


def closest_record(synthetic: Any, train: Any, held_out: Any, most: int = 2000, seed: int = 0) -> ClosestRecord:
    """Measure the distances to the closest record.

    Args:
        synthetic: a pandas DataFrame.
        train: the rows that it was learnt from.
        held_out: rows of the same source that were not learnt from. As many rows as the smaller of the two has are
            compared.
        most: how many synthetic rows are taken at most.
        seed: of the choice of rows.

    Raises:
        ValueError: for tables of different columns, or empty ones.

    Example:
        >>> import pandas
        >>> real = pandas.DataFrame({"a": np.random.default_rng(0).normal(size=200)})
        >>> closest_record(real[:100], real[:100], real[100:]).nearer
        1.0
    """
    same_columns("closest_record", train, synthetic, held_out)
    random = np.random.default_rng(seed)
    count = min(len(train), len(held_out))
    sizes = (min(most, len(synthetic)), count, count)
    tables = zip((synthetic, train, held_out), sizes, strict=True)
    chosen = [t.iloc[random.permutation(len(t))[:size]] for t, size in tables]
    made, *real = (_gower(table, train) for table in chosen)
    near = [
        _neighbors.NearestNeighbors(n_neighbors=1, metric="manhattan").fit(r).kneighbors(made)[0][:, 0] for r in real
    ]
    closer = (near[0] < near[1]).mean() + 0.5 * (near[0] == near[1]).mean()
    copies = [float((d <= 1e-9).mean()) for d in near]
    return ClosestRecord(float(np.median(near[0])), float(np.median(near[1])), float(closer), *copies)


def _features(table: Any, train: Any, target: Any) -> Array:
    """All columns but the target as float64 (N, F): numbers, and codes of categories, NaN where missing or unknown."""
    columns = []
    for name in train.columns:
        if name == target:
            continue
        if is_numeric(train[name]):
            columns.append(numbers(table[name]))
        else:
            codes = codes_by(train[name], table[name]).astype(float)
            columns.append(np.where((codes < 0) | (codes >= _MOST_CATEGORIES), np.nan, codes))
    return np.stack(columns, 1)


def _gower(table: Any, train: Any) -> Array:
    """Rows (N, F) whose Manhattan distances are Gower's."""
    parts = []
    for name in train.columns:
        if is_numeric(train[name]):
            x, known = numbers(table[name]), numbers(train[name])
            known = known[~np.isnan(known)]
            low, span = (known.min(), np.ptp(known) or 1.0) if len(known) else (0.0, 1.0)
            missing = np.isnan(x)
            # A missing number is at a distance of 1/2 to 1 of all others, and at 0 of other missing ones.
            parts += [np.where(missing, 0.5, (x - low) / span), np.where(missing, 0.5, 0.0)]
        else:
            codes = codes_by(train[name], table[name])
            count = int(train[name].nunique())
            parts += list(0.5 * np.eye(count + 1)[codes].T)
    return np.stack(parts, 1) / len(train.columns)


def _r2(y: Array, predicted: Array) -> Any:
    return _metrics.r2_score(y, predicted)


def _balanced_accuracy(y: Array, predicted: Array) -> Any:
    """The mean of each class's recall: a rare class counts as much as a frequent one."""
    return np.mean([(predicted[y == c] == c).mean() for c in np.unique(y)])
