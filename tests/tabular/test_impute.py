"""GAIN: what it fills in and what it leaves, against simple imputers and scikit-learn's checks."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastgan.tabular.impute import GAINImputer

QUICK = {"steps": 100, "random_state": 0, "device": "cpu"}


# No check is excluded. scikit-learn skips those that need pandas or SciPy's array API where they are missing.
@parametrize_with_checks([GAINImputer(**{**QUICK, "steps": 3})])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


def _holes(load, share: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """A table scaled to [0, 1], and the cells to hide."""
    x = MinMaxScaler().fit_transform(load().data)
    return x, np.random.default_rng(0).random(x.shape) < share


@pytest.mark.parametrize(("load", "factor"), [(load_breast_cancer, 0.7), (load_wine, 0.95)])
def test_missing_values_are_filled_in_better_than_by_means(load, factor):
    x, hidden = _holes(load)
    holes = np.where(hidden, np.nan, x)
    error = {
        type(imputer): np.sqrt(np.mean((imputer.fit_transform(holes) - x)[hidden] ** 2))
        for imputer in (SimpleImputer(), GAINImputer(steps=700, random_state=0, device="cpu"))
    }
    # benchmarks/regularised.py measures it over several seeds, also against IterativeImputer, which is better.
    assert error[GAINImputer] < factor * error[SimpleImputer]


def test_observed_values_stay_bit_for_bit_and_nothing_stays_missing():
    x, hidden = _holes(load_wine)
    x = x * 1e3 - 7
    holes = np.where(hidden, np.nan, x)
    filled = GAINImputer(**QUICK).fit_transform(holes)
    assert (filled[~hidden] == x[~hidden]).all()
    low, high = np.nanmin(holes, axis=0), np.nanmax(holes, axis=0)
    assert ((filled >= low - 1e-9) & (filled <= high + 1e-9)).all()  # within the observed range, up to rounding
    assert np.isnan(holes).any()  # the input is not changed


def test_the_same_random_state_gives_the_same_values_and_a_sample_does_not_depend_on_others():
    x, hidden = _holes(load_wine)
    holes = np.where(hidden, np.nan, x)
    first, again, other = (GAINImputer(**{**QUICK, "random_state": seed}).fit(holes) for seed in (1, 1, 2))
    assert (first.transform(holes) == again.transform(holes)).all()
    assert (first.transform(holes) != other.transform(holes)).any()
    # float64's rounding of sums in another order.
    np.testing.assert_allclose(first.transform(holes[:3]), first.transform(holes)[:3], rtol=1e-12)


def test_the_error_of_held_out_values_stops_the_training():
    x, hidden = _holes(load_wine)
    stopped = GAINImputer(steps=3000, lr=2e-2, random_state=0, device="cpu").fit(np.where(hidden, np.nan, x))
    assert 100 <= stopped.n_iter_ < 2200
    whole = GAINImputer(**QUICK, validation_fraction=0.0).fit(np.where(hidden, np.nan, x))
    assert whole.n_iter_ == 100


def test_a_constant_feature_is_filled_with_its_constant():
    x = np.random.default_rng(0).random((30, 2))
    x[:, 1] = 5.0
    x[3, 1] = np.nan
    # G's sigmoid times a range of 1: the only value seen is the scaled 0.
    assert GAINImputer(steps=600, lr=1e-2, random_state=0).fit_transform(x)[3, 1] == pytest.approx(5, abs=0.05)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "`steps` to be at least 1, got 0"),
        ({"hint_rate": 1.5}, "`hint_rate`"),
        ({"dropout": 1}, "`dropout`"),
        ({"lr": float("nan")}, "`lr`"),
    ],
)
def test_settings_out_of_range_are_named(settings, words):
    with pytest.raises(ValueError, match=words):
        GAINImputer(**settings).fit([[0.0], [1.0]])


def test_a_feature_without_values_is_named():
    with pytest.raises(ValueError, match="an observed value of feature 1, got only missing ones"):
        GAINImputer().fit([[0.0, np.nan], [1.0, np.nan]])


def test_batches_without_an_observed_value_give_finite_results():
    X = np.linspace(0, 1, 40)[:, None] * [1.0, 2.0]
    X[::2] = np.nan
    filled = GAINImputer(steps=20, batch_size=1, random_state=0).fit_transform(X)
    assert np.isfinite(filled).all()
