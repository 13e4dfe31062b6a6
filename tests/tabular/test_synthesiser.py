"""`TabularGAN`: what it learns, what is the same for a seed, files, conditions and bad input."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from fastgan.tabular import TabularGAN

QUICK = {"epochs": 1, "batch_size": 40, "hidden": (16,), "device": "cpu"}


def table(n=300):
    """Two clusters that all columns tell apart, one of missing values and dates."""
    rng = np.random.default_rng(0)
    second = rng.random(n) < 0.4
    return pd.DataFrame(
        {
            "kind": np.where(second, "b", "a"),
            "size": np.where(second, rng.normal(5, 0.5, n), rng.normal(-5, 0.5, n)).round(3),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.where(second, 300, 0) + rng.integers(0, 50, n), "D"),
            "extra": pd.Series(rng.normal(size=n)).where(second),
            "rare": np.where(rng.random(n) < 0.03, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def fitted():
    settings = {"batch_size": 50, "hidden": (64, 64), "device": "cpu", "lr_g": 4e-3, "lr_d": 4e-3}
    return TabularGAN(epochs=75, **settings, r1_gamma=0.1, r2_gamma=0.1).fit(table())


@pytest.fixture(scope="module")
def quick():
    return TabularGAN(**QUICK).fit(table())


def test_dependences_between_columns_of_all_kinds_are_learnt(fitted):
    rows = fitted.sample(2000, seed=0)
    second = rows["kind"] == "b"
    assert second.mean() == pytest.approx(0.4, abs=0.15)
    for agrees in (rows["size"] > 0, rows["day"] > pd.Timestamp("2024-07-01"), rows["extra"].notna()):
        # Guessing agrees in half of the rows.
        assert (agrees == second).mean() > 0.85
    assert len(fitted.history) == 75


def test_rows_have_the_tables_columns_dtypes_and_ranges(quick):
    rows = quick.sample(500, seed=0)
    assert (rows.dtypes == table().dtypes).all()
    assert rows["size"].between(table()["size"].min(), table()["size"].max()).all()
    assert (rows["day"] == rows["day"].dt.normalize()).all()
    assert rows.index.equals(pd.RangeIndex(500))


@pytest.mark.parametrize("conditions", [{"kind": "b"}, {"rare": "yes", "kind": "a"}])
def test_all_rows_fulfil_their_conditions(quick, conditions):
    rows = quick.sample(70, conditions, seed=0)
    assert len(rows) == 70
    for name, value in conditions.items():
        assert (rows[name] == value).all()


def test_conditions_that_are_never_met_end_with_an_error_that_names_them():
    both = pd.DataFrame({"a": ["x", "y"] * 100, "b": ["x", "y"] * 100})
    gan = TabularGAN(**QUICK).fit(both)
    gan.generator.out.weight.data.zero_()
    gan.generator.out.bias.data.copy_(torch.tensor([50.0, -50.0, 50.0, -50.0]))
    with pytest.raises(ValueError, match="expected 3 rows with a=x, b=y, got 0"):
        gan.sample(3, {"a": "x", "b": "y"})


def test_a_fit_is_the_same_bit_for_bit_whatever_random_numbers_and_threads_there_were(quick):
    before = torch.get_num_threads()
    for seed, threads in ((1, 1), (2, 2)):
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        try:
            state = torch.get_rng_state()
            again = TabularGAN(**QUICK).fit(table())
            assert torch.equal(torch.get_rng_state(), state)
            pd.testing.assert_frame_equal(again.sample(50, seed=3), quick.sample(50, seed=3))
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        weights = again.generator.state_dict()
        assert all(torch.equal(value, weights[name]) for name, value in quick.generator.state_dict().items())
    other = TabularGAN(**QUICK, seed=1).fit(table())
    assert not other.sample(50, seed=3).equals(quick.sample(50, seed=3))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_products_of_the_usual_size_have_the_same_bits_on_any_number_of_threads(precision):
    fits = [
        TabularGAN(epochs=1, device="cpu", precision=precision, cpu_threads=n).fit(table(5000)) for n in (1, 2, 3, 5)
    ]
    rows = [gan.sample(5000, seed=0) for gan in fits]
    for gan, made in zip(fits[1:], rows[1:], strict=True):
        weights = gan.generator.state_dict()
        assert all(torch.equal(value, weights[name]) for name, value in fits[0].generator.state_dict().items())
        pd.testing.assert_frame_equal(made, rows[0])


def test_the_precision_is_the_settings(quick):
    weights = TabularGAN(**QUICK, precision="bf16").fit(table()).generator.state_dict()
    in_fp32 = quick.generator.state_dict()
    for name, value in weights.items():
        assert value.dtype == in_fp32[name].dtype
        if value.dtype == torch.float32:
            assert value.isfinite().all()
            assert not torch.equal(value, in_fp32[name])


def test_sampling_is_a_function_of_the_seed(quick):
    assert quick.sample(50, seed=3).equals(quick.sample(50, seed=3))
    assert not quick.sample(50, seed=3).equals(quick.sample(50, seed=4))
    torch.manual_seed(0)
    first = quick.sample(50)
    assert not quick.sample(50).equals(first)
    torch.manual_seed(0)
    assert quick.sample(50).equals(first)


def test_many_rows_come_in_parts_of_bounded_size(quick):
    parts = list(quick.chunks(40_000, seed=0))
    assert [len(p) for p in parts] == [16384, 16384, 7232]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), quick.sample(40_000, seed=0))
    assert len(quick.sample(0)) == 0
    assert list(quick.sample(0).columns) == list(table().columns)


def test_a_saved_model_gives_the_same_rows_and_holds_no_pickle(fitted, tmp_path):
    path = tmp_path / "model.safetensors"
    fitted.save(path)
    again = TabularGAN.load(path, device="cpu")
    pd.testing.assert_frame_equal(again.sample(200, {"kind": "b"}, seed=1), fitted.sample(200, {"kind": "b"}, seed=1))
    assert again.config == fitted.config
    assert again.history == fitted.history
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["fastgan.tabular"])["encoding"] == json.loads(
        json.dumps(fitted.encoding.to_json())
    )


def test_a_file_of_something_else_is_refused(tmp_path, quick):
    with pytest.raises(FileNotFoundError, match="found none"):
        TabularGAN.load(tmp_path / "none")
    for content in (b"", b"PK\3\4 something else", (8).to_bytes(8, "little") + b"{}      "):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(ValueError, match=r"to be a file of TabularGAN\.save"):
            TabularGAN.load(tmp_path / "x")


def test_sampling_and_saving_need_a_fit(tmp_path):
    with pytest.raises(RuntimeError, match="`fit` to be called before `sample`"):
        TabularGAN(**QUICK).sample(3)
    with pytest.raises(RuntimeError, match="`fit` to be called before `save`"):
        TabularGAN(**QUICK).save(tmp_path / "x")


ODD = {
    "one column of numbers": pd.DataFrame({"a": np.linspace(0, 1, 50)}),
    "one column of categories": pd.DataFrame({"a": ["x", "y"] * 25}),
    "a constant column": pd.DataFrame({"a": [1.5] * 50, "b": ["x"] * 50, "c": np.linspace(0, 1, 50)}),
    "a category with one row": pd.DataFrame({"a": ["x"] * 49 + ["y"], "b": range(50)}),
    "fewer rows than a batch": pd.DataFrame({"a": [1.5, 2.5, 3.5], "b": ["x", "y", "x"]}),
    "two rows": pd.DataFrame({"a": [1.5, 2.5]}),
    "only missing values": pd.DataFrame({"a": [None] * 50, "b": np.linspace(0, 1, 50)}),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_tables_are_learnt_and_sampled(case):
    odd = ODD[case]
    rows = TabularGAN(**QUICK).fit(odd, ["b"] if case == "a category with one row" else None).sample(100, seed=0)
    assert (rows.dtypes == odd.dtypes).all()
    for name in odd:
        if odd[name].nunique() == 1:
            assert set(rows[name]) == set(odd[name])


def test_ten_thousand_categories_are_learnt_in_bounded_width():
    many = pd.DataFrame({"a": [f"c{i % 10_000}" for i in range(30_000)], "b": ["x", "y"] * 15_000})
    gan = TabularGAN(**{**QUICK, "batch_size": 1000}).fit(many)
    assert gan.encoding.segments.width == 258
    assert "10000 categories" in gan.encoding.notes[0]
    assert set(gan.sample(1000, seed=0)["a"]) <= set(many["a"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "`epochs` to be at least 1, got 0"),
        ({"batch_size": 45, "pack": 10}, "`pack` to be a divisor of the batch size 45"),
        ({"most_categories": 1}, "`most_categories` to be at least 2, got 1"),
        ({"lr_g": 0}, "lr_g"),
        ({"device": "tpu"}, "`device` to be cpu, cuda"),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_is_trained(settings, message):
    with pytest.raises(ValueError, match=message):
        TabularGAN(**{**QUICK, **settings})


def test_a_setting_that_does_not_exist_is_refused_with_a_suggestion():
    with pytest.raises(TypeError, match="unknown field 'batchsize'; did you mean 'batch_size'"):
        TabularGAN(batchsize=10)


def test_progress_is_told_after_each_step():
    seen = []
    TabularGAN(**QUICK).fit(
        table(), epochs=2, progress=lambda step, steps, stats: seen.append((step, steps, len(stats)))
    )
    assert seen == [(i, 16, 6 if i >= 8 else 0) for i in range(1, 17)]


@pytest.mark.parametrize(("rows", "steps"), [(2, 1), (300, 6), (4000, 10), (10_000, 20)])
def test_small_tables_have_smaller_batches(rows, steps):
    seen = []
    gan = TabularGAN(epochs=1, hidden=(4,), device="cpu")
    gan.fit(pd.DataFrame({"a": np.linspace(0, 1, rows)}), progress=lambda *done: seen.append(done[1]))
    assert seen == [steps] * steps
