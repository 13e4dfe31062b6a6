"""Modes, quality, reverse KL and spread of small mixtures whose values are known."""

import math

import pytest
import torch

from fastgan.data import grid, ring
from fastgan.metrics import mixture_quality

CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_modes_quality_and_divergence_have_the_values_counted_by_hand():
    good = [[0.1, 0], [-0.1, 0], [0, 0.2], [10, 0.1], [10.1, 0], [0, 10.29]]  # 3, 2, 1, 0 with sigma 0.1
    bad = [[5.0, 5.0], [10.0, 10.31]]  # beyond 3 sigma
    result = mixture_quality(torch.tensor(good + bad, dtype=torch.float64), CENTRES, 0.1)
    assert result.modes == 3
    assert result.high_quality == 6 / 8
    shares = [3 / 6, 2 / 6, 1 / 6]
    assert result.reverse_kl == pytest.approx(sum(p * math.log(4 * p) for p in shares), rel=1e-12)
    assert result.spread_low == 0  # modes with fewer than two good samples


def test_reverse_kl_is_log_k_for_one_mode_and_infinite_for_none():
    assert mixture_quality(CENTRES[:1].repeat(9, 1), CENTRES, 0.1).reverse_kl == pytest.approx(math.log(4))
    none = mixture_quality(CENTRES + 5, CENTRES, 0.1)
    assert (none.modes, none.high_quality, none.reverse_kl) == (0, 0, math.inf)


def test_points_at_the_centres_have_full_quality_and_no_spread():
    result = mixture_quality(CENTRES.repeat(50, 1), CENTRES, 0.1)
    assert (result.modes, result.high_quality) == (4, 1)
    assert result.reverse_kl == pytest.approx(0, abs=1e-15)
    assert (result.spread_low, result.spread_high) == (0, 0)


def test_spread_low_is_that_of_the_narrowest_mode_and_axis():
    torch.manual_seed(0)
    noise = torch.randn(4, 5000, 2) * 0.1
    noise[2, :, 1] *= 0.5
    noise[3, :, 0] *= 0.2
    result = mixture_quality((CENTRES[:, None] + noise).flatten(0, 1), CENTRES, 0.1)
    # A standard deviation of 5,000 is within 5 / sqrt(2 * 5000) = 5%.
    assert result.spread_low == pytest.approx(0.2, rel=0.05)
    assert result.spread_high < 1.03


def _points(data):
    return torch.from_numpy(data.units.restore(data.samples))


@pytest.mark.parametrize(("make", "centres", "sigma"), [
    (ring, [(math.cos(i * math.pi / 4), math.sin(i * math.pi / 4)) for i in range(8)], 0.01),
    (grid, [(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)], 0.05),
])  # fmt: skip
def test_real_data_has_all_modes_and_the_quality_of_a_gaussian_disc(make, centres, sigma):
    result = mixture_quality(_points(make()), torch.tensor(centres), sigma)
    assert result.modes == len(centres)
    # 1 - exp(-4.5) of a Gaussian lies within 3 sigma in the plane; 5 standard errors of 50,000 samples.
    assert result.high_quality == pytest.approx(1 - math.exp(-4.5), abs=5 * math.sqrt(0.0109 / 50000))
    assert result.reverse_kl < 1e-4
    # What is left of the deviation after the cut, by the truncated Rayleigh law; 5 standard errors of 2,000.
    left = math.sqrt((1 - 5.5 * math.exp(-4.5)) / (1 - math.exp(-4.5)))
    assert left == pytest.approx(0.974, abs=5e-4)
    assert left * 0.92 < result.spread_low < result.spread_high < left * 1.08


def test_shifted_samples_are_not_good():
    samples = _points(ring())
    assert mixture_quality(samples * 1.04, samples[:8], 0.01).high_quality < 0.5


@pytest.mark.parametrize(
    ("samples", "sigma", "words"),
    [
        (torch.zeros(5, 3), 0.1, "centres of width 3, as samples has, got 2"),
        (torch.zeros(0, 2), 0.1, r"samples of shape \(more than 0, ...\), got \(0, 2\)"),
        (torch.full((5, 2), torch.nan), 0.1, "finite values in samples"),
        (torch.zeros(5, 2), 0.0, "sigma above 0, got 0"),
        (torch.zeros(5, 2), math.nan, "sigma above 0, got nan"),
    ],
)
def test_bad_input_is_refused(samples, sigma, words):
    with pytest.raises(ValueError, match=f"mixture_quality: expected {words}"):
        mixture_quality(samples, CENTRES, sigma)
