"""`--help`: each option of each command shows its default."""

import pytest

import fastgan.cli
from fastgan.train import TrainConfig
from fastgan.train.recipes import RECIPES

typer = pytest.importorskip("typer")
COMMANDS = ("train", "sample", "eval", "bench", "fit", "impute", "synth", "explain", "info")


@pytest.fixture
def help_of(monkeypatch, capsys):
    """A function that returns the help of a command, an option a line."""
    monkeypatch.setenv("COLUMNS", "600")

    def read(command):
        with pytest.raises(SystemExit) as stop:
            fastgan.cli.main([command, "--help"])
        assert stop.value.code == 0
        return capsys.readouterr().out.splitlines()

    return read


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_shows_its_default(command, help_of):
    lines = help_of(command)
    options = [p for p in typer.main.get_command(fastgan.cli._app(typer)).commands[command].params if p.name != "help"]
    assert options or command == "info"
    for option in options:
        name = option.opts[0] if option.param_type_name == "option" else option.metavar
        (line,) = (line for line in lines if name in line.split()[:3])
        assert "[required]" in line or "[default: " in line, line


def test_a_setting_of_the_recipes_says_so_and_shows_the_default_recipes_value(help_of):
    lines = help_of("train")
    usual = TrainConfig().recipe
    for name, value in RECIPES[usual].items():
        (line,) = (line for line in lines if f"--{name.replace('_', '-')}" in line.split()[:3])
        assert f"[default: (by the recipe; {usual}: " in line
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert f"{usual}: {value})]" in line


@pytest.mark.parametrize(
    ("option", "default"),
    [
        ("--recipe", "mlp"),
        ("--seed", "0"),
        ("--flip", "(off)"),
        ("--channels-last", "channels-last"),
        ("--betas", "(by the recipe; mlp: 0.5 0.999)"),
        ("--conditional", "(by the recipe; mlp: off)"),
        ("--augment", "(by the recipe; mlp: none)"),
        ("--out", "(a new folder runs/RECIPE-DATA-TIME)"),
    ],
)
def test_defaults_are_shown_as_they_are_written_on_a_command_line(option, default, help_of):
    (line,) = (line for line in help_of("train") if option in line.split()[:3])
    assert f"[default: {default}]" in line
