"""Distributions and correlations of a table's columns, real and generated."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.extras import require

__all__ = ["MOST_COLUMNS", "Distribution", "compare_columns", "compare_tables", "correlations"]

_BINS = 30
MOST_COLUMNS = 24  # that are shown


@dataclass(frozen=True)
class Distribution:
    """The distribution of one column.

    Attributes:
        name: of the column.
        labels: of the bins: the values of a column that has few, or the bins' lower edges.
        real: the share of the real rows in each bin.
        generated: the share of the generated rows in each bin.
        distance: half the sum of the differences of the shares (total variation); 0 is equal, 1 disjoint.
    """

    name: str
    labels: list[str]
    real: list[float]
    generated: list[float]
    distance: float


def compare_columns(real: NDArray[np.float64], generated: NDArray[np.float64], names: list[str]) -> list[Distribution]:
    """The distributions of the first 24 columns.

    Args:
        real: (N, F) finite numbers in the data's own units.
        generated: (M, F) likewise.
        names: of the F columns.
    """
    return [_column(name, real[:, i], generated[:, i]) for i, name in enumerate(names[:MOST_COLUMNS])]


def compare_tables(real: Any, generated: Any) -> list[Distribution]:
    """The distributions of the first 24 columns of two pandas DataFrames.

    Numbers and dates are put into bins, all others are compared value by value. Missing cells are a bin of their own.

    Args:
        real: a table.
        generated: one with the same columns.

    Raises:
        MissingExtraError: without pandas.
    """
    types = require("pandas").api.types
    found = []
    for name in list(real.columns)[:MOST_COLUMNS]:
        cells = [frame[name] for frame in (real, generated)]
        there = [column[column.notna()] for column in cells]
        dtype = cells[0].dtype
        if types.is_datetime64_any_dtype(dtype):
            days = [column.to_numpy("datetime64[s]").astype(np.float64) / 86400 for column in there]
            column = _column(str(name), *days)
            dates = [str(np.datetime64(int(float(label)), "D")) for label in column.labels]
            column = dataclasses.replace(column, labels=dates)
        elif types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype):
            column = _column(str(name), *(column.to_numpy(np.float64) for column in there))
        else:
            column = _values(str(name), *there)
        found.append(_with_missing(column, *(float(column.isna().mean()) for column in cells)))
    return found


def _with_missing(column: Distribution, real: float, generated: float) -> Distribution:
    """A distribution of the cells that are there, with the shares that are missing as one more bin."""
    if real == generated == 0:
        return column
    shares = [
        [*(share * (1 - missing) for share in there), missing]
        for there, missing in ((column.real, real), (column.generated, generated))
    ]
    distance = sum(abs(a - b) for a, b in zip(*shares, strict=True)) / 2
    return Distribution(column.name, [*column.labels, "missing"], shares[0], shares[1], distance)


def _values(name: str, real: Any, generated: Any) -> Distribution:
    """The shares of a column's 30 most frequent values, and of all others together."""
    shares = [cells.astype(str).value_counts(normalize=True) for cells in (real, generated)]
    common = list(shares[0].index[:_BINS])
    counts = [[float(share.get(value, 0.0)) for value in common] for share in shares]
    rest = [max(0.0, 1 - sum(count)) if len(share) else 0.0 for count, share in zip(counts, shares, strict=True)]
    if max(rest) > 1e-9:
        common.append("others")
        counts = [[*count, other] for count, other in zip(counts, rest, strict=True)]
    distance = sum(abs(a - b) for a, b in zip(*counts, strict=True)) / 2
    return Distribution(name, common, counts[0], counts[1], distance)


def _column(name: str, real: NDArray[np.float64], generated: NDArray[np.float64]) -> Distribution:
    if len(real) == 0:
        return Distribution(name, [], [], [], 0.0)
    real = np.round(real, _decimals(real))
    values = np.unique(real)
    if len(values) <= _BINS:  # each value is a bin; a generated number counts for the nearest
        middles = (values[1:] + values[:-1]) / 2
        counts = [np.bincount(np.searchsorted(middles, x), minlength=len(values)) for x in (real, generated)]
        labels = [f"{value + 0.0:.6g}" for value in values]
    else:  # the outermost bins also hold what lies beyond
        edges = np.linspace(values[0], values[-1], _BINS + 1)
        counts = [np.histogram(np.clip(x, edges[0], edges[-1]), edges)[0] for x in (real, generated)]
        labels = [f"{edge:.6g}" for edge in edges[:-1]]
    ours, theirs = counts[1] / max(len(generated), 1), counts[0] / len(real)
    return Distribution(name, labels, theirs.tolist(), ours.tolist(), float(np.abs(ours - theirs).sum() / 2))


def _decimals(values: NDArray[np.float64]) -> int:
    """The decimals that six digits of the largest value have: the conversion to the network's range loses the rest."""
    largest = float(np.abs(values).max())
    return 5 - math.floor(math.log10(largest)) if largest > 0 else 0


def correlations(rows: NDArray[np.float64]) -> list[list[float]]:
    """Pearson's correlations of the first 24 columns of `rows` (N, F); 0 where a column is constant."""
    few = rows[:, :MOST_COLUMNS]
    spread = few.std(axis=0)
    scaled = (few - few.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.round(scaled.T @ scaled / len(few), 3).tolist()  # type: ignore[no-any-return]
