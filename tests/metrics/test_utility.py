"""TSTR against scikit-learn's classifier and known answers."""

import pytest
import torch
from sklearn.svm import SVC

from fastgan.data import digits
from fastgan.metrics import tstr


@pytest.fixture(scope="module")
def parts():
    """The digits in three random parts: 900 to train on, 450 held out, the rest as samples of a perfect generator."""
    data = digits()
    order = torch.randperm(len(data.samples), generator=torch.Generator().manual_seed(0))
    x, y = data.samples[order], data.labels[order]
    return [(x[:900], y[:900]), (x[900:1350], y[900:1350]), (x[1350:], y[1350:])]


def test_tstr_of_real_samples_is_the_classifiers_own_accuracy(parts):
    train, test, samples = parts
    result = tstr(samples, train, test)
    flat = [(x.flatten(1).numpy(), y.numpy()) for x, y in (train, test, samples)]
    assert result.real_accuracy == SVC().fit(*flat[0]).score(*flat[1]) > 0.95
    assert result.accuracy == SVC().fit(*flat[2]).score(*flat[1]) > 0.9


def test_tstr_of_shuffled_labels_is_chance(parts):
    train, test, (x, y) = parts
    accuracies = [tstr((x, y[torch.randperm(len(y))]), train, test).accuracy for _ in range(5)]
    # Chance is 0.1; over 5 x 450 answers 5 standard errors are 0.03, and one shuffle's answers go together.
    assert sum(accuracies) / 5 == pytest.approx(0.1, abs=0.06)


def test_tstr_refuses_labels_that_do_not_fit(parts):
    train, test, (x, y) = parts
    with pytest.raises(ValueError, match=r"labels of shape \[447\] with samples, got \[446\]"):
        tstr((x, y[1:]), train, test)
    with pytest.raises(ValueError, match="at least two classes in samples, got one"):
        tstr((x, torch.zeros_like(y)), train, test)
    with pytest.raises(ValueError, match="samples of width 64, as train has, got 32"):
        tstr((x[..., :4], y), train, test)
