"""A recipe's settings fit the samples' size and number, unless they were chosen or the run is resumed."""

from pathlib import Path

import pytest
import torch

from fastgan.train import GANTrainer, TrainConfig
from fastgan.train import config as config_module
from fastgan.train.recipes import FITS, RECIPES
from fastgan.train.recipes.fitting import Fit, settings_for

PAGE = (Path(__file__).parents[2] / "docs" / "image-quality.md").read_text(encoding="utf-8")
LARGE = Fit({"lr_g": 1e-4, "lr_d": 1e-4}, sides=(16, 64))
FEW = Fit({"augment": "color", "lr_d": 3e-4}, most=20)


@pytest.fixture
def fitted_mlp(monkeypatch):
    """The recipe `mlp` with settings for images of 16 to 64 pixels, and for few images."""
    monkeypatch.setitem(config_module.FITS, "mlp", (LARGE, FEW))


@pytest.mark.parametrize(
    ("shape", "count", "settings"),
    [
        ((1, 16, 8), 100, LARGE.settings),  # the longer side counts
        ((3, 64, 64), 21, LARGE.settings),
        ((3, 15, 15), 100, {}),
        ((3, 65, 8), 100, {}),
        ((1, 8, 8), 20, FEW.settings),
        ((1, 32, 32), 20, {"lr_g": 1e-4, "lr_d": 3e-4, "augment": "color"}),  # the later one wins
        ((32,), 20, {}),  # no images
    ],
)
def test_the_settings_of_all_fits_that_hold_count(shape, count, settings):
    assert {name: value for name, (value, _) in settings_for((LARGE, FEW), shape, count).items()} == settings


@pytest.mark.parametrize("recipe", FITS)
def test_a_fit_has_settings_of_its_recipe_that_can_be_trained_with(recipe):
    for fit in FITS[recipe]:
        assert set(fit.settings) <= set(RECIPES[recipe])
        assert fit.why
        TrainConfig(recipe=recipe, **fit.settings)


def test_the_trainer_fits_the_settings_says_so_and_chosen_ones_stay(fitted_mlp):
    trainer = GANTrainer(TrainConfig(lr_g=0.5, batch_size=8), data=torch.zeros(40, 1, 16, 16))
    assert (trainer.config.lr_g, trainer.config.lr_d, trainer.config.augment) == (0.5, 1e-4, "")
    assert trainer.config.chosen == {"lr_g": 0.5, "batch_size": 8}
    assert "train: recipe mlp for images of 16 to 64 pixels: lr_d 0.0001" in trainer.take_notes()


def test_small_samples_take_the_recipe_as_it_is(fitted_mlp):
    trainer = GANTrainer(TrainConfig(batch_size=8), data=torch.zeros(40, 1, 8, 8))
    assert trainer.config == TrainConfig(batch_size=8)
    assert not any("recipe" in note for note in trainer.take_notes())


def test_a_resumed_run_keeps_what_was_fitted(fitted_mlp, tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    TrainConfig(batch_size=8).fit_to((1, 16, 16), 40).save(path)
    monkeypatch.setitem(config_module.FITS, "mlp", (Fit({"lr_g": 7.0}, sides=(16, None)),))  # as of a later version
    resumed = TrainConfig.load_resolved(path).replace(steps=7)
    trainer = GANTrainer(resumed, data=torch.zeros(40, 1, 16, 16))
    assert (trainer.config.lr_g, trainer.config.steps) == (1e-4, 7)
    assert trainer.config.chosen == {"batch_size": 8, "steps": 7}
    anew = GANTrainer(TrainConfig.load(path), data=torch.zeros(40, 1, 16, 16))
    assert anew.config.lr_g == 7.0


def test_another_recipe_is_fitted_anew(fitted_mlp):
    fitted = TrainConfig(steps=7).fit_to((1, 16, 16), 40)
    assert fitted.replace(recipe="wgan").fitted is None
    assert fitted.replace(recipe="wgan").lr_g == RECIPES["wgan"]["lr_g"]


def test_the_page_has_every_fit_and_no_other():
    table = PAGE.partition("## Settings that fit the data")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in table.splitlines() if line.startswith("| `")]
    written = {(recipe.strip(" `"), why, text) for recipes, why, text in rows for recipe in recipes.split(",")}
    held = {
        (recipe, fit.why, ", ".join(f"`{name}` {value}" for name, value in fit.settings.items()))
        for recipe, fits in FITS.items()
        for fit in fits
    }
    assert written == held


@pytest.mark.parametrize("recipe", ["dcgan", "resnet", "r3gan", "rpgan"])
@pytest.mark.parametrize(("count", "augment"), [(2000, "color,translation,cutout"), (2001, "")])
def test_few_images_are_augmented(recipe, count, augment):
    assert TrainConfig(recipe=recipe).fit_to((3, 32, 32), count).augment == augment
    assert TrainConfig(recipe=recipe, augment="color").fit_to((3, 32, 32), count).augment == "color"
    assert TrainConfig(recipe=recipe).fit_to((1, 8, 8), count).augment == ""  # the digits, on which it was tuned


def test_dcgan_leaves_the_digits_learning_rates_for_larger_images():
    for side, rates in ((8, (2e-3, 1e-3)), (28, (1e-3, 5e-4)), (64, (1e-3, 5e-4))):
        config = TrainConfig(recipe="dcgan").fit_to((1, side, side), 5000)
        assert (config.lr_g, config.lr_d) == rates


LARGE_IMAGES = torch.zeros(40, 1, 28, 20)


def test_large_images_take_r3gan_where_neither_recipe_nor_network_is_chosen():
    trainer = GANTrainer(TrainConfig(batch_size=8, lr_g=0.5), data=LARGE_IMAGES)
    assert (trainer.config.recipe, trainer.config.network, trainer.config.loss) == ("r3gan", "r3gan", "relativistic")
    assert trainer.config.lr_g == 0.5
    assert trainer.config.chosen == {"batch_size": 8, "lr_g": 0.5}
    assert "train: recipe r3gan for images of 28 to 47 pixels: as none is chosen" in trainer.take_notes()


@pytest.mark.parametrize(("side", "recipe"), [(27, "mlp"), (28, "r3gan"), (47, "r3gan"), (48, "rpgan"), (200, "rpgan")])
def test_the_recipe_goes_by_the_longer_side(side, recipe):
    assert TrainConfig().fit_to((3, 20, side), 5000).recipe == recipe


@pytest.mark.parametrize("chosen", [{"recipe": "mlp"}, {"network": "dcgan"}], ids=str)
def test_a_chosen_recipe_or_network_keeps_the_recipe(chosen):
    assert TrainConfig(**chosen).fit_to((1, 28, 20), 40).recipe == "mlp"


def test_smaller_images_and_networks_of_ones_own_keep_the_default_recipe():
    assert TrainConfig().fit_to((3, 27, 27), 40).recipe == "mlp"
    networks = torch.nn.Linear(4, 560), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(560, 1))
    generator = torch.nn.Sequential(networks[0], torch.nn.Unflatten(1, (1, 28, 20)))
    config = TrainConfig(batch_size=8, latent_dim=4)
    assert GANTrainer(config, generator, networks[1], LARGE_IMAGES).config.recipe == "mlp"


def test_a_resumed_run_keeps_the_recipe_that_was_fitted(tmp_path):
    path = tmp_path / "config.toml"
    TrainConfig(batch_size=8).fit_to((1, 28, 28), 40).save(path)
    assert TrainConfig.load_resolved(path).fit_to((1, 28, 28), 40).recipe == "r3gan"
    assert TrainConfig.load(path).fit_to((1, 8, 8), 40).recipe == "mlp"
