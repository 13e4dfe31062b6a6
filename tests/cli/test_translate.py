"""A run of image to image by the command line: train, translate, eval, report, and what is refused."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import fastgan.cli


def _fastgan(*arguments):
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Thirty pictures of 32 x 32 pixels, and a run of `--from grey` on them."""
    root, rng = tmp_path_factory.mktemp("translate"), np.random.default_rng(0)
    (root / "images").mkdir()
    for i in range(30):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(root / "images" / f"{i}.png")
    few = ("--steps", 2, "--batch-size", 2, "--sample-every", 1, "--log-every", 1, "--threads", 1)
    data = f"folder:{root / 'images'}"
    assert _fastgan("train", "--recipe", "pix2pix", "--data", data, "--from", "grey", "--out", root / "run", *few) == 0
    return root


def test_a_dry_run_tells_the_inputs(folder, capsys):
    data = f"folder:{folder / 'images'}"
    assert _fastgan("train", "--recipe", "pix2pix", "--data", data, "--from", "mask", "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "27 samples of shape 3 x 32 x 32" in printed
    assert "with inputs of 4 x 32 x 32 made from them by mask; 3 more held out" in printed
    assert "generator: 4 x 32 x 32 to 3 x 32 x 32" in printed


def test_translate_writes_each_file_of_a_folder(folder, tmp_path, capsys):
    assert _fastgan("translate", folder / "run", folder / "images", tmp_path / "out", "--seed", 3) == 0
    assert "translated 30 images by step 2 to" in capsys.readouterr().out
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in (folder / "images").iterdir())
    assert _fastgan("translate", folder / "run", folder / "images" / "0.png", tmp_path / "one.png", "--seed", 3) == 0
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "out" / "0.png").read_bytes()


def test_eval_measures_the_held_out_images(folder, capsys):
    assert _fastgan("eval", folder / "run") == 0
    assert re.search(r"^l1 +0\.\d{4}", capsys.readouterr().out, re.MULTILINE)
    scores = json.loads((folder / "run" / "eval.json").read_text())
    assert 0 < scores["l1"] < 1
    assert set(scores["real"]) == {"fid", "kid"}


def test_the_report_has_rows_of_input_translation_and_target(folder, tmp_path):
    assert _fastgan("report", folder / "run", "--out", tmp_path / "page.html") == 0
    page = (tmp_path / "page.html").read_text()
    assert "<h3>Translations</h3>" in page
    assert "of images that are kept from the training" in page
    rows = page[page.index("<h3>Translations</h3>") :]
    assert rows[: rows.index("<h3>Settings")].count("<img") == 3 * 3
    assert "Samples during the training" in page
    assert "Between two latents" not in page


def test_eval_and_report_without_what_the_run_was_trained_on_say_so(folder, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    for i in range(8):
        Image.fromarray(np.full((48, 48, 3), 20 * i, np.uint8)).save(tmp_path / "other" / f"{i}.png")
    assert _fastgan("eval", folder / "run", "--data", f"folder:{tmp_path / 'other'}") == 2
    assert "expected inputs and targets of shape [1, 32, 32] and [3, 32, 32]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "more"), [("sample", ("--out", "x.png")), ("explain", ()), ("explore", ("--no-browser",))]
)
def test_commands_of_latents_refuse_the_run(folder, command, more, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pytest.importorskip({"explain": "captum", "explore": "gradio"}.get(command, "typer"))
    assert _fastgan(command, folder / "run", *more) == 2
    message = f"{command}: expected a run that draws samples from latents, got .*fastgan translate takes it"
    assert re.search(message, capsys.readouterr().err)


def test_what_translate_cannot_take_is_one_line_and_code_2(folder, tmp_path, capsys):
    Image.fromarray(np.zeros((44, 50, 3), np.uint8)).save(tmp_path / "odd.png")
    assert _fastgan("translate", folder / "run", tmp_path / "odd.png", tmp_path / "out.png") == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "the nearest that works is 48 x 48, and --resize" in said[0]
    assert _fastgan("translate", folder / "run", tmp_path / "odd.png", tmp_path / "out.png", "--resize") == 0
    assert Image.open(tmp_path / "out.png").size == (50, 44)


def test_pix2pix_on_a_plain_folder_says_what_it_needs(folder, capsys):
    assert _fastgan("train", "--recipe", "pix2pix", "--data", f"folder:{folder / 'images'}", "--dry-run") == 2
    assert (
        "expected data with inputs for `reconstruction`, pairs:PATH or images with `from_`" in capsys.readouterr().err
    )


def test_from_with_pairs_is_refused(tmp_path, capsys):
    for name in "AB":
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / name / f"{i}.png")
    data = ("--data", f"pairs:{tmp_path}", "--batch-size", 2, "--holdout", 0)
    assert _fastgan("train", "--recipe", "pix2pix", *data, "--from", "grey", "--dry-run") == 2
    assert "expected data without inputs to make them by 'grey', got pairs" in capsys.readouterr().err
    assert _fastgan("train", "--recipe", "pix2pix", *data, "--dry-run") == 0
    assert "with inputs of 3 x 32 x 32 of pairs" in capsys.readouterr().out
