"""`FIDEvaluator`: the floor of real data, and the distances of other samples."""

import pytest
import torch

from fastgan.data import Data, digits
from fastgan.metrics.evaluator import FIDEvaluator


@pytest.fixture(scope="module")
def parts():
    """The digits in a part that was trained on, and one held out."""
    return digits().split(0.3)


@pytest.fixture(scope="module")
def fid_evaluator(parts):
    """Distances to the trained part, with features of it."""
    return FIDEvaluator(*parts)


def test_real_samples_score_the_floor_and_noisy_ones_more(parts, fid_evaluator):
    same, kid_same = fid_evaluator(parts[1].samples)
    assert (same, kid_same) == (fid_evaluator.floor, fid_evaluator.kid_floor)
    noisy, kid_noisy = fid_evaluator(parts[1].samples + torch.randn(len(parts[1].samples), 1, 8, 8))
    assert noisy > 10 * fid_evaluator.floor
    assert kid_noisy > 10 * abs(fid_evaluator.kid_floor)


def test_without_held_out_data_the_floor_is_two_halves():
    x = torch.randn(400, 4)
    halves = FIDEvaluator(Data(x))
    assert halves.count == 200
    # The expected FID of two sets of 200 from one Gaussian is of the order of (F^2 + F) / 200.
    assert 0 < halves.floor < 0.2
    assert halves.fid(x + 3) == pytest.approx(36, rel=0.2)
