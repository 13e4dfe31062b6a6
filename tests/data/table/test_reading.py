"""`read_table`: the cells of a file, what is found out about it, and the files that are refused."""

import codecs

import pandas as pd
import pytest

from fastgan.data.table import TableOptions, read_table
from fastgan.data.table.missing import MISSING, missing_mask


@pytest.fixture
def read(tmp_path):
    """Write a file and read it."""

    def read(content, name="t.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(str(path), TableOptions(**options))

    return read


ROWS = [["a", "b c"], ["1.5", "x, y"], ["-2", 'say "no"; or|yes']]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_separator_is_found_and_quotes_protect_it(read, separator, end):
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in ROWS]
    table = read(end.join(separator.join(row) for row in quoted) + end)
    assert table.dialect.separator == separator
    assert [table.names, *table.frame.to_numpy().tolist()] == ROWS


@pytest.mark.parametrize(
    ("text", "separator", "decimal"),
    [
        ("a;b\n0,5;1\n1,25;2\n", ";", ","),
        ("0,5;1,5;0\n1,5;2,5;1\n", ";", ","),
        ("a\tb\n1,5\tx,y\n2,5\tz\n", "\t", ","),  # a column of text has commas, too
        ('a,b\n"1,5","2"\n"2,5","3"\n', ",", ","),
        ("a;b\n1.5;x\n2.5;y\n", ";", "."),
        ("name\nTom Smith\nAnn Lee\n", ",", "."),  # one column of two words
        ("city,n\nNew York,1\nLos Angeles,2\n", ",", "."),
        ("2024-01-01 10:00,1\n2024-01-02 11:00,2\n", ",", "."),
    ],
)
def test_decimal_commas_are_told_from_separators(read, text, separator, decimal):
    dialect = read(text).dialect
    assert (dialect.separator, dialect.decimal) == (separator, decimal)


def test_separator_decimal_and_header_can_be_named(read):
    table = read("1:2\n3:4\n", separator=":", decimal=",", header="yes")
    assert (table.names, table.dialect.decimal) == (["1", "2"], ",")
    assert read("a,b\n1,2\n", header="no").frame.to_numpy().tolist() == [["a", "b"], ["1", "2"]]
    assert read("a;b,c\n1;2,3\n", separator="comma").names == ["a;b", "c"]


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("0,1,2\n1.5,0.2,1\n", True),  # pandas' default
        (",0,1,2\n0,1.5,0.2,1\n", True),
        ("0,1\n1,0\n1,1\n", False),  # no names but bits
        ("0,1\n1.5,0\n1,1\n", True),
        ("2019,2020,label\n1,2,0\n", True),
        ("2019,2020,2021\n1,2,0\n", True),
        ("1990,1991\n1992,1993\n", False),
        ("1,2,3\n4,5,6\n", False),
        ("a,b\nx,y\n", True),
        ("x,y\nx,z\ny,y\n", False),  # what is below is named alike
        ("when,who\n2024-01-01,x\n", True),
        ("NA,2\n3,4\n", False),
        ("7,up\n2,down\n", False),
        ("member\nTrue\nFalse\n", True),
    ],
)
def test_a_header_is_told_from_a_row(read, text, header):
    table = read(text)
    assert table.dialect.header == header
    assert len(table.frame) == text.count("\n") - header
    assert ("no header" in table.notes[0]) != header


@pytest.mark.parametrize(
    "text",
    [
        ",a,b\n0,1,2\n1,3,4\n",  # pandas
        '"a" "b"\n"r1" 1 2\n"r2" 3 4\n',  # R, whose header has one name less
    ],
)
def test_a_column_without_a_name_that_tells_rows_apart_is_left_out_and_said(read, text):
    table = read(text)
    assert table.names == ["a", "b"]
    assert "left out the first column, which has no name" in table.notes[1]


def test_a_column_without_a_name_that_is_no_index_is_kept(read):
    assert read(",a\n1,5\n1,6\n").names == ["column_1", "a"]


def test_separators_at_the_ends_of_lines_make_no_column(read):
    for text in ("a,b,\n1,2,\n3,4,\n", "a,b\n1,2,\n3,4,\n"):
        table = read(text)
        assert table.names == ["a", "b"]
        assert "no name and no cells" in table.notes[1]


def test_blank_lines_of_one_column_are_missing_cells_and_of_several_nothing(read):
    assert read("a\n1\n\n2\n\n\n").frame["a"].tolist() == ["1", "", "2"]
    assert read("a,b\n\n1,2\n   \n3,4\n").frame["a"].tolist() == ["1", "3"]


def test_cells_in_quotes_may_hold_line_ends(read):
    table = read('a,b\n"x\ny",1\nz,2\n')
    assert table.frame["a"].tolist() == ["x\ny", "z"]
    assert table.line(1) == "line 4"


@pytest.mark.parametrize(
    ("content", "options", "found"),
    [
        (codecs.BOM_UTF8 + "größe,b\n1,2\n".encode(), {}, "utf-8-sig"),
        ("größe,b\n1,2\n".encode("utf-16"), {}, "utf-16"),
        (codecs.BOM_UTF16_BE + "größe,b\n1,2\n".encode("utf-16-be"), {}, "utf-16"),
        ("größe,b\n1,2\n".encode("latin-1"), {"encoding": "latin-1"}, "latin-1"),
        ("größe,b\n1,2\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, "utf-16-le"),
    ],
)
def test_encodings_are_found_or_named_and_the_text_goes_back_to_the_same_bytes(read, content, options, found):
    table = read(content, **options)
    assert table.names == ["größe", "b"]
    assert table.dialect.encoding == found
    assert table.encoded(table.text()) == content


@pytest.mark.parametrize("cell", [*sorted(MISSING), "-NaN", "N/A", "<NA>", "NaT", "None", "1.#QNAN"])
def test_the_spellings_of_missing_are_known(cell):
    cells = pd.Series([cell, "1", "Nancy"], dtype="str")
    assert missing_mask(cells).tolist() == [True, False, False]


def test_columns_are_dropped_or_chosen(read):
    assert read("a,b,c\n1,2,3\n", drop="a, c").names == ["b"]
    assert read("a,b,c\n1,2,3\n", columns="c,a").names == ["a", "c"]
    assert read("a,Label\n1,2\n").column("label") == "Label"


def test_a_parquet_file_keeps_its_dtypes(read, tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    frame.to_parquet(tmp_path / "p", index=False)
    table = read_table(str(tmp_path / "p"))
    pd.testing.assert_frame_equal(table.frame, frame)
    assert table.dialect is None


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("", {}, "expected rows of cells in .*, got none"),
        (" \n\n", {}, "expected rows of cells in .*, got none"),
        ("a,b\n", {}, "expected rows of cells in .*, got none below the header"),
        ("a,b\n1,2\n\n3\n", {}, "expected 2 cells in line 4 of .*, got 1"),
        ("a,b\n1,2\n\n3,4,5\n", {}, "expected 2 cells in line 4 of .*, got 3"),
        ('a,b\n"x\n1",2\n3,4,5\n', {}, "expected 2 cells in line 4 of .*, got 3"),
        ('a,b\n"' + "1" * 140_000, {}, "expected the quote in line 2 of .* to close"),
        ("a,b,a\n1,2,3\n", {}, "columns of different names in .*, got 'a' 2 times"),
        ("größe\n1\n".encode("latin-1"), {}, "text in UTF-8, got byte 0xf6 in line 1; --encoding"),
        (b"\x89PNG\r\n", {}, "table of text, got a PNG picture"),
        (b"PK\x03\x04....", {}, "an Excel file"),
        (b"\x1f\x8b....", {}, "a gzip archive"),
        (b"ab\0\0cd", {}, "got a binary file"),
        (b"PAR1....", {}, "to be a Parquet file"),
        ("a,b\n1,2\n", {"drop": "c"}, "unknown column 'c'"),
        ("a,b\n1,2\n", {"columns": "A"}, "unknown column 'A'"),
        ("a,b\n1,2\n", {"text": "bb"}, "unknown column 'bb'; did you mean 'b'"),
        ("a,b\n1,2\n", {"drop": "a,b"}, "a column of .* that is not left out, got none"),
    ],
)
def test_what_is_no_table_is_refused_in_words(read, content, options, words):
    with pytest.raises(ValueError, match=words):
        read(content, **options)


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(ValueError, match="to be a file, got a folder"):
        read_table(str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"expected a table .*, found none"):
        read_table(str(tmp_path / "none.csv"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"separator": "::"}, "--separator to be auto, one character"),
        ({"decimal": ";"}, "--decimal"),
        ({"header": "maybe"}, "--header to be auto, yes, no"),
        ({"encoding": "klingon"}, "--encoding such as utf-8"),
        ({"drop": "a", "columns": "a"}, "column 'a' in --drop or in --columns"),
    ],
)
def test_options_of_other_values_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        TableOptions(**options)
