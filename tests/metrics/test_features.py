"""Features: those learned from the data, and the user's own extractors."""

import sys

import pytest
import torch
from torch import nn

from fastgan.data import Data, digits, grid
from fastgan.metrics import fid
from fastgan.metrics.features import extract, fit_features, load_features


@pytest.fixture(scope="module")
def learned():
    """The digits' feature extractor, with labels."""
    return fit_features(digits())


def test_the_classifier_has_learnt_the_digits(learned):
    data = digits()
    accuracy = (learned.logits(data.samples).argmax(1) == data.labels).float().mean()
    assert accuracy > 0.98  # measured 0.998


def test_features_have_mean_zero_and_mean_variance_one(learned):
    x = extract(learned, digits().samples)
    assert x.shape == (1797, 64)
    torch.testing.assert_close(x.mean(0), torch.zeros(64), rtol=0, atol=1e-5)
    assert x.var(0, correction=0).mean().item() == pytest.approx(1, abs=1e-5)


def test_the_same_data_and_seed_give_the_same_bits_and_global_randomness_stays(learned):
    torch.manual_seed(123)
    before = torch.get_rng_state()
    again = fit_features(digits())
    assert torch.equal(before, torch.get_rng_state())
    saved = learned.state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in again.state_dict().items())
    assert not any(p.requires_grad for p in again.parameters())


def test_distances_in_features_rank_corruptions_above_the_floor(learned):
    x = digits().samples[torch.randperm(1797)]
    halves = [extract(learned, part) for part in (x[:898], x[898:1796])]
    noisy = extract(learned, (x[898:1796] + 0.3 * torch.randn(898, 1, 8, 8)).clamp(-1, 1))
    noise = extract(learned, torch.rand(898, 1, 8, 8) * 2 - 1)
    floor, worse, worst = fid(*halves), fid(halves[0], noisy), fid(halves[0], noise)
    assert 0 < floor
    assert worse > 1.5 * floor
    assert worst > 20 * worse


def test_unlabelled_images_get_features_too():
    x = digits().samples[:600]
    extractor = fit_features(Data(x))
    features = extract(extractor, x)
    assert features.shape == (600, 64)
    assert fid(features, extract(extractor, torch.rand_like(x) * 2 - 1)) > 20  # two halves: 0.4


def test_points_are_their_own_features():
    x = grid().samples[:100]
    assert torch.equal(extract(fit_features(grid()), x), x)


@pytest.mark.parametrize("shape", [(3, 40, 33), (100,), (1, 3, 3)])
def test_every_shape_of_sample_has_features(shape, monkeypatch):
    monkeypatch.setattr("fastgan.metrics.features._STEPS", 5)
    x = torch.randn(70, *shape)
    assert extract(fit_features(Data(x, torch.arange(70) % 7)), x).shape[0] == 70


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_features.py").write_text(
        "import torch\n"
        "def halves(x): return x.flatten(1)[:, ::2]\n"
        "class Net(torch.nn.Dropout):\n"
        "    def forward(self, x): return super().forward(x.flatten(1))\n"
        "def short(x): return x.flatten(1)[1:]\n"
        "def broken(x): return x.flatten(1) / 0\n"
        "def fails(x): return x.view(3, 7)\n"
        "def listed(x): return x.tolist()\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("own_features", None)


@pytest.mark.usefixtures("own_module")
def test_a_function_and_a_module_class_are_imported():
    x = torch.randn(10, 1, 4, 4)
    assert torch.equal(extract(load_features("own_features:halves"), x), x.flatten(1)[:, ::2])
    assert torch.equal(extract(load_features("own_features:Net"), x), x.flatten(1))  # in eval mode: nothing dropped


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("own_features", "expected MODULE:NAME, got 'own_features'"),
        ("no_such_module:f", "cannot import the module of 'no_such_module:f'"),
        ("own_features:absent", "to have 'absent'"),
        ("own_features:number", "to be callable, got int"),
    ],
)
def test_names_that_cannot_be_imported_or_called_are_refused(name, words):
    with pytest.raises(ValueError, match=f"features: .*{words}"):
        load_features(name)


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("short", r"to return \(10, F\), got \(9, 16\)"),
        ("listed", "got list"),
        ("broken", "finite features"),
        ("fails", r"failed on samples \(10, 1, 4, 4\): .*size"),
    ],
)
def test_extractors_that_fail_or_return_something_else_are_refused(name, words):
    with pytest.raises(ValueError, match=words):
        extract(load_features(f"own_features:{name}"), torch.randn(10, 1, 4, 4))


def test_extracted_features_have_no_gradient():
    x = torch.randn(4, 3, requires_grad=True)
    assert not extract(nn.Linear(3, 2), x).requires_grad
