"""Fidelity of tables against its definitions, and tables whose scores are known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from scipy.stats.contingency import association

from fastgan.metrics.fidelity import fidelity, invalid_share


def table(seed=0, n=3000, linked=True):
    """Two numbers and two categories, which depend on each other if `linked`."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = a + 0.3 * rng.normal(size=n) if linked else rng.normal(size=n)
    k = np.where((a if linked else rng.normal(size=n)) > 0, "x", "y")
    return pd.DataFrame({"a": a, "b": b, "k": k, "l": np.where(rng.random(n) < 0.2, k, "z")})


def test_a_table_is_faithful_to_itself():
    found = fidelity(table(), table())
    assert (found.score, found.marginals, found.pairs) == (1.0, 1.0, 1.0)


def test_columns_of_numbers_have_the_kolmogorov_smirnov_statistic_as_scipy_computes_it():
    real, other = table(), table(1, 500, linked=False).assign(a=lambda t: t["a"] * 2 + 0.5)
    other.loc[::7, "a"] = np.nan
    found = fidelity(real, other).columns
    for name in "ab":
        assert found[name] == pytest.approx(1 - ks_2samp(real[name], other[name].dropna()).statistic, abs=1e-12)


def test_columns_of_categories_have_the_total_variation_distance_with_missing_as_a_category():
    real = pd.DataFrame({"k": ["x"] * 5 + ["y"] * 3 + [None] * 2})
    other = pd.DataFrame({"k": ["x"] * 2 + ["q"] * 2})
    assert fidelity(real, other).columns["k"] == pytest.approx(1 - 0.5 * (0 + 0.3 + 0.2 + 0.5))


def test_pairs_count_where_the_real_table_has_a_dependence():
    real, other = table(), table(1, linked=False)
    found = fidelity(real, other)
    correlation = np.corrcoef(other["a"], other["b"])[0, 1] - np.corrcoef(real["a"], real["b"])[0, 1]
    assert found.by_pair["a", "b"] == pytest.approx(1 - abs(correlation) / 2)
    shares = [pd.crosstab(t["k"], t["l"], normalize="all") for t in (real, other)]
    distance = 0.5 * np.abs(shares[0] - shares[1]).to_numpy().sum()
    assert found.by_pair["k", "l"] == pytest.approx(1 - distance)
    bins = [np.digitize(real[n], np.histogram_bin_edges(real[n])) for n in "ab"]
    strength = {("a", "b"): 1.0, ("k", "l"): association(pd.crosstab(real["k"], real["l"]), "cramer")}
    strength |= {
        (n, c): association(pd.crosstab(x, real[c]), "cramer") for n, x in zip("ab", bins, strict=True) for c in "kl"
    }
    counted = [score for pair, score in found.by_pair.items() if strength[pair] > 0.3]
    assert 0 < len(counted) < 6
    assert found.pairs == pytest.approx(np.mean(counted))
    assert found.score == pytest.approx((found.marginals + found.pairs) / 2)


def test_dates_of_any_resolution_and_zone_are_numbers():
    days = pd.Series(pd.date_range("2024-01-01", periods=100, tz="Europe/Berlin"))
    real = pd.DataFrame({"d": days})
    other = pd.DataFrame({"d": days.dt.tz_convert("UTC").astype("datetime64[s, UTC]")})
    assert fidelity(real, other).columns["d"] == 1.0
    assert fidelity(real, other.iloc[:50]).columns["d"] == pytest.approx(0.5)


def test_constant_and_empty_columns_leave_the_other_scores_alone():
    real = table().assign(c=1.0, e=np.nan)
    found = fidelity(real, real.assign(c=1.0))
    assert found.score == 1.0
    assert np.isnan(found.columns["e"])


def test_numbers_can_count_as_categories():
    real, other = (pd.DataFrame({"n": n}) for n in ([1, 1, 2, 3], [1, 2, 3, 3]))
    assert fidelity(real, other, ["n"]).columns["n"] == pytest.approx(0.75)


def test_invalid_cells_are_counted():
    real = pd.DataFrame({"a": [1.0, 2.0, 3.0, 2.0], "k": ["x", "y", "x", None], "name": list("pqrs")})
    assert invalid_share(real, real) == 0
    wrong = pd.DataFrame({"a": [0.9, np.nan, 3.0, 3.1], "k": ["x", None, "q", "y"], "name": list("abcd")})
    assert invalid_share(real, wrong) == pytest.approx(4 / 12)


@pytest.mark.parametrize(
    ("other", "message"), [(pd.DataFrame({"a": [1]}), "the columns a, b, k, l, got a"), (table()[:0], "an empty one")]
)
def test_tables_that_cannot_be_compared_are_refused(other, message):
    with pytest.raises(ValueError, match=message):
        fidelity(table(), other)
