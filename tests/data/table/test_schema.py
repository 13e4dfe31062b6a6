"""Typed columns: what each is taken for, and the way of a table to numbers and back."""

import json

import numpy as np
import pandas as pd
import pytest

from fastgan.data.table import TableOptions, TableSchema, infer_schema, read_table, write_table
from fastgan.data.table.apply import encode_like
from fastgan.data.table.writing import spell


def _column(cells, name="x", **options):
    """What a column of text is taken for."""
    schema, _ = infer_schema(pd.DataFrame({name: pd.Series(cells, dtype="str")}), TableOptions(**options))
    return schema.columns[0]


MANY = [f"p{i:03d}" for i in range(30)]


@pytest.mark.parametrize(
    ("cells", "kind", "about"),
    [
        (["1", "-2", "+3"], "integer", {"dtype": "int64", "low": -2, "high": 3}),
        (["1", "", "3"], "integer", {"dtype": "Int64", "missing": True}),
        (["1.0", "2.0"], "integer", {"dtype": "float64", "decimals": 1}),
        (["1.5", "2.25", "3"], "decimal", {"decimals": 2, "fewest_decimals": 0}),
        (["1.50", "2.25"], "decimal", {"decimals": 2, "fewest_decimals": 2}),
        (["1e-5", "2"], "decimal", {"decimals": -1}),
        (["True", "False", "True"], "boolean", {"values": ("False", "True")}),
        (["TRUE", "TRUE"], "boolean", {"values": ("FALSE", "TRUE")}),
        (["2024-01-31", "2023-12-01"], "date", {"form": "%Y-%m-%d"}),
        (["31.12.2024", "01.02.2023"], "date", {"form": "%d.%m.%Y"}),
        (["12/31/2024", "01/02/2023"], "date", {"form": "%m/%d/%Y"}),
        (["1/5/2024", "12/31/2023"], "date", {"form": "%-m/%-d/%Y"}),
        (["2024-01-01 10:00:30", "2024-01-02 11:30:00"], "date", {"form": "%Y-%m-%d %H:%M:%S"}),
        (["2024-01-01T10:00:00Z", "2024-01-02T10:00:00Z"], "date", {"form": "%Y-%m-%dT%H:%M:%SZ"}),
        (["2024-02-30", "2024-01-01"], "category", {}),  # there is no such day
        (["b", "a", "b"], "category", {"values": ("b", "a")}),
        (["007", "012"], "category", {}),  # codes, whose zeros would be lost
        (["A1", "113803", "B2", "347082"], "category", {}),  # tickets
        (MANY, "id", {"form": "p{:03d}", "low": 0}),
        ([*MANY, ""], "id", {"form": "p{:03d}", "high": 29}),
        ([f"{i * 7919 % 97:x}f{i}x" for i in range(30)], "id", {"form": "", "high": 30}),
        ([f"we met {i} of them" for i in range(30)], "text", {}),
        (["", "NA"], "empty", {"missing": True, "width": 0}),
    ],
)
def test_columns_are_taken_for_what_they_hold(cells, kind, about):
    column = _column(cells)
    assert column.kind == kind
    assert {name: getattr(column, name) for name in about} == about


@pytest.mark.parametrize("name", ["id", "ID", "userId", "user_id", "PassengerId", "index", "row_nr"])
def test_whole_numbers_are_ids_by_their_name_if_none_comes_twice(name):
    assert _column(["7", "5", "6"], name).kind == "id"
    assert _column(["7", "5", "7"], name).kind == "integer"
    assert _column(["7", "5", "6"], name, columns=name).kind == "integer"


@pytest.mark.parametrize("name", ["x", "paid", "grid", "android", "width"])
def test_other_names_are_no_ids(name):
    assert _column(["7", "5", "6"], name).kind == "integer"


def test_text_that_looks_like_numbers_can_be_named():
    assert _column(["1", "2", "2"], text="x").values == ("2", "1")


def test_remarks_tell_ids_counters_constants_and_lone_categories():
    frame = pd.DataFrame({"id": [4, 7, 5], "n": [3, 4, 5], "c": [1, 1, 1], "t": ["a", "a", "b"]})
    _, notes = infer_schema(frame)
    assert [note[:30] for note in notes] == [
        "left out 'id', which has anoth",
        "'n' counts the rows; leave it ",
        "'c' has the same value in each",
        "1 of the 2 categories of 't' h",
    ]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1", "2", "red"], "expected a number in column 'x', got 'red' in row 3; --text x"),
        (["1", "inf"], "expected a finite number in column 'x', got 'inf' in row 2"),
        (["-Infinity", "-Infinity"], "finite"),
    ],
)
def test_cells_that_do_not_belong_are_named(cells, words):
    with pytest.raises(ValueError, match=words):
        _column(cells)


KINDS = ["integer", "decimal", "boolean", "date", "date", "category", "integer", "category"]


def test_values_of_dataframes_keep_their_dtypes():
    frame = pd.DataFrame(
        {
            "i": np.array([1, 2, 3], dtype=np.int8),
            "f": np.array([0.5, 1.25, 2], dtype=np.float32),
            "b": [True, False, True],
            "d": pd.to_datetime(["2024-01-01 10:00", "2024-01-02 00:00", "2024-01-03 09:30"]),
            "z": pd.to_datetime(["2024-01-01", "2024-07-02", "2024-01-03"]).tz_localize("Europe/Berlin"),
            "c": pd.Categorical(["x", "y", "x"]),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "t": ["p", "q", None],
        }
    )
    schema, _ = infer_schema(frame)
    assert [c.kind for c in schema.columns] == KINDS
    pd.testing.assert_frame_equal(schema.decode(schema.encode(frame)), frame)
    with pytest.raises(ValueError, match="dates or booleans in column 'x', got complex"):
        infer_schema(pd.DataFrame({"x": [1j, 2j]}))


TABLE = """\
id,when,city,age,price,member,code,hole,kind,long
10,2024-01-05,Köln,31,1.50,True,007,,a,0.12345678901
11,2024-02-29,"Ulm, alt",7,12.25,False,008,5,NA,2.5e-08
12,2023-12-31,Köln,44,0.75,True,007,8,b,-3.25
"""


@pytest.fixture
def table(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    return read_table(str(tmp_path / "t.csv"))


def test_a_table_comes_back_from_numbers_to_the_letter(table, tmp_path):
    schema, _ = infer_schema(table)
    schema = TableSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    rows = schema.encode(table.frame)
    assert rows.shape == (3, schema.width)
    write_table([schema.decode(rows)], schema, tmp_path / "o.csv")
    counted_on = TABLE.replace("\n10,", "\n13,").replace("\n11,", "\n14,").replace("\n12,", "\n15,")
    assert (tmp_path / "o.csv").read_text(encoding="utf-8") == counted_on


def test_numbers_are_encoded_as_documented(table):
    schema, _ = infer_schema(table)
    row = dict(zip(schema.names, schema.encode(table.frame)[0].tolist(), strict=True))
    assert row == {
        "when": 1704412800.0,
        "city=Köln": 1.0,
        "city=Ulm, alt": 0.0,
        "age": 31.0,
        "price": 1.5,
        "member": 1.0,
        "code=007": 1.0,
        "code=008": 0.0,
        "hole": 6.5,  # the mean
        "hole is missing": 1.0,
        "kind=a": 1.0,
        "kind=b": 0.0,
        "kind is missing": 0.0,
        "long": 0.12345678901,
    }


def test_scale_and_offset_standardise_numbers_alone(table):
    schema, _ = infer_schema(table)
    rows = (schema.encode(table.frame) - schema.offset) / schema.scale
    numbers = np.array(schema.standardised)
    np.testing.assert_allclose(rows[:, numbers].mean(0), 0, atol=1e-6)
    assert set(rows[:, ~numbers].flatten()) == {0.0, 1.0}


@pytest.mark.parametrize("shift", [-5, -0.4, 0.4, 5])
def test_whatever_a_network_gives_decodes_to_valid_cells(table, shift):
    schema, _ = infer_schema(table)
    rows = np.random.default_rng(0).normal(shift, 1, (200, schema.width)) * schema.scale + schema.offset
    frame = schema.decode(rows)
    text = spell(frame, schema)
    assert list(frame.columns) == list(table.frame.columns)
    assert frame["age"].between(7, 44).all()
    assert frame["hole"].dropna().between(5, 8).all()
    assert set(text["city"]) <= {"Köln", "Ulm, alt"}
    assert set(text["code"]) <= {"007", "008"}
    assert set(text["kind"]) <= {"a", "b", "NA"}
    assert text["when"].between("2023-12-31", "2024-02-29").all()
    assert text["price"].str.fullmatch(r"\d+\.\d\d").all()
    assert text["id"].tolist()[:3] == ["13", "14", "15"]


def test_new_rows_have_new_ids_empty_columns_stay_empty_and_free_text_is_left_out():
    frame = pd.DataFrame(
        {
            "n": [1, 2] * 15,
            "key": [f"{i:x}-{i}x" for i in range(30)],
            "nr": [f"A{i:03d}" for i in range(30)],
            "said": [f"we met {i} of them" for i in range(30)],
            "gone": [np.nan] * 30,
        }
    )
    schema, notes = infer_schema(frame)
    new = schema.decode(schema.encode(frame)[:2], first=5)
    assert new.to_dict("list") | {"gone": 0} == {
        "n": [1, 2],
        "key": ["key-36", "key-37"],
        "nr": ["A035", "A036"],
        "gone": 0,
    }
    assert new["gone"].isna().all()
    assert [note.split("'")[1] for note in notes] == ["key", "nr", "said", "gone"]


def test_missing_cells_are_nan_where_the_schema_knows_none(table):
    schema = infer_schema(table)[0].without_missing()
    rows = schema.encode(table.frame)
    place = schema.names.index("hole")
    assert np.isnan(rows[0, place])
    assert np.isnan(rows).sum() == 3  # of `kind` both categories


def test_a_new_table_is_encoded_alike_in_any_order_and_dialect(table, tmp_path):
    schema, _ = infer_schema(table)
    (tmp_path / "n.csv").write_text(
        "long;other;kind;hole;code;member;price;age;city;when\n0,5;x;a;;007;TRUE;1,5;31;Köln;2024-01-05\n"
        "0,5;x;a;;007;true;1,5;31;Bonn;2024-01-05\n",
        encoding="utf-8",
    )
    rows, notes = encode_like(read_table(str(tmp_path / "n.csv")), schema)
    names = schema.names
    assert rows[0, names.index("price")] == 1.5
    assert rows[:, names.index("member")].tolist() == [1, 1]
    assert rows[0, names.index("city=Köln")] == 1
    assert rows[1, [names.index("city=Köln"), names.index("city=Ulm, alt")]].tolist() == [0, 0]
    assert notes == ["'city' has unknown categories in 1 cell: Bonn; taken as none of the known ones"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("age,", "years,", "expected the columns when, city, age, .* got none called age"),
        ("44", "old", "expected a finite number in column 'age' of .*, got 'old' in line 4"),
        ("44", "inf", "expected a finite number in column 'age' of .*, got 'inf' in line 4"),
        ("2023-12-31", "yesterday", "expected a date as %Y-%m-%d in column 'when' of .*, got 'yesterday' in line 4"),
        ("0.75,True", "0.75,maybe", "expected False or True in column 'member' of .*, got 'maybe' in line 4"),
    ],
)
def test_a_new_table_that_does_not_fit_is_refused_by_line(table, tmp_path, old, new, words):
    schema, _ = infer_schema(table)
    (tmp_path / "n.csv").write_text(TABLE.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        encode_like(read_table(str(tmp_path / "n.csv")), schema)


def test_cells_that_are_missing_for_the_first_time_are_the_mean_and_said(table, tmp_path):
    schema, _ = infer_schema(table)
    (tmp_path / "n.csv").write_text(TABLE.replace("44", "").replace("12,2023-12-31,Köln", "12,2023-12-31,"), "utf-8")
    rows, notes = encode_like(read_table(str(tmp_path / "n.csv")), schema)
    assert rows[2, schema.names.index("age")] == pytest.approx((31 + 7 + 44) / 3)
    assert rows[2, schema.names.index("city=Köln")] == 0
    assert notes == [
        "'city' lacks 1 cell and had all in training: taken as no category",
        "'age' lacks 1 cell and had all in training: taken as the mean, 27.3333",
    ]


@pytest.mark.parametrize(("ending", "separator"), [(".csv", ";"), (".tsv", "\t")])
def test_a_table_is_written_in_its_own_dialect(tmp_path, ending, separator):
    text = "größe;art\n1,5;a;b\n".replace("a;b", '"a;b"') + "2,25;c\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8-sig")
    table = read_table(str(tmp_path / "t.csv"))
    schema, _ = infer_schema(table)
    write_table([schema.decode(schema.encode(table.frame))], schema, tmp_path / f"o{ending}")
    written = (tmp_path / f"o{ending}").read_bytes()
    parts = [schema.decode(schema.encode(table.frame))[i : i + 1] for i in range(2)]
    write_table((part.reset_index(drop=True) for part in parts), schema, tmp_path / f"parts{ending}")
    assert (tmp_path / f"parts{ending}").read_bytes() == written
    expected = text if separator == ";" else text.replace('"a;b"', "a|b").replace(";", "\t").replace("a|b", "a;b")
    assert written == expected.encode("utf-8-sig")


def test_parquet_holds_the_same_values_and_dtypes(table, tmp_path):
    schema, _ = infer_schema(table)
    frame = schema.decode(schema.encode(table.frame))
    write_table([frame], schema, tmp_path / "o.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "o.parquet"), frame)
    assert frame.dtypes.astype(str).tolist() == (
        ["int64", "datetime64[us]", "str", "int64", "float64", "bool", "str", "Int64", "str", "float64"]
    )
