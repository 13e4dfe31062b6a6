"""Conditional runs: both networks use the labels, and samples have the class that is asked for."""

import numpy as np
import pytest
import torch
from torch import nn

import fastgan.cli
from fastgan.data import Data, digits
from fastgan.models import NetworkSize, build
from fastgan.train import GANTrainer, TrainConfig


def test_samples_are_of_the_class_asked_for(tmp_path):
    config = TrainConfig(conditional=True, steps=1500, ema_decay=0.99, out=str(tmp_path / "run"))
    GANTrainer(config).fit()
    with pytest.raises(SystemExit, match="0"):
        fastgan.cli.main(["sample", str(tmp_path / "run"), "--n", "1000", "--out", str(tmp_path / "s.npz")])
    archive = np.load(tmp_path / "s.npz")
    samples, labels = torch.from_numpy(archive["samples"]).flatten(1), torch.from_numpy(archive["labels"])
    assert torch.bincount(labels).tolist() == [100] * 10
    data = digits()
    real = torch.from_numpy(data.units.restore(data.samples)).flatten(1)
    nearest = data.labels[torch.cdist(samples, real).argmin(1)]
    right = (nearest == labels).float().mean().item()
    assert right > 0.85


@pytest.mark.parametrize("network", ["mlp", "dcgan", "resnet"])
def test_both_networks_see_the_labels(network):
    torch.manual_seed(0)
    generator, discriminator = build(network, NetworkSize((1, 8, 8), latent_dim=5, dropout=0.0, classes=3))
    latents = torch.randn(1, 5).expand(3, 5)
    samples = generator.eval()(latents, torch.arange(3))
    assert samples.shape == (3, 1, 8, 8)
    assert all(not torch.allclose(samples[i], samples[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    logits = discriminator(samples[:1].expand(3, -1, -1, -1), torch.arange(3))
    assert logits.shape == (3, 1)
    assert logits.unique().numel() == 3


def test_given_networks_get_labels_as_second_argument(images):
    class Own(nn.Module):
        def __init__(self, width: int, features: int) -> None:
            super().__init__()
            self.layer, self.shift = nn.Linear(width, features), nn.Embedding(4, features)

        def forward(self, x, labels):
            return self.layer(x.flatten(1)) + self.shift(labels)

    generator = nn.Module()
    generator.body, generator.forward = Own(6, 16), lambda z, y: generator.body(z, y).unflatten(1, (1, 4, 4))
    data = Data(images, torch.arange(40) % 4)
    config = TrainConfig(conditional=True, batch_size=8, latent_dim=6, loss="relativistic", gp_weight=1.0)
    trainer = GANTrainer(config, generator, Own(16, 1), data)
    before = generator.body.shift.weight.clone()
    trainer.step()
    assert not torch.equal(generator.body.shift.weight, before)


def test_data_without_labels_is_refused(images):
    with pytest.raises(ValueError, match="expected labelled data for `conditional`"):
        GANTrainer(TrainConfig(conditional=True, batch_size=8), data=images)


@pytest.mark.parametrize(
    "labels",
    [
        torch.arange(40) % 3 - 1,
        torch.tensor([3, 7, 10**12])[torch.arange(40) % 3],
        (torch.arange(40) % 3).to(torch.uint8),
        torch.arange(40) % 3 * 2.0,
        ["a", "b", "c", "a"] * 10,
        nn.functional.one_hot(torch.arange(40) % 3),
    ],
    ids=["negative", "huge", "bytes", "whole floats", "text", "one-hot"],
)
def test_the_classes_that_are_present_are_the_classes(images, labels):
    trainer = GANTrainer(TrainConfig(conditional=True, batch_size=8), data=Data(images, labels))
    trainer.step()
    assert trainer.size.classes == len(trainer.data.class_names) == 3
