"""The image, logit and heat map of a choice, and the latent directions."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from fastgan.explore import Choice, Explorer
from fastgan.explore.directions import principal_directions
from fastgan.train import GANTrainer, TrainConfig
from fastgan.train.run_folder import RunFolderError
from fastgan.train.saved_run import load_discriminator, load_run


def train(out, **settings):
    few = {"steps": 3, "batch_size": 16, "threads": 1, "device": "cpu"}
    return GANTrainer(TrainConfig(out=str(out), **{**few, **settings})).fit()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    kinds = {"digits": {}, "labels": {"recipe": "conditional"}, "packed": {"pack": 2}, "points": {"data": "ring"}}
    return {name: train(root / name, **settings) for name, settings in kinds.items()}


def test_a_seed_shows_the_sample_of_that_seed(runs):
    run = load_run(runs["digits"])
    view = Explorer(runs["digits"]).view(Choice(seed=5))
    sample = run.sample(1, 5)
    pixels = sample[0, 0].add(1).mul(127.5).round().clamp(0, 255).byte().numpy()
    assert np.array_equal(view.image[::48, ::48, 0], pixels)
    assert view.logit == pytest.approx(load_discriminator(runs["digits"])(sample).item(), rel=1e-5)


def test_both_ends_of_the_interpolation_are_the_samples_of_their_seeds(runs):
    explorer = Explorer(runs["digits"])
    ends = [explorer.latent(Choice(seed=3, other_seed=8, share=share)) for share in (0.0, 1.0)]
    assert torch.equal(ends[0], explorer.latent(Choice(seed=3)))
    assert torch.allclose(ends[1], explorer.latent(Choice(seed=8)), atol=1e-5)


def test_truncation_bounds_the_latent(runs):
    explorer = Explorer(runs["digits"])
    assert float(explorer.latent(Choice(truncation=0.3)).abs().max()) <= 0.3
    with pytest.raises(ValueError, match="expected `truncation` to be more than 0"):
        explorer.view(Choice(truncation=0.0))


def test_a_walk_goes_as_far_as_it_says_along_each_direction(runs):
    explorer = Explorer(runs["digits"])
    step = explorer.latent(Choice(walk=(0, 2))) - explorer.latent(Choice())
    directions = principal_directions(explorer.run.generator, explorer.run.config.latent_dim, 6)
    assert torch.allclose(step[0], 2 * directions[1], atol=1e-5)


def test_a_class_changes_the_image_of_a_conditional_run(runs):
    explorer = Explorer(runs["labels"])
    assert not np.array_equal(explorer.view(Choice(label=0)).image, explorer.view(Choice(label=7)).image)
    with pytest.raises(ValueError, match="expected a class from 0 to 9, got 10"):
        explorer.view(Choice(label=10))


def test_the_heat_map_is_white_where_nothing_speaks_and_coloured_elsewhere(runs):
    pytest.importorskip("captum")
    heat = Explorer(runs["packed"]).view(Choice()).heat
    assert heat.shape == (384, 384, 3)
    assert (heat.max(axis=2) == 255).all()
    assert (heat.min(axis=2) == 0).any()


def test_without_captum_there_is_no_heat_map(runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    assert Explorer(runs["digits"]).view(Choice()).heat is None


def test_runs_of_points_and_other_folders_are_refused(runs, tmp_path):
    with pytest.raises(ValueError, match=r"expected a run of images, got samples of shape \[2\]"):
        Explorer(runs["points"])
    with pytest.raises(RunFolderError, match="run folder"):
        Explorer(tmp_path)


@pytest.mark.parametrize(
    "layer", [nn.Linear(7, 20), nn.ConvTranspose2d(7, 5, 4), nn.Conv2d(7, 20, 1), nn.Linear(9, 20)]
)
def test_directions_are_the_principal_components_of_the_first_layers_outputs(layer):
    found = principal_directions(nn.Sequential(nn.Identity(), layer), 7, 3)
    assert torch.allclose(found @ found.T, torch.eye(3), atol=1e-5)
    latents = torch.cat([found, torch.randn(200, 7, generator=torch.Generator().manual_seed(0))])
    latents = latents / latents.norm(dim=1, keepdim=True)
    inputs = nn.functional.pad(latents, (0, 2)) if isinstance(layer, nn.Linear) and layer.in_features == 9 else latents
    inputs = inputs if isinstance(layer, nn.Linear) else inputs[:, :, None, None]
    change = (layer(inputs) - layer(torch.zeros_like(inputs))).flatten(1).norm(dim=1)
    assert change[0] >= change[1] >= change[2]
    assert change[0] == change.max()


def test_a_generator_without_a_first_layer_is_refused():
    with pytest.raises(ValueError, match="first layer takes latents of length 7, found none"):
        principal_directions(nn.Sequential(nn.Linear(3, 3)), 7, 2)
