"""The scores of translations: a perfect translation, one that copies its input, LPIPS where it is installed."""

import sys
import types

import pytest
import torch

from fastgan.data import Data, Units
from fastgan.metrics.report import evaluate, summary
from fastgan.metrics.translation import l1, translations


class _Run:
    """A run whose translation is a function of the input."""

    data, step, classes = "images", 7, 0
    input_shape, sample_shape, units = (3, 8, 8), (3, 8, 8), Units()

    def __init__(self, function):
        self._function = function

    def translate(self, images, seed=0):
        return self._function(images)


@pytest.fixture
def data():
    """Targets and inputs, which are the targets' negatives: 200 for the training and 100 held out."""
    x = torch.nn.functional.interpolate(torch.rand(300, 3, 2, 2) * 2 - 1, scale_factor=4.0)
    pairs = Data.pairs(-x, x)
    return pairs.take(torch.arange(200)), pairs.take(torch.arange(200, 300))


def test_a_perfect_translation_has_no_difference_and_the_fid_of_real_images(data):
    ours, real, notes = evaluate(_Run(lambda x: -x), *data, n=1000, seed=0)
    assert ours["l1"] == 0
    assert ours["fid"] == pytest.approx(real["fid"])
    assert notes == ["lpips: needs the package lpips, which is not installed"]
    _, held_out = data
    targets, inputs = held_out.pair_batch(torch.arange(100))
    assert ours["l1_of_inputs"] == pytest.approx(float((targets - inputs).abs().mean()) / 2, rel=1e-5)


def test_a_copy_of_the_input_has_the_inputs_difference(data):
    ours, _, _ = evaluate(_Run(lambda x: x), *data, n=1000, seed=0)
    assert ours["l1"] == ours["l1_of_inputs"] > 0.2


def test_without_held_out_images_this_is_said(data):
    ours, _, notes = evaluate(_Run(lambda x: -x), data[0], None, n=1000, seed=0)
    assert ours["l1"] == 0
    assert notes[0] == "l1: of inputs that the run has trained on; train --holdout 0.1 keeps some back"


def test_the_summary_has_both_in_one_line(data):
    line = summary(_Run(lambda x: -x), *data)
    assert line.startswith("L1 0.0000, FID on features learned from the data: ")
    assert line.endswith("100 images held out, step 7)")


def test_lpips_is_asked_where_it_is_installed(data, monkeypatch):
    def network(net, verbose):
        assert (net, verbose) == ("alex", False)
        return lambda x, y: (x - y).abs().mean((1, 2, 3), keepdim=True)

    monkeypatch.setitem(sys.modules, "lpips", types.SimpleNamespace(LPIPS=network))
    ours, _, notes = evaluate(_Run(lambda x: x), *data, n=1000, seed=0)
    assert ours["lpips"] == pytest.approx(2 * ours["l1"], rel=1e-5)
    assert notes == []

    def without_weights(net, verbose):
        raise OSError("no route to host")

    monkeypatch.setitem(sys.modules, "lpips", types.SimpleNamespace(LPIPS=without_weights))
    ours, _, notes = evaluate(_Run(lambda x: x), *data, n=1000, seed=0)
    assert "lpips" not in ours
    assert notes == ["lpips: its network cannot be loaded: no route to host"]


def test_the_difference_is_in_units_of_the_range():
    assert l1(torch.full((2, 1, 4, 4), -1.0), torch.ones(2, 1, 4, 4)) == 1


def test_data_that_do_not_fit_the_run_and_translations_that_are_not_finite_are_refused(data):
    with pytest.raises(ValueError, match=r"expected inputs and targets of shape .* got data without inputs"):
        translations(_Run(lambda x: x), Data(torch.rand(9, 3, 8, 8)), 0)
    other = Data.pairs(torch.zeros(9, 1, 8, 8), torch.zeros(9, 3, 8, 8))
    with pytest.raises(ValueError, match=r"got \[1, 8, 8\] and \[3, 8, 8\]"):
        translations(_Run(lambda x: x), other, 0)
    with pytest.raises(ValueError, match="expected finite translations, got NaN or infinity"):
        translations(_Run(lambda x: x / 0), data[1], 0)
