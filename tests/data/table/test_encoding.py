"""The encoding of tables: what comes back, what is refused, and how."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from fastgan.data.table.encoding import TableEncoding

RNG = np.random.default_rng(0)
N = 400


def mixed(n=N):
    """A table of every kind of column."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "row_id": np.arange(7, n + 7),
            "price": rng.lognormal(5, 1, n).round(2),
            "age": rng.integers(18, 90, n).astype(np.int16),
            "rooms": rng.integers(1, 6, n),
            "rate": pd.Series(rng.normal(0, 1, n)).where(rng.random(n) > 0.2),
            "count": pd.Series(rng.integers(0, 1000, n), dtype="Int64").where(rng.random(n) > 0.1),
            "city": rng.choice(["Köln", "new york", "New York", "007"], n),
            "note": pd.Series(rng.choice(["a", "b"], n), dtype=object).where(rng.random(n) > 0.3, None),
            "member": rng.random(n) > 0.7,
            "grade": pd.Categorical(rng.choice(["low", "high"], n), ["low", "mid", "high"], ordered=True),
            "day": pd.Timestamp("2020-02-29") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "seen": pd.Series(pd.date_range("2021-01-01", periods=n, freq="61s", tz="Europe/Berlin")).where(
                rng.random(n) > 0.1
            ),
            "took": pd.to_timedelta(rng.integers(0, 86400, n), unit="s"),
            3: np.full(n, 1.5, np.float32),
        }
    )


def test_a_table_comes_back_with_its_columns_order_dtypes_values_and_gaps():
    table = mixed()
    encoding = TableEncoding.fit(table)
    back = encoding.decode(encoding.encode(table))
    new = ["row_id"]
    pd.testing.assert_frame_equal(back.drop(columns=new), table.drop(columns=new), check_exact=False, rtol=1e-5)
    exact = [c for c in table if c not in ("rate", *new)]  # `rate` has more decimals than float32 can hold
    share = (back[exact].eq(table[exact]) | (back[exact].isna() & table[exact].isna())).mean()
    assert (share == 1).all(), share


def test_ids_are_left_out_get_new_values_and_it_is_said():
    table = mixed()
    table["name"] = [f"person {i}" for i in range(N)]
    encoding = TableEncoding.fit(table)
    assert [note.split("'")[1] for note in encoding.notes] == ["row_id", "name"]
    back = encoding.decode(encoding.encode(table)[:5], first=10)
    assert list(back["row_id"]) == [N + 17 + i for i in range(5)]
    assert not set(back["name"]) & set(table["name"])
    assert back["name"].is_unique


def test_the_matrix_has_scalars_in_their_range_and_one_hot_vectors():
    encoding = TableEncoding.fit(mixed())
    rows, segments = encoding.encode(mixed()), encoding.segments
    assert rows.dtype == torch.float32
    assert rows.shape == (N, segments.width)
    assert rows[:, : segments.scalars].abs().max() <= 1
    vectors = rows[:, segments.scalars :]
    assert set(vectors.unique().tolist()) == {0.0, 1.0}
    for start, width in zip(segments.starts.tolist(), segments.widths, strict=True):
        assert (vectors[:, start : start + width].sum(1) == 1).all()


def test_any_output_of_a_network_decodes_to_values_that_the_table_could_have():
    table = mixed()
    encoding = TableEncoding.fit(table)
    wild = encoding.decode(3 * torch.randn(500, encoding.segments.width, generator=torch.Generator().manual_seed(0)))
    assert (wild.dtypes == table.dtypes).all()
    for name in ("price", "age", "rate", "count", "day", "seen", "took"):
        assert wild[name].min() >= table[name].min()
        assert wild[name].max() <= table[name].max()
    assert (wild["price"] == wild["price"].round(2)).all()
    for name in ("city", "rooms", "member"):
        assert set(wild[name]) <= set(table[name])
    assert set(wild["grade"]) == {"low", "high"}  # "mid" is a level that no row has
    for name in table:
        assert table[name].isna().any() or not wild[name].isna().any()


def test_a_description_goes_through_json():
    table = mixed()
    encoding = TableEncoding.fit(table)
    again = TableEncoding.from_json(json.loads(json.dumps(encoding.to_json())))
    rows = encoding.encode(table)
    assert torch.equal(again.encode(table), rows)
    pd.testing.assert_frame_equal(again.decode(rows), encoding.decode(rows))


def test_rare_categories_share_an_entry_and_come_back_by_their_frequencies():
    values = np.repeat([f"c{i}" for i in range(300)], [2000, 1000, *[3] * 298])
    table = pd.DataFrame({"c": np.random.default_rng(0).permutation(values)})
    encoding = TableEncoding.fit(table, most_categories=3)
    assert encoding.segments.widths == (3,)
    assert "300 categories: the 298 rarest" in encoding.notes[0]
    back = encoding.decode(encoding.encode(table), seed=1)
    known = table["c"].isin(["c0", "c1"])
    assert (back["c"][known] == table["c"][known]).all()
    assert back["c"][~known].nunique() > 200  # of 298 in 894 draws; 95% in the mean


def test_frequent_numbers_are_modes_of_their_own():
    rng = np.random.default_rng(0)
    x = np.where(rng.random(2000) < 0.5, 0.0, rng.normal(10, 2, 2000))
    encoding = TableEncoding.fit(pd.DataFrame({"x": x}))
    rows = encoding.encode(pd.DataFrame({"x": [0.0, 10.0]}))
    noisy = rows.clone()
    noisy[:, 0] += 0.1
    assert encoding.decode(noisy)["x"].iloc[0] == 0.0
    assert encoding.decode(noisy)["x"].iloc[1] != pytest.approx(10.0, abs=1e-3)


def frame(**columns):
    return pd.DataFrame(columns)


BAD = {
    "columns of one name": (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "different names, got 'a'"),
    "one row": (frame(a=[1.5]), "at least 2 rows and 1 column, got 1 and 1"),
    "no columns": (pd.DataFrame(index=range(9)), "at least 2 rows and 1 column, got 9 and 0"),
    "infinity": (frame(a=np.array([*range(40), np.inf])), "finite numbers in column 'a', got inf in row 40"),
    "text and numbers": (frame(a=[1, "x"] * 20), "one type in column 'a', got int and str"),
    "ids alone": (frame(id=range(50)), "got only 1 id; name it"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_table_that_cannot_be_learnt_is_refused_by_name(case):
    table, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        TableEncoding.fit(table)


def test_values_of_other_kinds_and_unknown_names_are_refused():
    with pytest.raises(TypeError, match=r"column 'a', got list"):
        TableEncoding.fit(frame(a=[[1], [2]]))
    with pytest.raises(TypeError, match="DataFrame, got dict"):
        TableEncoding.fit({"a": [1]})
    with pytest.raises(ValueError, match="unknown column 'citi'; did you mean 'city'"):
        TableEncoding.fit(mixed(), ["citi"])


def test_a_table_that_differs_from_the_fitted_one_is_refused_by_name():
    encoding = TableEncoding.fit(frame(a=["x", "y"] * 9, b=[1.5, 2.5] * 9))
    with pytest.raises(ValueError, match=r"category of column 'a' .* got 'z'"):
        encoding.encode(frame(a=["z"], b=[1.5]))
    with pytest.raises(ValueError, match="no missing value in column 'a'"):
        encoding.encode(frame(a=["x", None], b=[1.5, 1.5]))
    with pytest.raises(ValueError, match="a column 'b', got a"):
        encoding.encode(frame(a=["x"]))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("cty", "007", "unknown column 'cty'; did you mean 'city'"),
        ("age", 40, "a column of categories as a condition, got 'age', a column of numbers"),
        ("city", "Koln", "column 'city' never has the value 'Koln'; did you mean 'Köln'"),
        ("grade", "mid", "column 'grade' never has the value 'mid'"),
    ],
)
def test_a_condition_that_cannot_hold_is_refused_by_name(name, value, message):
    with pytest.raises(ValueError, match=message):
        TableEncoding.fit(mixed()).condition(name, value)


def test_a_condition_is_the_place_of_its_category_whether_given_as_text_or_as_value():
    table = mixed()
    encoding = TableEncoding.fit(table)
    rows = encoding.encode(table)[:, encoding.segments.scalars :]
    for name, value in (("city", "007"), ("rooms", 3), ("rooms", "3"), ("member", "True")):
        has = table[name].astype(str) == str(value)
        assert (rows[:, encoding.condition(name, value)].bool().numpy() == has).all()


@pytest.mark.parametrize("values", [[None] * 30, [5] * 30, [2.5, None] * 15, [pd.Timestamp("2024-01-01")] * 30])
def test_constant_and_empty_columns_come_back(values):
    table = frame(a=values, b=range(30))
    encoding = TableEncoding.fit(table, ["b"])
    pd.testing.assert_frame_equal(encoding.decode(encoding.encode(table)), table)


def test_one_column_is_enough():
    table = frame(a=np.random.default_rng(0).normal(size=100).round(3))
    encoding = TableEncoding.fit(table)
    pd.testing.assert_frame_equal(encoding.decode(encoding.encode(table)), table)
