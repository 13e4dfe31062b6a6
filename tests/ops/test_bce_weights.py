"""Weights of both cross-entropies: in the arithmetic's dtype, as torch's, and with gradients, which torch lacks."""

import warnings

import pytest
import torch
from kernel_devices import set_kernel_devices

from fastgan import functional as FF

F = torch.nn.functional
HALVES = [torch.bfloat16, torch.float16]


def formula(x, t, weight, pos_weight, reduction):
    loss = weight * (pos_weight * t * F.softplus(-x) + (1 - t) * F.softplus(x))
    return loss if reduction == "none" else getattr(loss, reduction)()


def test_a_weight_is_not_rounded_to_the_logits_dtype_under_autocast(device):
    x, weight = torch.zeros(4, device=device, dtype=torch.bfloat16), torch.tensor([1.001], device=device)
    with torch.autocast(device, dtype=torch.bfloat16):
        got = FF.binary_cross_entropy_with_logits(x, 1.0, weight)
        expected = F.binary_cross_entropy_with_logits(x, torch.ones_like(x), weight)
    torch.testing.assert_close(got, expected)
    assert f"{got:.4f}" == "0.6938"  # 0.6931 with a weight of 1


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("argument", ["weight", "pos_weight"])
@pytest.mark.parametrize("size", [1, 129, 4095])
def test_weights_of_halves_are_float32(device, dtype, argument, size):
    """Their products are rounded once: float16 overflows at 65,504, bfloat16 has no 1.001."""
    x, target = torch.randn(size, device=device).to(dtype), torch.rand(size, device=device).to(dtype)
    weights = {argument: torch.tensor([70_001.0], device=device)}
    got = FF.binary_cross_entropy_with_logits(x, target, reduction="none", **weights)
    wide = FF.binary_cross_entropy_with_logits(x.float(), target.float(), reduction="none", **weights)
    assert torch.equal(got, wide.to(dtype))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_a_weight_that_float16_cannot_hold_leaves_the_gradient_finite(device, dtype):
    x = torch.zeros(9, device=device, dtype=dtype, requires_grad=True)
    pos_weight = torch.tensor([1e5], device=device)
    FF.binary_cross_entropy_with_logits(x, 1.0, pos_weight=pos_weight).backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, -0.5e5 / 9))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, *HALVES], ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradients_of_weights_and_target_follow_the_formula(device, dtype, reduction):
    wide = torch.promote_types(dtype, torch.float32)
    x, t = torch.randn(6, 4, device=device).to(dtype), torch.rand(6, 4, device=device).to(dtype)
    weights = [torch.rand(4, device=device, dtype=wide) for _ in range(2)]

    def gradients(loss, x, t, *weights):
        leaves = [tensor.clone().requires_grad_() for tensor in (x, t, *weights)]
        x, t, weight, pos_weight = leaves
        value = loss(x, t, weight, pos_weight=pos_weight, reduction=reduction)
        first = torch.autograd.grad(value.sum(), leaves, create_graph=True)
        second = torch.autograd.grad(sum(g.sum() for g in first), leaves)
        return [*first, *second]

    got = gradients(FF.binary_cross_entropy_with_logits, x, t, *weights)
    expected = gradients(formula, *(a.double() for a in (x, t, *weights)))
    for ours, plain, leaf in zip(got, expected, 2 * [x, t, *weights], strict=True):
        assert (ours.dtype, ours.shape) == (leaf.dtype, leaf.shape)
        # Sums of 6 rows in float32, and up to four terms of about 1 that are each rounded to the leaf's dtype.
        eps = torch.finfo(ours.dtype).eps
        tolerance = {"rtol": 2 * eps, "atol": 4 * eps if leaf.dtype in HALVES else 64 * eps}
        torch.testing.assert_close(ours.double(), plain, **tolerance)


def test_the_gradient_by_pos_weight_is_zero_at_an_infinite_logit_with_the_right_target(device):
    inf = float("inf")
    x, t = torch.tensor([inf, -inf], device=device), torch.tensor([1.0, 0.0], device=device)
    pos_weight = torch.ones(2, device=device, requires_grad=True)
    FF.binary_cross_entropy_with_logits(x, t, pos_weight=pos_weight).backward()
    assert pos_weight.grad.tolist() == [0.0, 0.0]


def test_probabilities_have_a_gradient_by_weight(device):
    p, t = torch.rand(6, 4, device=device).half(), torch.rand(6, 4, device=device).half()
    weight = torch.rand(4, device=device, requires_grad=True)
    (got,) = torch.autograd.grad(FF.binary_cross_entropy(p, t, weight), weight)
    each = F.binary_cross_entropy(p.float(), t.float(), reduction="none")
    torch.testing.assert_close(got, each.sum(0) / 24)


@pytest.mark.parametrize("loss", [FF.binary_cross_entropy, FF.binary_cross_entropy_with_logits])
def test_weights_with_gradients_compile(device, loss):
    p, t = torch.rand(6, 4, device=device), torch.rand(6, 4, device=device)
    weight = torch.rand(4, device=device, requires_grad=True)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    (got,) = torch.autograd.grad(compiled(p, t, weight), weight)
    (expected,) = torch.autograd.grad(loss(p, t, weight), weight)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_composed_weights_are_float32_too(monkeypatch, dtype):
    x, t = torch.randn(9).to(dtype), torch.rand(9).to(dtype)
    weights = {"weight": torch.tensor([1.001]), "pos_weight": torch.tensor([70_001.0], requires_grad=True)}
    got = FF.binary_cross_entropy_with_logits(x, t, reduction="none", **weights)
    set_kernel_devices(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = FF.binary_cross_entropy_with_logits(x, t, reduction="none", **weights)
    torch.testing.assert_close(alone, got)


def test_meta_tensors_take_float32_weights():
    x = torch.empty(3, 4, device="meta", dtype=torch.float16, requires_grad=True)
    weight = torch.empty(4, device="meta", requires_grad=True)
    loss = FF.binary_cross_entropy_with_logits(x, 1.0, weight)
    grads = torch.autograd.grad(loss, (x, weight))
    assert [(g.shape, g.dtype) for g in grads] == [(x.shape, x.dtype), (weight.shape, weight.dtype)]


def test_a_weight_of_the_ops_has_the_arithmetics_dtype():
    x = torch.zeros(3, dtype=torch.float16)
    with pytest.raises(RuntimeError, match="expected weight of dtype Float, got Half"):
        torch.ops.fastgan.bce_with_logits(x, None, 1.0, x, None)
