"""Small trained runs, made once for all tests of the report."""

import shutil

import numpy as np
import pytest

from fastgan.train import GANTrainer, TrainConfig


def train(out, **settings):
    """Train a run of a few steps in the folder `out` and return it."""
    usual = {"steps": 6, "batch_size": 16, "sample_every": 2, "log_every": 1, "threads": 1, "device": "cpu"}
    return GANTrainer(TrainConfig(**{**usual, **settings, "out": str(out)})).fit()


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Runs by name: digits, conditional digits with alarms, and a table of three columns."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(5, 2, 200), rng.integers(0, 3, 200), rng.normal(size=200)])
    np.savetxt(folder / "table.csv", rows, "%.4f", delimiter=",", header="height,rooms,noise", comments="")
    return {
        "digits": train(folder / "digits"),
        "conditional": train(folder / "conditional", recipe="conditional", seed=1, alarm_readings=2),
        "table": train(folder / "table", data=f"csv:{folder / 'table.csv'}"),
    }


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run of digits, which a test may damage."""
    return shutil.copytree(trained["digits"], tmp_path / "run")
