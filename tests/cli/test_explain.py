"""`fastgan explain`: its pictures and arrays, and the input it refuses."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

import fastgan.cli
from fastgan.explain import METHODS
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.saved_run import load_discriminator

pytest.importorskip("captum", reason="needs the extra [explain]")


def _fastgan(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main([str(a) for a in arguments])
    return stop.value.code


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three short runs: of images, with labels, and of packed points."""
    root = tmp_path_factory.mktemp("runs")
    few = {"steps": 3, "batch_size": 32}
    settings = {"digits": {}, "labels": {"conditional": True}, "packed": {"data": "ring", "pack": 2}}
    for name, own in settings.items():
        GANTrainer(TrainConfig(out=str(root / name), **{**few, **own})).fit()
    return root


def test_the_discriminator_of_a_run_is_read_back(runs):
    config = TrainConfig.load(runs / "digits" / "config.toml")
    discriminator = load_discriminator(runs / "digits")
    assert not discriminator.training
    trainer = GANTrainer(TrainConfig(**{**config.to_dict(), "out": str(runs / "again")}))
    trainer.fit()
    samples = torch.randn(4, 1, 8, 8)
    assert discriminator(samples).equal(trainer.discriminator.cpu().eval()(samples))


@pytest.mark.parametrize(
    ("run", "flags"),
    [
        ("digits", []),
        ("digits", ["--data", "digits"]),
        ("labels", []),
        ("labels", ["--data", "digits"]),
        ("packed", []),
    ],
)
def test_explaining_a_run_draws_heat_maps_and_keeps_the_arrays(run, flags, runs, tmp_path):
    out = tmp_path / "heat.png"
    assert _fastgan("explain", runs / run, "--n", 2, "--perturbations", 40, "--out", out, *flags) == 0
    with np.load(tmp_path / "heat.npz") as arrays:
        assert set(arrays.files) == {"samples", "logits", *METHODS}
        for name in METHODS:
            assert arrays[name].shape == arrays["samples"].shape
            assert np.isfinite(arrays[name]).all()
            assert np.abs(arrays[name]).max() > 0
    colours = np.asarray(Image.open(out).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colours, axis=0)) > 50


def test_given_samples_are_taken_to_the_range_that_the_run_learnt(runs, tmp_path):
    np.savez(
        tmp_path / "half.npz", samples=load_digits().images[:2].astype(np.float32) / 2
    )  # their own range is 0 to 8
    flags = ["--data", f"npz:{tmp_path / 'half.npz'}", "--methods", "integrated-gradients"]
    assert _fastgan("explain", runs / "digits", *flags, "--out", tmp_path / "heat.png") == 0
    with np.load(tmp_path / "heat.npz") as arrays:
        np.testing.assert_allclose(arrays["samples"][:, 0], load_digits().images[:2] / 16 - 1, atol=1e-6)


def test_given_images_are_read_in_the_runs_colour(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 8, 3), np.uint8)
    (tmp_path / "images").mkdir()
    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / "images" / f"{i}.png")
    data = f"folder:{tmp_path / 'images'}"
    GANTrainer(TrainConfig(data=data, color="grey", steps=2, batch_size=4, out=str(tmp_path / "run"))).fit()
    flags = ["--data", data, "--n", 1, "--methods", "integrated-gradients", "--out", tmp_path / "heat.png"]
    assert _fastgan("explain", tmp_path / "run", *flags) == 0
    with np.load(tmp_path / "heat.npz") as arrays:
        assert arrays["samples"].shape == (1, 1, 8, 8)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--methods", "shap"], ["'shap'", "kernel_shap"]),
        (["--n", "0"], ["--n", "0"]),
        (["--perturbations", "1"], ["perturbations", "1"]),
        (["--baseline", "nan"], ["baseline", "nan"]),
        (["--data", "ring"], ["(1, 8, 8)", "(2,)"]),
        (["--out", "heat.gif"], ["--out", ".png", "heat.gif"]),
        (["--out", "none/heat.png"], ["none", "--out"]),
    ],
)
def test_mistakes_are_named_and_leave_nothing(flags, words, runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given = flags if "--out" in flags else [*flags, "--out", "heat.png"]
    assert _fastgan("explain", runs / "digits", *given) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert all(word in said for word in words), said
    assert not any(tmp_path.iterdir())


def test_without_captum_the_extra_is_named(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    assert _fastgan("explain", runs / "digits", "--out", tmp_path / "heat.png") == 2
    assert "pip install 'fastgan[explain]'" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
