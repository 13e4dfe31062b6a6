"""The strided convolutions without normalisation: their sizes, their start, their layers."""

import pytest
import torch
from torch import nn

from fastgan.models import NetworkSize, build
from fastgan.models.unnormalised import BiasLeakyReLU


@pytest.mark.parametrize("shape", [(1, 7, 7), (1, 8, 8), (1, 28, 28), (3, 33, 50), (2, 7, 64), (3, 128, 128)], ids=str)
def test_images_of_any_sides_of_at_least_seven_pixels_are_served(shape):
    generator, discriminator = build("strided", NetworkSize(shape, latent_dim=5))
    samples = generator(torch.randn(2, 5))
    assert samples.shape == (2, *shape)
    assert discriminator(samples).shape == (2, 1)


@pytest.mark.parametrize(("shape", "got"), [((1, 6, 8), r"\(6, 8\)"), ((7,), r"\(7,\)")])
def test_smaller_images_and_rows_are_refused(shape, got):
    with pytest.raises(ValueError, match=f"strided: expected images .*got .*{got}"):
        build("strided", NetworkSize(shape))


@pytest.mark.parametrize("side", [(28, 28), (33, 47)], ids=str)
def test_channels_double_from_map_to_map_up_to_192(side):
    generator, discriminator = build("strided", NetworkSize((3, *side), latent_dim=5))
    widths = [m.out_channels for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [48, 96, 192]
    assert [m.in_channels for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)] == widths[::-1]


@pytest.mark.parametrize("side", [8, 28, 64])
def test_networks_of_any_depth_start_at_the_same_scale(side):
    """The values before tanh, and the logits, of random inputs, in the root mean square over draws of weights."""
    levels, logits = [], []
    for seed in range(12):
        torch.manual_seed(seed)
        generator, discriminator = build("strided", NetworkSize((3, side, side), latent_dim=16, bounded=False))
        levels.append(generator(torch.randn(8, 16)).square().mean())
        logits.append(discriminator(torch.randn(8, 3, side, side)).square().mean())
    assert 0.3 < torch.stack(levels).mean().sqrt() < 1
    assert 0.5 < torch.stack(logits).mean().sqrt() < 3


def test_nothing_is_normalised_and_no_layer_is_skipped():
    for network in build("strided", NetworkSize((3, 32, 32))):
        kinds = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
        assert not any(isinstance(m, kinds) for m in network.modules())
        assert isinstance(network, nn.Sequential)
        assert all(not list(layer.children()) for layer in network)


def test_dropout_is_that_of_the_discriminators_layers():
    generator, discriminator = build("strided", NetworkSize((1, 8, 8), dropout=0.3))
    with_dropout = [m for m in discriminator.modules() if getattr(m, "dropout", 0) or getattr(m, "p", 0)]
    assert len(with_dropout) == 2  # a convolution's and the dense layer's
    assert all(m.dropout == 0 for m in generator.modules() if isinstance(m, BiasLeakyReLU))


def test_logits_are_float32_under_autocast():
    _, discriminator = build("strided", NetworkSize((1, 8, 8)))
    with torch.autocast("cpu", torch.bfloat16):
        assert discriminator(torch.randn(2, 1, 8, 8)).dtype == torch.float32


def _scaled_image(body, i, x, style):
    return nn.functional.conv2d(x * body.image_scales[i](style)[:, :, None, None], body.images[i].weight)


def test_large_images_are_the_sum_of_images_of_all_maps():
    """Each part alone, in float64: an enlarged map before a convolution, and its image resampled to the full size."""
    side = (50, 66)
    generator, discriminator = build("strided", NetworkSize((3, *side), latent_dim=5, bounded=False))
    generator.double()
    body = generator[0]
    assert [m.weight.shape[:2] for m in body.doublings] == [(192, 96), (96, 48), (48, 24), (24, 3)]
    assert [m.out_channels for m in discriminator.modules() if isinstance(m, nn.Conv2d)] == [24, 48, 96, 192]
    latents = torch.randn(2, 5, dtype=torch.float64)
    with torch.no_grad():
        style, x = body.style(latents), body.smallest(latents)
        image = _scaled_image(body, 0, x, style)
        for i, side in enumerate(body.sides):
            x = x * body.scales[i](style)[:, :, None, None]
            kernel = body.doublings[i].weight.flip(2, 3).transpose(0, 1)
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = nn.functional.conv2d(x, kernel, padding=1)[:, :, : side[0], : side[1]]
            x = body.activations[i](x.contiguous())
            image = nn.functional.interpolate(image, side, mode="bilinear")
            image = image + (_scaled_image(body, i + 1, x, style) if i < 3 else x)
        torch.testing.assert_close(generator(latents), image)


class _Constant(nn.Module):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def forward(self, latents):
        return self.x


def test_large_plain_areas_have_no_lattice_at_first():
    """With maps that are constant, so is the image but for its margin."""
    torch.manual_seed(0)
    generator, _ = build("strided", NetworkSize((3, 64, 64), latent_dim=5, bounded=False))
    with torch.no_grad():
        generator[0].smallest = _Constant(torch.randn(1, 192, 1, 1).expand(1, 192, 4, 4))
        image = generator(torch.randn(1, 5))
    inner = image[:, :, 24:40, 24:40]
    assert inner.std((2, 3)).max() < 1e-4 * image.std()


def test_the_scales_of_channels_are_functions_of_the_latents_around_one():
    torch.manual_seed(0)
    generator, _ = build("strided", NetworkSize((3, 64, 64), latent_dim=16))
    body = generator[0]
    with torch.no_grad():
        style = body.style(torch.randn(500, 16))
        for scale in (*body.scales, *body.image_scales):
            scales = scale(style)
            assert 0.8 < scales.mean() < 1.2
            assert 0.3 < scales.std(0).mean() < 0.7


@pytest.mark.parametrize(
    ("sides", "nearest"), [((5, 5), r"\(7, 7\), by image_size 7$"), ((5, 40), r"\(7, 40\)$"), ((64, 6), r"\(64, 7\)$")]
)
def test_sides_that_are_too_small_are_refused_with_the_nearest_that_work(sides, nearest):
    with pytest.raises(ValueError, match=f"at least 7 x 7 pixels, got .*; the nearest that work are {nearest}"):
        build("strided", NetworkSize((3, *sides)))
