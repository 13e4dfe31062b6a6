"""16-bit precision trains with every penalty, where G's samples have 16 bits and real ones are float32."""

import pytest
import torch
from torch import nn

from fastgan.losses import gradient_penalty
from fastgan.train import GANTrainer, TrainConfig


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
