"""`fastgan train --dry-run`: the settings and their origin, the sizes, and not one file."""

import csv
import os

import numpy as np
import pytest
from PIL import Image

import fastgan.cli
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.recipes import RECIPES

LAST = "dry run: nothing was trained or written"


@pytest.fixture
def dry_run(tmp_path, monkeypatch, capsys):
    """A function that runs `fastgan train --dry-run` in an empty folder: exit code, output, error output."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        before = _tree(tmp_path)
        with pytest.raises(SystemExit) as stop:
            fastgan.cli.main(["train", "--dry-run", *map(str, arguments)])
        said = capsys.readouterr()
        assert _tree(tmp_path) == before
        return stop.value.code, said.out, said.err

    return run


def _tree(folder):
    """All files and folders below, with their sizes and times."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in [folder, *folder.rglob("*")]}


def _settings(printed):
    """The lines of the settings as name: (value, origin)."""
    rows = (line.split(None, 1) for line in printed.split("\n\n")[0].splitlines())
    return {name: tuple(part.strip() for part in rest.split("  ", 1)) for name, rest in rows}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_resolved_sized_and_not_trained(recipe, dry_run, tmp_path):
    data = {"mixture": "ring", "tabular": f"csv:{tmp_path / 'in.csv'}"}.get(recipe, "digits")
    (tmp_path / "in.csv").write_text("a,b\n" + "".join(f"{i / 7:.2f},{'xyz'[i % 3]}\n" for i in range(50)))
    of_pairs = recipe == "pix2pix"
    more = ("--from", "edges", "--image-size", 32) if of_pairs else ()
    code, printed, _ = dry_run("--recipe", recipe, "--data", data, *more)
    assert code == 0
    trainer = GANTrainer(
        TrainConfig(recipe=recipe, data=data, **({"from_": "edges", "image_size": 32} if of_pairs else {}))
    )
    for name, network in (("generator", trainer.generator), ("discriminator", trainer.discriminator)):
        (line,) = (line for line in printed.splitlines() if line.startswith(f"{name}: "))
        assert f", {sum(p.numel() for p in network.parameters()):,} parameters" in line
    assert f"data: {data}, {len(trainer.data):,} samples of shape" in printed
    settings = _settings(printed)
    assert list(settings) == TrainConfig.names()
    assert settings["lr_g"] == (str(RECIPES[recipe]["lr_g"]), f"recipe {recipe}")
    assert printed.splitlines()[-1] == LAST


def test_each_setting_tells_where_its_value_is_from(dry_run, tmp_path):
    (tmp_path / "mine.toml").write_text('recipe = "wgan"\nbatch_size = 16\nseed = 3\n')
    code, printed, _ = dry_run("--config", "mine.toml", "--seed", "4", "--no-convert")
    assert code == 0
    settings = _settings(printed)
    assert settings["recipe"] == ("wgan", "mine.toml")
    assert settings["batch_size"] == ("16", "mine.toml")
    assert settings["seed"] == ("4", "command line")
    assert settings["convert"] == ("false", "command line")
    assert settings["n_critic"] == ("5", "recipe wgan")
    assert settings["keep"] == ("3", "default")


def test_the_latents_are_those_of_a_recipe_that_fits_the_images(dry_run):
    code, printed, _ = dry_run("--data", "digits", "--image-size", "32")
    assert code == 0
    assert _settings(printed)["latent_dim"] == ("64", "recipe r3gan")
    assert "generator: 64 to 1 x 32 x 32, " in printed


def _images(folder):
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(4):
            Image.new("L", (8, 8), 60 * i).save(folder / name / f"{i}.png")


def test_it_works_with_files_of_every_kind(dry_run, tmp_path):
    random = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", samples=random.random((8, 3)))
    with open(tmp_path / "own.csv", "w", newline="") as file:
        csv.writer(file).writerows([["a", "b"], *random.random((8, 2)).tolist()])
    _images(tmp_path / "own")
    header = bytes([0, 0, 8, 3, *(n for size in (8, 4, 4) for n in (0, 0, 0, size))])
    (tmp_path / "own-images-idx3-ubyte").write_bytes(header + random.integers(0, 256, 128, np.uint8).tobytes())
    for spec, shape in (
        ("npz:own.npz", "3,"),
        ("csv:own.csv", "2,"),
        ("folder:own", "1 x 8 x 8,"),
        ("idx:own-images-idx3-ubyte", "1 x 4 x 4,"),
    ):
        code, printed, error = dry_run("--data", spec, "--batch-size", "4")
        assert code == 0, error
        assert f"data: {spec}, 8 samples of shape {shape}" in printed


def test_held_out_samples_and_passes_are_counted(dry_run):
    _, printed, _ = dry_run("--holdout", "0.5", "--steps", "100", "--batch-size", "100")
    held_out = int(printed.partition(" more held out")[0].rpartition("; ")[2])
    assert 890 < held_out < 900
    assert f"in which D sees the data {round(100 * 100 / (1797 - held_out))} times" in printed


def test_a_resumed_run_tells_its_checkpoint_and_takes_the_runs_own_settings(dry_run, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main(["train", "--out", "run", "--steps", "2", "--batch-size", "16"])
    assert stop.value.code == 0
    capsys.readouterr()
    code, printed, _ = dry_run("--out", "run", "--resume", "--steps", "5")
    assert code == 0
    assert f"resume: from {os.path.join('run', 'checkpoints', 'step-000000002.pt')}, step 2 of 5" in printed
    assert _settings(printed)["batch_size"] == ("16", os.path.join("run", "config.toml"))

    code, printed, error = dry_run("--out", "run")  # as the run itself: refused without --resume
    assert (code, printed) == (2, "")
    assert "expected an --out without checkpoints, got run with 1" in error
    code, _, error = dry_run("--out", "run", "--resume", "--lr-g", "0.5")
    assert code == 2
    assert "expected `lr_g` to be 0.002, as in the checkpoint, got 0.5" in error

    (tmp_path / "run" / "checkpoints" / "step-000000002.pt").write_bytes(b"torn")
    code, printed, error = dry_run("--out", "run", "--resume")
    assert (code, printed) == (1, "")
    assert "got only damaged ones: step-000000002.pt" in error

    (tmp_path / "run" / "checkpoints" / "step-000000002.pt").unlink()
    code, printed, _ = dry_run("--out", "run", "--resume")
    assert code == 0
    assert "resume: no checkpoint in" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--recipe", "mpl"], ["`recipe`", "'mpl'"]),
        (["--data", "npz:none.npz"], ["none.npz"]),
        (["--batch-size", "5000"], ["`batch_size`", "1797", "5000"]),
        (["--network", "dcgan", "--data", "ring"], ["images"]),
        (["--augment", "color", "--data", "ring"], ["`augment`"]),
        (["--config", "none.toml"], ["none.toml"]),
        (["--resume"], ["`out`"]),
        (["--out", __file__], ["--out", "file"]),
        (["--dry-runs"], ["--dry-runs"]),
    ],
)
def test_what_the_run_would_refuse_is_refused_in_one_line_with_2(arguments, words, dry_run):
    code, printed, error = dry_run(*arguments)
    assert (code, printed) == (2, "")
    assert error.startswith("fastgan: ")
    assert error.count("\n") == 1
    assert all(word in error for word in words), error
