"""`fastgan impute`: the cells it fills in, and the input it refuses."""

import csv

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
        (TABLE, [], ["column 'id'", "'n0'", "line 2"]),
        ([["a", "b"], *([str(i), ""] for i in range(9))], [], ["column 'b'", "only missing"]),
        ([["a", "b"], ["1", "2"], ["1"]], [], ["2 cells", "line 3", "got 1"]),
        ([["a", "b"], ["1", "inf"], ["1", ""]], [], ["column 'b'", "finite", "inf"]),
        ([["a", "a"], ["1", "2"]], [], ["different names", "'a'"]),
        ([["a", "b"]], [], ["rows", "none"]),
        ([["a", "b"], ["1", ""]], [], ["'b'"]),
        (TABLE, ["--keep", "idd"], ["unknown column 'idd'", "'id'"]),
        (TABLE, ["--keep", "id,a,b"], ["--keep"]),
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
    assert _fastgan("impute", tmp_path / "in.csv", tmp_path / "out.csv") == 2
    assert _fastgan("impute", tmp_path / "none.csv", tmp_path / "out.csv") == 2
    assert (tmp_path / "in.csv").read_bytes() == before
    assert (tmp_path / "out.csv").read_text() == "precious"
