"""The networks of pix2pix: their shapes, their noise, and the sizes that they serve."""

import pytest
import torch
from torch import nn

from fastgan import nn as fnn
from fastgan.models import NetworkSize, build, nearest_size
from fastgan.models.translation import dropout_noise


def _size(height=32, width=32, channels=3, of_input=1, **settings):
    return NetworkSize((channels, height, width), input_shape=(of_input, height, width), **settings)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (48, 80)])
def test_translations_have_the_targets_shape_and_every_patch_a_logit(height, width):
    generator, discriminator = build("pix2pix", _size(height, width))
    inputs = torch.rand(2, 1, height, width) * 2 - 1
    made = generator(inputs)
    assert made.shape == (2, 3, height, width)
    assert made.abs().max() <= 1
    logits = discriminator(made, inputs)
    assert logits.shape == (2, 1, height // 4 - 2, width // 4 - 2)


def test_of_256_pixels_they_have_the_papers_layers():
    generator, discriminator = build("pix2pix", _size(256, 256, of_input=3, dropout=0.5))
    down = [m.out_channels for m in generator.modules() if isinstance(m, nn.Conv2d)]
    up = [m.out_channels for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert down == [64, 128, 256, 512, 512, 512, 512, 3]  # and the last layer
    assert up == [512, 512, 512, 256, 128, 64]
    dropouts = [m for m in generator.modules() if isinstance(m, fnn.LeakyReLUDropout)]
    assert [(m.negative_slope, m.p) for m in dropouts] == [(0.0, 0.5)] * 2  # in the maps of 4 and 8 pixels
    layers = [(m.out_channels, m.stride[0]) for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert layers == [(64, 2), (128, 2), (256, 2), (512, 1), (1, 1)]


@pytest.mark.parametrize(("side", "patch"), [(64, 34), (128, 70)])
def test_a_logit_sees_a_patch(side, patch):
    _, discriminator = build("pix2pix", _size(side, side))
    for norm in [m for m in discriminator.modules() if isinstance(m, nn.InstanceNorm2d)]:
        norm.forward = lambda x: x  # its mean and deviation see the whole image
    samples = torch.rand(1, 3, side, side, requires_grad=True)
    logits = discriminator(samples, torch.rand(1, 1, side, side))
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    seen = samples.grad.abs().sum((0, 1)) > 0
    assert (int(seen.any(0).sum()), int(seen.any(1).sum())) == (patch, patch)


def test_the_translation_of_an_image_does_not_depend_on_those_beside_it():
    generator, discriminator = build("pix2pix", _size())
    generator.eval()
    inputs = torch.rand(3, 1, 32, 32)
    with torch.no_grad():
        alone, together = generator(inputs[:1]), generator(inputs)
        torch.testing.assert_close(alone, together[:1], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(discriminator(alone, inputs[:1]), discriminator(together, inputs)[:1])


def test_dropout_is_the_noise_a_function_of_the_seed_that_changes_nothing_else():
    generator, _ = build("pix2pix", _size(dropout=0.5))
    generator.eval()
    inputs, state = torch.rand(1, 1, 32, 32), torch.get_rng_state()
    made = {}
    for seed in (0, 0, 1, None):
        with torch.no_grad(), dropout_noise(generator, seed):
            made.setdefault(seed, []).append(generator(inputs))
    assert torch.equal(*made[0])
    assert not torch.equal(made[0][0], made[1][0])
    assert torch.equal(made[None][0], generator(inputs))
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in generator.modules())


def test_the_discriminator_judges_an_image_given_its_input():
    _, discriminator = build("pix2pix", _size())
    sample = torch.rand(1, 3, 32, 32)
    one, other = (discriminator(sample, torch.rand(1, 1, 32, 32)) for _ in range(2))
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (_size(100, 70), "multiples of 16 and at least 32, got 70 x 100; the nearest that works is 64 x 96"),
        (_size(8, 8), "got 8 x 8; the nearest that works is 32 x 32, as --image-size 32"),
        (NetworkSize((3, 32, 32)), "expected images with inputs, .* got data without inputs"),
    ],
)
def test_a_size_that_it_does_not_serve_is_named_with_the_nearest(size, message):
    with pytest.raises(ValueError, match=f"pix2pix: .*{message}"):
        build("pix2pix", size)


@pytest.mark.parametrize(("height", "width"), [(100, 70), (8, 8), (33, 500)])
def test_the_nearest_size_is_one_that_it_serves(height, width):
    nearest = nearest_size(height, width, 16, 32)
    build("pix2pix", _size(*nearest))
    assert all(abs(a - b) <= 8 or b == 32 for a, b in zip((height, width), nearest, strict=True))


def test_networks_of_latents_refuse_data_with_inputs():
    with pytest.raises(
        ValueError, match="expected the network pix2pix for data with inputs, as of --recipe pix2pix, got 'dcgan'"
    ):
        build("dcgan", _size())
