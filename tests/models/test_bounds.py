"""The tanh at the end of generators, which computes in float32."""

import pytest
import torch
from torch import nn

from fastgan.convert import revert
from fastgan.models import NETWORKS, NetworkSize, build
from fastgan.models.bounds import Float32Tanh, InwardTanh, end_in_float32
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.conditions import generate


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_gradient_of_large_inputs_of_16_bits_is_not_zero(dtype):
    x = torch.tensor([-8.0, 0.5, 6.0], dtype=dtype, requires_grad=True)
    y = Float32Tanh()(x)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, x.detach().float().tanh(), rtol=0, atol=0)
    y.sum().backward()
    assert x.grad.abs().min() > 0
    plain = x.detach().requires_grad_()
    torch.tanh(plain).sum().backward()
    assert plain.grad[0] == plain.grad[2] == 0


def test_float32_and_float64_are_tanh():
    for dtype in (torch.float32, torch.float64):
        x = torch.linspace(-10, 10, 101, dtype=dtype)
        assert torch.equal(Float32Tanh()(x), torch.tanh(x))


@pytest.mark.parametrize("network", [name for name in NETWORKS if name not in ("tabular", "points")])
def test_samples_are_float32_under_autocast(network):
    inputs = (1, 32, 32) if network == "pix2pix" else ()
    generator, _ = build(network, NetworkSize((3, 32, 32), latent_dim=8, input_shape=inputs))
    condition = torch.rand(2, *inputs) if inputs else None
    with torch.autocast("cpu", torch.bfloat16):
        samples = generate(generator, torch.randn(2, 8), condition)
    assert samples.dtype == torch.float32
    assert samples.abs().max() <= 1


class _Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 64), nn.Unflatten(1, (1, 8, 8)), nn.Tanh())

    def forward(self, latents):
        return self.body(latents)


def test_the_tanh_at_the_end_of_a_generator_of_ones_own_computes_in_float32():
    generator = _Nested()
    keys = list(generator.state_dict())
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    config = TrainConfig(latent_dim=8, precision="bf16", device="cpu", batch_size=4)
    GANTrainer(config, generator=generator, discriminator=discriminator, data=torch.rand(16, 1, 8, 8) * 2 - 1)
    assert type(generator.body[-1]) is Float32Tanh
    assert list(generator.state_dict()) == keys


def test_networks_stay_as_they_are_without_convert():
    generator, discriminator = _Nested(), nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    config = TrainConfig(latent_dim=8, device="cpu", batch_size=4, convert=False)
    GANTrainer(config, generator=generator, discriminator=discriminator, data=torch.rand(16, 1, 8, 8) * 2 - 1)
    assert type(generator.body[-1]) is nn.Tanh


def test_revert_brings_torchs_tanh_back():
    generator, _ = build("strided", NetworkSize((1, 28, 28), latent_dim=8))
    latents = torch.randn(2, 8)
    before = generator(latents)
    revert(generator)
    assert type(generator[-1]) is nn.Tanh
    assert torch.equal(generator(latents), before)


def test_a_tanh_elsewhere_stays():
    inner = nn.Sequential(nn.Tanh(), nn.Linear(2, 2))
    end_in_float32(inner)
    assert type(inner[0]) is nn.Tanh
    alone = nn.Tanh()
    end_in_float32(alone)
    assert type(alone) is nn.Tanh


def test_the_derivative_of_the_inward_tanh_is_at_least_0_01_where_the_step_leads_inwards():
    x = torch.tensor([-50.0, -1.0, 0.0, 1.0, 50.0])
    slope = 1 - x.tanh() ** 2
    for sign in (1.0, -1.0):  # a step against a gradient of 1 leads down: inwards from 50, outwards from -50
        for dtype in (torch.float32, torch.bfloat16):
            leaf = x.detach().to(dtype, copy=True).requires_grad_()
            y = InwardTanh()(leaf)
            assert torch.equal(y, x.tanh())
            y.backward(torch.full_like(y, sign))
            expected = sign * torch.where(sign * x > 0, slope.clamp_min(0.01), slope)
            torch.testing.assert_close(leaf.grad, expected.to(dtype))


def test_white_images_come_back():
    """Of a generator far outside of the range: with tanh it stays there, with the inward one it does not."""
    for layer, learns in ((Float32Tanh(), False), (InwardTanh(), True)):
        x = torch.full((8,), 40.0, requires_grad=True)
        optimizer = torch.optim.Adam([x], lr=0.5)
        for _ in range(200):
            optimizer.zero_grad()
            layer(x).square().mean().backward()
            optimizer.step()
        assert bool(x.abs().max() < 2) is learns
