"""Attributions against the known ones of linear discriminators."""

import copy

import pytest
import torch
from torch import nn

import fastgan
from fastgan import nn as fnn
from fastgan.explain import METHODS, attribute, feature_mask

pytest.importorskip("captum", reason="needs the extra [explain]")


def _network() -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(16, 12), fnn.LeakyReLUDropout(0.2, 0.4, inplace=True), nn.Linear(12, 1)
    )


# For a linear function all give w (x - baseline), up to float32's rounding; LIME's ridge shrinks it.
@pytest.mark.parametrize(
    ("method", "tolerance"), [("integrated_gradients", 1e-5), ("kernel_shap", 1e-3), ("lime", 0.05)]
)
@pytest.mark.parametrize("shape", [(6,), (1, 2, 3)])
def test_a_linear_discriminator_gets_its_weights_times_the_distance_from_the_baseline(method, tolerance, shape):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 1))
    nn.init.uniform_(linear[1].weight, 0.5, 1.5)
    samples = torch.rand(3, *shape) + 1
    found = attribute(linear, samples, methods=[method], baseline=-1.0, perturbations=300)[method]
    want = linear[1].weight.detach().reshape(shape) * (samples + 1)
    torch.testing.assert_close(found, want, atol=tolerance * want.max().item(), rtol=0)


@pytest.mark.parametrize("method", ["integrated_gradients", "kernel_shap"])
def test_attributions_sum_to_the_logits_distance_from_the_baselines(method):
    network = _network().eval()
    samples = torch.randn(4, 16)
    found = attribute(network, samples, methods=[method], perturbations=600)[method]
    want = (network(samples) - network(torch.zeros(1, 16))).flatten()
    # Leaky ReLU has kinks, so a sum of 64 steps is off by some percent of the logit.
    torch.testing.assert_close(found.sum(1), want, atol=0.03, rtol=0.03)


def test_the_fused_and_the_reverted_network_get_the_same_attributions_and_the_first_is_untouched():
    network = _network().train()
    samples = torch.randn(2, 16)
    before, state = attribute(network, samples, perturbations=100), torch.get_rng_state()
    assert isinstance(network[2], fnn.LeakyReLUDropout)
    assert network.training
    assert all(p.requires_grad for p in network.parameters())
    after = attribute(fastgan.revert(copy.deepcopy(network)), samples, perturbations=100)
    assert list(before) == list(METHODS)
    for name, values in before.items():
        assert values.equal(after[name]), name
    assert torch.get_rng_state().equal(state)


def test_seeds_choose_the_perturbations():
    network, samples = _network(), torch.randn(2, 16)
    first, other = (attribute(network, samples, methods=["lime"], perturbations=50, seed=s)["lime"] for s in (1, 2))
    assert not first.equal(other)


def test_an_image_of_many_pixels_has_64_cells_and_a_table_one_a_column():
    assert feature_mask((3, 32, 32)).unique().numel() == 64
    assert (feature_mask((3, 32, 32))[0, 0] == feature_mask((3, 32, 32))[0, 2]).all()
    assert feature_mask((1, 8, 8)).flatten().tolist() == list(range(64))
    assert feature_mask((1, 20, 10)).unique().numel() == 7 * 4  # squares of 3 pixels, smaller at the edges
    assert feature_mask((5,)).tolist() == [[0, 1, 2, 3, 4]]
