"""Tables to train on: rows and labels of `load`, and the tables that are refused."""

import numpy as np
import pandas as pd
import pytest

from fastgan.data import load
from fastgan.data.table import TableOptions
from fastgan.data.table.source import load_table


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path."""

    def write(text):
        (tmp_path / "t.csv").write_text(text)
        return str(tmp_path / "t.csv")

    return write


@pytest.mark.parametrize("header", ["", "height,LABEL,width\n"])
def test_a_table_is_standardised_and_comes_back(write, header):
    path = write(header + "1,0,10\n2,1,30\n\n3,0,80\n")
    data = load(f"csv:{path}")
    if header:
        assert data.labels.tolist() == [0, 1, 0]
        expected = [[1, 10], [2, 30], [3, 80]]
    else:
        expected = [[1, 0, 10], [2, 1, 30], [3, 0, 80]]
    np.testing.assert_allclose(data.units.restore(data.samples), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(data.samples.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(data.samples.std(0, correction=0), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("cells", "names", "labels"),
    [
        (["yes", "no", "yes"], ("no", "yes"), [1, 0, 1]),
        (["10", "9", "9"], ("9", "10"), [1, 0, 0]),
        (["7", "3", "7"], ("3", "7"), [1, 0, 1]),
        (["1.0", "2.0", "2.0"], ("1", "2"), [0, 1, 1]),
        (["True", "False", "True"], ("False", "True"), [1, 0, 1]),
        (["c10", "c9", "c9"], ("c9", "c10"), [1, 0, 0]),
    ],
)
@pytest.mark.parametrize("name", ["label", "Label", "LABEL"])
def test_labels_of_a_conditional_run_are_no_part_of_a_row(write, cells, names, labels, name):
    table = load_table(write(f"a,{name}\n" + "".join(f"{i / 2},{cell}\n" for i, cell in enumerate(cells))))
    assert (table.class_names, table.labels.tolist()) == (names, labels)
    assert table.rows.tolist() == [[0], [0.5], [1]]
    frame = table.schema.decode(table.rows, table.labels)
    numbers = [float(x) for x in frame[name]] if names[0].isdigit() else frame[name].astype(str).tolist()
    assert numbers == ([float(c) for c in cells] if names[0].isdigit() else cells)


def test_an_unconditional_run_learns_the_label_as_a_column(write):
    table = load_table(write("a,label\n1.5,yes\n2,no\n3,yes\n"), conditional=False)
    assert table.schema.names == ["a", "label=yes", "label=no"]
    assert (table.labels.tolist(), table.class_names) == ([1, 0, 1], ("no", "yes"))
    for text in ("a,label\n1.5,0.5\n2,7\n", "a,label\n1.5,\n2,7\n"):  # which no class has
        table = load_table(write(text), conditional=False)
        assert (table.labels, table.schema.names[:2]) == (None, ["a", "label"])


def test_what_was_decided_is_said(write):
    path = write("id;b;label\n1;x;0\n2;x;1\n3;y;1\n")
    table = load_table(path)
    assert table.notes[0].endswith("3 rows of 3 columns (UTF-8, semicolons, a header)")
    assert table.notes[1] == "columns: 1 id, 1 category (2 values), 1 class; a row is 2 numbers"
    assert "left out 'id'" in table.notes[2]
    assert table.notes[-1] == "'label' is the class: 0, 1"
    assert load(f"csv:{path}").notes == table.notes


def test_parquet_is_a_source(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"], "label": [0, 1]})
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    for kind in ("parquet", "csv"):
        data = load(f"{kind}:{tmp_path}/t.parquet")
        assert data.units.restore(data.samples).round(6).tolist() == [[1.5, 1, 0], [2.5, 0, 1]]
        assert data.labels.tolist() == [0, 1]


def test_options_reach_the_reader(write):
    path = write("1:2,5:x\n2:3,5:y\n")
    data = load(f"csv:{path}", table=TableOptions(separator=":", header="no", drop="column_3"))
    np.testing.assert_allclose(data.units.restore(data.samples), [[1, 2.5], [2, 3.5]], rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected rows of cells in .*, got none"),
        ("1,2\n3,x\n", "expected a number in column 'column_2' of .*, got 'x' in line 2"),
        ("1,inf\n2,3\n", "expected a finite number in column 'column_2' of .*, got 'inf' in line 1"),
        ("a,label\n1,0\n2,0.5\n", "labels that are whole numbers or texts in .*, got a fraction"),
        ("a,label\n1,0\n2,nan\n", "expected a label in column 'label' of .*, got none in line 3"),
        ("a,b\n1,2\n", "at least 2 rows in .*, got 1"),
        ("id\n1\n2\n3\n", "a column to learn from in .*, got only 1 id"),
        ("a,label\n1,\n2,\n", "expected a label in column 'label' of .*, got none in line 2"),
        (
            "c\n" + "".join(f"c{i % 1500}\n" for i in range(3000)),
            "at most 1,000 categories in column 'c' of .*, got 1,500; --drop c",
        ),
    ],
)
def test_a_bad_table_is_refused_in_words(write, text, words):
    with pytest.raises(ValueError, match=words):
        load(f"csv:{write(text)}")
