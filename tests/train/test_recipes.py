"""Every recipe learns the digits, with labels and without, and gives the same run by flag and by config file."""

import pytest
import torch

import fastgan.cli
from fastgan.data import Data, digits
from fastgan.metrics import fid
from fastgan.metrics.features import extract, fit_features
from fastgan.train import GANTrainer, TrainConfig, load_run
from fastgan.train.recipes import RECIPES

# The recipes for images; `mixture` is for points, `tabular` for tables, `pix2pix` for pairs (test_translation.py).
NAMES = [name for name in RECIPES if name not in ("mixture", "tabular", "pix2pix")]
# Short runs, with a smaller `ema_decay` than the recipe's, so that the average forgets the first weights.
_SHORT = {"steps": 200, "ema_decay": 0.98}
SHORT = {
    "dcgan": {"steps": 240, "batch_size": 32, "ema_decay": 0.95},
    "resnet": {"steps": 120, "batch_size": 32, "ema_decay": 0.9},
    "r3gan": {"steps": 80, "batch_size": 32, "ema_decay": 0.9},
    "rpgan": {"steps": 80, "batch_size": 32, "ema_decay": 0.9},
    "wgan": {"steps": 150, "ema_decay": 0.98},
    "wgan-gp": {"steps": 60, "ema_decay": 0.98},
}


@pytest.fixture(scope="module")
def features():
    """A feature extractor fitted to the digits, and their features."""
    data = digits()
    extractor = fit_features(data)
    return extractor, extract(extractor, data.samples)


def _samples(trainer: GANTrainer) -> torch.Tensor:
    """A thousand samples of the moving average, in a conditional run of each class in turn."""
    latents = torch.randn(1000, trainer.config.latent_dim, generator=torch.Generator().manual_seed(0))
    labels = () if trainer.size.classes == 0 else (torch.arange(1000) % trainer.size.classes,)
    with torch.no_grad():
        return trainer.ema(latents, *labels)


@pytest.mark.parametrize("conditional", [False, True], ids=["", "conditional"])
@pytest.mark.parametrize("recipe", NAMES)
def test_a_short_run_more_than_halves_the_untrained_fid(recipe, conditional, features):
    extractor, real = features
    trainer = GANTrainer(TrainConfig(recipe=recipe, conditional=conditional, **SHORT.get(recipe, _SHORT)))
    untrained = _samples(trainer)
    torch.set_num_threads(1)
    for _ in range(trainer.config.steps):
        trainer.step()
    trained = _samples(trainer)
    before, after = (fid(real, extract(extractor, x)) for x in (untrained, trained))
    assert after < 0.5 * before


@pytest.mark.parametrize("recipe", NAMES)
def test_a_recipe_gives_the_same_run_by_flag_and_by_config_file(recipe, tmp_path):
    settings = {"steps": 1, "batch_size": 8}
    torch.set_num_threads(1)  # sums depend on the number of threads, which recipes set
    written = tmp_path / "recipe.toml"
    TrainConfig(recipe=recipe, **settings).save(written)
    with pytest.raises(SystemExit, match="0"):
        fastgan.cli.main(["train", "--config", str(written), "--out", str(tmp_path / "run")])
    assert (tmp_path / "run" / "config.toml").read_text() == written.read_text()
    by_flags = GANTrainer(TrainConfig(recipe=recipe, **settings))
    by_flags.step()
    weights, expected = load_run(tmp_path / "run").generator.state_dict(), by_flags.ema.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


@pytest.mark.parametrize("recipe", ["dcgan", "resnet", "r3gan", "rpgan"])
def test_convolutional_recipes_resume_bit_for_bit(recipe):
    def trained(steps: int, state: dict[str, object] | None = None) -> GANTrainer:
        trainer = GANTrainer(TrainConfig(recipe=recipe, batch_size=8, steps=4))
        if state is not None:
            trainer.load_state_dict(state)
        for _ in range(steps):
            trainer.step()
        return trainer

    torch.set_num_threads(1)
    resumed, whole = trained(2, trained(2).state_dict()), trained(4)
    for network in ("generator", "discriminator", "ema"):
        ours, theirs = (getattr(trainer, network).state_dict() for trainer in (resumed, whole))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_loss_without_target_refuses_smoothing():
    with pytest.raises(ValueError, match=r"`real_target` to be 1, as the loss 'hinge' has no target, got 0.9"):
        TrainConfig(recipe="hinge", real_target=0.9)


def test_clipping_bounds_the_critics_weights():
    trainer = GANTrainer(TrainConfig(recipe="wgan"))
    trainer.step()
    limit = trainer.config.weight_clip
    assert all(p.abs().max() <= limit for p in trainer.discriminator.parameters())


def test_a_lazy_penalty_comes_every_interval_with_its_weight_times_the_interval(monkeypatch):
    from fastgan.train import penalties

    seen = []
    monkeypatch.setattr(penalties, "r1_penalty", lambda critic, real: seen.append(1) or critic(real).sum() * 0 + 1.0)
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
