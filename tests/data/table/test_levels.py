"""The codes of a column's values: rare ones, missing ones, unknown ones, and values given as text."""

import pandas as pd
import pytest

from fastgan.data.table import TableOptions, infer_schema
from fastgan.data.table.infer import frame_schema
from fastgan.data.table.levels import Levels


def _levels(cells, dtype=None, text=False, most=256):
    frame = pd.DataFrame({"x": pd.Series(cells, dtype=dtype)})
    schema = infer_schema(frame, TableOptions())[0] if text else frame_schema(frame)
    return Levels.fit(frame["x"], schema.columns[0], schema, most)


def test_the_most_frequent_value_comes_first_and_missing_last():
    levels = _levels(["a", "b", "b", None])
    assert (levels.width, levels.names) == (3, ["b", "a", "missing"])
    assert levels.codes(pd.Series(["a", None, "b", "c"])).tolist() == [1, 2, 0, -1]
    assert levels.shares == [0.5, 0.25, 0.25]


def test_words_such_as_na_are_missing_in_files_and_text_in_dataframes():
    assert _levels(["a", "NA", "a"], "str", text=True).names == ["a", "missing"]
    assert _levels(["a", "NA", "a"], "str").names == ["a", "NA"]


@pytest.mark.parametrize(
    ("cells", "dtype", "value", "name"),
    [
        (["2,5", "3,5"], "str", "2.5", None),
        ([2.5, 3.5, 3.5], None, "2.5", "2.5"),
        ([2, 3, 3], "Int8", 2, "2"),
        ([True, False, False], None, "TRUE", "True"),
        (["rot", "blau", "blau"], "object", "Rot", "rot"),
        ([1, 2, 2], "category", 1, "1"),
        (pd.to_datetime(["2024-01-05", "2024-02-01", "2024-02-01"]), None, "2024-01-05", "2024-01-05 00:00:00"),
    ],
)
def test_a_value_is_found_as_it_is_and_as_text(cells, dtype, value, name):
    levels = _levels(cells, dtype)
    if name is None:
        with pytest.raises(ValueError, match=r"column 'x' never has the value '2\.5'; did you mean '2,5'"):
            levels.place(value)
    else:
        assert levels.names[levels.place(value)] == name


def test_a_rare_value_can_be_no_condition():
    levels = _levels(["a"] * 5 + ["b"] * 4 + ["c", "d"], most=3)
    assert levels.names == ["a", "b", "others"]
    with pytest.raises(ValueError, match="one of the 2 most frequent categories of 'x' as a condition, got 'c'"):
        levels.place("c")


def test_a_missing_value_is_unknown_where_there_was_none():
    assert _levels([1, 2]).codes(pd.Series([1.0, None])).tolist() == [0, -1]
