"""`fastgan.metrics.report`: all metrics that the data allow, with real data in place of a generator."""

from pathlib import Path

import pytest
import torch
from torch import nn

from fastgan.data import Data, digits, load
from fastgan.metrics.report import evaluate, summary, table
from fastgan.train import Run, TrainConfig


class _Replay(nn.Module):
    """A generator that returns stored samples, of the given classes if there are any."""

    def __init__(self, data: Data, noise: float = 0.0) -> None:
        super().__init__()
        self.data, self.noise = data, noise

    def forward(self, latents, labels=None):
        generator = torch.Generator().manual_seed(int(latents[0, 0].abs() * 1e6))
        if labels is None:
            chosen = torch.randint(len(self.data.samples), (len(latents),), generator=generator)
        else:
            chosen = torch.stack([self._one_of(label, generator) for label in labels])
        x = self.data.samples[chosen]
        return x + self.noise * torch.randn(x.shape, generator=generator)

    def _one_of(self, label, generator):
        members = (self.data.labels == label).nonzero()[:, 0]
        return members[torch.randint(len(members), (), generator=generator)]


def _run(data: Data, classes: int = 0, noise: float = 0.0, name: str = "digits") -> Run:
    config = TrainConfig(conditional=classes > 0, data=name)
    generator = _Replay(data, noise)
    return Run(Path(), config, generator, data.units, 1, classes, data.sample_shape, "", {}, data.class_names)


@pytest.fixture(scope="module")
def parts():
    """The digits in a part that was trained on, and one held out."""
    return digits().split(0.3)


def test_a_perfect_generator_passes_everything(parts):
    train, held_out = parts
    ours, real, notes = evaluate(_run(held_out, classes=10), train, held_out, 540, 0, None)
    assert not notes
    assert ours["fid"] < 3 * real["fid"]  # it draws with repetition, which counts as fewer samples
    assert abs(ours["memory_z"]) < 3
    assert ours["precision"] > 0.9
    assert ours["coverage"] > 0.6  # 540 draws from 540 against 1,257
    assert real["tstr"] > 0.97
    assert ours["tstr"] > real["tstr"] - 0.05


def test_a_generator_that_copies_has_a_high_memorisation_score(parts):
    train, held_out = parts
    ours, real, _ = evaluate(_run(train), train, held_out, 300, 0, nn.Flatten())
    assert ours["memory_share_nearer"] == 1
    assert ours["memory_z"] > 10
    assert real["memory_share_nearer"] == 0.5
    assert "tstr" not in ours


def test_without_held_out_data_tstr_says_so():
    data = digits()
    ours, real, notes = evaluate(_run(data, classes=10), data, None, 200, 0, nn.Flatten())
    assert any("tstr" in note and "--holdout" in note for note in notes)
    assert ours["tstr"] > 0.85
    assert real["tstr"] > 0.97


def test_mixtures_have_mode_counts_for_samples_and_real_data():
    data = load("ring").subsample(4000)
    one_mode = data.take((data.labels == 2).nonzero()[:, 0])
    ours, real, _ = evaluate(_run(one_mode, name="ring"), data, None, 1000, 0, None)
    assert (ours["modes"], real["modes"]) == (1, 8)
    assert ours["reverse_kl"] == pytest.approx(torch.tensor(8.0).log().item())
    assert real["high_quality"] == pytest.approx(0.989, abs=0.008)  # 5 standard errors of 4,000
    lost = Data(torch.full((50, 2), 9.0))
    ours, real, _ = evaluate(_run(lost, name="ring"), data, None, 100, 0, None)
    assert ours["reverse_kl"] is None  # infinite, which JSON cannot hold
    assert "reverse_kl" in table(ours, real)


def test_too_few_samples_for_fid_give_a_note_and_the_other_metrics():
    few = Data(torch.randn(60, 50))
    ours, real, notes = evaluate(_run(few), few, None, 60, 0, None)
    assert (ours["fid"], real["fid"]) == (None, None)
    assert any("too few samples" in note for note in notes)
    assert ours["kid"] is not None
    assert "-" in table(ours, real).splitlines()[1].split()
    assert "too few" in summary(_run(few), few, None)


@pytest.mark.parametrize(
    ("run", "n", "words"),
    [
        (_run(Data(torch.zeros(9, 3))), 100, r"shape \[3\] in 'digits', as the run's, got \[2\]"),
        (_run(Data(torch.zeros(9, 2))), 5, "--n to be at least 6, got 5"),
        (_run(Data(torch.zeros(9, 2)), noise=torch.inf), 100, "finite samples, got NaN or infinity"),
    ],
)
def test_what_cannot_be_measured_is_refused(run, n, words):
    with pytest.raises(ValueError, match=f"eval: expected .*{words}"):
        evaluate(run, Data(torch.randn(100, 2)), None, n, 0, None)
