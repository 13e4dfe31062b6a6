"""`fastgan predict`: the columns that it appends, and the tables and folders that it refuses."""

import json

import numpy as np
import pandas as pd
import pytest

import fastgan.cli


def _fastgan(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main([str(a) for a in arguments])
    return stop.value.code


def _rows(count: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"size": random.normal(10, 3, count).round(2), "city": random.choice(["Ulm", "Bonn"], count)})
    frame["side"] = np.where((frame["size"] > 10) ^ (frame["city"] == "Ulm"), "big", "small")
    frame["price"] = (3 * frame["size"] + 5 * (frame["city"] == "Ulm")).round(2)
    return frame


FLAGS = ["--epochs", 150, "--lr", 0.03, "--hidden", 16, "--dropout", 0, "--patience", 0]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A classifier and a regressor of tables, and a classifier of images."""
    folder = tmp_path_factory.mktemp("runs")
    _rows(300, 0).to_csv(folder / "train.csv", index=False)
    data = ["--data", f"csv:{folder}/train.csv"]
    assert _fastgan("fit", *FLAGS, *data, "--target", "side", "--drop", "price", "--out", folder / "side") == 0
    regress = ["--task", "regress", "--target", "price", "--drop", "side"]
    assert _fastgan("fit", *FLAGS, *data, *regress, "--out", folder / "price") == 0
    assert _fastgan("fit", "--epochs", 1, "--hidden", "none", "--out", folder / "digits") == 0
    return folder


def test_classes_are_predicted_with_their_probability(runs, tmp_path, capsys):
    new = _rows(200, 1)
    new[["city", "size"]].to_csv(tmp_path / "in.csv", index=False)
    assert _fastgan("predict", runs / "side", tmp_path / "in.csv", tmp_path / "out.csv") == 0
    assert "predicted 'side' of 200 rows" in capsys.readouterr().out
    out = pd.read_csv(tmp_path / "out.csv")
    assert list(out.columns) == ["city", "size", "predicted_side", "probability"]
    assert (out["predicted_side"] == new["side"]).mean() > 0.9
    assert out["probability"].between(0.5, 1).all()


def test_predictions_are_those_of_the_fitted_model(runs, tmp_path):
    _rows(300, 0).to_csv(tmp_path / "in.csv", index=False)
    assert _fastgan("predict", runs / "price", tmp_path / "in.csv", tmp_path / "out.csv") == 0
    out = pd.read_csv(tmp_path / "out.csv")
    error = ((out["predicted_price"] - out["price"]) ** 2).mean()
    figures = json.loads((runs / "price" / "fit.json").read_text())["figures"]["mean squared error"]
    # Four fifths of the rows are those of training; the predictions have 6 digits.
    assert error == pytest.approx(0.8 * figures["training"] + 0.2 * figures["held out"], rel=1e-3)


def test_the_table_is_copied_to_the_byte_in_its_own_dialect(runs, tmp_path):
    content = '\ufeffnote;"city";size\r\n"a;b";"Ulm";9,5\r\n\r\n"x\ny";Bonn;12,25'.encode()
    (tmp_path / "in.csv").write_bytes(content)
    assert _fastgan("predict", runs / "price", tmp_path / "in.csv", tmp_path / "out.csv") == 0
    lines = (tmp_path / "out.csv").read_bytes().split(b"\r\n")
    before = content.split(b"\r\n")
    assert lines[0] == before[0] + b";predicted_price"
    assert [line.rpartition(b";")[0] for line in lines[1::2]] == before[1::2]
    price = [float(line.rpartition(b";")[2].replace(b",", b".")) for line in lines[1::2]]
    assert price == pytest.approx([33.5, 36.75], abs=1.5)
    assert b"," in lines[1].rpartition(b";")[2]


def test_unknown_categories_and_missing_cells_are_said(runs, tmp_path, capsys):
    (tmp_path / "in.csv").write_text("city,size\nRome,9\nUlm,\nUlm,9\n")
    assert _fastgan("predict", runs / "side", tmp_path / "in.csv", tmp_path / "out.csv") == 0
    said = capsys.readouterr().out
    assert "'city' has unknown categories in 1 cell: Rome" in said
    assert "'size' lacks 1 cell" in said
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4


def test_parquet_gives_parquet(runs, tmp_path):
    _rows(9, 1).to_parquet(tmp_path / "in.parquet", index=False)
    assert _fastgan("predict", runs / "price", tmp_path / "in.parquet", tmp_path / "out.parquet") == 0
    out = pd.read_parquet(tmp_path / "out.parquet")
    assert out["predicted_price"].dtype == "float64"
    pd.testing.assert_frame_equal(out.drop(columns="predicted_price"), _rows(9, 1))


@pytest.mark.parametrize(
    ("run", "table", "out", "words"),
    [
        ("side", "size,town\n1,Ulm\n", "out.csv", ["columns size, city", "none called city"]),
        ("side", "size,city\nbig,Ulm\n", "out.csv", ["column 'size'", "'big'", "line 2"]),
        ("side", "size,city,probability\n1,Ulm,1\n", "out.csv", ["without a column 'probability'"]),
        ("side", "size,city\n1,Ulm\n", "in.csv", ["another file than IN.CSV"]),
        ("side", "size,city\n1,Ulm\n", "out.parquet", ["of the kind of IN.CSV"]),
        ("side", "size,city\n1,Ulm\n", "no/out.csv", ["the folder", "no"]),
        ("side", "", "out.csv", ["rows of cells"]),
        ("digits", "size,city\n1,Ulm\n", "out.csv", ["a model of a table", "images"]),
        ("none", "size,city\n1,Ulm\n", "out.csv", ["a folder of `fastgan fit`"]),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(runs, tmp_path, capsys, run, table, out, words):
    (tmp_path / "in.csv").write_text(table)
    assert _fastgan("predict", runs / run, tmp_path / "in.csv", tmp_path / out) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert all(word in said for word in words), said
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
