"""Supervised training: what it learns, when it stops, and what it refuses."""

import pytest
import torch

from fastgan import nn as fnn
from fastgan.data import digits
from fastgan.supervised import fit_supervised
from fastgan.train import TrainingDivergedError


def _digits(count: int) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """`count` digits to train on, and 600 others."""
    data = digits()
    rows = torch.randperm(len(data.samples), generator=torch.Generator().manual_seed(0))
    x, y = data.samples.flatten(1)[rows], data.labels[rows]
    return x[:count], y[:count], (x[-600:], y[-600:])


def _two_classes() -> tuple[torch.Tensor, torch.Tensor]:
    y = torch.arange(60) % 2
    return torch.randn(60, 3) + y[:, None], y


def test_dropout_keeps_a_network_from_memorising_wrong_labels():
    x, y, held_out = _digits(600)
    y = torch.where(torch.arange(600) % 5 == 0, (y + 1) % 10, y)  # the held-out labels are all right
    plain, dropped = (
        fit_supervised(x, y, held_out=held_out, dropout=p, epochs=60, patience=0, lr=3e-3).history[-1] for p in (0, 0.5)
    )
    # Four fifths of the training labels are right, so a higher training accuracy means memorised wrong labels.
    assert plain["train_score"] > 0.95
    assert plain["held_out_score"] < 0.85
    assert dropped["train_score"] < 0.9
    assert dropped["held_out_score"] > plain["held_out_score"] + 0.05
    assert dropped["held_out_loss"] < 0.7 * plain["held_out_loss"]


def test_the_network_is_sized_by_the_data_and_made_of_fused_layers():
    x, y, held_out = _digits(100)
    model = fit_supervised(x, y, held_out=held_out, epochs=1).model
    assert [tuple(p.shape) for p in model.parameters() if p.dim() == 2] == [(128, 64), (128, 128), (10, 128)]
    assert [type(layer) for layer in model[1::2]] == [fnn.LeakyReLUDropout] * 2
    assert not model.training


def test_it_stops_early_and_returns_to_the_best_epoch():
    x, y, held_out = _digits(300)
    fit = fit_supervised(x, y, held_out=held_out, dropout=0.0, epochs=200, patience=5, lr=1e-2)
    losses = [row["held_out_loss"] for row in fit.history]
    assert len(losses) == fit.best_epoch + 5 < 200
    assert losses[fit.best_epoch - 1] == min(losses)
    loss = torch.nn.functional.cross_entropy(fit.model(held_out[0]), held_out[1]).item()
    assert loss == pytest.approx(min(losses), rel=1e-5)  # float32, summed in another order


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whole_numbers_are_targets_of_a_regression(dtype):
    x = torch.arange(-20, 20, dtype=dtype)[:, None] / 20
    y = torch.arange(40)
    settings = {"task": "regress", "hidden": (), "epochs": 3}
    whole = fit_supervised(x, y, held_out=(x[:5], y[:5]), **settings)
    same = fit_supervised(x, y.to(dtype), held_out=(x[:5], y[:5].to(dtype)), **settings)
    assert whole.history == same.history
    assert torch.equal(whole.model[-1].weight, same.model[-1].weight)


def test_without_patience_the_last_weights_are_kept():
    x, y, held_out = _digits(100)
    fit = fit_supervised(x, y, held_out=held_out, dropout=0.0, epochs=30, patience=0, lr=3e-2)
    assert fit.best_epoch == len(fit.history) == 30


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_generator_alone():
    x, y = _two_classes()
    before = torch.get_rng_state()
    first, again, other = (fit_supervised(x, y, epochs=3, seed=seed).model for seed in (7, 7, 8))
    assert torch.get_rng_state().equal(before)
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(a.equal(b) for a, b, _ in pairs)
    assert not any(a.equal(c) for a, _, c in pairs)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_class_weight_of_2_counts_as_samples_given_twice(classes):
    y = torch.arange(90) % classes
    x = torch.randn(90, 3, dtype=torch.float64) + y[:, None]
    settings = {"hidden": (), "l2": 0.1, "epochs": 300, "lr": 0.2, "schedule": "cosine", "batch_size": 200}
    settings |= {"validation_fraction": 0, "device": "cpu"}
    weighted = fit_supervised(x, y, class_weight=(1, 2, 1)[:classes], **settings).model
    twice = torch.cat((torch.arange(90), torch.nonzero(y == 1).flatten()))
    repeated = fit_supervised(x[twice], y[twice], **settings).model
    plain = fit_supervised(x, y, **settings).model
    # Both minimise the same convex loss; what remains is Adam's last small steps.
    assert weighted(x).softmax(1).allclose(repeated(x).softmax(1), atol=1e-4)
    assert weighted(x).sub(repeated(x)).sub(weighted(x[:1]).sub(repeated(x[:1]))).abs().max() < 1e-3
    assert not weighted(x).sub(plain(x)).abs().max() < 1e-2


def test_balanced_sampling_draws_classes_equally_often():
    y = (torch.arange(1000) % 10 == 0).long()
    x = torch.randn(1000, 2)
    settings = {"hidden": (), "l2": 10.0, "epochs": 20, "lr": 0.05, "schedule": "cosine", "device": "cpu"}
    settings |= {"validation_fraction": 0}
    # The features hold no information and the penalty keeps the weights small: the bias is the log odds of the draws.
    uniform, balanced = (
        fit_supervised(x, y, sampling=how, batch_size=100, **settings).model[-1].bias.item()
        for how in ("uniform", "balanced")
    )
    assert uniform == pytest.approx(torch.tensor(1 / 9).log().item(), abs=0.2)
    assert balanced == pytest.approx(0, abs=0.2)


def test_a_class_of_one_sample_stays_in_training():
    x, y = _two_classes()
    y[0] = 2
    assert fit_supervised(x, y, epochs=2).model(x).shape == (60, 3)


@pytest.mark.parametrize(
    ("x", "y", "settings", "words"),
    [
        (torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64), {}, "at least 2 classes"),
        (torch.zeros(4, 2), torch.tensor([0, 2, 0, 2]), {}, r"counts \[2, 0, 2\]"),
        (torch.zeros(4, 2), torch.tensor([0, -1, 0, 1]), {}, "from 0"),
        (torch.zeros(4, 2), torch.tensor([0.0, float("nan"), 0, 1]), {"task": "regress"}, "finite targets"),
        (torch.full((4, 2), float("inf")), torch.tensor([0, 1, 0, 1]), {}, "finite samples"),
        (torch.zeros(4, 2, dtype=torch.int64), torch.tensor([0, 1, 0, 1]), {}, "float32 or float64"),
        (torch.zeros(4, 2), torch.tensor([0, 1, 0]), {}, r"shape \(4,\)"),
        (torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]), {"class_weight": (1, 1, 1)}, "2 numbers, one a class, got 3"),
        (torch.zeros(4, 2), torch.zeros(4), {"task": "regress", "class_weight": (1, 1)}, "None in a regression"),
        (torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]), {"class_weight": (0, 0)}, "not all 0"),
        (torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]), {"task": "cluster"}, "`task`"),
        (torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]), {"epochs": 0}, "`epochs` to be at least 1"),
        (torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]), {"l2": float("nan")}, "`l2`"),
    ],
)
def test_bad_samples_and_settings_are_named(x, y, settings, words):
    with pytest.raises(ValueError, match=words):
        fit_supervised(x, y, **settings)


def test_divergence_is_an_error():
    x, y = torch.randn(64, 4) * 1e18, torch.randn(64) * 1e18
    with pytest.raises(TrainingDivergedError, match="after epoch 1"):
        fit_supervised(x, y, task="regress", lr=1e5, epochs=3)
