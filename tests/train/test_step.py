"""The step computes the same as a plain PyTorch loop."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fastgan.data import Data
from fastgan.functional import composed
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.batches import Batches
from fastgan.train.graph import use_cuda_graph
from fastgan.train.setup import mixes_samples
from fastgan.train.step import STATISTICS


def _networks(batch_norm: bool = False) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(3)
    generator = nn.Sequential(nn.Linear(6, 9), nn.LeakyReLU(0.2), nn.Linear(9, 4), nn.Tanh())
    norm = nn.BatchNorm1d(9) if batch_norm else nn.Identity()
    discriminator = nn.Sequential(nn.Linear(4, 9), norm, nn.LeakyReLU(0.2), nn.Linear(9, 1))
    return generator.double(), discriminator.double()


def _plain_step(trainer, generator, discriminator, ema, optimizers, step):
    """A textbook update in float64, written without the trainer's shortcuts."""
    config = trainer.config
    ones, zeros = torch.ones(config.batch_size, 1).double(), torch.zeros(config.batch_size, 1).double()
    for i in range(config.n_critic):
        real = trainer._batches[step * config.n_critic + i][0]
        fake = generator(trainer._latents(config.batch_size, trainer.plain_noise))
        loss_d = F.binary_cross_entropy_with_logits(discriminator(real), config.real_target * ones)
        loss_d = loss_d + F.binary_cross_entropy_with_logits(discriminator(fake.detach()), zeros)
        optimizers[1].zero_grad()
        loss_d.backward()
        optimizers[1].step()
    loss_g = F.binary_cross_entropy_with_logits(discriminator(fake), ones)
    optimizers[0].zero_grad()
    loss_g.backward()
    optimizers[0].step()
    for average, value in zip(ema.parameters(), generator.parameters(), strict=True):
        average.data = config.ema_decay * average.data + (1 - config.ema_decay) * value.data
    return loss_d.item(), loss_g.item()


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("n_critic", "real_target"), [(1, 1.0), (3, 0.9)])
def test_the_fast_step_follows_a_plain_loop(batch_norm, n_critic, real_target):
    torch.set_default_dtype(torch.float64)
    try:
        config = TrainConfig(batch_size=8, latent_dim=6, n_critic=n_critic, real_target=real_target, ema_decay=0.9)
        data = torch.rand(32, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
        generator, discriminator = _networks(batch_norm)
        plain_g, plain_d = copy.deepcopy(generator), copy.deepcopy(discriminator)
        plain_ema = copy.deepcopy(generator)
        trainer = GANTrainer(config, generator, discriminator, data)
        trainer.plain_noise = torch.Generator()
        trainer.plain_noise.set_state(trainer._noise.get_state())
        optimizers = [
            torch.optim.Adam(network.parameters(), config.lr_g, config.betas) for network in (plain_g, plain_d)
        ]
        for step in range(12):
            trainer.step()
            loss_d, loss_g = _plain_step(trainer, plain_g, plain_d, plain_ema, optimizers, step)
            statistics = trainer.statistics()
            # Equal up to rounding in float64, which Adam's division can amplify.
            assert statistics["loss_d"] == pytest.approx(loss_d, rel=1e-6)
            assert statistics["loss_g"] == pytest.approx(loss_g, rel=1e-6)
        for ours, plain in ((trainer.generator, plain_g), (trainer.discriminator, plain_d), (trainer.ema, plain_ema)):
            for a, b in zip(ours.parameters(), plain.parameters(), strict=True):
                torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)
    finally:
        torch.set_default_dtype(torch.float32)


class _MinibatchStdDev(nn.Module):
    """Appends the batch's mean standard deviation as a feature (Karras et al., 2018)."""

    def forward(self, x):
        return torch.cat((x, x.std(0).mean().expand(len(x), 1)), 1)


class _FunctionalBatchNorm(nn.Module):
    """Batch normalisation by `F.batch_norm`, which counts its batches as torch's own layer does."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count += self.training
        return F.batch_norm(x, torch.zeros(9), torch.ones(9), training=self.training)


def _mixed_by(kind):
    torch.manual_seed(3)
    if kind == "std":
        return nn.Sequential(nn.Linear(4, 9), _MinibatchStdDev(), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(10, 1))
    middle = _FunctionalBatchNorm() if kind == "functional" else nn.Identity()
    return nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(4, 9)),
        middle, nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.3), nn.Linear(9, 1),
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "joint"), [("std", False), ("functional", False), ("nothing", True)])
@pytest.mark.parametrize("pack", [1, 2])
def test_a_discriminator_that_mixes_samples_gets_real_and_fake_ones_in_separate_batches(kind, joint, pack):
    config = TrainConfig(batch_size=8, latent_dim=6, pack=pack)
    discriminator = _mixed_by(kind)
    trainer = GANTrainer(config, None, discriminator, torch.rand(32, 4 // pack))
    assert trainer._update.joint == joint
    few = torch.rand(2 * pack, 4 // pack)
    before, state = copy.deepcopy(discriminator.state_dict()), torch.get_rng_state()
    assert mixes_samples(discriminator, few, None, config) == (not joint)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in discriminator.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_logits_of_a_minibatch_deviation_are_those_of_separate_batches():
    discriminator = _mixed_by("std")
    trainer = GANTrainer(TrainConfig(batch_size=8, latent_dim=6), None, discriminator, torch.rand(32, 4))
    discriminator.eval()
    real, fake = torch.rand(8, 4), torch.rand(8, 4)
    for logits, samples in zip(trainer._update._logits(real, fake, None), (real, fake), strict=True):
        torch.testing.assert_close(logits, discriminator(samples))


def test_the_generators_step_leaves_no_gradient_in_the_discriminator(images):
    trainer = GANTrainer(TrainConfig(batch_size=8), data=images)
    trainer.step()
    before = [p.grad.clone() for p in trainer.discriminator.parameters()]
    fake = trainer.generator(torch.randn(8, 100))
    trainer._update._update_generator(fake, images[:8], None)
    assert all(torch.equal(p.grad, b) for p, b in zip(trainer.discriminator.parameters(), before, strict=True))
    assert all(p.requires_grad for p in trainer.discriminator.parameters())


def test_statistics_are_means_since_the_last_call(images):
    trainer = GANTrainer(TrainConfig(batch_size=8), data=images)
    each = []
    for _ in range(3):
        trainer.step()
        each.append(trainer.statistics()["loss_d"])
    again = GANTrainer(TrainConfig(batch_size=8), data=images)
    for _ in range(3):
        again.step()
    assert again.statistics()["loss_d"] == pytest.approx(sum(each) / 3, rel=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_each_optimizer_moves_both_networks(images, optimizer):
    trainer = GANTrainer(TrainConfig(batch_size=8, optimizer=optimizer), data=images)
    before = copy.deepcopy([*trainer.generator.parameters(), *trainer.discriminator.parameters()])
    trainer.step()
    after = [*trainer.generator.parameters(), *trainer.discriminator.parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_loading_a_state_resets_the_statistics(images):
    trainer, again = (GANTrainer(TrainConfig(batch_size=8), data=images) for _ in range(2))
    state = copy.deepcopy(trainer.state_dict())
    trainer.step()
    again.step()
    again.load_state_dict(state)
    assert again._update.totals.tolist() == [0] * len(STATISTICS)
    again.step()
    assert again.statistics() == trainer.statistics()


@pytest.mark.parametrize("setting", ["off", "auto", "on"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_steps_are_captured_where_that_is_possible(setting, precision, monkeypatch):
    cuda = torch.device("cuda")
    assert not use_cuda_graph(setting, torch.device("cpu"), precision)
    monkeypatch.setattr(composed, "_KERNEL_DEVICES", frozenset({"cpu", "cuda"}))
    assert use_cuda_graph(setting, cuda, precision) == (setting == "on" or (setting == "auto" and precision == "bf16"))
    # Composed dropout draws its seed on the host, so every replay would use the same mask.
    monkeypatch.setattr(composed, "_KERNEL_DEVICES", frozenset({"cpu"}))
    if setting == "on":
        with pytest.raises(ValueError, match="expected `cuda_graph` to be auto or off in a build without CUDA kernels"):
            use_cuda_graph(setting, cuda, precision)
    else:
        assert not use_cuda_graph(setting, cuda, precision)


def test_an_epoch_is_a_permutation_and_each_epoch_another_one():
    batches = Batches(Data(torch.arange(20.0).reshape(20, 1)), batch_size=4, seed=1)
    epochs = [torch.cat([batches[5 * e + i][0] for i in range(5)]).flatten().tolist() for e in range(3)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_a_batch_depends_on_seed_and_number_alone():
    x = torch.arange(20.0).reshape(20, 1)
    forward, backward = Batches(Data(x), 4, seed=1), Batches(Data(x), 4, seed=1)
    ahead = [forward[i][0] for i in range(15)]
    assert all(torch.equal(backward[i][0], ahead[i]) for i in reversed(range(15)))
    assert any(not torch.equal(Batches(Data(x), 4, seed=2)[i][0], ahead[i]) for i in range(5))
