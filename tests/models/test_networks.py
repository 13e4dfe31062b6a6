"""The recipes' networks fit the data."""

import copy
import re

import pytest
import torch
from torch import nn

from fastgan import nn as fnn
from fastgan.losses import gradient_penalty, r1_penalty
from fastgan.models import NETWORKS, TABULAR, NetworkSize, build, has_batch_statistics

# That of tables takes encoded rows; tests/models/test_translation.py tests pix2pix.
OF_LATENTS = [name for name in NETWORKS if name not in (TABULAR, "pix2pix")]


@pytest.mark.parametrize("network", OF_LATENTS)
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


def _dense_and_convolutions(network):
    """The sequence's layers with weights, as (input features, output features, kernel, stride)."""
    found = []
    for m in network:
        if isinstance(m, nn.Linear):
            found.append((m.in_features, m.out_features))
        elif isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
            found.append((m.in_channels, m.out_channels, m.kernel_size, m.stride))
    return found


def test_dcgan_of_32_pixels_has_the_recipes_layers():
    generator, discriminator = build("dcgan", NetworkSize((3, 32, 32)))
    by_two = (5, 5), (2, 2)
    assert _dense_and_convolutions(generator) == [
        (100, 256 * 4 * 4),
        (256, 128, *by_two),
        (128, 64, *by_two),
        (64, 3, *by_two),
    ]
    assert [m.num_features for m in generator if isinstance(m, nn.BatchNorm2d)] == [256, 128, 64]
    assert isinstance(generator[-1], nn.Tanh)
    assert _dense_and_convolutions(discriminator) == [(3, 64, *by_two), (64, 128, *by_two), (128 * 8 * 8, 1)]
    assert [m.p for m in discriminator if isinstance(m, fnn.LeakyReLUDropout)] == [0.3, 0.3]


def test_dcgan_of_64_pixels_is_one_layer_deeper():
    generator, discriminator = build("dcgan", NetworkSize((3, 64, 64)))
    assert [layer[:2] for layer in _dense_and_convolutions(generator)] == [
        (100, 512 * 4 * 4),
        (512, 256),
        (256, 128),
        (128, 64),
        (64, 3),
    ]
    assert [layer[:2] for layer in _dense_and_convolutions(discriminator)] == [
        (3, 64),
        (64, 128),
        (128, 256),
        (256 * 8 * 8, 1),
    ]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 64, 64), (1, 28, 28), (2, 6, 10), (1, 4, 4), (3, 20, 8)], ids=str)
@pytest.mark.parametrize("network", ["dcgan", "resnet"])
def test_convolutional_networks_fit_images_of_even_sides(network, shape):
    generator, discriminator = build(network, NetworkSize(shape, latent_dim=5))
    samples = generator(torch.randn(2, 5))
    assert samples.shape == (2, *shape)
    assert discriminator(samples).shape == (2, 1)


@pytest.mark.parametrize("network", ["dcgan", "resnet"])
@pytest.mark.parametrize(("shape", "message"), [((1, 7, 8), "even sides"), ((2,), "expected images")], ids=str)
def test_convolutional_networks_refuse_odd_sides_and_points(network, shape, message):
    with pytest.raises(ValueError, match=f"{network}.*{message}"):
        build(network, NetworkSize(shape))


@pytest.mark.parametrize(
    ("sides", "nearest"),
    [
        ((29, 40), "(28, 40)"),
        ((50, 50), "(48, 48), by image_size 48"),
        ((127, 127), "(128, 128), by image_size 128"),
        ((500, 500), "(512, 512), by image_size 512"),
        ((4, 2000), "(2048, 2048), by image_size 2048"),
    ],
    ids=str,
)
def test_sides_that_cannot_be_halved_far_enough_are_refused_with_the_nearest_that_work(sides, nearest):
    with pytest.raises(ValueError, match=re.escape(f"got {sides}; the nearest that work are {nearest}")):
        build("dcgan", NetworkSize((1, *sides)))


def test_each_layer_of_the_residual_discriminator_has_spectral_norm_one():
    torch.manual_seed(0)
    _, discriminator = build("resnet", NetworkSize((1, 8, 8)))
    with torch.no_grad():
        for _ in range(50):  # the power iterations converge
            discriminator(torch.randn(2, 1, 8, 8))
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 10
    for layer in layers:
        # Fifty iterations leave the largest singular value within 1 %: the gap to the second one is small.
        assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("network", OF_LATENTS)
def test_copies_and_loaded_weights_give_the_same_results(network):
    size = NetworkSize((1, 8, 8), dropout=0.0)
    others = build(network, size)
    for module, other, x in zip(
        build(network, size), others, (torch.randn(3, 100), torch.randn(3, 1, 8, 8)), strict=True
    ):
        module.eval()
        expected = module(x)
        assert not torch.equal(other.eval()(x), expected)
        other.load_state_dict(module.state_dict())
        assert torch.equal(other(x), expected)
        assert torch.equal(copy.deepcopy(module)(x), expected)


@pytest.mark.parametrize("penalty", ["r1", "gradient penalty"])
@pytest.mark.parametrize("network", OF_LATENTS)
def test_penalties_differentiate_through_the_networks_with_dropout(network, penalty):
    """The penalty's gradient by each parameter, along a random direction, is its central difference."""
    torch.manual_seed(0)
    _, discriminator = build(network, NetworkSize((1, 8, 8), dropout=0.3))
    discriminator.double()
    for p in discriminator.parameters():
        if not p.any():
            nn.init.normal_(p, std=0.1)  # the last layer of a residual branch, before which no gradient comes
    for m in discriminator.modules():  # spectral norms in eval mode stay fixed; dropout has the same mask in all calls
        m.training = m.training and not hasattr(m, "_u")
    real, fake = torch.randn(2, 3, 1, 8, 8, dtype=torch.float64)

    def value():
        torch.manual_seed(1)
        return r1_penalty(discriminator, real) if penalty == "r1" else gradient_penalty(discriminator, real, fake)

    parameters = list(discriminator.parameters())
    gradients = torch.autograd.grad(value(), parameters, allow_unused=True, materialize_grads=True)
    assert sum(g.abs().max() > 0 for g in gradients) >= sum(p.dim() > 1 for p in parameters)
    directions = [torch.randn_like(p) for p in parameters]
    slope = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True)).item()
    step = 1e-8  # so small that no leaky ReLU crosses 0, where the penalty jumps
    values = []
    for sign in (1, -2):
        torch._foreach_add_([p.data for p in parameters], directions, alpha=sign * step)
        values.append(value().item())
    assert slope == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)


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
