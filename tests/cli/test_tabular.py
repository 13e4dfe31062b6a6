"""`fastgan train --recipe tabular` and the commands on its run."""

import json

import numpy as np
import pandas as pd
import pytest

import fastgan.cli


def _fastgan(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main([str(a) for a in arguments])
    return stop.value.code


FLAGS = ["--recipe", "tabular", "--hidden", "16", "--batch-size", "40", "--holdout", "0.3", "--device", "cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of a table with decimal commas, an id, an empty column and free text."""
    path, random = tmp_path_factory.mktemp("tabular"), np.random.default_rng(0)
    pd.DataFrame(
        {
            "key": [f"k{i}" for i in range(200)],
            "price": random.lognormal(2, 1, 200).round(2),
            "member": random.random(200) < 0.3,
            "gone": [None] * 200,
            "colour": random.choice(["rot", "grün"], 200),
            "said": [f"we met {i} of them" for i in range(200)],
        }
    ).to_csv(path / "in.csv", index=False, sep=";", decimal=",")
    flags = [*FLAGS, "--data", f"csv:{path / 'in.csv'}", "--steps", 8, "--out", path / "run"]
    assert _fastgan("train", *flags) == 0
    return path


def test_a_dry_run_tells_the_size_of_a_row_and_writes_nothing(folder, tmp_path, capsys):
    flags = [*FLAGS, "--data", f"csv:{folder / 'in.csv'}", "--out", tmp_path / "run", "--dry-run"]
    assert _fastgan("train", *flags) == 0
    said = capsys.readouterr().out
    assert "a row is 15 numbers in the network" in said
    assert "generator: 128 to 15" in said
    assert not (tmp_path / "run").exists()


def test_typed_rows_come_out_in_the_tables_spelling_and_fulfil_conditions(folder, tmp_path):
    for name in ("out.csv", "again.csv", "out.parquet", "out.npz"):
        conditions = ["--condition", "colour=rot", "--condition", "member=true"]
        assert _fastgan("sample", folder / "run", "--n", 20, "--out", tmp_path / name, *conditions) == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()
    frame = pd.read_csv(tmp_path / "out.csv", sep=";", decimal=",")
    assert list(frame.columns) == ["key", "price", "member", "gone", "colour"]
    assert frame["key"].tolist() == [f"k{i}" for i in range(200, 220)]
    assert frame["gone"].isna().all()
    assert set(frame["colour"]) == {"rot"}
    assert frame["member"].all()
    typed = pd.read_parquet(tmp_path / "out.parquet")
    assert typed["member"].dtype == bool
    np.testing.assert_array_equal(typed["price"], frame["price"])
    arrays = np.load(tmp_path / "out.npz")
    assert arrays["columns"].tolist()[0] == "price"
    np.testing.assert_allclose(arrays["samples"][:, 0], frame["price"], atol=0.006)


def test_eval_and_report_measure_the_rows_as_a_table(folder, capsys):
    assert _fastgan("eval", folder / "run", "--n", 200, "--target", "colour") == 0
    assert "tstr: balanced accuracy of 'colour'" in capsys.readouterr().out
    scores = json.loads((folder / "run" / "eval.json").read_text())
    for name in ("marginals", "pairs", "tstr", "record_nearer", "record_copies"):
        assert 0 <= scores[name] <= 1
    assert scores["invalid"] == 0
    assert _fastgan("report", folder / "run") == 0
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    assert "colour" in page
    assert "grün" in page


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--condition", "colour=blau"], "column 'colour' never has the value 'blau'"),
        (
            ["--condition", "price=3"],
            "expected a column of categories as a condition, got 'price', a column of numbers",
        ),
        (["--condition", "rot"], "sample: expected --condition as column=value, got 'rot'"),
    ],
)
def test_conditions_that_cannot_hold_are_refused_by_name(folder, tmp_path, capsys, flags, words):
    assert _fastgan("sample", folder / "run", "--out", tmp_path / "out.csv", *flags) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_explain_shows_the_entries_of_another_tables_rows(folder, tmp_path, capsys):
    text = (folder / "in.csv").read_text(encoding="utf-8").replace("grün", "blau")
    (tmp_path / "other.csv").write_text(text, encoding="utf-8")
    flags = ["--n", 2, "--methods", "integrated_gradients", "--out", tmp_path / "e.png"]
    assert _fastgan("explain", folder / "run", "--data", f"csv:{tmp_path / 'other.csv'}", *flags) == 0
    assert "'colour' has unknown categories" in capsys.readouterr().out
    assert np.load(tmp_path / "e.npz")["integrated_gradients"].shape == (2, 15)
