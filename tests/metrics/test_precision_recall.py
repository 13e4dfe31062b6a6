"""Precision, recall, density and coverage against a slow reference and known answers."""

import dataclasses
import math

import pytest
import torch

from fastgan.metrics import prdc
from fastgan.metrics.precision_recall import _distances


def _reference(real: list[list[float]], fake: list[list[float]], k: int) -> dict[str, float]:
    """The definitions of Kynkäänniemi et al. and Naeem et al., one pair of points at a time."""

    def radius(points, i):
        return sorted(math.dist(points[i], p) for j, p in enumerate(points) if j != i)[k - 1]

    real_radii = [radius(real, i) for i in range(len(real))]
    fake_radii = [radius(fake, j) for j in range(len(fake))]
    inside = [[math.dist(r, f) < real_radii[i] for f in fake] for i, r in enumerate(real)]
    recalled = [any(math.dist(r, f) < fake_radii[j] for j, f in enumerate(fake)) for r in real]
    return {
        "precision": sum(any(row[j] for row in inside) for j in range(len(fake))) / len(fake),
        "recall": sum(recalled) / len(real),
        "density": sum(map(sum, inside)) / (k * len(fake)),
        "coverage": sum(any(row) for row in inside) / len(real),
    }


@pytest.mark.parametrize(("n", "m", "width", "k"), [(40, 30, 3, 5), (25, 60, 1, 1), (30, 30, 8, 7)])
def test_prdc_agrees_with_the_definitions(n, m, width, k):
    torch.manual_seed(n)
    real, fake = torch.randn(n, width), torch.randn(m, width) * 0.7 + 0.3
    expected = _reference(real.tolist(), fake.tolist(), k)
    assert dataclasses.asdict(prdc(real, fake, k)) == pytest.approx(expected, abs=1e-6)
    assert 0 < expected["precision"]


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_distances_are_exact_where_rows_are_near_and_far_from_the_origin(offset):
    torch.manual_seed(0)
    b = torch.randn(1500, 6) + offset
    a = b[:1100].clone()
    a[0], a[1], b[4] = b[1], torch.nextafter(b[2], b[2] + 1), b[3]  # equal rows, and neighbours in the last digit
    expected = torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist").float()
    found = _distances(a, b)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    assert found[0, 1] == found[3, 4] == 0
    assert 0 < found[1, 2] < 1e-2


def test_rows_that_are_all_equal_lie_at_a_distance_of_zero():
    x = torch.full((1100, 3), 7.3)
    assert not _distances(x, x).any()


def test_identical_sets_score_one_and_distant_sets_zero():
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    same, far = prdc(x, x), prdc(x, x + 100)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    assert same.density == pytest.approx(1, abs=0.01)  # a ball holds k - 1 others and its centre
    assert dataclasses.astuple(far) == (0, 0, 0, 0)


def test_a_lost_mode_costs_recall_and_coverage_but_not_precision():
    torch.manual_seed(0)
    real = torch.cat([torch.randn(300, 2), torch.randn(300, 2) + 50])
    scores = prdc(real, torch.randn(600, 2))
    assert scores.precision > 0.9
    assert scores.recall < 0.55
    assert scores.coverage < 0.55


def test_images_are_flattened():
    x, y = torch.randn(20, 1, 3, 3), torch.randn(20, 1, 3, 3)
    assert prdc(x, y, 3) == prdc(x.flatten(1), y.flatten(1), 3)


@pytest.mark.parametrize(
    ("real", "fake", "words"),
    [
        (torch.randn(20, 3), torch.randn(20, 4), "fake of width 3.*got 4"),
        (torch.randn(5, 3), torch.randn(20, 3), r"real of shape \(more than k=5, ...\), got \(5, 3\)"),
        (torch.randn(20, 3), torch.randn(20), "fake of shape"),
        (torch.full((20, 3), torch.nan), torch.randn(20, 3), "finite values in real"),
    ],
)
def test_bad_features_are_refused(real, fake, words):
    with pytest.raises(ValueError, match=words):
        prdc(real, fake)
