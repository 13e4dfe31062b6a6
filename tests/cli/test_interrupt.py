"""Ctrl-C at any moment of any command, also while libraries load, is one line and exit code 130."""

import importlib.util
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import typer.main

import fastgan.cli

# What the script that pip makes for the command runs.
SCRIPT = "import sys; from fastgan_cli import main; sys.exit(main())"
COMMANDS = {
    "train": ["--steps", "1000000", "--batch-size", "8"],
    "sample": ["missing"],
    "eval": ["missing"],
    "explain": ["missing"],
    "fit": ["--epochs", "100000", "--patience", "0"],
    "impute": ["in.csv", "out.csv", "--steps", "1000000"],
    "bench": [],
    "info": [],
    "predict": ["missing"],
    "synth": ["missing.csv", "out.csv"],
    "prepare": ["missing"],
    "report": ["missing"],
    "explore": ["missing"],
    "translate": ["missing", "in", "out"],
}
READY = "import os; os.write(1, b'up'); "


def _start(command, folder):
    """Start a command and wait until the interpreter runs its script."""
    process = subprocess.Popen(
        [sys.executable, "-c", READY + SCRIPT, command, *COMMANDS[command]],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout.read(2) == b"up"
    return process


@pytest.mark.parametrize("command", COMMANDS)
def test_an_interrupt_while_libraries_load_is_one_line_and_130(command, tmp_path):
    (tmp_path / "in.csv").write_text("a,b\n" + "1,2\n3,\n" * 50)
    delay = random.Random(command).uniform(0.05, 0.6)  # torch alone takes longer to load
    process = _start(command, tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(delay)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (130, b"fastgan: interrupted; nothing was saved\n")
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize("delay", [1.0, 2.0, 3.0, 5.0])
def test_an_interrupt_at_any_later_moment_is_130_without_a_traceback(delay, tmp_path):
    process = _start("train", tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(delay)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    said = error.decode().replace("\r", "\n").splitlines()
    assert process.returncode == 130
    assert not any("Traceback" in line for line in said)
    assert said[-1].startswith(("fastgan: interrupted; nothing was saved", "fastgan: interrupted by SIGINT: saved "))


def test_an_interrupt_while_the_options_are_parsed_is_one(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastgan.cli.train.partial", interrupted)
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main(["train"])
    assert stop.value.code == 130
    assert capsys.readouterr().err == "fastgan: interrupted; nothing was saved\n"


def test_an_interrupt_that_a_library_turned_into_another_error_counts_as_one(monkeypatch, capsys):
    def interrupted(_):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as stop:
            raise ImportError("initialization failed") from stop

    monkeypatch.setattr(fastgan.cli, "_run", interrupted)
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main(["train"])
    assert stop.value.code == 130
    assert capsys.readouterr().err == "fastgan: interrupted; nothing was saved\n"


def test_an_interrupt_that_is_ignored_stays_ignored(tmp_path):
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    process = subprocess.Popen(
        [sys.executable, "-c", ignoring + READY + SCRIPT, "info"], cwd=tmp_path, stdout=subprocess.PIPE
    )
    assert process.stdout.read(2) == b"up"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert b"version" in output


def test_the_command_starts_at_the_entry_point_that_answers():
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '[project.scripts]\nfastgan = "fastgan_cli:main"\n' in project
    assert 'py-modules = ["fastgan_cli"]' in project


def test_no_command_is_left_out():
    commands = set(typer.main.get_command(fastgan.cli._app(typer)).commands)
    assert commands == COMMANDS.keys() == {*fastgan.cli._LOADS, "info"}


def test_what_a_command_preloads_exists_and_a_missing_library_is_left_to_it(monkeypatch):
    for modules in fastgan.cli._LOADS.values():
        assert all(importlib.util.find_spec(module) for module in modules if module.startswith("fastgan."))
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    fastgan.cli.preload(["explain"])
    fastgan.cli.preload([])
    fastgan.cli.preload(["unknown"])
