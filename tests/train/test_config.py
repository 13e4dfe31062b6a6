"""Settings: the recipes' defaults, errors that name the field, and TOML files."""

import copy
import dataclasses
import pickle

import pytest

from fastgan.train import TrainConfig
from fastgan.train.recipes import RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_supplies_the_fields_that_are_not_given(recipe):
    config = TrainConfig(recipe=recipe)
    for name, value in RECIPES[recipe].items():
        assert getattr(config, name) == value
    assert all(getattr(config, name) is not None for name in config.names() if name != "out")


def test_a_given_value_replaces_the_recipes():
    assert TrainConfig(lr_g=0.5).lr_g == 0.5
    assert TrainConfig(lr_g=0.5).lr_d == RECIPES["mlp"]["lr_d"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"batch_size": 0}, ["batch_size", "at least 1", "got 0"]),
        ({"batch_size": 2.5}, ["batch_size", "a whole number", "2.5"]),
        ({"batch_size": True}, ["batch_size", "a whole number", "True"]),
        ({"background": "red"}, ["background", "white, black or #rrggbb", "red"]),
        ({"steps": -1}, ["steps", "at least 0", "-1"]),
        ({"dropout": 1.5}, ["dropout", "at most 1", "1.5"]),
        ({"dropout": float("nan")}, ["dropout", "finite", "nan"]),
        ({"lr_g": 0.0}, ["lr_g", "more than 0", "0.0"]),
        ({"betas": (0.5,)}, ["betas", "2 numbers", "(0.5,)"]),
        ({"betas": (0.5, 1.5)}, ["betas", "less than 1", "1.5"]),
        ({"betas": (0.5, 1)}, ["betas", "less than 1", "1.0"]),
        ({"ema_decay": 1}, ["ema_decay", "less than 1", "1.0"]),
        ({"seed": 2**63}, ["seed", "at most"]),
        ({"recipe": "mpl"}, ["recipe", "mlp", "'mpl'"]),
        ({"loss": "bec"}, ["loss", "bce", "'bec'"]),
        ({"optimizer": "adamax"}, ["optimizer", "adam", "'adamax'"]),
        ({"data": "digts"}, ["data", "digits", "'digts'", "did you mean 'digits'"]),
        ({"data": "npz:"}, ["data", "npz:PATH", "'npz:'"]),
        ({"data": 3}, ["data", "a string", "3"]),
        ({"resume": True}, ["out"]),
    ],
)
def test_a_bad_value_is_refused_with_field_expected_and_got(wrong, words):
    with pytest.raises(ValueError, match="expected") as error:
        TrainConfig(**wrong)
    for word in words:
        assert word in str(error.value)


def test_a_misspelt_field_is_refused_with_the_nearest_name():
    with pytest.raises(TypeError, match="'bacth_size'; did you mean 'batch_size'"):
        TrainConfig(bacth_size=3)


def test_settings_survive_a_toml_file(tmp_path):
    path = tmp_path / "config.toml"
    config = TrainConfig(data='npz:/data/a "b"\\ü\x7f.npz', betas=(0, 0.9), seed=2**62, lr_g=1e-05, dropout=1)
    config.save(path)
    assert TrainConfig.load(path) == config


def test_a_toml_file_holds_neither_out_nor_resume(tmp_path):
    path = tmp_path / "config.toml"
    TrainConfig(out=str(tmp_path), resume=True).save(path)
    assert TrainConfig.load(path) == TrainConfig()
    assert TrainConfig.load(path, steps=7) == dataclasses.replace(TrainConfig(), steps=7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bacth_size = 3", "did you mean 'batch_size'"),
        ("batch_size = 'many'", "`batch_size` to be a whole number, got 'many'"),
        ("batch_size 3", "expected a TOML file"),
        ("zzz = 3", "expected one of recipe"),
    ],
)
def test_a_bad_toml_file_is_refused(tmp_path, text, words):
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        TrainConfig.load(path)


def test_a_byte_order_mark_in_a_toml_file_is_no_setting(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbfsteps = 7\r\nseed = 3\r\n")
    assert TrainConfig.load(path) == TrainConfig(steps=7, seed=3)


def test_a_folder_in_place_of_a_toml_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="expected a TOML file of settings, got a folder"):
        TrainConfig.load(tmp_path)


def test_the_chosen_settings_are_those_given_whatever_their_values():
    config = TrainConfig(recipe="wgan", loss="wasserstein", lr_g=None)
    assert config.chosen == {"recipe": "wgan", "loss": "wasserstein"}
    assert TrainConfig().chosen == {}
    assert pickle.loads(pickle.dumps(config)).chosen == copy.deepcopy(config).chosen == config.chosen


def test_another_recipe_resolves_anew_what_was_not_chosen():
    config = TrainConfig(recipe="mlp", lr_g=0.5, seed=3)
    other = config.replace(recipe="wgan-gp")
    assert other == TrainConfig(recipe="wgan-gp", lr_g=0.5, seed=3)
    assert other.loss == "wasserstein"
    assert config.replace(steps=7).chosen == {"recipe": "mlp", "steps": 7, "seed": 3, "lr_g": 0.5}
    with pytest.raises(TypeError, match="did you mean 'steps'"):
        config.replace(step=7)


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "mlp"])
def test_a_saved_file_under_another_recipe_is_that_recipe(tmp_path, recipe):
    path = tmp_path / "config.toml"
    TrainConfig(steps=9, seed=1).save(path)
    assert TrainConfig.load(path, recipe=recipe) == TrainConfig(recipe=recipe, steps=9, seed=1)


def test_a_saved_file_keeps_what_the_settings_resolved_to(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    config = TrainConfig(recipe="wgan", steps=9)
    config.save(path)
    monkeypatch.setitem(RECIPES["wgan"], "n_critic", 50)  # as a later version may have it
    assert TrainConfig.load(path).n_critic == 50
    resolved = TrainConfig.load_resolved(path)
    assert resolved == config
    assert resolved.chosen == config.chosen
    again = resolved.replace(steps=12)
    assert (again.n_critic, again.steps, again.chosen) == (5, 12, {"recipe": "wgan", "steps": 12})


def test_what_is_changed_by_hand_in_a_saved_file_counts(tmp_path):
    path = tmp_path / "config.toml"
    TrainConfig(recipe="mlp", steps=9).save(path)
    path.write_text(path.read_text().replace("steps = 9", "steps = 12", 1))
    assert TrainConfig.load_resolved(path) == TrainConfig(steps=12)
    path.write_text(path.read_text().replace('recipe = "mlp"', 'recipe = "wgan"', 1))
    assert TrainConfig.load_resolved(path) == TrainConfig(recipe="wgan", steps=12)


def test_a_table_that_is_none_and_an_unknown_table_are_refused(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("resolved = 3\n")
    with pytest.raises(ValueError, match="expected `resolved` to be a table, got 3"):
        TrainConfig.load(path)
    path.write_text("[optimizers]\nlr = 3\n")
    with pytest.raises(ValueError, match="unknown key 'optimizers'; did you mean 'optimizer'"):
        TrainConfig.load(path)
