"""Runs of the recipe `tabular`: the same training as `TabularGAN`'s, and everything that a run has."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fastgan._support.process import threads
from fastgan.data import load
from fastgan.data.table.segments import choose
from fastgan.data.table.units import EncodedUnits, read_units
from fastgan.metrics.table_scores import table_scores
from fastgan.tabular import TabularGAN
from fastgan.train import Callback, GANTrainer, TrainConfig, load_run
from fastgan.train.run_data import run_data

QUICK = {"hidden": "16", "batch_size": 40, "threads": 1, "device": "cpu", "seed": 3}


def _table(count=300):
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": [f"A{i:04d}" for i in range(count)],
            "kind": random.choice(["a", "b", "b"], count),
            "size": random.normal(size=count).round(2),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, count), unit="D"),
            "rooms": pd.array([None if i % 4 == 0 else i % 3 for i in range(count)], dtype="Int64"),
        }
    )


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "in.csv"
    _table().to_csv(path, index=False, sep=";", decimal=",")
    return f"csv:{path}"


def _config(csv, out, **settings):
    every = {"checkpoint_every": 6, "sample_every": 4, "log_every": 3}
    return TrainConfig(recipe="tabular", data=csv, out=str(out), **{**QUICK, **every, **settings})


@pytest.fixture(scope="module")
def run(csv, tmp_path_factory):
    return load_run(GANTrainer(_config(csv, tmp_path_factory.mktemp("runs") / "run", steps=12, eval_every=12)).fit())


class _Stop(Callback):
    def on_checkpoint(self, trainer, path):
        raise KeyboardInterrupt


def test_a_run_that_stopped_goes_on_bit_for_bit(csv, run, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        GANTrainer(_config(csv, tmp_path / "run", steps=12), callbacks=[_Stop()]).fit()
    resumed = GANTrainer(_config(csv, tmp_path / "run", steps=12, resume=True, sample_every=5)).fit()
    before, after = (load_file(path / "weights.safetensors") for path in (run.path, resumed))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_and_tabular_gan_train_the_same_weights(csv, run):
    kept = ["kind", "size", "day", "rooms"]
    gan = TabularGAN(epochs=1, hidden=(16,), batch_size=30, seed=3, device="cpu").fit(_table()[kept])
    config = TrainConfig(recipe="tabular", **{**QUICK, "batch_size": 30}, steps=10, ema_decay=0.0)
    assert (gan.config.batch_size, len(gan.history)) == (30, 1)
    with threads(1, products_only=True):
        trainer = GANTrainer(config, data=load(csv, encoded=True))
        for _ in range(10):
            trainer.step()
        weights = trainer.ema.state_dict()  # of calibrated statistics
    # The file spells days and decimals, the DataFrame holds them: the encoding is the same.
    assert trainer.data.units.encoding.segments == gan.encoding.segments
    for name, value in weights.items():
        assert torch.equal(value, gan.generator.state_dict()[name]), name


def test_batches_hold_rows_that_fulfil_their_conditions(csv):
    trainer = GANTrainer(TrainConfig(recipe="tabular", data=csv, **QUICK))
    segments = trainer.data.units.segments
    rows, conditions = trainer._batches[5]
    again = trainer._batches[5]
    assert torch.equal(rows, again[0])
    assert torch.equal(conditions, again[1])
    assert (rows[torch.arange(len(rows)), segments.scalars + conditions] == 1).all()
    assert not torch.equal(rows, trainer._batches[6][0])


def test_samples_of_a_run_are_rows_of_the_table_and_a_function_of_the_seed(run):
    torch.manual_seed(0)
    rows = run.sample(50, seed=1)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert torch.equal(run.sample(50, seed=1), rows)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(run.sample(50, seed=2), rows)
    segments = run.encoding.segments
    vectors = rows[:, segments.scalars :]
    assert set(vectors.unique().tolist()) == {0.0, 1.0}
    assert (vectors.sum(1) == len(segments.widths)).all()
    for batch in run.batches(50, seed=1, conditions={"kind": "a"}):
        assert (run.encoding.decode(batch)["kind"] == "a").all()


def test_the_average_of_a_run_has_statistics_of_its_own(run):
    weights = load_file(run.path / "weights.safetensors")
    name = "layers.0.1.running_mean"
    assert not torch.equal(weights[f"ema.{name}"], weights[f"generator.{name}"])


def test_units_come_back_from_json_and_restore_what_the_table_held(csv):
    data = load(csv, encoded=True)
    units = read_units(data.units.to_dict())
    assert isinstance(units, EncodedUnits)
    assert units.columns[:2] == ["size", "day"]
    assert len(units.columns) == data.sample_shape[0]
    rows = units.restore(units.normalise(data.source.read(torch.arange(300))))
    plain = load(csv, conditional=False)
    np.testing.assert_allclose(rows, plain.units.restore(plain.samples), rtol=1e-5, atol=1e-4)


def test_another_table_is_encoded_by_the_runs_columns_and_what_is_unknown_is_named(run, tmp_path):
    other = _table()[["rooms", "size", "day", "kind"]]
    other.loc[0, "kind"] = "c"
    other.loc[1, "size"] = np.nan
    other.to_csv(tmp_path / "other.csv", index=False)
    found = run_data(run, f"csv:{tmp_path / 'other.csv'}")
    assert found.notes[0].startswith("the data ")
    assert found.notes[1:] == [
        "'size' lacks 1 cell and had all in training: taken as the mean, " + f"{_table()['size'].mean():.6g}",
        "'kind' has unknown categories in 1 cell: c; taken as none of the known ones",
    ]
    assert found.data.sample_shape == run.sample_shape
    own = run_data(run)
    assert own.notes == []
    differ = (choose(own.data.samples, run.encoding.segments) != choose(found.data.samples, run.encoding.segments)).any(
        1
    )
    assert not differ[2:].any()
    start = run.encoding.segments.scalars
    assert found.data.samples[0, start : start + 2].sum() == 0


def test_table_scores_tell_copies_and_noise_apart(csv):
    data, held_out = load(csv, encoded=True).split(0.5)
    units = data.units
    copies, real, notes = table_scores(units, data.samples, data, held_out, target="kind")
    noise = units.normalise(torch.cat((torch.rand(200, 2) * 2 - 1, torch.zeros(200, 4)), 1))
    random, _, _ = table_scores(units, noise, data, held_out, target="kind")
    assert copies["record_copies"] == 1
    assert random["record_copies"] < 0.5
    assert copies["marginals"] == 1 > real["marginals"] > random["marginals"]
    assert copies["invalid"] == random["invalid"] == 0
    assert notes == ["tstr: balanced accuracy of 'kind', predicted from the other columns"]
    with pytest.raises(ValueError, match="unknown column 'kid'; did you mean 'kind'"):
        table_scores(units, data.samples, data, held_out, target="kid")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"data": "digits"}, "expected a table, as of csv:PATH"),
        ({"conditional": True}, "`conditional` to be off with the network tabular"),
        ({"balance": "sampler"}, "`balance` to be off with the network tabular"),
        ({"hidden": "16,x"}, "`hidden` to be whole numbers"),
        ({"network": "mlp", "hidden": "16"}, "`hidden` to be empty with the network mlp"),
    ],
)
def test_what_the_network_of_tables_cannot_do_is_refused(csv, settings, words):
    with pytest.raises(ValueError, match=words):
        GANTrainer(TrainConfig(**{"recipe": "tabular", "data": csv, **settings}))


def test_a_table_may_have_fewer_rows_than_a_batch(tmp_path):
    _table(12).to_csv(tmp_path / "in.csv", index=False)
    trainer = GANTrainer(TrainConfig(recipe="tabular", data=f"csv:{tmp_path / 'in.csv'}", **QUICK))
    trainer.step()
    assert trainer.is_finite()
