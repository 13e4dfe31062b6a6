"""Distributions and correlations of columns."""

import numpy as np
import pandas as pd
import pytest

from fastgan.report.columns import compare_columns, compare_tables, correlations

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


def test_a_tables_columns_are_compared_as_what_they_are():
    days = pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-02", "2024-03-01"])
    real = pd.DataFrame({"city": ["Oslo", "Oslo", "Paris", "Rom"], "age": [1, 2, 3, 4], "day": days, "vip": [True] * 4})
    generated = real.assign(city=["Oslo", "Paris", "Paris", "Bern"], age=[1.0, 2, 3, None], vip=[True, False] * 2)
    city, age, day, vip = compare_tables(real, generated)
    assert dict(zip(city.labels, city.real, strict=True)) == {"Oslo": 0.5, "Paris": 0.25, "Rom": 0.25, "others": 0.0}
    assert city.generated[city.labels.index("others")] == 0.25
    assert city.distance == 0.5
    assert (day.labels, day.real, day.distance) == (["2024-01-01", "2024-01-02", "2024-03-01"], [0.25, 0.5, 0.25], 0)
    assert (age.labels, age.real, age.generated) == (
        ["1", "2", "3", "4", "missing"],
        [0.25] * 4 + [0],
        [0.25] * 3 + [0, 0.25],
    )
    assert vip.distance == 0.5
