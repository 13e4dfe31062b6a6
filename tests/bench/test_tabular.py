"""benchmarks/tabular.py: what it gives to the peer and takes back, and a measurement of a small table."""

import numpy as np
import pandas as pd
import pytest

from bench_scripts import script

tabular = script("tabular")


def table(n=250):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "when": (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, n), "D")).astype("M8[ns]"),
            "x": pd.Series(rng.normal(size=n)).where(rng.random(n) > 0.2),
            "n": rng.integers(0, 500, n),
            "k": pd.Series(rng.choice(["a", "b"], n)).where(rng.random(n) > 0.1),
        }
    )


def test_the_peer_gets_numbers_and_categories_without_gaps_and_all_comes_back():
    categories = tabular.categories_of(table())
    assert categories == ["k"]
    given, names = tabular.plain(table(), categories)
    assert names == ["k", "x missing"]
    assert not given.isna().any().any()
    assert all(given[name].dtype.kind in "if" for name in given if name not in names)
    pd.testing.assert_frame_equal(tabular.restored(given, table(), categories), table())


def test_numbers_of_few_values_are_categories_for_both_packages():
    assert tabular.categories_of(table().assign(n=lambda t: t["n"] % 20)) == ["n", "k"]


def test_a_measurement_has_times_and_scores(monkeypatch):
    monkeypatch.setattr(tabular, "sdmetrics_scores", lambda *_: None)
    row = tabular.measure(tabular.fastgan_run, table(), "x", epochs=1, seed=0)
    assert row["measure"] == "R2"
    assert row["invalid"] == 0
    assert 0 < row["fidelity"][0] < 1
    for name in ("encode_s", "step_s", "fit_s", "sample_s"):
        assert row[name] > 0
    lines = tabular.summary(
        [{**row, "table": "t", "epochs": 1, "package": "p", "fit_s": seconds} for seconds in (1.0, 4.0)]
    ).splitlines()
    assert len(lines) == 2
    assert lines[1].split()[:4] == ["t", "1", "p", "2.5"]


@pytest.mark.parametrize("package", ["sdmetrics", "ctgan"])
def test_a_missing_package_is_an_import_error_or_no_score(package, monkeypatch):
    import sys

    for name in ("ctgan", "sdmetrics", "sdmetrics.reports.single_table"):
        monkeypatch.setitem(sys.modules, name, None)
    if package == "sdmetrics":
        assert tabular.sdmetrics_scores(table(), table(), ["k"]) is None
    else:
        with pytest.raises(ImportError, match="ctgan"):
            tabular.ctgan_run(table(), ["k"], 1, 0)
