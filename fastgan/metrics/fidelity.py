"""How alike a real and a synthetic table are, column by column and pair by pair.

The scores are those of the quality report of SDMetrics 0.32: 1 is best. Missing values are left out of columns of
numbers and of their correlations, and are a category of their own elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require
from fastgan.metrics._columns import is_numeric, numbers, same_columns

_pandas = require("pandas")

__all__ = ["Fidelity", "fidelity", "invalid_share"]

Array = NDArray[Any]
_BINS = 10  # into which numbers are cut where one is paired with a category
_LEAST_CORRELATION, _LEAST_ASSOCIATION = 0.5, 0.3  # pairs count where the real table has more


@dataclass(frozen=True)
class Fidelity:
    """Scores between 0 and 1.

    Attributes:
        score: the mean of `marginals` and `pairs`.
        marginals: the mean of the columns' scores.
        pairs: the mean of the scores of the pairs that depend on each other in the real table, with a correlation
            beyond 0.5 or Cramer's V above 0.3; `marginals` where there are none.
        columns: the score of each column: 1 minus the Kolmogorov-Smirnov statistic for numbers and dates, 1 minus the
            total variation distance for other values.
        by_pair: the score of each pair of columns: 1 minus half the difference of Pearson's correlations for two
            columns of numbers, 1 minus the total variation distance of the contingency tables for others, where the
            numbers of each table are cut into 10 bins of equal width over its own range, as that report does.
    """

    score: float
    marginals: float
    pairs: float
    columns: dict[Any, float]
    by_pair: dict[tuple[Any, Any], float]


def fidelity(real: Any, synthetic: Any, discrete_columns: tuple[Any, ...] | list[Any] = ()) -> Fidelity:
    """Compare a synthetic table with the real one.

    Args:
        real: a pandas DataFrame.
        synthetic: a DataFrame with the same columns.
        discrete_columns: names of columns of numbers that count as categories.

    Raises:
        ValueError: for other columns, or a table without rows or columns.

    Example:
        >>> import pandas
        >>> real = pandas.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": ["x", "x", "y", "y"]})
        >>> found = fidelity(real, real.assign(b=["x", "x", "x", "y"]))
        >>> found.columns, found.by_pair
        ({'a': 1.0, 'b': 0.75}, {('a', 'b'): 0.75})
        >>> found.pairs, found.score
        (0.75, 0.8125)
    """
    names = list(real.columns)
    same_columns("fidelity", real, synthetic)
    numeric = {n: n not in discrete_columns and is_numeric(real[n]) for n in names}
    x, y = ({n: numbers(table[n]) for n in names if numeric[n]} for table in (real, synthetic))
    codes = {n: _codes(n, real, synthetic, x.get(n), y.get(n)) for n in names}
    columns = {n: _ks_complement(x[n], y[n]) if numeric[n] else _tv_complement(*codes[n]) for n in names}
    by_pair: dict[tuple[Any, Any], float] = {}
    counted = []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            if numeric[first] and numeric[second]:
                real_one, score = _correlation_similarity(x[first], x[second], y[first], y[second])
                counts = abs(real_one) > _LEAST_CORRELATION
            else:
                real_one, score = _contingency_similarity(codes[first], codes[second])
                counts = real_one > _LEAST_ASSOCIATION
            by_pair[first, second] = score
            counted += [score] if counts and not np.isnan(score) else []
    marginals = float(np.nanmean(list(columns.values())))
    pairs = float(np.mean(counted)) if counted else marginals
    return Fidelity((marginals + pairs) / 2, marginals, pairs, columns, by_pair)


def invalid_share(real: Any, synthetic: Any) -> float:
    """The share of a synthetic table's cells that the real one could not have.

    Such cells are numbers or dates outside the real range, categories that never occur, and missing values in a column
    that has none. Text is a category if the real column repeats any.

    Args:
        real: a pandas DataFrame.
        synthetic: a DataFrame with the same columns.
    """
    wrong = 0
    for name in real.columns:
        cells, known = synthetic[name], real[name].dropna()
        missing = cells.isna()
        if is_numeric(real[name]):
            bad = ~missing & ~cells.between(known.min(), known.max()) if len(known) else ~missing
        else:
            bad = ~missing & ~cells.isin(known) if known.nunique() < len(known) else missing & False
        wrong += int(bad.sum()) + (0 if len(known) < len(real) else int(missing.sum()))
    return wrong / max(1, int(synthetic.size))


def _codes(name: Any, real: Any, synthetic: Any, x: Array | None, y: Array | None) -> tuple[Array, Array, int]:
    """Both columns as codes of the same categories, missing among them, and the number of categories."""
    if x is None or y is None:
        both = _pandas.concat([real[name].astype(object), synthetic[name].astype(object)], ignore_index=True)
        codes, values = _pandas.factorize(both)
        codes = np.where(codes < 0, len(values), codes)
        return codes[: len(real)], codes[len(real) :], len(values) + 1
    return _binned(x), _binned(y), _BINS + 2


def _binned(x: Array) -> Array:
    """The bins of numbers over their own range; the largest number has one of its own, and so have missing ones."""
    missing = np.isnan(x)
    if missing.all():
        return np.full(len(x), _BINS + 1)
    edges = np.histogram_bin_edges(x[~missing], _BINS)
    return np.where(missing, _BINS + 1, np.digitize(x, edges) - 1)


def _ks_complement(x: Array, y: Array) -> float:
    """1 minus the largest distance of the cumulated distributions; NaN where one of the columns is empty."""
    x, y = np.sort(x[~np.isnan(x)]), np.sort(y[~np.isnan(y)])
    if not len(x) or not len(y):
        return float("nan")
    both = np.concatenate((x, y))
    shares = [np.searchsorted(v, both, side="right") / len(v) for v in (x, y)]
    return float(1 - np.abs(shares[0] - shares[1]).max())


def _tv_complement(x: Array, y: Array, count: int) -> float:
    shares = [np.bincount(v, minlength=count) / len(v) for v in (x, y)]
    return max(0.0, float(1 - 0.5 * np.abs(shares[0] - shares[1]).sum()))  # not -0.0 by rounding


def _contingency_similarity(first: tuple[Array, Array, int], second: tuple[Array, Array, int]) -> tuple[float, float]:
    """Cramer's V of the real pair, and 1 minus the total variation distance of the contingency tables."""
    joined = [a.astype(np.int64) * second[2] + b for a, b in zip(first[:2], second[:2], strict=True)]
    values, codes = np.unique(np.concatenate(joined), return_inverse=True)
    real, other = codes[: len(joined[0])], codes[len(joined[0]) :]
    return _cramers_v(first[0], second[0]), _tv_complement(real, other, len(values))


def _cramers_v(a: Array, b: Array) -> float:
    """Cramer's V (1946) of two columns of codes, without a correction; NaN where one is constant."""
    (rows, a), (columns, b) = (np.unique(v, return_inverse=True) for v in (a, b))
    if min(len(rows), len(columns)) < 2:
        return float("nan")
    n = len(a)
    expected: Array = np.outer(np.bincount(a), np.bincount(b)) / n
    found = np.zeros_like(expected)
    np.add.at(found, (a, b), 1)
    return float(np.sqrt(((found - expected) ** 2 / expected).sum() / n / (min(found.shape) - 1)))


def _correlation_similarity(x1: Array, x2: Array, y1: Array, y2: Array) -> tuple[float, float]:
    """The real correlation, and 1 minus half the difference of the two; NaN where a column is constant."""
    found = []
    for a, b in ((x1, x2), (y1, y2)):
        known = ~(np.isnan(a) | np.isnan(b))
        constant = known.sum() < 2 or not np.ptp(a[known]) or not np.ptp(b[known])
        found.append(float("nan") if constant else float(np.corrcoef(a[known], b[known])[0, 1]))
    return found[0], 1 - 0.5 * abs(found[0] - found[1])
