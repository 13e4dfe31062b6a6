"""The heads against loops over the columns in float64, and their gradients."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fastgan.data.table.segments import Segments, choose
from fastgan.models.heads import column_heads, condition_loss

LAYOUTS = [Segments(2, (3, 1, 7), 2), Segments(0, (2,), 1), Segments(3, ()), Segments(1, (40, 2, 5), 3)]


def outputs(segments, n=64, scale=3.0, dtype=torch.float64):
    return scale * torch.randn(n, segments.width, dtype=dtype, generator=torch.Generator().manual_seed(0))


def vectors(x, segments):
    return torch.split(x[:, segments.scalars :], list(segments.widths), 1)


@pytest.mark.parametrize("segments", LAYOUTS)
@pytest.mark.parametrize("tau", [0.2, 1.0])
def test_heads_are_tanh_and_the_softmax_of_outputs_and_gumbel_noise(segments, tau):
    x = outputs(segments)
    y = column_heads(x, segments, tau, seed=5, offset=2)
    torch.testing.assert_close(y[:, : segments.scalars], x[:, : segments.scalars].tanh())
    # Equal outputs show the noise: its differences are tau times those of the logarithms.
    for given, made, plain in zip(
        vectors(x, segments),
        vectors(y, segments),
        vectors(column_heads(torch.zeros_like(x), segments, 1.0, seed=5, offset=2), segments),
        strict=True,
    ):
        torch.testing.assert_close(made, ((given + plain.log()) / tau).softmax(1), rtol=1e-9, atol=1e-12)


def test_the_largest_entry_is_a_draw_from_the_softmax():
    segments = Segments(1, (4, 2))
    x = torch.tensor([[0.3, 0.0, 1.0, 2.0, -1.0, 0.5, -0.5]]).expand(50_000, -1)
    codes = choose(column_heads(x, segments, seed=0), segments)
    for code, logits in zip(codes.T, vectors(x[:1], segments), strict=True):
        found = torch.bincount(code, minlength=logits.shape[1]) / len(code)
        torch.testing.assert_close(found, logits[0].softmax(0), atol=0.009, rtol=0)  # four standard errors


def test_the_noise_is_a_function_of_seed_and_offset():
    segments = LAYOUTS[0]
    x = outputs(segments)
    torch.manual_seed(1)
    first = column_heads(x, segments, seed=7, offset=3)
    state = torch.get_rng_state()
    assert torch.equal(column_heads(x, segments, seed=7, offset=3), first)
    assert torch.equal(torch.get_rng_state(), state)
    for seed, offset in ((7, 4), (8, 3)):
        assert not torch.equal(column_heads(x, segments, seed=seed, offset=offset), first)
    torch.manual_seed(1)
    from_default = column_heads(x, segments)
    torch.manual_seed(1)
    assert torch.equal(column_heads(x, segments), from_default)


@pytest.mark.parametrize("segments", LAYOUTS)
def test_heads_are_differentiable_twice(segments):
    x = outputs(segments, 2, 0.5).requires_grad_()

    def heads(x):
        return column_heads(x, segments, 0.7, seed=1)

    assert torch.autograd.gradcheck(heads, x)
    assert torch.autograd.gradgradcheck(heads, x)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e4])
def test_heads_are_finite_for_outputs_of_any_size(size):
    x = outputs(LAYOUTS[0], scale=size, dtype=torch.float32).requires_grad_()
    y = column_heads(x, LAYOUTS[0], seed=0)
    (gradient,) = torch.autograd.grad(y.square().sum(), x)
    assert y.isfinite().all()
    assert gradient.isfinite().all()
    torch.testing.assert_close(vectors(y, LAYOUTS[0])[2].sum(1), torch.ones(64))


@pytest.mark.parametrize("segments", [s for s in LAYOUTS if s.conditions])
def test_the_conditions_loss_is_the_cross_entropy_of_the_conditioned_vector(segments):
    x = outputs(segments).requires_grad_()
    conditions = torch.from_numpy(np.random.default_rng(0).integers(0, segments.condition_width, 64))
    loss = condition_loss(x, conditions, segments)
    expected = []
    for row, place in enumerate(conditions.tolist()):
        owner = int(segments.owner[place])
        logits = vectors(x[row : row + 1], segments)[owner]
        expected.append(F.cross_entropy(logits, torch.tensor([place - int(segments.starts[owner])])))
    torch.testing.assert_close(loss, torch.stack(expected).mean())
    (found,) = torch.autograd.grad(loss, x, retain_graph=True)
    (wanted,) = torch.autograd.grad(torch.stack(expected).mean(), x)
    torch.testing.assert_close(found, wanted)


def test_ties_go_to_an_entry_of_the_vector_itself():
    segments = Segments(0, (1, 3, 2))
    assert choose(torch.zeros(1, 6), segments).tolist() == [[0, 0, 0]]
    assert choose(torch.tensor([[-5.0, 0, 0, 1, 0, 9]]), segments).tolist() == [[0, 2, 1]]


@pytest.mark.parametrize("call", [column_heads, choose, lambda x, s: condition_loss(x, torch.zeros(2).long(), s)])
def test_outputs_of_another_width_are_refused(call):
    with pytest.raises(ValueError, match=r"of shape \[(N|...), 13\], got \[2, 9\]"):
        call(torch.zeros(2, 9), LAYOUTS[0])


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="expected tau above 0, got 0"):
        column_heads(torch.zeros(2, 13), LAYOUTS[0], 0)
