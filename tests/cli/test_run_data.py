"""Commands on a run whose data moved or changed, or came from Python together with networks."""

import json
import os

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fastgan.cli
from fastgan.train import GANTrainer, TrainConfig

FLAGS = ["--batch-size", "4", "--holdout", "0.2"]


@pytest.fixture
def fastgan_cli(tmp_path, monkeypatch, capsys):
    """A function that runs a command in an empty folder: exit code, output, error output."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            fastgan.cli.main([str(a) for a in arguments])
        said = capsys.readouterr()
        return stop.value.code, said.out, said.err

    return run


def _images(path, count=40):
    random = np.random.default_rng(0)
    path.mkdir()
    for i in range(count):
        Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(path / f"{i}.png")


def test_a_run_whose_data_moved_goes_on_with_data_and_only_with_the_same(fastgan_cli, tmp_path, monkeypatch):
    _images(tmp_path / "d")
    assert fastgan_cli("train", "--data", "folder:d", "--steps", 2, "--out", "r", *FLAGS)[0] == 0
    os.rename("d", "e")
    code, _, error = fastgan_cli("train", "--resume", "--out", "r", "--steps", 4)
    assert code == 2
    assert f"expected the data of the run in '{tmp_path / 'd'}', found none there; --data folder:PATH tells" in error
    code, _, error = fastgan_cli("eval", "r")
    assert code == 2
    assert "eval: expected the data of the run in" in error
    code, printed, error = fastgan_cli("eval", "r", "--data", "folder:e", "--n", 50)
    assert code == 0, error
    assert "eval: drawing 50 samples\n" in error
    assert "are not those of the training" not in printed
    assert json.loads((tmp_path / "r" / "eval.json").read_text())["data"] == "folder:e"
    code, _, error = fastgan_cli("train", "--resume", "--out", "r", "--steps", 4, "--data", "folder:e")
    assert code == 0, error

    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")  # the run knows where its data are, from any working folder
    code, _, error = fastgan_cli("train", "--resume", "--out", "../r", "--steps", 6)
    assert code == 0, error
    monkeypatch.chdir(tmp_path)

    Image.new("L", (8, 8)).save(tmp_path / "e" / "new.png")
    code, _, error = fastgan_cli("train", "--resume", "--out", "r", "--steps", 8)
    assert (code, error.count("\n")) == (2, 1)
    assert "41 files instead of 40" in error
    code, printed, _ = fastgan_cli("eval", "r", "--n", 50)
    assert code == 0
    assert f"the data 'folder:{tmp_path / 'e'}' are not those of the training: 41 files instead of 40" in printed


def test_eval_scales_other_data_as_the_runs(fastgan_cli, tmp_path):
    rows = np.random.default_rng(0).normal(3, 2, (200, 2))
    np.savez(tmp_path / "a.npz", samples=rows)
    np.savez(tmp_path / "b.npz", samples=rows[:100] * 2)  # standardised by itself it would be the same
    flags = ["--steps", 2, "--batch-size", 8, "--data", "npz:a.npz", "--out", "r"]
    assert fastgan_cli("train", *flags)[0] == 0
    fid = []
    for data in ([], ["--data", "npz:b.npz"]):
        assert fastgan_cli("eval", "r", "--n", 100, *data)[0] == 0
        fid.append(json.loads((tmp_path / "r" / "eval.json").read_text())["fid"])
    assert fid[1] > 1.5 * fid[0]


@pytest.mark.parametrize("command", [["eval", "r"], ["train", "--resume", "--out", "r", "--steps", "9"]])
@pytest.mark.parametrize("shape", [(8, 8), (16, 16)])
def test_a_run_of_a_tensor_never_takes_the_digits_for_its_data(command, shape, fastgan_cli, tmp_path):
    data = torch.rand(64, 1, *shape)
    GANTrainer(TrainConfig(out="r", steps=2, batch_size=8), data=data).fit()
    weights = (tmp_path / "r" / "weights.safetensors").read_bytes()
    code, printed, error = fastgan_cli(*command)
    assert (code, printed, error.count("\n")) == (2, "", 1)
    assert f"a Tensor of 64 samples of shape 1 x {shape[0]} x {shape[1]}" in error
    assert "Python" in error
    assert (tmp_path / "r" / "weights.safetensors").read_bytes() == weights
    code, _, error = fastgan_cli("sample", "r", "--n", 3)
    assert code == 0, error


def test_settings_of_a_run_of_a_tensor_train_only_with_data(fastgan_cli):
    GANTrainer(TrainConfig(out="r", steps=2, batch_size=8), data=torch.rand(64, 1, 8, 8)).fit()
    flags = ["train", "--config", "r/config.toml", "--out", "q"]
    code, _, error = fastgan_cli(*flags)
    assert code == 2
    assert "came from Python: --data names others for a new run" in error
    assert fastgan_cli(*flags, "--data", "digits")[0] == 0


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            ["sample", "r"],
            "generator, a Sequential, was passed to GANTrainer in Python: fastgan.train.load_run",
        ),
        (["eval", "r"], "generator, a Sequential"),
        (["explain", "r"], "generator, a Sequential"),
        (
            ["train", "--resume", "--out", "r", "--steps", "9"],
            "GANTrainer with the same arguments and resume=True",
        ),
        (["train", "--config", "r/config.toml"], "--network"),
    ],
)
def test_a_run_of_own_networks_says_so_in_one_line(command, words, fastgan_cli, tmp_path):
    generator = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
    discriminator = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    config = TrainConfig(out="r", steps=2, batch_size=8, latent_dim=8)
    GANTrainer(config, generator, discriminator).fit()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    code, printed, error = fastgan_cli(*command)
    assert (code, printed, error.count("\n")) == (2, "", 1)
    assert words in error
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_default_folder_of_a_run_inside_the_image_folder_is_warned_of(fastgan_cli, tmp_path, monkeypatch):
    _images(tmp_path / "d", 8)
    monkeypatch.chdir(tmp_path / "d")
    code, _, error = fastgan_cli("train", "--data", "folder:.", "--steps", 1, "--batch-size", 4)
    assert code == 0, error
    assert f"lies in the folder of the data, {tmp_path / 'd'}" in error
