"""`fastgan impute`: the cells it fills in, and the input it refuses."""

import csv
import re

import numpy as np
import pandas as pd
import pytest

import fastgan.cli


def _fastgan(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main([str(a) for a in arguments])
    return stop.value.code


def _write(path, rows) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)


TABLE = [["id", "a", "b"], *([f"n{i}", f"{i / 10:.2f}", str(3 * i)] for i in range(40))]


def test_the_command_fills_in_the_missing_cells_and_no_other(tmp_path, capsys):
    rows = [list(row) for row in TABLE]
    for i, (j, cell) in enumerate([(1, ""), (2, "NA"), (1, "?"), (2, " nan ")], 5):
        rows[i][j] = cell
    _write(tmp_path / "in.csv", rows)
    flags = ["--keep", "id", "--steps", 50]
    for out in ("out.csv", "again.csv"):
        assert _fastgan("impute", tmp_path / "in.csv", tmp_path / out, *flags) == 0
    assert "filled in 4 of 80 cells (5.0%)" in capsys.readouterr().out
    with open(tmp_path / "out.csv", newline="") as file:
        written = list(csv.reader(file))
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            if i in (5, 6, 7, 8) and cell in ("", "NA", "?", " nan "):
                assert 0 <= float(written[i][j]) <= 117
            else:
                assert written[i][j] == cell
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()


def test_a_table_without_holes_is_copied(tmp_path):
    _write(tmp_path / "in.csv", TABLE)
    assert _fastgan("impute", tmp_path / "in.csv", tmp_path / "out.csv", "--keep", "id") == 0
    assert (tmp_path / "out.csv").read_text().splitlines() == (tmp_path / "in.csv").read_text().splitlines()


@pytest.mark.parametrize(
    ("rows", "flags", "words"),
    [
        ([["n"], *([f"n{i}"] for i in range(40))], [], ["columns to learn from"]),
        ([["a", "b"], *([str(i), ""] for i in range(9))], [], ["column 'b'", "only missing"]),
        ([["a", "b"], ["1", "2"], ["1"]], [], ["2 cells", "line 3", "got 1"]),
        ([["a", "b"], ["1", "inf"], ["1", ""]], [], ["column 'b'", "finite", "inf"]),
        ([["a", "a"], ["1", "2"]], [], ["different names", "'a'"]),
        ([["a", "b"]], [], ["rows", "none"]),
        ([["a", "b"], ["1", ""]], [], ["'b'"]),
        (TABLE, ["--keep", "idd"], ["unknown column 'idd'", "'id'"]),
        (TABLE, ["--keep", "id,a,b"], ["not left out", "none"]),
        (TABLE, ["--keep", "id", "--threads", "many"], ["--threads"]),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(rows, flags, words, tmp_path, capsys):
    _write(tmp_path / "in.csv", rows)
    assert _fastgan("impute", tmp_path / "in.csv", tmp_path / "out.csv", *flags) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert all(word in said for word in words), said
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_the_input_is_not_overwritten_and_an_earlier_output_outlives_a_mistake(tmp_path, capsys):
    _write(tmp_path / "in.csv", TABLE)
    before = (tmp_path / "in.csv").read_bytes()
    assert _fastgan("impute", tmp_path / "in.csv", tmp_path / "in.csv", "--keep", "id") == 2
    assert "another file than IN.CSV" in capsys.readouterr().err
    (tmp_path / "out.csv").write_text("precious")
    assert _fastgan("impute", tmp_path / "in.csv", tmp_path / "out.csv", "--keep", "idd") == 2
    assert _fastgan("impute", tmp_path / "in.csv", tmp_path / "out.parquet") == 2
    assert _fastgan("impute", tmp_path / "none.csv", tmp_path / "out.csv") == 2
    assert (tmp_path / "in.csv").read_bytes() == before
    assert (tmp_path / "out.csv").read_text() == "precious"


def _people(count: int = 60) -> bytes:
    """A table as spreadsheets write it: a byte order mark, CRLF, quotes, semicolons, decimal commas, holes."""
    lines = ['id;"Stadt";Kinder;Preis;Mitglied;Tag;Code']
    for i in range(count):
        city = ("", '"Köln"', "Ulm")[i % 3]
        price = "NA" if i % 4 == 0 else f"{i / 8:.2f}".replace(".", ",")
        member, day = ("", "WAHR", "FALSCH")[i % 3], "" if i % 7 == 0 else f"{i % 28 + 1:02d}.01.2024"
        lines.append(f'{i};{city};{"" if i % 5 == 0 else i % 4};{price};{member};{day};"00{i % 9}"')
    return b"\xef\xbb\xbf" + "\r\n".join(lines).encode()


def test_values_stay_of_their_kind_and_all_other_bytes_as_they_are(tmp_path, capsys):
    (tmp_path / "in.csv").write_bytes(_people())
    assert _fastgan("impute", tmp_path / "in.csv", tmp_path / "out.csv", "--steps", 30) == 0
    assert "left out 'id'" in capsys.readouterr().out
    before = _people().decode().split("\r\n")
    after = (tmp_path / "out.csv").read_bytes().decode().split("\r\n")
    assert after[0] == before[0]
    kinds = [r"\d+", '"Köln"|Köln|Ulm', "[0-3]", r"\d,\d\d", "WAHR|FALSCH", r"[0-3]\d\.01\.2024", r'"00\d"']
    for old, new in zip(before[1:], after[1:], strict=True):
        for was, now, kind in zip(old.split(";"), new.split(";"), kinds, strict=True):
            assert re.fullmatch(kind, now)
            assert was in ("", "NA") or now == was


def test_a_parquet_table_is_filled_in_with_its_dtypes(tmp_path):
    frame = pd.DataFrame(
        {
            "i": pd.array([None if i % 5 == 0 else i for i in range(40)], dtype="Int64"),
            "f": [np.nan if i % 7 == 0 else i / 4 for i in range(40)],
            "t": [None if i % 3 == 0 else "ab"[i % 2] for i in range(40)],
        }
    )
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    assert _fastgan("impute", tmp_path / "in.parquet", tmp_path / "out.parquet", "--steps", 10) == 0
    filled = pd.read_parquet(tmp_path / "out.parquet")
    assert filled.notna().all(axis=None)
    assert (filled.dtypes == frame.dtypes).all()
    assert ((filled == frame) | frame.isna()).all(axis=None)


def test_one_column_with_blank_lines_is_filled_in(tmp_path):
    (tmp_path / "in.csv").write_text("a\n" + "".join(f"{i % 6 or ''}\n" for i in range(40)))
    assert _fastgan("impute", tmp_path / "in.csv", tmp_path / "out.csv", "--steps", 10) == 0
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert len(lines) == 41
    assert set(lines[1:]) <= {"1", "2", "3", "4", "5"}


def test_missing_cells_of_columns_that_are_left_out_are_counted(tmp_path, capsys):
    rows = [list(row) for row in TABLE]
    rows[3][0] = rows[4][2] = ""
    _write(tmp_path / "in.csv", rows)
    assert _fastgan("impute", tmp_path / "in.csv", tmp_path / "out.csv", "--keep", "id", "--steps", 10) == 0
    assert "1 missing cells of columns that were left out stay" in capsys.readouterr().out
