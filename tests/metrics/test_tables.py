"""What synthetic tables are worth to a model, and what they give away."""

import numpy as np
import pandas as pd
import pytest

from fastgan.metrics.tables import closest_record, table_utility


def rows(seed, n=600):
    rng = np.random.default_rng(seed)
    a, k = rng.normal(size=n), rng.choice(["x", "y", None], n)
    c = np.where((a > 0) == (k == "x"), "p", "q")
    return pd.DataFrame({"a": a, "k": k, "d": pd.Timestamp("2024-01-01") + pd.to_timedelta(a, "D"), "c": c, "y": 3 * a})


@pytest.mark.parametrize(("target", "measure"), [("c", "balanced accuracy"), ("y", "R2")])
def test_a_model_learns_from_good_rows_what_it_learns_from_real_ones_and_nothing_from_shuffled_ones(target, measure):
    train, test, good = rows(0), rows(1), rows(2)
    found = table_utility(good, train, test, target)
    assert found.measure == measure
    assert found.real_score > 0.9
    assert found.score == pytest.approx(found.real_score, abs=0.05)
    shuffled = good.assign(**{target: np.random.default_rng(0).permutation(good[target])})
    # Chance is 1/2 and 0; the trees fit noise, which costs R2.
    assert table_utility(shuffled, train, test, target).score < (0.6 if target == "c" else 0.2)


def test_rows_of_one_class_teach_chance():
    assert table_utility(rows(2).assign(c="p"), rows(0), rows(1), "c").score == 0.5
    assert table_utility(rows(2).assign(c="unknown"), rows(0), rows(1), "c").score == 0.0


def test_copies_are_told_from_rows_of_the_same_source():
    train, held_out = rows(0), rows(1)
    fresh = closest_record(rows(2), train, held_out)
    assert fresh.nearer == pytest.approx(0.5, abs=0.08)  # four standard errors of 600 rows
    assert fresh.train == pytest.approx(fresh.held_out, rel=0.2)
    assert fresh.copies == fresh.held_out_copies == 0
    copied = closest_record(train, train, held_out)
    assert (copied.train, copied.nearer, copied.copies, copied.held_out_copies) == (0, 1, 1, 0)


def test_distances_are_gowers():
    train = pd.DataFrame({"a": [0.0, 10.0], "k": ["x", "y"]})
    made = pd.DataFrame({"a": [4.0], "k": ["x"]})
    found = closest_record(made, train, train[::-1])
    assert found.train == pytest.approx((0.4 + 0) / 2)
    assert closest_record(made.assign(k="z"), train, train).train == pytest.approx((0.4 + 1) / 2)
    assert closest_record(made, train, train).nearer == 0.5


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="unknown column 'cc'; did you mean 'c'"):
        table_utility(rows(0), rows(0), rows(0), "cc")
    with pytest.raises(ValueError, match="a column beside the target"):
        table_utility(*[rows(0)[["a"]]] * 3, "a")
    for measure in (closest_record, lambda *tables: table_utility(*tables, "c")):
        with pytest.raises(ValueError, match="got an empty one"):
            measure(rows(0)[:0], rows(0), rows(0))
        with pytest.raises(ValueError, match="expected the columns a, k, d, c, y, got a, k, d, c"):
            measure(rows(0).drop(columns="y"), rows(0), rows(0))
