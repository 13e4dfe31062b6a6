"""The recipes' networks fit the data."""

import pytest
import torch
from torch import nn

from fastgan.models import NETWORKS, NetworkSize, build, has_batch_statistics


@pytest.mark.parametrize("network", NETWORKS)
def test_a_generators_samples_fit_the_discriminator(network):
    size = NetworkSize((1, 32, 32), latent_dim=7)
    generator, discriminator = build(network, size)
    samples = generator(torch.randn(5, 7))
    assert samples.shape == (5, 1, 32, 32)
    assert samples.abs().max() <= 1
    assert samples.std(0).min() > 0  # every pixel depends on the latent
    assert discriminator(samples).shape == (5, 1)


def test_the_mlp_has_the_recipes_widths():
    generator, discriminator = build("mlp", NetworkSize((1, 8, 8)))
    widths = [
        [(m.in_features, m.out_features) for m in net if isinstance(m, nn.Linear)] for net in (generator, discriminator)
    ]
    assert widths == [[(100, 128), (128, 128), (128, 64)], [(64, 128), (128, 128), (128, 1)]]


def test_unbounded_data_gets_no_tanh():
    generator, _ = build("mlp", NetworkSize((2,), bounded=False))
    assert (generator(torch.randn(50, 100) * 1000).abs() > 1).any()


@pytest.mark.parametrize(("dropout", "random"), [(0.3, True), (0.0, False)])
def test_dropout_is_in_the_discriminator_alone(dropout, random):
    generator, discriminator = build("mlp", NetworkSize((1, 8, 8), dropout=dropout))
    z = torch.randn(4, 100)
    samples = generator(z).detach()
    assert torch.equal(samples, generator(z))
    assert torch.equal(discriminator(samples), discriminator(samples)) != random


def test_an_unknown_network_is_refused():
    with pytest.raises(ValueError, match=r"expected one of mlp.*got 'cnn'"):
        build("cnn", NetworkSize((1, 8, 8)))


@pytest.mark.parametrize(
    ("layer", "found"),
    [(nn.BatchNorm2d(3), True), (nn.SyncBatchNorm(3), True), (nn.GroupNorm(1, 3), False), (nn.Dropout(), False)],
)
def test_batch_statistics_are_found(layer, found):
    assert has_batch_statistics(nn.Sequential(nn.Sequential(layer))) == found
