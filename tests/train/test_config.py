"""Settings: the recipes' defaults, errors that name the field, and TOML files."""

import dataclasses

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
