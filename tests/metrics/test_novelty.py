"""The memorisation score against SciPy, scikit-learn's neighbours and known answers."""

import pytest
import scipy.stats
import torch
from sklearn.neighbors import NearestNeighbors

from fastgan.data import digits
from fastgan.metrics import memorisation


@pytest.fixture(scope="module")
def parts():
    """The digits in three random parts: 900 to train on, 450 held out, the rest as samples of a perfect generator."""
    data = digits()
    order = torch.randperm(len(data.samples), generator=torch.Generator().manual_seed(0))
    x, y = data.samples[order], data.labels[order]
    return [(x[:900], y[:900]), (x[900:1350], y[900:1350]), (x[1350:], y[1350:])]


def test_the_score_is_scipys_rank_test_on_scikit_learns_neighbours(parts):
    (train, _), (held_out, _), (samples, _) = parts
    samples = samples + 0.1 * torch.randn_like(samples)
    index = NearestNeighbors(n_neighbors=1).fit(train.flatten(1).double())
    ours, fresh = (index.kneighbors(x.flatten(1).double())[0][:, 0] for x in (samples, held_out))
    expected = scipy.stats.mannwhitneyu(fresh, ours, method="asymptotic", use_continuity=False)
    result = memorisation(samples, train, held_out)
    # float32 distances may order a near tie the other way: one pair of 450 x 447.
    assert result.share_nearer == pytest.approx(expected.statistic / (len(ours) * len(fresh)), abs=1e-5)
    assert 2 * scipy.stats.norm.sf(abs(result.z)) == pytest.approx(expected.pvalue, rel=1e-2)
    median = torch.tensor(ours).median() / torch.tensor(fresh).median()
    assert result.median_ratio == pytest.approx(median.item(), rel=1e-5)


def test_ties_count_half_as_in_scipy():
    train = torch.zeros(3, 1)
    samples, held_out = torch.tensor([[1.0], [1], [2], [3]]), torch.tensor([[1.0], [2], [2]])
    result = memorisation(samples, train, held_out)
    expected = scipy.stats.mannwhitneyu([1, 2, 2], [1, 1, 2, 3], method="asymptotic", use_continuity=False)
    assert result.share_nearer == pytest.approx(expected.statistic / 12)
    assert 2 * scipy.stats.norm.sf(abs(result.z)) == pytest.approx(expected.pvalue)


def test_fresh_data_scores_half_and_copies_one(parts):
    (train, _), (held_out, _), (fresh, _) = parts
    assert abs(memorisation(fresh, train, held_out).z) < 3  # two-sided false alarms: 0.3%
    copies = memorisation(train[:300], train, held_out)
    assert (copies.share_nearer, copies.median_ratio) == (1, 0)
    assert copies.z > 10
    half = memorisation(torch.cat((train[:200], fresh[:200])), train, held_out)
    assert half.share_nearer == pytest.approx(0.75, abs=0.05)


def test_without_held_out_data_training_rows_are_compared_with_the_others(parts):
    (train, _), _, (fresh, _) = parts
    assert abs(memorisation(fresh, train).z) < 3
    assert memorisation(train, train).share_nearer == 1


@pytest.mark.parametrize(
    ("samples", "train", "held_out", "words"),
    [
        (torch.zeros(3, 2), torch.zeros(4, 3), None, "samples of width 3, as train has, got 2"),
        (torch.zeros(3, 2), torch.zeros(4, 2), torch.zeros(4, 1), "held_out of width 2, as train has, got 1"),
        (torch.zeros(3, 2), torch.zeros(1, 2), None, r"train of shape \(more than 1, ...\), got \(1, 2\)"),
        (torch.full((3, 2), torch.nan), torch.zeros(4, 2), None, "finite values in samples"),
    ],
)
def test_bad_rows_are_refused(samples, train, held_out, words):
    with pytest.raises(ValueError, match=f"memorisation: expected {words}"):
        memorisation(samples, train, held_out)
