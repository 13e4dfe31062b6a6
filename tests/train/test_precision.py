"""16-bit precision trains with every penalty, where G's samples have 16 bits and real ones are float32."""

import pytest
import torch
from torch import nn

from fastgan.losses import gradient_penalty
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.precision import pick_precision


def _with_batch_norm() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 9), nn.BatchNorm1d(9), nn.LeakyReLU(0.2), nn.Linear(9, 1))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize(
    ("settings", "discriminator"),
    [
        ({"recipe": "wgan-gp"}, None),
        ({"recipe": "wgan-gp", "augment": "color"}, None),
        ({"r2_gamma": 1.0}, None),
        ({"r1_gamma": 1.0, "r2_gamma": 1.0}, None),
        ({"r1_gamma": 1.0, "r2_gamma": 1.0}, _with_batch_norm),
    ],
)
def test_penalties_train_in_16_bit_precision(images, precision, settings, discriminator):
    config = TrainConfig(**{"batch_size": 8, "precision": precision, "device": "cpu", **settings})
    trainer = GANTrainer(config, discriminator=discriminator and discriminator(), data=images)
    start = [p.detach().clone() for p in trainer.discriminator.parameters()]
    for _ in range(3):
        trainer.step()
    assert trainer._update.is_finite()
    assert any(not torch.equal(a, b) for a, b in zip(trainer.discriminator.parameters(), start, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_gradient_penalty_takes_16_bit_generated_samples(dtype):
    penalty = gradient_penalty(lambda x: 3 * x[:, :1], torch.zeros(4, 2), torch.ones(4, 2, dtype=dtype))
    assert penalty.dtype == torch.float32
    assert penalty.item() == pytest.approx(4)  # (3 - 1)^2


@pytest.mark.parametrize(
    ("capabilities", "instructions"),
    [({"amx_bf16": True, "avx512_bf16": True}, "AMX"), ({"avx512_bf16": True}, "AVX512-BF16"), ({"avx2": True}, "")],
)
def test_auto_is_bf16_for_convolutions_where_the_cpu_multiplies_it_and_says_so(
    images, monkeypatch, capabilities, instructions
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    images = torch.nn.functional.interpolate(images, size=16)
    for recipe, found in (("dcgan", "bf16" if instructions else "fp32"), ("mlp", "fp32")):
        trainer = GANTrainer(TrainConfig(recipe=recipe, batch_size=8, device="cpu"), data=images)
        said = [note for note in trainer.take_notes() if "precision" in note]
        assert trainer.precision == found
        assert [f"in hardware ({instructions})" in note for note in said] == [True] * (found == "bf16")
    assert GANTrainer(TrainConfig(recipe="dcgan", batch_size=8, precision="fp32"), data=images).precision == "fp32"


def test_convolutions_of_rows_stay_in_float32(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    device = torch.device("cpu")
    assert pick_precision("auto", device, (40,), convolutional=True) == "fp32"
    assert pick_precision("auto", device, (3, 8, 16), convolutional=True) == "bf16"


def test_small_images_stay_in_float32_on_a_cpu(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert pick_precision("auto", torch.device("cpu"), (3, 15, 15), convolutional=True) == "fp32"


def test_wide_networks_of_tables_take_bf16_on_a_cpu_that_multiplies_it(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert pick_precision("auto", cpu, (40,), table_widths=(256, 128)) == "bf16"
    assert pick_precision("auto", cpu, (40,), table_widths=(256, 127)) == "fp32"
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert pick_precision("auto", cpu, (40,), table_widths=(256, 256)) == "fp32"
