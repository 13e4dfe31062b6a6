"""FID and KID against SciPy, torchmetrics and Gaussians whose distance is known."""

import pytest
import scipy.linalg
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from fastgan.metrics import fid, kid


def _correlated(n: int, width: int, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=generator, dtype=torch.float64)
    return torch.randn(n, width, generator=generator, dtype=torch.float64) @ mix + shift


@pytest.mark.parametrize(("n", "m", "width"), [(200, 300, 16), (65, 65, 64), (500, 90, 1)])
def test_fid_is_the_formula_with_scipys_matrix_root(n, m, width):
    real, fake = _correlated(n, width, seed=1), _correlated(m, width, 0.3, seed=2)
    s1, s2 = (torch.cov(x.T).reshape(width, width).numpy() for x in (real, fake))
    root = scipy.linalg.sqrtm(s1 @ s2).real
    mean = (real.mean(0) - fake.mean(0)).square().sum().item()
    # The root is computed in two ways, which differ by float64's rounding times the product's condition number.
    assert fid(real, fake) == pytest.approx(mean + (s1 + s2 - 2 * root).trace(), rel=1e-7)


def test_fid_agrees_with_torchmetrics():
    real, fake = _correlated(300, 12, seed=3), _correlated(200, 12, 0.1, seed=4)
    features = torch.nn.Identity()
    features.num_features = 12
    metric = FrechetInceptionDistance(features).set_dtype(torch.float64)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    assert fid(real, fake) == pytest.approx(metric.compute().item(), rel=1e-6)


def test_fid_of_diagonal_gaussians_has_its_closed_form():
    """Coordinates that are +-a exactly have no sampling error: the distance is sum (m1 - m2)^2 + (s1 - s2)^2."""
    signs = torch.tensor([[x, y] for x in (-1.0, 1.0) for y in (-1.0, 1.0)]).repeat(50, 1)
    correction = (200 / 199) ** 0.5  # the covariance divides by N - 1
    real, fake = signs * torch.tensor([1.0, 2.0]), signs * torch.tensor([3.0, 2.5]) + torch.tensor([0.5, -1.0])
    expected = 0.25 + 1.0 + ((3 - 1) * correction) ** 2 + ((2.5 - 2) * correction) ** 2
    assert fid(real, fake) == pytest.approx(expected, rel=1e-12)


def test_identical_sets_have_distance_zero_and_order_does_not_matter():
    x = _correlated(300, 20, seed=5)
    y = _correlated(300, 20, 1.0, seed=6)
    assert fid(x, x.flip(0)) == pytest.approx(0, abs=1e-9 * x.var(0).sum().item())
    assert fid(x, y) == pytest.approx(fid(y, x), rel=1e-9)


def test_a_singular_covariance_is_accepted():
    x = _correlated(100, 5, seed=7)
    flat = torch.cat((x, torch.zeros(100, 3)), 1)
    assert fid(flat, flat + 1) == pytest.approx(8, rel=1e-9)


@pytest.mark.parametrize(("n", "width"), [(40, 3), (100, 30)])
def test_kid_of_the_whole_sets_agrees_with_torchmetrics(n, width):
    real, fake = _correlated(n, width, seed=8), _correlated(n, width, 0.2, seed=9)
    metric = KernelInceptionDistance(feature=torch.nn.Identity(), subsets=1, subset_size=n)
    metric.real_features, metric.fake_features = [real], [fake]
    expected, _ = metric.compute()
    assert kid(real, fake, subset_size=n).mean == pytest.approx(expected.item(), rel=1e-5)  # theirs is float32


def test_kid_is_unbiased_of_the_sample_size_and_small_for_one_distribution():
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(2000, 8, generator=generator) for _ in range(2))
    same, far = kid(x, y, subsets=50, subset_size=200), kid(x, y + 0.5, subsets=50, subset_size=200)
    # 50 overlapping subsets of 200 out of 2,000: the mean is within 5 standard errors of ten independent ones.
    assert abs(same.mean) < 5 * same.std / 10**0.5
    assert far.mean > 20 * abs(same.mean)
    assert far.mean == pytest.approx(kid(x, y + 0.5, subsets=50, subset_size=50).mean, rel=0.2)


def test_kid_draws_the_same_subsets_for_the_same_seed():
    x, y = _correlated(60, 4, seed=1), _correlated(50, 4, seed=2)
    assert kid(x, y, 5, 20, seed=3) == kid(x, y, 5, 20, seed=3)
    assert kid(x, y, 5, 20, seed=3) != kid(x, y, 5, 20, seed=4)


@pytest.mark.parametrize("metric", [fid, kid])
@pytest.mark.parametrize(
    ("real", "fake", "words"),
    [
        (torch.randn(20, 3), torch.randn(20, 4), "expected fake of width 3, as real has, got 4"),
        (torch.randn(1, 3), torch.randn(20, 3), r"expected real of shape \(more than .*got \(1, 3\)"),
        (torch.randn(20, 3), torch.randn(1, 3), r"expected fake of shape \(more than .*got \(1, 3\)"),
        (torch.randn(20), torch.randn(20), "expected real of shape"),
        (torch.full((20, 1, 2, 2), torch.nan), torch.randn(20, 1, 2, 2), "expected finite values in real, got NaN"),
        (torch.randn(20, 3), torch.full((20, 3), torch.inf), "expected finite values in fake"),
    ],
)
def test_bad_features_are_refused(metric, real, fake, words):
    with pytest.raises(ValueError, match=f"{metric.__name__}: {words}"):
        metric(real, fake)


@pytest.mark.parametrize("sizes", [(10, 40), (40, 10)])
def test_too_few_samples_for_a_covariance_are_refused_with_the_width(sizes):
    with pytest.raises(ValueError, match=r"more than 10, the features' width.*got \(10, 10\)"):
        fid(torch.randn(sizes[0], 10), torch.randn(sizes[1], 10))


def test_an_array_and_subsets_of_one_are_refused():
    with pytest.raises(TypeError, match="expected real to be a tensor, got ndarray"):
        fid(torch.randn(9, 2).numpy(), torch.randn(9, 2))
    with pytest.raises(ValueError, match="subset_size >= 2, got 3 and 1"):
        kid(torch.randn(9, 2), torch.randn(9, 2), 3, 1)
