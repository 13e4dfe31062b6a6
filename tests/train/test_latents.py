"""Paths between latent vectors."""

import pytest
import torch

from fastgan.train.latents import great_circle


def test_points_between_latents_are_as_long_as_these():
    first, last = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))
    last = last / last.norm() * first.norm()
    between = [great_circle(first, last, share) for share in (0.0, 0.3, 1.0)]
    assert torch.allclose(between[0], first)
    assert torch.allclose(between[2], last, atol=1e-6)
    assert between[1].norm() == pytest.approx(float(first.norm()), rel=1e-5)


def test_equal_and_opposite_vectors_have_points_between_them():
    x = torch.tensor([1.0, 2.0, -1.0])
    assert torch.allclose(great_circle(x, x, 0.4), x)
    assert bool(great_circle(x, -x, 0.5).isfinite().all())
