"""Samples and measures of a run folder, and the errors of a folder or options that do not fit."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from torch import nn

import fastgan.cli
from fastgan.train import load_run


def _fastgan(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main([str(a) for a in arguments])
    return stop.value.code


def test_samples_are_in_the_units_of_the_data(trained_run, tmp_path):
    assert _fastgan("sample", trained_run, "--n", "300", "--out", tmp_path / "s.npz") == 0
    samples = np.load(tmp_path / "s.npz")["samples"]
    assert samples.shape == (300, 8, 8)
    assert (samples.min(), samples.max()) == pytest.approx((0, 16), abs=0.5)
    assert 4 < samples.mean() < 6  # the digits' own mean is 4.9


def test_samples_are_a_function_of_the_seed(trained_run):
    run = load_run(trained_run)
    assert run.sample(5, 1).equal(run.sample(5, 1))
    assert not run.sample(5, 1).equal(run.sample(5, 2))


def test_truncation_keeps_latents_within_its_bound_and_is_a_function_of_the_seed(trained_run):
    class Echo(nn.Module):
        def forward(self, latents):
            return latents

    run = dataclasses.replace(load_run(trained_run), generator=Echo())
    latents = run.sample(2000, 3, truncation=0.7)
    assert latents.equal(run.sample(2000, 3, truncation=0.7))
    assert not latents.equal(run.sample(2000, 4, truncation=0.7))
    assert latents.abs().max() <= 0.7
    # 200,000 numbers against the truncated normal distribution; a correct sampler fails for one seed in 1,000.
    assert stats.kstest(latents.flatten().numpy(), stats.truncnorm(-0.7, 0.7).cdf).pvalue > 1e-3


def test_truncated_samples_vary_less(trained_run, tmp_path):
    for name, flags in {"all": [], "typical": ["--truncation", "0.3"]}.items():
        assert _fastgan("sample", trained_run, "--n", "200", *flags, "--out", tmp_path / f"{name}.npz") == 0
    free, typical = (np.load(tmp_path / f"{name}.npz")["samples"].std(axis=0).mean() for name in ("all", "typical"))
    assert 0 < typical < 0.8 * free


def test_a_grid_enlarges_small_images(trained_run, tmp_path):
    assert _fastgan("sample", trained_run, "--n", "12", "--out", tmp_path / "g.png") == 0
    picture = Image.open(tmp_path / "g.png")
    assert picture.size == (4 * 42, 3 * 42)
    assert np.asarray(picture).std() > 50


def test_eval_prints_a_table_and_writes_json(trained_run, capsys):
    assert _fastgan("eval", trained_run, "--n", "500") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    written = json.loads((trained_run / "eval.json").read_text())
    printed = {name: values for name, *values in lines[1:10]}
    assert list(printed) == [
        "fid", "kid", "precision", "recall", "density", "coverage",
        "memory_share_nearer", "memory_z", "memory_median_ratio",
    ]  # fmt: skip
    assert all(float(v[0]) == pytest.approx(written[k], abs=1e-4) for k, v in printed.items())
    assert float(printed["fid"][1]) == pytest.approx(written["real"]["fid"], abs=1e-4)
    assert written["precision"] > 0.8
    assert 0 < written["real"]["fid"] < 1 < written["fid"] < 30  # noise: 50


@pytest.mark.parametrize("command", ["sample", "eval"])
def test_a_folder_that_is_no_run_is_refused(command, tmp_path, capsys):
    assert _fastgan(command, tmp_path) == 2
    assert f"expected {tmp_path} to be a run folder" in capsys.readouterr().err
    assert _fastgan(command, tmp_path / "missing") == 2
    assert "got no folder" in capsys.readouterr().err


def test_weights_that_are_torn_or_of_another_network_are_refused(trained_run, tmp_path, capsys):
    for name in ("config.toml", "weights.safetensors"):
        shutil.copy(trained_run / name, tmp_path / name)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    assert _fastgan("sample", tmp_path) == 2
    assert f"expected {weights} to hold the weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--n", "0"], "--n to be at least 1, got 0"),
        (["--truncation", "0"], "`truncation` to be more than 0 and finite, got 0.0"),
        (["--seed", "-1"], "--seed in [0, 2**63), got -1"),
        (["--out", "samples.txt"], ".jpeg or .csv, .tsv, .parquet, .pq, got 'samples.txt'"),
        (["--out", "samples.csv"], "expected a run of csv:PATH or parquet:PATH for a .csv, got one of digits"),
        (["--out", "nowhere/at/all.npz"], "nowhere/at"),
    ],
)
def test_bad_options_are_refused(trained_run, flags, words, capsys):
    assert _fastgan("sample", trained_run, *flags) == 2
    assert words in capsys.readouterr().err
