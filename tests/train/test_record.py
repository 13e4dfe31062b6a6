"""A run goes on from its own checkpoints only: settings, data and networks are compared by what they mean."""

import os

import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Dataset

from fastgan.data import Data, load
from fastgan.train import GANTrainer, RunFolderError, TrainConfig, checkpoint, load_run
from fastgan.train.record import FORMAT
from fastgan.train.settings_file import read_settings

SETTINGS = {"steps": 2, "batch_size": 4, "latent_dim": 4}


@pytest.fixture
def points():
    return torch.randn(40, 2, generator=torch.Generator().manual_seed(1))


def _folder(path, names=("1.png", "2.png", "3.png", "4.png")):
    path.mkdir()
    for i, name in enumerate(names):
        Image.new("L", (8, 8), 40 * i).save(path / name)
    return f"folder:{path}"


def _trainer(data=None, networks=(None, None), **changes):
    return GANTrainer(TrainConfig(**{**SETTINGS, **changes}), *networks, data=data)


def _of(spec, **changes):
    return GANTrainer(TrainConfig(data=spec, **{**SETTINGS, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"compile": True, "cuda_graph": "off", "channels_last": False, "threads": 2, "workers": 1},
        {"steps": 50, "keep": 9, "log_every": 3, "sample_every": 3, "checkpoint_every": 3, "eval_every": 3},
        {"strict": True, "on_alarm": "off", "alarm_readings": 5},
        {"recipe": "lsgan", "loss": "bce"},  # which is what the recipe of the checkpoint stands for
    ],
)
def test_settings_that_mean_the_same_run_may_change(points, changes):
    state = _trainer(points).state_dict()
    trainer = _trainer(points, **changes)
    trainer.load_state_dict(state)
    assert trainer.global_step == 0


def test_every_setting_that_differs_is_named_with_both_values(points):
    state = _trainer(points).state_dict()
    with pytest.raises(ValueError, match=r"expected `seed` to be 0, as in the checkpoint, got 5; `lr_g` to be 0\.002"):
        _trainer(points, lr_g=0.5, seed=5).load_state_dict(state)
    with pytest.raises(ValueError, match=r"`betas` to be \[0\.5, 0\.999\], as in the checkpoint, got \[0\.1, 0\.9\]"):
        _trainer(points, betas=(0.1, 0.9)).load_state_dict(state)


@pytest.mark.parametrize(("name", "other"), [("flip", None), ("g_steps", 2), ("betas", (0.1, 0.9)), ("pack", 2)])
def test_a_setting_that_an_older_checkpoint_lacks_counts_as_its_default(points, name, other):
    state = _trainer(points).state_dict()
    del state["config"][name]
    state["config"]["of_another_version"] = 3
    _trainer(points).load_state_dict(state)
    if other is not None:
        with pytest.raises(ValueError, match=f"expected `{name}` to be"):
            _trainer(points, **{name: other}).load_state_dict(state)


@pytest.mark.parametrize(("found", "words"), [(FORMAT + 1, "a later version"), (None, "an earlier version")])
def test_a_checkpoint_of_another_format_is_told_from_a_damaged_one(points, found, words):
    state = {**_trainer(points).state_dict(), "format": found}
    with pytest.raises(ValueError, match=f"a checkpoint of format {FORMAT}, got {found}: {words}"):
        _trainer(points).load_state_dict(state)


def test_other_data_than_the_checkpoints_are_refused_with_what_differs(points):
    state = _trainer(points).state_dict()
    with pytest.raises(ValueError, match=r"a Tensor of 40 samples of shape 2, got .*: other values"):
        _trainer(points + 1).load_state_dict(state)
    with pytest.raises(ValueError, match=r"shape 39x2 instead of 40x2"):
        _trainer(points[:39]).load_state_dict(state)
    with pytest.raises(ValueError, match=r"got ring: shape 50000x2 instead of 40x2"):
        _of("ring").load_state_dict(state)
    _trainer(Data(points)).load_state_dict(state)


def test_a_dataset_is_known_by_its_length_and_form():
    class Noise(Dataset):
        def __init__(self, count, width=3):
            self.count, self.width = count, width

        def __len__(self):
            return self.count

        def __getitem__(self, i):
            return torch.rand(self.width)  # augmented: another one at each reading

    state = _trainer(Noise(30)).state_dict()
    _trainer(Noise(30)).load_state_dict(state)
    with pytest.raises(ValueError, match=r"a Noise of 30 samples of shape 3, got .*: 31 samples instead of 30"):
        _trainer(Noise(31)).load_state_dict(state)


def test_a_moved_folder_is_the_same_data_and_a_changed_one_is_not(tmp_path):
    spec = _folder(tmp_path / "here")
    state = _of(spec).state_dict()
    os.rename(tmp_path / "here", tmp_path / "there")
    moved = f"folder:{tmp_path / 'there'}"
    _of(moved).load_state_dict(state)
    Image.new("L", (8, 8)).save(tmp_path / "there" / "new.png")
    with pytest.raises(ValueError, match=r"folder:.*here, got folder:.*there: 5 files instead of 4"):
        _of(moved).load_state_dict(state)


def test_a_run_inside_the_folder_of_its_data_is_no_part_of_them_and_is_noted(tmp_path, capfd):
    spec = _folder(tmp_path / "images")
    before = load(spec).base_fingerprint
    out = tmp_path / "images" / "runs" / "one"
    _of(spec, out=str(out)).fit()
    assert f"the run folder {out} lies in the folder of the data" in capfd.readouterr().err
    assert load(spec).base_fingerprint == before
    _of(_folder(tmp_path / "others"), out=str(tmp_path / "two")).fit()
    assert "lies in the folder" not in capfd.readouterr().err


def test_a_relative_path_of_the_data_is_saved_as_an_absolute_one(tmp_path, monkeypatch):
    _folder(tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    trainer = _of("folder:images", out=str(tmp_path / "run"))
    monkeypatch.chdir("/")
    out = trainer.fit()
    saved = TrainConfig.load(out / "config.toml")
    assert saved.data == f"folder:{tmp_path / 'images'}"
    assert saved.chosen.keys() == {"data", *SETTINGS}
    assert checkpoint.load_newest(out / "checkpoints", print)[1]["run"]["data_name"] == saved.data


def _networks(width=6):
    return nn.Sequential(nn.Linear(4, width), nn.Linear(width, 2)), nn.Linear(2, 1)


def test_networks_that_were_passed_must_be_passed_again(points):
    state = _trainer(points, _networks()).state_dict()
    _trainer(points, _networks()).load_state_dict(state)
    with pytest.raises(ValueError, match=r"the generator that was passed to GANTrainer, a Sequential, .*generator="):
        _trainer(points).load_state_dict(state)
    with pytest.raises(ValueError, match=r"that of the network 'mlp' as discriminator, .* got a Linear"):
        _trainer(points, (None, nn.Linear(2, 1))).load_state_dict(_trainer(points).state_dict())
    with pytest.raises(ValueError, match=r"expected networks of the shapes in the checkpoint: .*"):
        _trainer(points, _networks(7)).load_state_dict(state)


def test_a_run_records_what_was_passed_and_its_generator_can_be_loaded_into_one_like_it(points, tmp_path):
    networks = _networks()
    out = _trainer(points, networks, out=str(tmp_path)).fit()
    settings = read_settings(out / "config.toml")
    assert settings.passed == {
        "data": "a Tensor of 40 samples of shape 2",
        "generator": "a Sequential",
        "discriminator": "a Linear",
    }
    assert "data" not in settings.chosen.keys() | settings.resolved.keys()
    with pytest.raises(RunFolderError, match=r"whose generator, a Sequential, was passed .*load_run\(path, generator="):
        load_run(out)
    run = load_run(out, generator=_networks()[0])
    assert run.data == "a Tensor of 40 samples of shape 2"
    assert run.sample(3, seed=0).shape == (3, 2)
    assert not torch.equal(run.generator[0].weight, _networks()[0][0].weight)
    with pytest.raises(RunFolderError, match="to hold the weights of a Sequential"):
        load_run(out, generator=_networks(7)[0])
