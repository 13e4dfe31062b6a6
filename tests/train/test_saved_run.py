"""Samples of a run are drawn in batches of the training's size, and are the same whatever these are."""

import dataclasses
import json
import weakref

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

import fastgan.cli
from fastgan.cli._array_files import write_npy, write_npz
from fastgan.data import Data
from fastgan.train import GANTrainer, RunFolderError, TrainConfig, load_run
from fastgan.train.grid import SampleGrid, grid_samples
from fastgan.train.pictures import make_grid
from fastgan.train.run_folder import save_weights


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A conditional run of images, trained in batches of 8."""
    data = Data(torch.rand(40, 1, 4, 4) * 2 - 1, torch.arange(40) % 3)
    config = TrainConfig(steps=2, batch_size=8, latent_dim=5, conditional=True, out=str(tmp_path_factory.mktemp("r")))
    return load_run(GANTrainer(config, data=data).fit())


class Watched(nn.Module):
    """A generator that notes the sizes of its batches and how many of them are alive."""

    def __init__(self, network):
        super().__init__()
        self.network, self.sizes, self.alive, self.most = network, [], weakref.WeakSet(), 0

    def forward(self, *inputs):
        samples = self.network(*inputs)
        self.sizes.append(len(samples))
        self.alive.add(samples)
        self.most = max(self.most, len(self.alive))
        return samples


def test_batches_are_no_larger_than_those_of_the_training(run):
    watched = dataclasses.replace(run, generator=Watched(run.generator))
    samples = watched.sample(1100, seed=3)
    assert samples.shape == (1100, 1, 4, 4)
    assert max(watched.generator.sizes) == 8
    assert sum(watched.generator.sizes) == 1100


def test_the_size_of_batches_changes_no_latent(run):
    echo = dataclasses.replace(run, classes=0, generator=nn.Identity())
    for truncation in (None, 0.7):
        expected = run.latents(2500, 3, truncation)
        for batch_size in (7, 512, 4096):
            other = dataclasses.replace(echo, config=run.config.replace(batch_size=batch_size))
            assert torch.equal(other.sample(2500, 3, truncation=truncation), expected)


def test_labels_follow_the_samples_through_the_batches(run):
    class Labels(nn.Module):
        def forward(self, latents, labels):
            return labels[:, None].float()

    echo = dataclasses.replace(run, generator=Labels())
    assert torch.equal(echo.sample(1100, 0)[:, 0].long(), run.labels(1100))
    given = torch.randint(0, 3, (1100,))
    assert torch.equal(echo.sample(1100, 0, given)[:, 0].long(), given)


@pytest.mark.parametrize("name", ["s.npz", "s.npy", "s.png"])
def test_sample_writes_batch_by_batch_what_sample_draws(run, name, tmp_path, monkeypatch):
    watched = dataclasses.replace(run, generator=Watched(run.generator))
    monkeypatch.setattr("fastgan.train.load_run", lambda *_: watched)
    with pytest.raises(SystemExit) as stop:
        fastgan.cli.main(["sample", "r", "--n", "100", "--seed", "3", "--out", str(tmp_path / name)])
    assert stop.value.code == 0
    assert watched.generator.sizes == [8] * 12 + [4]
    assert watched.generator.most <= 2  # the one that is made, and the one that is written
    expected = run.units.restore(run.sample(100, 3))
    if name == "s.npy":
        assert np.array_equal(np.load(tmp_path / name), expected)
    elif name == "s.npz":
        with np.load(tmp_path / name) as arrays:
            assert {"samples", "labels", "class_names"} <= set(arrays.files)
            assert np.array_equal(arrays["samples"], expected)
            assert np.array_equal(arrays["labels"], run.labels(100).numpy())


@pytest.mark.parametrize("dtype", ["uint8", "float32", ">i4"])
def test_array_files_are_those_of_numpy(dtype, tmp_path):
    whole = np.arange(60).reshape(10, 3, 2).astype(dtype)
    with open(tmp_path / "a.npy", "wb") as file:
        write_npy(file, [whole[:4], whole[4:9], whole[9:]], 10)
    with open(tmp_path / "a.npz", "wb") as file:
        write_npz(file, 10, one=[whole], two=[whole[:, 0], whole[:0, 0]])
    with np.load(tmp_path / "a.npz") as arrays:
        assert np.array_equal(arrays["one"], np.load(tmp_path / "a.npy"))
        assert np.array_equal(arrays["two"], whole[:, 0])
        assert arrays["one"].dtype == np.dtype(dtype)


def test_a_grid_is_drawn_in_batches_of_the_training(run):
    watched = Watched(run.generator)
    latents, labels = torch.randn(20, 5), torch.arange(20) % 3
    samples = SampleGrid((latents, labels), 8, (1, 4, 4)).draw(watched)
    assert watched.sizes == [8, 8, 4]
    torch.testing.assert_close(samples, run.generator(latents, labels).detach())


def test_a_grid_of_large_samples_has_fewer_of_them():
    assert grid_samples((2,)) == grid_samples((3, 256, 256)) == 100
    assert grid_samples((3, 512, 512)) == 38
    assert grid_samples((3, 10_000, 10_000)) == 1


@pytest.mark.parametrize("count", [1, 5, 12])
def test_a_picture_of_images_one_by_one_is_that_of_the_tensor(count):
    images = torch.rand(count, 3, 6, 4) * 2 - 1
    picture = make_grid(images, count)
    assert np.array_equal(picture, make_grid(iter(images), count))
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    assert picture.shape == (rows * 44, columns * 30, 3)  # enlarged 7 times, with a line around each
    assert np.array_equal(picture[1:43:7, 1:29:7], images[0].add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy())
    assert (picture[0, :30] == 64).all()


def test_weights_of_another_version_are_told(tmp_path):
    out = GANTrainer(TrainConfig(steps=0, out=str(tmp_path / "run"))).fit()
    save_weights(
        out / "weights.safetensors", {"ema": load_run(out).generator}, {"step": 3, "size": _about(out)["size"]}
    )
    with pytest.raises(
        RunFolderError, match="to be of this version of fastgan, got one without class_names, data, inputs, units"
    ):
        load_run(out)


def _about(out):
    with safe_open(out / "weights.safetensors", "pt") as file:
        return json.loads(file.metadata()["fastgan"])
