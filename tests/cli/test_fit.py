"""`fastgan fit`: what it writes, what its search finds, and that bad input leaves nothing behind."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from sklearn.linear_model import ElasticNet

import fastgan.cli
from fastgan.supervised import search

QUICK = ["--epochs", "15", "--lr", "0.01", "--patience", "0", "--hidden", "16"]


def _fastgan(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main([str(a) for a in arguments])
    return stop.value.code


def _write(path, names, rows) -> str:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([names, *rows] if names else rows)
    return f"csv:{path}"


@pytest.fixture
def table(tmp_path):
    """Two features and a class by name that they tell."""
    x = np.random.default_rng(0).normal(size=(120, 2))
    rows = [[a, b, "high" if a + b > 0 else "low"] for a, b in x.tolist()]
    return _write(tmp_path / "in.csv", ["a", "b", "side"], rows)


def test_digits_are_classified_and_both_figures_shown(tmp_path, capsys):
    assert _fastgan("fit", *QUICK, "--out", tmp_path / "run") == 0
    printed = capsys.readouterr().out
    result = json.loads((tmp_path / "run" / "fit.json").read_text())
    accuracy = result["figures"]["accuracy"]
    assert accuracy["held out"] > 0.85
    row = next(line for line in printed.splitlines() if line.startswith("accuracy")).split()
    assert [float(v) for v in row[1:]] == pytest.approx([accuracy["training"], accuracy["held out"]], abs=5e-5)
    assert len(result["history"]) == 15
    assert Image.open(tmp_path / "run" / "history.png").size == (1000, 400)


def test_a_regression_of_a_table_finds_scikit_learns_coefficients(tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(5, 3, size=(200, 3))
    y = 100 + x @ [4.0, -2.0, 0.0] + random.normal(size=200)
    data = _write(tmp_path / "in.csv", ["a", "b", "c", "y"], np.column_stack((x, y)).tolist())
    flags = ["--hidden", "none", "--dropout", "0", "--l1", "0.1", "--l2", "0.1", "--test", "0.1"]
    flags += ["--epochs", "800", "--batch-size", "200", "--lr", "0.05", "--schedule", "cosine"]
    flags += ["--patience", "0", "--validation-fraction", "0"]
    assert _fastgan("fit", "--task", "regress", "--data", data, "--target", "y", *flags, "--out", tmp_path / "run") == 0
    assert json.loads((tmp_path / "run" / "fit.json").read_text())["figures"]["R^2"]["held out"] > 0.9
    with safe_open(str(tmp_path / "run" / "weights.safetensors"), framework="np") as file:
        coefficients, about = file.get_tensor("model.0.weight")[0], json.loads(file.metadata()["fastgan"])
    # The same scaling, from the metadata, of the same training rows.
    from sklearn.model_selection import train_test_split

    train, _, target, _ = train_test_split(x, y, test_size=0.1, random_state=0)
    scaled = (train - about["feature_mean"]) / about["feature_scale"]
    want = ElasticNet(alpha=0.2, l1_ratio=0.5).fit(scaled, (target - about["target_mean"]) / about["target_scale"])
    np.testing.assert_allclose(coefficients, want.coef_, atol=1e-3)
    assert about["features"] == ["a", "b", "c"]


def test_a_search_writes_a_row_a_rate_with_standard_errors_and_its_plot(table, tmp_path, capsys):
    out = tmp_path / "run"
    flags = ["--data", table, "--target", "side", "--search", "dropout=0.0:0.9:3", "--cv", 3, "--out", out]
    assert _fastgan("fit", *QUICK, *flags) == 0
    with open(out / "search.csv") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert [row["dropout"] for row in rows] == [0, 0.45, 0.9]
    assert all(0 < row["loss_se"] < 0.3 for row in rows)
    assert max(rows, key=lambda row: row["loss"])["dropout"] == 0.9
    best = min(rows, key=lambda row: row["loss"])
    result = json.loads((out / "fit.json").read_text())
    assert result["best"] == {"dropout": best["dropout"]}
    assert f"best: dropout {best['dropout']:g}" in capsys.readouterr().out
    assert Image.open(out / "search.png").size == (1000, 400)


def test_a_search_may_draw_from_several_settings(table, tmp_path):
    flags = ["--data", table, "--target", "side", "--search", "l2=0,0.1", "--search", "epochs=2,4", "--draws", 3]
    assert _fastgan("fit", *QUICK, *flags, "--cv", 2, "--out", tmp_path / "run") == 0
    rows = json.loads((tmp_path / "run" / "fit.json").read_text())["search"]
    assert len({(row["l2"], row["epochs"]) for row in rows}) == 3


def test_the_same_seed_gives_the_same_figures(table, tmp_path):
    for name in ("a", "b"):
        assert _fastgan("fit", *QUICK, "--data", table, "--target", "side", "--out", tmp_path / name) == 0
    assert (tmp_path / "a" / "fit.json").read_bytes() == (tmp_path / "b" / "fit.json").read_bytes()
    assert _fastgan("fit", *QUICK, "--data", table, "--target", "side", "--out", tmp_path / "a") == 2


def _mixed(count: int = 200) -> list[list[object]]:
    """Text, booleans, dates, ids and missing cells; the class follows from the city and the date."""
    random, rows = np.random.default_rng(0), []
    for i in range(count):
        city, day = random.choice(["Ulm", "Bonn", "Rome"]), int(random.integers(1, 28))
        side = "high" if city == "Ulm" or day > 20 else "low"
        age = "" if i % 9 == 0 else int(random.integers(18, 80))
        rows.append([f"u{i:03d}", age, city, bool(random.integers(2)), f"2024-01-{day:02d}", side])
    return rows


NAMES = ["user", "age", "city", "member", "joined", "Label"]


def test_text_booleans_dates_and_missing_cells_are_features_and_ids_are_not(tmp_path, capsys):
    data = _write(tmp_path / "in.csv", NAMES, _mixed())
    flags = ["--epochs", 60, "--lr", 0.02, "--hidden", 32, "--dropout", 0]
    assert _fastgan("fit", "--data", data, *flags, "--out", tmp_path / "run") == 0
    printed = capsys.readouterr().out
    assert "left out 'user'" in printed
    assert "target 'Label'; features: 1 id, 1 integer, 1 category (3 values), 1 boolean, 1 date; 1 with" in printed
    assert json.loads((tmp_path / "run" / "fit.json").read_text())["figures"]["accuracy"]["held out"] > 0.9
    with safe_open(str(tmp_path / "run" / "weights.safetensors"), framework="np") as file:
        about = json.loads(file.metadata()["fastgan"])
    assert about["features"][:4] == ["age", "age is missing", "city=Rome", "city=Bonn"]
    # Numbers are standardised, what is 0 or 1 is not.
    assert about["feature_scale"][1:6] == [1.0] * 5
    assert about["feature_scale"][0] > 1


def test_columns_can_be_dropped_chosen_and_taken_as_text(tmp_path, capsys):
    rows = _mixed()
    data = _write(tmp_path / "in.csv", NAMES, rows)
    ages = len({row[1] for row in rows} - {""})
    for flags, words in (
        (["--drop", "user,age,joined"], "features: 1 category (3 values), 1 boolean"),
        (["--columns", "city,member"], "features: 1 category (3 values), 1 boolean"),
        (["--columns", "age", "--text", "age"], f"features: 1 category ({ages} values); 1 with missing cells"),
    ):
        out = tmp_path / flags[0].strip("-") / str(len(flags))
        assert _fastgan("fit", *QUICK, "--data", data, "--target", "Label", *flags, "--out", out) == 0
        assert words in capsys.readouterr().out


def test_more_categories_than_are_told_apart_are_said(tmp_path, capsys):
    rows = [[f"c{i % 150}", i % 2] for i in range(600)]
    data = _write(tmp_path / "in.csv", ["code", "label"], rows)
    assert _fastgan("fit", *QUICK, "--data", data, "--out", tmp_path / "run") == 0
    assert "'code' has 150 categories: the 100 most frequent are told apart" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spec", "values"),
    [("dropout=0.0:0.8:9", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]), ("batch-size=16,32", [16, 32])],
)
def test_a_search_is_a_range_or_a_list(spec, values):
    assert search.parse_setting(spec)[1] == values


GOOD = [[1, 2, "x"], [2, 1, "y"], [3, 1, "x"], [1, 1, "y"], [0, 3, "x"], [2, 2, "y"]]


@pytest.mark.parametrize(
    ("rows", "flags", "words"),
    [
        ([[1, "red", "x"], *GOOD], [], ["column 'b'", "'red'", "line 2"]),
        ([["", "", t] for _, _, t in GOOD], [], ["features beside the target", "got only 2 empty"]),
        ([[1, "inf", "x"], *GOOD], [], ["column 'b'", "finite", "inf"]),
        ([[a, b, "x"] for a, b, _ in GOOD], [], ["at least 2 classes", "only x"]),
        ([[1, 2, "z"], *GOOD], [], ["at least 2 samples", "z"]),
        ([[1, 2, "nan"], *GOOD], [], ["target in column 't'", "line 2"]),
        ([[1, 2, "nan"], *([a, b, a] for a, b, _ in GOOD)], ["--task", "regress"], ["column 't'", "line 2"]),
        (GOOD, ["--task", "regress"], ["column 't'", "'x'", "line 2"]),
        (GOOD, ["--drop", "a,b"], ["beside the target", "only 't'"]),
        (GOOD, ["--drop", "t"], ["column 't'", "left out"]),
        (GOOD, ["--separator", "::"], ["--separator", "::"]),
        ([[1, 2], *GOOD], [], ["3 cells", "line 2", "got 2"]),
        ([[i, 1, i / 7] for i in range(9)], [], ["continuous"]),
        (GOOD, ["--target", "tt"], ["unknown column 'tt'", "'t'"]),
        (GOOD, ["--data", "csv:none.csv"], ["none.csv"]),
        (GOOD, ["--search", "dropot=0:1:3"], ["'dropot'", "'dropout'"]),
        (GOOD, ["--search", "dropout=0:1"], ["LOW:HIGH:COUNT"]),
        (GOOD, ["--search", "epochs=1.5,2"], ["epochs", "int"]),
        (GOOD, ["--search", "dropout=0,0.1", "--draws", "3"], ["`draws`", "2"]),
        (GOOD, ["--search", "dropout=0,0.1", "--cv", "1"], ["`cv`", "1"]),
        (GOOD, ["--hidden", "12,a"], ["--hidden", "12,a"]),
        (GOOD, ["--task", "cluster"], ["--task", "cluster"]),
        (GOOD, ["--class-weight", "balnced"], ["class_weight", "balnced"]),
        (GOOD, ["--dropout", "1.5"], ["`dropout`", "1.5"]),
        (GOOD, ["--test", "0"], ["--test"]),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(rows, flags, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = _write(tmp_path / "in.csv", ["a", "b", "t"], rows)
    given = ["--data", data, "--target", "t", *flags]
    assert _fastgan("fit", *QUICK, *given, "--out", tmp_path / "run") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert all(word in said for word in words), said
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_images_of_several_sizes_are_fitted_by_the_flags_that_the_message_names(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, level in (("cat", 40), ("dog", 200)):
        (tmp_path / "d" / name).mkdir(parents=True)
        for i in range(8):
            pixels = level + rng.integers(0, 20, (12 + i, 12, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "d" / name / f"{i}.png")
    (tmp_path / "d" / "cat" / "notes.txt").write_text("x")
    assert _fastgan("fit", *QUICK, "--data", "folder:d") == 2
    assert "--image-size crops and resizes them" in capsys.readouterr().err
    flags = ["--image-size", "8", "--color", "grey", "--out", "run"]
    assert _fastgan("fit", *QUICK, "--data", "folder:d", *flags) == 0
    assert "passed over 1 file: 1 .txt" in capsys.readouterr().out
    result = json.loads((tmp_path / "run" / "fit.json").read_text())
    assert result["images"]["image_size"] == 8
    assert result["figures"]["accuracy"]["held out"] == 1
    with safe_open(tmp_path / "run" / "weights.safetensors", "np") as file:
        assert json.loads(file.metadata()["fastgan"])["classes"] == ["cat", "dog"]


def test_settings_of_images_are_refused_for_tables_and_a_wrong_one_is_named(table, tmp_path, capsys):
    for flags, words in (
        (["--data", table, "--image-size", "8"], "--image-size and --color only with images"),
        (["--color", "red"], "`color` to be one of auto, grey, rgb, got 'red'"),
        (["--background", "red"], "`background` to be white, black or #rrggbb"),
    ):
        assert _fastgan("fit", *QUICK, *flags, "--out", tmp_path / "run") == 2
        assert words in capsys.readouterr().err
