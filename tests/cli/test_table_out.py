"""`fastgan train` of a table and `fastgan sample`: the table that comes out is of the kind of the one that went in."""

import numpy as np
import pandas as pd
import pytest

import fastgan.cli


def _fastgan(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main([str(a) for a in arguments])
    return stop.value.code


def _table(count: int = 120) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": range(100, 100 + count),
            "age": random.integers(18, 80, count),
            "income": (random.random(count) * 5000).round(2),
            "city": random.choice(["Köln", "Ulm, alt"], count),
            "member": random.random(count) < 0.3,
            "joined": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, count), unit="D"),
            "rooms": pd.array([None if i % 4 == 0 else i % 5 for i in range(count)], dtype="Int64"),
            "Label": random.choice(["yes", "no", "no"], count),
        }
    )


FLAGS = ["--steps", 30, "--batch-size", 32, "--device", "cpu"]


@pytest.fixture(scope="module", params=["unconditional", "conditional"])
def run(tmp_path_factory, request):
    """A run of a table with semicolons and decimal commas."""
    folder = tmp_path_factory.mktemp("run")
    _table().to_csv(folder / "in.csv", index=False, sep=";", decimal=",")
    flags = [*FLAGS, "--conditional"] if request.param == "conditional" else FLAGS
    assert _fastgan("train", "--data", f"csv:{folder / 'in.csv'}", *flags, "--out", folder / "run") == 0
    return folder


def test_a_sampled_table_has_the_columns_dtypes_ranges_and_spellings_of_the_first(run, tmp_path):
    assert _fastgan("sample", run / "run", "--n", 300, "--out", tmp_path / "out.csv") == 0
    text = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    first = (run / "in.csv").read_text(encoding="utf-8").splitlines()
    assert text[0] == first[0]
    assert len(text) == 301
    old, new = (pd.read_csv(path, sep=";", decimal=",") for path in (run / "in.csv", tmp_path / "out.csv"))
    whole = ["rooms"]  # pandas reads whole numbers with missing cells as floats, and some steps make no such cell
    assert (old.dtypes.drop(whole) == new.dtypes.drop(whole)).all()
    assert (new["rooms"].dropna() % 1 == 0).all()
    for name in ("age", "income", "rooms", "joined"):
        assert new[name].dropna().between(old[name].min(), old[name].max()).all()
    for name in ("city", "member", "Label"):
        assert set(new[name]) <= set(old[name])
    assert new["id"].tolist() == list(range(220, 520))  # behind those of the table
    assert new[["age", "income", "city", "joined"]].notna().all(axis=None)
    assert (new["income"].round(2) == new["income"]).all()


def test_parquet_and_arrays_hold_the_same_samples(run, tmp_path):
    for name in ("out.parquet", "out.csv", "out.npz"):
        assert _fastgan("sample", run / "run", "--n", 50, "--out", tmp_path / name) == 0
    frame = pd.read_parquet(tmp_path / "out.parquet")
    text = pd.read_csv(tmp_path / "out.csv", sep=";", decimal=",", parse_dates=["joined"], dtype={"rooms": "Int64"})
    pd.testing.assert_frame_equal(frame, text, check_dtype=False)
    assert frame.dtypes.astype(str).tolist()[:6] == ["int64", "int64", "float64", "str", "bool", "datetime64[us]"]
    arrays = np.load(tmp_path / "out.npz")
    assert arrays["columns"].tolist()[:2] == ["age", "income"]
    assert set(arrays["columns"][2:4]) == {"city=Köln", "city=Ulm, alt"}
    ages = arrays["samples"][:, 0].clip(18, 79).round()
    assert (ages == frame["age"]).all()


def test_what_was_decided_is_printed(tmp_path, capsys):
    _table().to_csv(tmp_path / "in.csv")
    flags = [*FLAGS, "--steps", 1, "--drop", "age,income"]
    assert _fastgan("train", "--data", f"csv:{tmp_path / 'in.csv'}", *flags, "--out", tmp_path / "run") == 0
    said = capsys.readouterr()
    for words in ("120 rows of 9 columns (UTF-8, commas, a header)", "left out the first column", "left out 'id'"):
        assert words in said.out + said.err
    assert "1 category (2 values)" not in said.out + said.err  # the label is a category, too
    assert "2 category (4 values)" in said.out + said.err
