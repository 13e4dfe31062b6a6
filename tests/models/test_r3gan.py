"""The residual networks without normalisation: their sizes, their start, their layers."""

import pytest
import torch
from torch import nn

from fastgan.data import Data
from fastgan.models import NetworkSize, build
from fastgan.models.r3gan import _Block, _FromPatches, _PixelProduct, _Resample, _ToPatches
from fastgan.models.unnormalised import BiasLeakyReLU
from fastgan.train import GANTrainer, TrainConfig


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 28, 28), (3, 33, 50), (2, 7, 64), (3, 128, 128)], ids=str)
def test_images_of_any_sides_of_at_least_four_pixels_are_served(shape):
    generator, discriminator = build("r3gan", NetworkSize(shape, latent_dim=5))
    samples = generator(torch.randn(2, 5))
    assert samples.shape == (2, *shape)
    assert discriminator(samples).shape == (2, 1)


@pytest.mark.parametrize(("shape", "got"), [((1, 3, 8), r"\(3, 8\)"), ((7,), r"\(7,\)")])
def test_smaller_images_and_rows_are_refused(shape, got):
    with pytest.raises(ValueError, match=f"r3gan: expected images .*got .*{got}"):
        build("r3gan", NetworkSize(shape))


@pytest.mark.parametrize(
    ("side", "maps"),
    [
        ((8, 12), [(4, 6)]),  # as large as the image
        ((7, 64), [(4, 32)]),  # no patches, as the map would be smaller than 4
        ((28, 44), [(7, 11), (4, 6)]),  # the largest has half the size
        ((96, 128), [(12, 16), (6, 8)]),  # a quarter
    ],
)
def test_maps_are_halved_to_between_four_and_seven_pixels(side, maps):
    _, discriminator = build("r3gan", NetworkSize((1, *side)))
    assert [m.side for m in discriminator if isinstance(m, _Resample)] == maps


@pytest.mark.parametrize("side", [(16, 24), (17, 30), (15, 15)], ids=str)
@pytest.mark.parametrize("patch", [2, 4])
def test_patches_keep_every_pixel(side, patch):
    images = torch.randn(2, 3, *side)
    patches = _ToPatches(patch)(images)
    assert patches.shape == (2, 3 * patch**2, -(-side[0] // patch), -(-side[1] // patch))
    assert torch.equal(_FromPatches(patch, side)(patches), images)


def test_the_pixels_of_a_patch_are_equal_at_first():
    generator, _ = build("r3gan", NetworkSize((3, 32, 32), latent_dim=5))
    samples = generator(torch.randn(2, 5))
    corners = samples[:, :, ::2, ::2]
    assert torch.equal(corners.repeat_interleave(2, 2).repeat_interleave(2, 3), samples)
    assert corners.std() > 0.1


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_each_block_is_the_identity_at_first_and_is_trained_from_there(network):
    torch.manual_seed(0)
    built = build("r3gan", NetworkSize((1, 32, 32), latent_dim=5))[network == "discriminator"]
    blocks = [m for m in built if isinstance(m, _Block)]
    assert len(blocks) == 3
    for block in blocks:
        x = torch.randn(2, block.branch[0].in_channels, 4, 4)
        assert torch.equal(block(x), x)
        torch.autograd.backward(block(x).square().sum())
        assert block.branch[-1].weight.grad.abs().max() > 0


def test_networks_of_any_depth_start_at_the_same_scale():
    """Logits of unit variance, in the mean over draws of weights, whatever the number of blocks."""
    for side in (8, 32):
        logits = []
        for seed in range(24):
            torch.manual_seed(seed)
            _, discriminator = build("r3gan", NetworkSize((3, side, side)))
            noise = torch.randn(1, 3, 1, 1).expand(1, 3, side, side)  # pooling keeps a constant image as it is
            logits.append(discriminator(noise).item())
        assert 0.5 < torch.tensor(logits).std() < 2


def test_nothing_is_normalised_and_the_3x3_convolutions_have_groups_of_16_channels():
    for network in build("r3gan", NetworkSize((3, 32, 32))):
        modules = list(network.modules())
        assert not any(isinstance(m, nn.modules.batchnorm._NormBase | nn.GroupNorm | nn.LayerNorm) for m in modules)
        assert not any("parametrizations" in name for name, _ in network.named_modules())
        grouped = [m for m in modules if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
        assert grouped
        assert all(m.in_channels // m.groups == 16 for m in grouped)


def test_bias_and_leaky_relu_are_one_op_on_the_convolutions_output():
    layer = BiasLeakyReLU(3, 0.2, 0.0)
    nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 5, 5)
    expected = nn.functional.leaky_relu(x + layer.bias[:, None, None], 0.2)
    given = x.clone()
    result = layer(given)
    torch.testing.assert_close(result, expected)
    assert result.data_ptr() == given.data_ptr()


def test_dropout_is_that_of_the_discriminators_blocks():
    generator, discriminator = build("r3gan", NetworkSize((1, 8, 8), dropout=0.3))
    rates = [[m.dropout for m in net.modules() if isinstance(m, BiasLeakyReLU)] for net in (generator, discriminator)]
    assert rates == [[0.0] * 4, [0.3] * 4]


def test_a_product_of_pixels_is_a_1x1_convolution():
    conv = nn.Conv2d(3, 16, 1)
    x = torch.randn(2, 3, 5, 7)
    torch.testing.assert_close(_PixelProduct(conv)(x), conv(x))


def test_a_step_of_64_pictures_in_bf16_survives_onednn_with_amx():
    """It ended the process by a division by zero; on another processor this is a step like any other."""
    data = Data(torch.zeros(64, 3, 64, 64, dtype=torch.uint8))
    trainer = GANTrainer(TrainConfig(recipe="r3gan", precision="bf16", threads=1, device="cpu"), data=data)
    assert (trainer.config.batch_size, trainer.config.r1_gamma > 0) == (64, True)
    trainer.step()
    assert trainer.is_finite()


def test_logits_are_float32_under_autocast():
    _, discriminator = build("r3gan", NetworkSize((1, 8, 8)))
    with torch.autocast("cpu", torch.bfloat16):
        assert discriminator(torch.randn(2, 1, 8, 8)).dtype == torch.float32
