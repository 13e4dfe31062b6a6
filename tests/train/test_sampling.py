"""Balanced classes, class weights and mirrored images."""

import pytest
import torch
from torch import nn

from fastgan import functional as FF
from fastgan.data import Data
from fastgan.losses import LOSSES
from fastgan.train import GANTrainer, TrainConfig, distributed
from fastgan.train.batches import Batches
from fastgan.train.sampling import BalancedOrder, class_weights

UNEVEN = torch.tensor([0] * 95 + [3] * 5)[torch.randperm(100, generator=torch.Generator().manual_seed(1))]


def test_every_batch_holds_the_classes_evenly_and_no_sample_is_left_out():
    order = BalancedOrder(UNEVEN, 10, seed=0)
    batches = [order[k] for k in range(19)]
    assert all((UNEVEN[b] == 3).sum() == 5 for b in batches)
    seen = torch.cat(batches).bincount(minlength=100)
    assert (seen[UNEVEN == 0] == 1).all()  # 95 draws of 95 samples: one permutation
    assert (seen[UNEVEN == 3] == 19).all()


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
def test_odd_batches_balance_over_the_run(batch_size):
    labels = torch.arange(100) % 5 * (torch.arange(100) < 90)
    order = BalancedOrder(labels, batch_size, seed=0)
    counts = torch.cat([order[k] for k in range(50)])
    counts = labels[counts].bincount()
    assert counts.max() - counts.min() <= 1


def test_a_batch_is_a_function_of_seed_and_number_alone():
    order = BalancedOrder(UNEVEN, 16, seed=4)
    run = [order[k] for k in range(40)]
    fresh = BalancedOrder(UNEVEN, 16, seed=4)
    for k in (39, 3, 20, 0):  # in any order, as after a resume
        assert torch.equal(fresh[k], run[k])
    assert not torch.equal(BalancedOrder(UNEVEN, 16, seed=5)[0], run[0])
    assert not torch.equal(run[0], run[1])


def test_a_samples_position_in_the_batch_does_not_depend_on_its_class():
    order = BalancedOrder(UNEVEN, 10, seed=0)
    rare = torch.stack([UNEVEN[order[k]] == 3 for k in range(400)]).double().mean(0)
    # Half of the draws at each position; 5 standard errors of 400 draws.
    torch.testing.assert_close(rare, torch.full((10,), 0.5).double(), rtol=0, atol=5 * 0.5 / 20)


def test_class_weights_are_inverse_frequencies_with_mean_one():
    weights = class_weights(UNEVEN, 4)
    torch.testing.assert_close(weights, torch.tensor([100 / (2 * 95), 0, 0, 100 / (2 * 5)]))
    assert weights[UNEVEN].mean().item() == pytest.approx(1)


def test_the_weighted_loss_equals_the_fused_one_at_weight_one_and_weights_each_sample_otherwise():
    real, fake = torch.randn(6, 1), torch.randn(6, 1)
    ones, weight = torch.ones(6), torch.rand(6)
    plain, statistics = LOSSES["bce"].discriminator(real, fake, 0.9, 0.1)
    same, counted = LOSSES["bce"].weighted(real, fake, 0.9, 0.1, ones, ones)
    torch.testing.assert_close(same, plain)
    torch.testing.assert_close(counted, statistics)
    each = FF.binary_cross_entropy_with_logits(real, 0.9, reduction="none")[:, 0]
    others = FF.binary_cross_entropy_with_logits(fake, 0.1)
    weighted, _ = LOSSES["bce"].weighted(real, fake, 0.9, 0.1, weight, None)
    torch.testing.assert_close(weighted, (each * weight).mean() + others)


def test_about_half_of_the_images_are_mirrored_and_the_same_ones_each_time():
    images = torch.randn(64, 1, 4, 4)
    plain, flipped = (Batches(Data(images), 32, seed=0, flip=flip) for flip in (False, True))
    count = 0
    for k in range(20):
        x, y = plain[k][0], flipped[k][0]
        same = (x == y).flatten(1).all(1)
        assert torch.equal(y[~same], x[~same].flip(-1))
        assert torch.equal(flipped[k][0], y)
        count += int((~same).sum())
    assert count == pytest.approx(320, abs=5 * 640**0.5 / 2)


def test_shards_of_two_processes_make_up_the_batch_of_one(monkeypatch):
    images = torch.randn(100, 1, 4, 4)

    def batch(k):
        batches = Batches(Data(images), 20, seed=0, flip=True)
        batches.order = BalancedOrder(UNEVEN, 20, seed=0)
        return batches[k][0]

    whole = [batch(k) for k in range(3)]
    monkeypatch.setattr(distributed, "_is_distributed", lambda: True)
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        assert all(torch.equal(batch(k), whole[k].chunk(2)[rank]) for k in range(3))


def _two_modes() -> Data:
    """Points at (-1, 0) and, one in twenty, at (1, 0)."""
    labels = (torch.arange(2000) % 20 == 0).long()
    points = torch.stack((labels * 2.0 - 1, torch.zeros(2000)), 1)
    return Data(points + 0.05 * torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)), labels)


def _rare_share(balance: str) -> float:
    """The share of its samples that a generator puts in the rare mode after a short training."""
    config = TrainConfig(
        balance=balance, steps=250, latent_dim=4, seed=1, ema_decay=0.98, betas=(0.0, 0.99), device="cpu"
    )

    def network(last: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(4 if last == 2 else 2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, last)
        )

    torch.manual_seed(0)
    trainer = GANTrainer(config, network(2), network(1), _two_modes())
    for _ in range(config.steps):
        trainer.step()
    with torch.no_grad():
        return (trainer.ema(torch.randn(4000, 4))[:, 0] > 0).float().mean().item()


def test_a_rare_mode_is_captured_with_balancing(capsys):
    shares = {balance: _rare_share(balance) for balance in ("none", "sampler", "weights")}
    with capsys.disabled():
        print(f"\nshare of samples in a mode of 5%: {shares}")
    assert shares["none"] < 0.25
    assert 0.3 < shares["sampler"] < 0.7
    assert 0.3 < shares["weights"] < 0.7


def test_a_balanced_run_resumes_bit_for_bit():
    data = _two_modes()
    settings = {"balance": "sampler", "batch_size": 20, "latent_dim": 4, "seed": 3, "device": "cpu"}
    whole = GANTrainer(TrainConfig(**settings), data=data)
    for _ in range(6):
        whole.step()
    first = GANTrainer(TrainConfig(**settings), data=data)
    for _ in range(3):
        first.step()
    state = first.state_dict()
    second = GANTrainer(TrainConfig(**settings), data=data)
    second.load_state_dict(state)
    for _ in range(3):
        second.step()
    assert all(
        torch.equal(a, b) for a, b in zip(whole.generator.parameters(), second.generator.parameters(), strict=True)
    )


def test_weights_in_a_conditional_run_give_each_class_its_own():
    data = _two_modes()
    trainer = GANTrainer(TrainConfig(balance="weights", conditional=True, batch_size=20, device="cpu"), data=data)
    trainer.step()
    assert trainer.statistics()["loss_d"] > 0
    assert trainer._update.class_weights[1] == pytest.approx(10)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"balance": "weights", "loss": "hinge"}, "`balance` to be none or sampler with the loss 'hinge'"),
        ({"balance": "weights", "pack": 2}, "`balance` to be none or sampler with `pack`"),
        ({"balance": "classes"}, "`balance` to be one of none, weights, sampler; got 'classes'"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig(**settings)


@pytest.mark.parametrize("balance", ["weights", "sampler"])
def test_data_without_labels_cannot_be_balanced(balance):
    config = TrainConfig(balance=balance, batch_size=4, device="cpu")
    with pytest.raises(ValueError, match=f"expected labelled data for `balance` {balance}, got none"):
        GANTrainer(config, data=torch.randn(20, 2))


def test_points_cannot_be_mirrored():
    with pytest.raises(ValueError, match=r"expected images \(C, H, W\) for `flip`, got samples \(2,\)"):
        GANTrainer(TrainConfig(flip=True, batch_size=4, device="cpu"), data=torch.randn(20, 2))
