"""Distributions and correlations of columns."""

import numpy as np
import pytest

from fastgan.report.columns import compare_columns, correlations

RNG = np.random.default_rng(0)


def test_equal_samples_have_distance_0_and_disjoint_ones_1():
    values = RNG.normal(size=(500, 1))
    same, apart = compare_columns(np.hstack([values, values]), np.hstack([values, values + 1e6]), ["a", "b"])
    assert same.distance == 0
    assert apart.distance == pytest.approx(1, abs=0.01)  # the outermost bin also holds a few real values
    assert sum(same.real) == pytest.approx(1)
    assert sum(apart.generated) == pytest.approx(1)


def test_a_column_of_few_values_has_a_bin_for_each():
    real, generated = np.array([[0.0], [1], [4], [4]]), np.array([[0.2], [3.9], [4.1], [100]])
    column = compare_columns(real, generated, ["rooms"])[0]
    assert column.labels == ["0", "1", "4"]
    assert column.real == [0.25, 0.25, 0.5]
    assert column.generated == [0.25, 0.0, 0.75]
    assert column.distance == 0.25


def test_correlations_are_pearsons():
    x = RNG.normal(size=(300, 3)) @ RNG.normal(size=(3, 3))
    assert np.allclose(correlations(x), np.corrcoef(x.T), atol=1e-3)


def test_a_constant_column_correlates_with_nothing():
    x = np.column_stack([RNG.normal(size=50), np.full(50, 7.0)])
    assert correlations(x) == [[1.0, 0.0], [0.0, 0.0]]
