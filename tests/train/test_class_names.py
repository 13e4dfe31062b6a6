"""The classes' names go with a run: in its notes, its weights, the pictures and arrays of its samples."""

import numpy as np
import pytest
import torch
from PIL import Image

from fastgan.cli.sample import sample
from fastgan.data import Data
from fastgan.train import GANTrainer, TrainConfig, load_run
from fastgan.train.run_data import in_units_of


def _data(labels) -> Data:
    images = torch.randint(
        0, 256, (len(labels), 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    return Data(images, np.array(labels))


@pytest.fixture(scope="module", params=[["dog", "cat", "10"], [7, 3, 26]], ids=["texts", "numbers"])
def run(request, tmp_path_factory):
    """A conditional run of three classes, its labels, and what it printed."""
    out = tmp_path_factory.mktemp("run")
    config = TrainConfig(conditional=True, steps=2, batch_size=6, latent_dim=4, out=str(out))
    trainer = GANTrainer(config, data=_data(request.param * 4))
    notes = trainer.take_notes()
    trainer.fit()
    return load_run(out), request.param, notes


def test_a_run_prints_and_keeps_the_names_in_natural_order(run):
    loaded, labels, notes = run
    expected = ("10", "cat", "dog") if "cat" in labels else ("3", "7", "26")
    assert loaded.class_names == expected
    assert f"train: 3 classes: {', '.join(expected)}" in notes
    assert loaded.names_of(torch.tensor([2, 0])) == [expected[2], expected[0]]


def test_arrays_of_samples_have_the_datas_own_labels(run, tmp_path):
    loaded, labels, _ = run
    sample(str(loaded.path), 7, 0, str(tmp_path / "s.npz"), False, None)
    with np.load(tmp_path / "s.npz") as arrays:
        assert arrays["class_names"].tolist() == list(loaded.class_names)
        assert [str(label) for label in arrays["labels"]] == loaded.names_of(loaded.labels(7))
        assert set(arrays["labels"].tolist()) == set(np.array(labels).tolist())
        assert arrays["layout"] == "chw"


def test_grids_have_the_names_below_the_samples(run, tmp_path):
    loaded, _, _ = run
    sample(str(loaded.path), 1, 0, str(tmp_path / "s.png"), False, None)
    (written,) = (loaded.path / "samples").glob("*.png")
    for path, cells in ((tmp_path / "s.png", 1), (written, 10)):
        width, height = Image.open(path).size
        assert width == 42 * cells
        assert height > width  # by the lines of names


def test_other_data_get_the_runs_numbers_of_their_classes(run):
    loaded, labels, _ = run
    other = _data([labels[0], labels[2]])
    numbered = in_units_of(loaded, other)
    assert loaded.names_of(numbered.labels) == [str(labels[0]), str(labels[2])]
    with pytest.raises(ValueError, match=r"expected classes of the run .*, got zebra"):
        in_units_of(loaded, _data(["zebra", str(labels[0])]))


def test_an_unconditional_run_draws_no_names(tmp_path):
    config = TrainConfig(steps=1, batch_size=4, latent_dim=4, out=str(tmp_path / "run"))
    loaded = load_run(GANTrainer(config, data=_data(["a", "b"] * 4)).fit())
    assert loaded.class_names == ("a", "b")
    (written,) = (loaded.path / "samples").glob("*.png")
    assert Image.open(written).size == (420, 420)
