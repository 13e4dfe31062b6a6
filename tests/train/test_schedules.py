"""Schedules of beta2, the moving average, and last values; all are functions of the step, so runs resume exactly."""

import math

import pytest
import torch

from fastgan.train import GANTrainer, TrainConfig, step

SCHEDULED = {"beta2_start": 0.9, "betas": (0.0, 0.99), "ema_schedule": "linear", "ema_decay": 0.9, "steps": 6}
SCHEDULED |= {"lr_schedule": "cosine", "lr_final": 0.25, "r1_gamma": 2.0, "gamma_schedule": "linear"}
SCHEDULED |= {"gamma_final": 0.1, "schedule_share": 0.5}


def _trainer(images, **settings):
    return GANTrainer(TrainConfig(**{"batch_size": 8, "dropout": 0.0, **settings}), data=images)


def _over(images, read, **settings):
    """What `read` finds in the schedules after each step."""
    trainer = _trainer(images, **settings)
    seen = []
    for _ in range(trainer.config.steps):
        trainer.step()
        seen.append(read(trainer._update))
    return seen


def test_beta2_rises_in_stairs_of_a_cosine_over_its_share_of_the_run(images):
    settings = {**SCHEDULED, "steps": 40}  # 20 steps of stairs
    seen = _over(images, lambda u: [o.param_groups[0]["betas"] for o in (u.optimizer_g, u.optimizer_d)], **settings)
    stairs = [min(8, i * 8 // 20) for i in range(40)]
    expected = [0.99 - 0.09 * (1 + math.cos(math.pi * stair / 8)) / 2 for stair in stairs]
    assert seen == [[(0.0, pytest.approx(beta2))] * 2 for beta2 in expected]
    assert (seen[0][0][1], seen[20][0][1], seen[-1][0][1]) == (0.9, 0.99, 0.99)


def test_schedules_end_at_their_last_values(images):
    rates = _over(images, lambda u: u.optimizer_g.param_groups[0]["lr"], **SCHEDULED, lr_g=4e-3)
    assert rates == pytest.approx([4e-3, 3.25e-3, 1.75e-3, 1e-3, 1e-3, 1e-3])
    gammas = _over(images, lambda u: u.schedules.r1.item(), **SCHEDULED)
    assert gammas == pytest.approx([2.0, 1.4, 0.8, 0.2, 0.2, 0.2])


def test_the_half_life_of_the_moving_average_rises_from_zero(images):
    trainer = _trainer(images, **SCHEDULED)
    trainer.step()
    assert all(torch.equal(a, b) for a, b in zip(trainer.ema.parameters(), trainer.generator.parameters(), strict=True))
    decays = _over(images, lambda u: 1 - u.schedules.ema_weight.item(), **SCHEDULED)
    half_lives = [math.log(0.5) / math.log(decay) if decay > 0 else 0.0 for decay in decays]
    last = math.log(0.5) / math.log(0.9)
    assert half_lives == pytest.approx([0, last / 3, last * 2 / 3, last, last, last], rel=1e-4)


def test_the_scheduled_average_is_the_same_as_one_of_that_decay(images):
    """Where its schedule is over, it is the plain moving average, in the same bits."""
    plain, scheduled = (
        _trainer(images, ema_decay=0.9, ema_schedule=kind, schedule_share=1e-9) for kind in ("constant", "linear")
    )
    scheduled._update._steps = plain._update._steps = 1
    for trainer in (plain, scheduled):
        for _ in range(3):
            trainer.step()
    for ours, theirs in zip(scheduled.ema.parameters(), plain.ema.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-7)  # the weight 0.1 is a float32 here


def test_a_run_with_all_schedules_resumes_bit_for_bit(images):
    whole, first = _trainer(images, **SCHEDULED), _trainer(images, **SCHEDULED)
    for _ in range(5):
        whole.step()
    for _ in range(2):
        first.step()
    resumed = _trainer(images, **SCHEDULED)
    resumed.load_state_dict(first.state_dict())
    for _ in range(3):
        resumed.step()
    for network in ("generator", "discriminator", "ema"):
        ours, theirs = getattr(resumed, network).state_dict(), getattr(whole, network).state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(("settings", "expected"), [({}, []), (SCHEDULED, [0, 1, 2, 3])])
def test_each_beta2_has_cuda_graphs_of_its_own(images, monkeypatch, settings, expected):
    """A graph would keep the beta2 of its capture. Graphs are made up here, as a CPU has none."""
    steps = []

    class Graphs:
        def __init__(self, body, *_):
            self.run = body
            self.calls = 0

        def __call__(self, inputs, key):
            self.calls += 1
            self.run(inputs, key)

        def reset(self):
            steps.append(self.calls)

    monkeypatch.setattr(step, "use_cuda_graph", lambda *_: True)
    monkeypatch.setattr(step, "GraphedBody", Graphs)
    trainer = _trainer(images, **{"steps": 6, **settings})
    for _ in range(6):
        trainer.step()
    assert (steps, trainer._update._run.calls) == (expected, 6)


def test_beta2_needs_an_optimizer_that_has_one():
    with pytest.raises(ValueError, match=r"`beta2_start` to be 0 with the optimizer 'sgd', which has no betas, got"):
        TrainConfig(optimizer="sgd", beta2_start=0.9)
