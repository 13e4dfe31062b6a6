"""Where cells lie in a text, and what changing some of them leaves alone."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgan.data.table import Dialect
from fastgan.data.table.scan import line_of, quoted, rewrite, rows

cells = st.text(st.sampled_from('ab ,;"\n\r\t|x'), max_size=6)
tables = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=5)
)


def _parsed(text: str, separator: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True))


@given(tables, st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
def test_cells_are_found_where_the_csv_module_finds_them(table, separator, end):
    text = end.join(separator.join(quoted(cell, separator) for cell in row) for row in table) + end
    found = [[text[a:b] for a, b in row.spans] for row in rows(text, separator)]
    assert [_parsed(separator.join(row), separator)[0] for row in found] == table


@given(tables, st.data())
def test_a_changed_cell_changes_nothing_else(table, data):
    text = "".join(",".join(quoted(cell, ",") for cell in row) + "\r\n" for row in table)
    row, column = data.draw(st.integers(0, len(table) - 1)), data.draw(st.integers(0, len(table[0]) - 1))
    new = data.draw(cells)
    changed = rewrite(text, Dialect(header=False), {(row, column): new})
    table[row][column] = new
    assert _parsed(changed, ",") == table
    assert rewrite(text, Dialect(header=False), {}) == text


def test_byte_order_marks_line_ends_quotes_and_blanks_stay():
    text = '\ufeffa,"b" ,c\r\n1,"",  NA\r\n\r\n"x\ny",NA,\n3, "",4'
    new = rewrite(text, Dialect(), {(0, 1): "5", (1, 1): "6", (1, 2): 'x"y', (2, 1): "7"})
    assert new == '\ufeffa,"b" ,c\r\n1,"5",  NA\r\n\r\n"x\ny",6,"x""y"\n3,"7",4'


def test_columns_are_appended_to_each_row():
    text = "a b\r\n1 2  \r\n\r\n3  4"
    assert rewrite(text, Dialect(separator=" "), {}, [["c"], ["x"], ["y z"]]) == 'a b c\r\n1 2 x  \r\n\r\n3  4 "y z"'


@pytest.mark.parametrize(("row", "line"), [(0, 2), (1, 4), (2, 6), (9, 0)])
def test_the_line_of_a_row_counts_blank_lines_and_line_ends_in_quotes(row, line):
    assert line_of('a,b\n1,2\n\n"x\ny",2\n3,4\n', Dialect(), row) == line
