"""Adversarial losses against their formulas, penalties against known gradients."""

import math

import pytest
import torch
from torch import nn

from fastgan import nn as fnn
from fastgan.losses import LOSSES, gradient_penalty, r1_penalty


def _softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def _bce(x: float, target: float) -> float:
    return target * _softplus(-x) + (1 - target) * _softplus(x)


# For one real logit r, one fake logit f and their targets t and u: the discriminator's and the generator's loss.
FORMULAS = {
    "bce": (lambda r, f, t, u: _bce(r, t) + _bce(f, u), lambda r, f: _softplus(-f)),
    "lsgan": (lambda r, f, t, u: ((r - t) ** 2 + (f - u) ** 2) / 2, lambda r, f: (f - 1) ** 2 / 2),
    "hinge": (lambda r, f, t, u: max(0, 1 - r) + max(0, 1 + f), lambda r, f: -f),
    "wasserstein": (lambda r, f, t, u: f - r, lambda r, f: -f),
    "relativistic": (lambda r, f, t, u: _softplus(f - r), lambda r, f: _softplus(r - f)),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("targets", [(1.0, 0.0), (0.8, 0.1)])
def test_a_loss_follows_its_formula(name, targets):
    real = torch.tensor([[2.0], [-0.5], [0.3], [1.5]])
    fake = torch.tensor([[-1.0], [0.7], [-2.5], [0.1]])
    discriminator, generator = FORMULAS[name]
    pairs = list(zip(real.flatten().tolist(), fake.flatten().tolist(), strict=True))
    loss, _ = LOSSES[name].discriminator(real, fake, *targets)
    assert loss.item() == pytest.approx(sum(discriminator(r, f, *targets) for r, f in pairs) / 4, rel=1e-5)
    assert LOSSES[name].generator(fake, real).item() == pytest.approx(sum(generator(*p) for p in pairs) / 4, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_discriminators_raise_real_and_lower_fake_logits_and_generators_raise_them(name):
    real = torch.zeros(5, 1, requires_grad=True)
    fake = torch.full((5, 1), 0.1, requires_grad=True)
    LOSSES[name].discriminator(real, fake, 1.0, 0.0)[0].backward()
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()
    fake.grad = None
    LOSSES[name].generator(fake, real.detach()).backward()
    assert (fake.grad < 0).all()


@pytest.mark.parametrize(("name", "middle"), [(n, 0.5 if n == "lsgan" else 0.0) for n in LOSSES])
def test_statistics_are_probabilities_and_shares(name, middle):
    real, fake = torch.tensor([3.0, -1.0, 2.0, 1.0]) + middle, torch.tensor([-2.0, -1.0]) + middle
    if LOSSES[name].paired:
        fake = fake.repeat(2)
    _, statistics = LOSSES[name].discriminator(real, fake, 1.0, 0.0)
    expected = [
        sum(1 / (1 + math.exp(-x)) for x in (3, -1, 2, 1)) / 4,
        sum(1 / (1 + math.exp(-x)) for x in (-2, -1)) / 2,
        0.75,
        1.0,
    ]
    assert statistics.tolist() == pytest.approx(expected, rel=1e-5)
    assert not statistics.requires_grad


def test_penalties_of_a_linear_critic_follow_from_its_gradient():
    critic = nn.Linear(3, 1).double()
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([[3.0, 0.0, 4.0]]))  # a gradient of norm 5 everywhere
    real, fake = torch.randn(6, 3).double(), torch.randn(6, 3).double()
    assert gradient_penalty(critic, real, fake).item() == pytest.approx(16)
    assert r1_penalty(critic, real).item() == pytest.approx(12.5)


def test_the_gradient_penalty_is_taken_between_the_samples():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.square().sum(1)

    gradient_penalty(critic, torch.zeros(1000, 2), torch.ones(1000, 2))
    (points,) = seen
    assert torch.equal(points[:, 0], points[:, 1])  # on the line from sample to sample
    assert 0 <= points.min() < 0.01 < 0.99 < points.max() <= 1
    assert points[:, 0].mean() == pytest.approx(0.5, abs=0.05)  # 5 standard errors


def test_a_constant_critic_has_a_finite_penalty_and_gradient():
    critic = nn.Linear(3, 1)
    nn.init.zeros_(critic.weight)
    penalty = gradient_penalty(critic, torch.randn(4, 3), torch.randn(4, 3))
    penalty.backward()
    assert penalty.item() == pytest.approx(1, abs=1e-5)
    assert critic.weight.grad.isfinite().all()


@pytest.mark.parametrize("penalty", [lambda d, x: gradient_penalty(d, x, x.flip(0)), r1_penalty])
def test_penalties_differentiate_through_fused_layers_as_through_torchs(penalty):
    """Double backward: the gradients of the penalty equal those through torch.nn's layers."""
    torch.manual_seed(0)
    fused = nn.Sequential(nn.Linear(5, 40), fnn.LeakyReLUDropout(0.2, 0.0), nn.Linear(40, 30), fnn.LeakyReLU(0.2))
    fused = nn.Sequential(fused, nn.Linear(30, 1)).double()
    plain = nn.Sequential(nn.Linear(5, 40), nn.LeakyReLU(0.2), nn.Linear(40, 30), nn.LeakyReLU(0.2))
    plain = nn.Sequential(plain, nn.Linear(30, 1)).double()
    plain.load_state_dict(fused.state_dict())
    x = torch.randn(16, 5).double()
    results = []
    for network in (fused, plain):
        torch.manual_seed(1)
        value = penalty(network, x)
        value.backward()
        # Biases do not change the input gradient: torch's layers give them a zero gradient, the fused ones None.
        results.append([value, *(torch.zeros_like(p) if p.grad is None else p.grad for p in network.parameters())])
    assert all(results[0][i].abs().max() > 1e-6 for i in (1, 3, 5))  # the weights' gradients
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_r1_with_dropout_matches_finite_differences_at_a_fixed_mask():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 32), fnn.LeakyReLUDropout(0.2, 0.5), nn.Linear(32, 1)).double()
    x = torch.randn(8, 4).double()

    def value() -> torch.Tensor:
        torch.manual_seed(7)  # the same mask each time
        return r1_penalty(network, x)

    value().backward()
    weight = network[2].weight
    gradient = weight.grad.clone()
    assert gradient.count_nonzero() > 8
    for i in (0, 5, 17):
        weight.data[0, i] += 1e-6
        above = value().item()
        weight.data[0, i] -= 2e-6
        below = value().item()
        weight.data[0, i] += 1e-6
        assert (above - below) / 2e-6 == pytest.approx(gradient[0, i].item(), rel=1e-6, abs=1e-9)
