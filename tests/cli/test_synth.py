"""`fastgan synth`: a table in, a table like it out, and what it refuses."""

import csv
import random

import pytest

import fastgan.cli
from fastgan.tabular import TabularGAN


def _fastgan(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main([str(a) for a in arguments])
    return stop.value.code


@pytest.fixture
def table(tmp_path):
    """A file of the kind that Excel writes in Germany, with ids, dates, gaps and booleans."""
    rng = random.Random(0)
    rows = []
    for i in range(200):
        price, colour = f"{rng.lognormvariate(2, 1):.2f}".replace(".", ","), rng.choice(["rot", "grün"])
        day = f"{rng.randint(1, 28):02d}.{rng.randint(1, 12):02d}.2023"
        rows.append([f"A{i:04d}", day, price, colour, rng.choice(["TRUE", "FALSE"]), rng.choice(["", "3", "44"])])
    path = tmp_path / "in.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=";").writerows([["id", "Tag", "Preis", "Farbe", "ok", "n"], *rows])
    return path, rows


def _read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=";"))


def test_the_table_that_comes_out_is_spelt_as_the_one_that_went_in(table, tmp_path, capsys):
    path, rows = table
    arguments = (path, "--epochs", 2, "--rows", 30, "--condition", "Farbe=rot", "--condition", "ok=true")
    for out in ("out.csv", "again.csv"):
        assert _fastgan("synth", arguments[0], tmp_path / out, *arguments[1:]) == 0
    header, *made = _read(tmp_path / "out.csv")
    assert header == ["id", "Tag", "Preis", "Farbe", "ok", "n"]
    assert [row[0] for row in made] == [f"A{i:04d}" for i in range(200, 230)]
    prices = [float(row[2].replace(",", ".")) for row in rows]
    for _, day, price, colour, ok, n in made:
        date, month, year = day.split(".")
        assert len(date) == len(month) == 2
        assert year == "2023"
        assert min(prices) <= float(price.replace(",", ".")) <= max(prices)
        assert len(price.partition(",")[2]) == 2
        assert (colour, ok) == ("rot", "TRUE")
        assert n in ("", "3", "44")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()
    printed = capsys.readouterr().out
    assert "left out 'id'" in printed
    assert "quality" in printed
    assert "real halves" in printed


def test_the_model_can_be_kept(table, tmp_path):
    kept = tmp_path / "model.safetensors"
    assert _fastgan("synth", table[0], tmp_path / "out.csv", "--epochs", 1, "--model", kept) == 0
    assert len(_read(tmp_path / "out.csv")) == 201
    rows = TabularGAN.load(kept, device="cpu").sample(5, {"Farbe": "grün"}, seed=0)
    assert list(rows.columns) == ["id", "Tag", "Preis", "Farbe", "ok", "n"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--condition", "Farbe=blau"], "column 'Farbe' never has the value 'blau'"),
        (["--condition", "Frabe=rot"], "unknown column 'Frabe'; did you mean 'Farbe'"),
        (["--condition", "rot"], "expected --condition as column=value, got 'rot'"),
        (["--discrete", "Preiss"], "unknown column 'Preiss'; did you mean 'Preis'"),
        (["--epochs", "0"], "--epochs"),
        (["--drop", "Tag,Preis,Farbe,ok,n"], "a column to learn from"),
        (["--model", "none/model"], "the folder none of --model to exist"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_training(table, tmp_path, capsys, arguments, message):
    out = tmp_path / "out.csv"
    assert _fastgan("synth", table[0], out, *arguments) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_the_table_itself_is_not_overwritten(table, capsys):
    before = table[0].read_bytes()
    assert _fastgan("synth", table[0], table[0]) == 2
    assert "another file than IN.CSV" in capsys.readouterr().err
    assert table[0].read_bytes() == before
