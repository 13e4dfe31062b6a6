"""Every recipe learns: after a short run its samples lie among the digits, before it they don't."""

import pytest
import torch

from fastgan.data import Data, digits
from fastgan.metrics import prdc
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.recipes import RECIPES

# Steps that suffice for a precision above 0.2; untrained it is 0.
STEPS = {"dcgan": 350, "wgan": 400, "wgan-gp": 400}


def _precision(trainer: GANTrainer) -> float:
    latents = torch.randn(500, trainer.config.latent_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return prdc(trainer.data.samples, trainer.ema(latents)).precision


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_learns(recipe):
    # A shorter memory than the recipe's, so that the average is not of the first steps.
    trainer = GANTrainer(TrainConfig(recipe=recipe, ema_decay=0.98))
    before = _precision(trainer)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(STEPS.get(recipe, 600)):
        trainer.step()
    torch.set_num_threads(threads)
    after = _precision(trainer)
    assert before < 0.02
    assert after > 0.2


def test_a_loss_without_target_refuses_smoothing():
    with pytest.raises(ValueError, match=r"`real_target` to be 1, as the loss 'hinge' has no target, got 0.9"):
        TrainConfig(recipe="hinge", real_target=0.9)


def test_clipping_bounds_the_critics_weights():
    trainer = GANTrainer(TrainConfig(recipe="wgan"))
    trainer.step()
    limit = trainer.config.weight_clip
    assert all(p.abs().max() <= limit for p in trainer.discriminator.parameters())


def test_a_lazy_penalty_comes_every_interval_and_weighs_as_much_more(monkeypatch):
    from fastgan.train import step

    seen = []
    monkeypatch.setattr(step, "r1_penalty", lambda critic, real: seen.append(1) or critic(real).sum() * 0 + 1.0)
    losses = {}
    for gamma in (0.0, 2.0):
        config = TrainConfig(r1_gamma=gamma, r1_interval=3, batch_size=8, lr_d=1e-12, lr_g=1e-12, dropout=0.0)
        trainer = GANTrainer(config, data=Data(digits().samples[:8]))
        losses[gamma] = []
        for _ in range(6):
            trainer.step()
            losses[gamma].append(trainer.statistics()["loss_d"])
    assert len(seen) == 2
    extra = [b - a for a, b in zip(losses[0.0], losses[2.0], strict=True)]
    assert extra == pytest.approx([6, 0, 0, 6, 0, 0], abs=1e-4)
