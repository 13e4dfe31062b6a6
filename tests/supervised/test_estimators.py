"""The estimators against scikit-learn's own checks and its linear models."""

import numpy as np
import pytest
from sklearn.datasets import make_regression
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastgan.supervised.estimators import FastGANClassifier, FastGANRegressor

SMALL = {"hidden": (16,), "epochs": 25, "lr": 3e-2, "random_state": 0, "device": "cpu"}


# No check is excluded. scikit-learn skips those that need pandas or SciPy's array API where they are missing.
@parametrize_with_checks([FastGANClassifier(**SMALL), FastGANRegressor(**SMALL)])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


def _regression() -> tuple[np.ndarray, np.ndarray]:
    x, y = make_regression(120, 8, n_informative=4, bias=3.0, noise=5.0, random_state=0)
    return StandardScaler().fit_transform(x), y / 50


# With full batches and a learning rate that falls to 0, what remains is float32's error and Adam's last small steps.
EXACT = {
    "hidden": (), "epochs": 600, "batch_size": 120, "lr": 0.1, "schedule": "cosine",
    "validation_fraction": 0, "random_state": 0, "device": "cpu",
}  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        ({"l2": 0.3}, Ridge(alpha=0.3 * 120)),
        ({"l1": 0.2}, Lasso(alpha=0.2)),
        ({"l1": 0.1, "l2": 0.3}, ElasticNet(alpha=0.4, l1_ratio=0.25)),
    ],
    ids=["ridge", "lasso", "elastic net"],
)
def test_a_linear_regression_has_scikit_learns_coefficients(settings, reference):
    x, y = _regression()
    layer = FastGANRegressor(**EXACT, **settings).fit(x, y).fit_.model[-1]
    reference.fit(x, y)
    np.testing.assert_allclose(layer.weight.detach().numpy()[0], reference.coef_, atol=1e-3)
    assert layer.bias.item() == pytest.approx(reference.intercept_, abs=1e-3)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_logistic_regression_has_scikit_learns_probabilities(classes):
    x, y = _regression()
    y = np.searchsorted(np.quantile(y, np.arange(1, classes) / classes), y)
    ours = FastGANClassifier(**EXACT, l2=0.1).fit(x, y)
    theirs = LogisticRegression(C=1 / (0.1 * 120), tol=1e-8).fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-3)


def test_strings_are_classes_and_come_back():
    x = np.array([[0.0], [0.1], [1.0], [1.1]] * 5)
    y = np.array(["low", "low", "high", "high"] * 5)
    found = FastGANClassifier(**SMALL, dropout=0.0).fit(x, y)
    assert found.classes_.tolist() == ["high", "low"]
    assert (found.predict(x) == y).all()


def _rare() -> tuple[np.ndarray, np.ndarray]:
    """950 points about the origin, and 50 in a small cloud at its edge."""
    random = np.random.default_rng(0)
    common, rare = random.normal(0, 1, (950, 2)), random.normal(1.2, 0.3, (50, 2))
    return np.concatenate((common, rare)), np.repeat([0, 1], (950, 50))


def test_weights_and_sampling_capture_a_rare_class(capsys):
    x, y = _rare()
    settings = {**SMALL, "epochs": 30, "lr": 2e-2, "hidden": (32,), "dropout": 0.2, "batch_size": 128}
    plain, weighted, sampled, named = (
        recall_score(y, FastGANClassifier(**settings, **how).fit(x, y).predict(x))
        for how in ({}, {"class_weight": "balanced"}, {"sampling": "balanced"}, {"class_weight": {0: 1, 1: 19}})
    )
    with capsys.disabled():
        print(f"\nrecall of a class of 5%: {plain:.2f}; class weights {weighted:.2f}, weighted sampling {sampled:.2f}")
    assert plain < 0.6
    assert min(weighted, sampled, named) > 0.9


def test_a_search_over_the_dropout_rate_finds_the_better_one():
    x, y = _regression()
    model = make_pipeline(StandardScaler(), FastGANClassifier(**SMALL))
    search = GridSearchCV(model, {"fastganclassifier__dropout": [0.1, 0.95]}, cv=3)
    assert search.fit(x, y > y.mean()).best_params_ == {"fastganclassifier__dropout": 0.1}


def test_the_same_random_state_gives_the_same_model_and_another_does_not():
    x, y = _regression()
    first, again, other = (
        FastGANRegressor(**{**SMALL, "dropout": 0.3, "random_state": seed}).fit(x, y).predict(x) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dropout": 1.0}, r"`dropout` to be in \[0, 1\), got 1.0"),
        ({"hidden": (8, 0)}, "`hidden`"),
        ({"l1": -1}, "`l1`"),
        ({"sampling": "blanced"}, "`sampling` to be uniform or balanced, got 'blanced'"),
        ({"device": "cdua"}, "`device`"),
    ],
)
def test_settings_out_of_range_are_named(settings, words):
    with pytest.raises(ValueError, match=words):
        FastGANClassifier(**settings).fit([[0.0], [1.0]], [0, 1])


def test_a_single_class_is_named():
    with pytest.raises(ValueError, match="at least 2 classes, got one class"):
        FastGANClassifier().fit([[0.0], [1.0]], [3, 3])
