"""The command line: flags, exit codes, and one line for each mistake."""

import subprocess
import sys

import numpy as np
import pytest
from safetensors.torch import load_file

import fastgan
import fastgan.cli
from fastgan.train import TrainConfig, load_run


def _fastgan(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main([str(a) for a in arguments])
    return stop.value.code


def test_info_prints_the_build_a_line_a_key(capsys):
    assert _fastgan("info") == 0
    printed = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines() if ": " in line)
    for name, value in fastgan.build_info().items():
        if value and not isinstance(value, list):
            assert printed[name] == str(value)


def test_version_is_one_line(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    assert _fastgan("--version") == 0
    assert capsys.readouterr().out == f"fastgan {fastgan.__version__}\n"


@pytest.mark.parametrize("betas", [["--betas", "0.4,0.9"], ["--betas=0.4,0.9"], ["--betas", "0.4", "0.9"]])
def test_betas_may_be_written_with_a_comma(betas, capsys):
    assert _fastgan("train", "--dry-run", *betas, "--seed", "1") == 0
    assert "[0.4, 0.9]" in capsys.readouterr().out


def test_info_needs_neither_typer_nor_any_other_extra(tmp_path):
    code = (
        "import sys\n"
        "for name in ('typer', 'tqdm', 'sklearn', 'matplotlib', 'tensorboard', 'safetensors', 'PIL'):\n"
        "    sys.modules[name] = None\n"
        "from fastgan.cli import main\n"
        "main(['info'])"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert f"version: {fastgan.__version__}" in result.stdout


@pytest.mark.parametrize(("missing", "arguments"), [("typer", ["train"]), ("safetensors", ["train"])])
def test_a_missing_extra_is_named(missing, arguments, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, missing, None)
    assert _fastgan(*arguments) == 2
    assert f"library {missing}" in (said := capsys.readouterr().err)
    assert "pip install 'fastgan[train]'" in said
    assert not any(tmp_path.iterdir())


def test_flags_are_the_fields_of_the_settings(tmp_path):
    flags = ["--steps", "2", "--batch-size", "16", "--betas", "0.4", "0.9", "--lr-g", "0.01", "--real-target", "0.9"]
    assert _fastgan("train", "--out", tmp_path / "run", *flags) == 0
    assert TrainConfig.load(tmp_path / "run" / "config.toml") == TrainConfig(
        steps=2, batch_size=16, betas=(0.4, 0.9), lr_g=0.01, real_target=0.9
    )


def test_every_field_is_in_the_help(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert _fastgan("train", "--help") == 0
    printed = capsys.readouterr().out
    assert all("--" + name.rstrip("_").replace("_", "-") in printed for name in TrainConfig.names())


def test_flags_win_over_a_settings_file(tmp_path):
    (tmp_path / "mine.toml").write_text("steps = 500\nbatch_size = 16\n")
    flags = ["--config", tmp_path / "mine.toml", "--steps", "2", "--out", tmp_path / "run"]
    assert _fastgan("train", *flags) == 0
    saved = TrainConfig.load(tmp_path / "run" / "config.toml")
    assert (saved.steps, saved.batch_size) == (2, 16)


def test_resuming_takes_the_runs_own_settings(tmp_path):
    run = tmp_path / "run"
    assert _fastgan("train", "--out", run, "--steps", "2", "--batch-size", "16", "--seed", "5") == 0
    first = load_file(run / "weights.safetensors")
    assert _fastgan("train", "--out", run, "--resume", "--steps", "4") == 0
    saved = TrainConfig.load(run / "config.toml")
    assert (saved.steps, saved.batch_size, saved.seed) == (4, 16, 5)
    assert any(not v.equal(first[k]) for k, v in load_file(run / "weights.safetensors").items())
    assert (run / "checkpoints" / "step-000000004.pt").exists()


def test_resuming_with_fewer_steps_than_done_says_so_and_leaves_the_run_alone(tmp_path, capsys):
    run = tmp_path / "run"
    assert _fastgan("train", "--out", run, "--steps", "3", "--batch-size", "16") == 0
    files = [run / "config.toml", run / "weights.safetensors", *(run / "checkpoints").iterdir()]
    before = [path.read_bytes() for path in files]
    capsys.readouterr()
    assert _fastgan("train", "--out", run, "--resume", "--steps", "2") == 0
    said = capsys.readouterr()
    assert "past `steps`, 2: nothing to train" in said.err
    assert "trained nothing, as the run is at step 3, past --steps 2" in said.out
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--recipe", "mpl"], ["`recipe`", "mlp", "'mpl'"]),
        (["train", "--data", "digts"], ["`data`", "digits", "'digts'"]),
        (["train", "--data", "npz:none.npz"], ["none.npz"]),
        (["train", "--batch-size", "0"], ["`batch_size`", "at least 1", "0"]),
        (["train", "--batch-size", "5000"], ["`batch_size`", "1797", "5000"]),
        (["train", "--batch-size", "many"], ["--batch-size", "integer"]),
        (["train", "--bacth-size", "3"], ["--bacth-size", "--batch-size"]),
        (["train", "--resume"], ["`out`"]),
        (["train", "--config", "none.toml"], ["none.toml"]),
        (["tarin"], ["tarin"]),
        (["sample"], ["RUN"]),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _fastgan(*arguments) == 2
    said = capsys.readouterr()
    assert said.err.startswith("fastgan: ")
    assert said.err.count("\n") == 1
    assert all(word in said.err for word in words)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("device", ["gpu", "mps", "xpu:0", "meta"])
@pytest.mark.parametrize("command", [["train"], ["train", "--dry-run"], ["fit"], ["impute"], ["bench"]])
def test_a_device_without_kernels_is_one_line_and_exit_code_2(command, device, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = []
    if command == ["impute"]:
        (tmp_path / "in.csv").write_text("a,b\n" + "1,2\n3,\n" * 20)
        files = ["in.csv", "out.csv"]
    assert _fastgan(*command, *files, "--device", device) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"fastgan: {command[0]}: expected `device` to be cpu" in said
    assert f"got '{device}'" in said
    assert not (tmp_path / "runs").exists()


def test_a_tilde_stands_for_the_home_folder_in_every_path(tmp_path, monkeypatch, capsys):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(elsewhere)
    np.savez(home / "own.npz", samples=np.random.default_rng(0).random((40, 3)))
    (home / "mine.toml").write_text("steps = 2\nbatch_size = 8\n")
    (home / "in.csv").write_text("a,b\n" + "1,2\n3,4\n5,\n" * 8)
    assert _fastgan("train", "--config=~/mine.toml", "--data", "npz:~/own.npz", "--out=~/run") == 0
    assert _fastgan("train", "--resume", "--out", "~/run", "--steps", "3") == 0
    assert _fastgan("sample", "~/run", "--out=~/s.npz") == 0
    assert _fastgan("eval", "~/run", "--n", "20") == 0
    assert _fastgan("impute", "~/in.csv", "~/out.csv", "--steps", "5") == 0
    assert (home / "s.npz").exists()
    assert (home / "out.csv").exists()
    assert not any(elsewhere.iterdir())
    assert load_run("~/run").step == 3
    assert TrainConfig(out="~/run").out == str(home / "run")
    capsys.readouterr()
    assert _fastgan("fit", "--data", "csv:~/none.csv") == 2
    assert str(home / "none.csv") in capsys.readouterr().err


def test_eval_says_in_words_that_the_data_are_too_few(tmp_path, capsys):
    np.savez(tmp_path / "few.npz", samples=np.random.default_rng(0).random((5, 3)))
    flags = ["--data", f"npz:{tmp_path / 'few.npz'}", "--steps", "2", "--batch-size", "4", "--out", tmp_path / "run"]
    assert _fastgan("train", *flags) == 0
    assert _fastgan("eval", tmp_path / "run") == 2
    said = capsys.readouterr().err
    assert "expected at least 6 real samples in 'npz:" in said
    assert "got 5" in said


def test_a_finished_training_that_cannot_be_measured_has_succeeded(tmp_path, capsys):
    np.savez(tmp_path / "own.npz", samples=np.random.default_rng(0).random((16, 3)), labels=np.arange(16))
    flags = ["--data", f"npz:{tmp_path / 'own.npz'}", "--steps", "2", "--batch-size", "8", "--out", tmp_path / "run"]
    assert _fastgan("train", *flags) == 0  # of classes of one sample each none can be kept back for the floor
    printed = capsys.readouterr().out
    assert "trained 2 steps" in printed
    assert "no FID: data: expected samples enough to hold out 0.5 of them, got 16" in printed


def test_an_array_file_of_a_run_without_labels_holds_none(tmp_path):
    assert _fastgan("train", "--out", tmp_path / "run", "--steps", "2", "--batch-size", "16") == 0
    assert _fastgan("sample", tmp_path / "run", "--n", "3", "--out", tmp_path / "few.npz") == 0
    with np.load(tmp_path / "few.npz") as arrays:
        assert arrays.files == ["samples", "layout"]


def test_a_programming_error_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(fastgan.cli, "_run", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fastgan.cli.main(["train"])


def test_a_runs_settings_under_another_recipe_train_that_recipe(tmp_path):
    assert _fastgan("train", "--out", tmp_path / "a", "--steps", "2", "--batch-size", "16", "--seed", "5") == 0
    flags = ["--config", tmp_path / "a" / "config.toml", "--recipe", "wgan-gp", "--out", tmp_path / "b"]
    assert _fastgan("train", *flags) == 0
    expected = TrainConfig(recipe="wgan-gp", steps=2, batch_size=16, seed=5)
    assert TrainConfig.load_resolved(tmp_path / "b" / "config.toml") == expected
    assert load_run(tmp_path / "b").config.loss == "wasserstein"


def test_resuming_under_another_recipe_is_refused_by_what_it_changes(tmp_path, capsys):
    assert _fastgan("train", "--out", tmp_path / "a", "--steps", "2", "--batch-size", "16") == 0
    capsys.readouterr()
    assert _fastgan("train", "--out", tmp_path / "a", "--resume", "--recipe", "wgan-gp") == 2
    assert "expected `loss` to be 'bce', as in the checkpoint, got 'wasserstein'" in capsys.readouterr().err
