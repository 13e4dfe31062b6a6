"""Op bce_with_logits: values and gradients against the float64 reference."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import reference
from fastgan import functional as FF

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SIZES = [0, 1, 7, 8, 9, 127, 128, 129, 4095, 40_000]
# A loss is rounded to its dtype by half an ulp. The arithmetic adds about three ulps in float32 and two in float64.
RELATIVE = {torch.float64: 2.0**-51, torch.float32: 6e-7, torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7}
# Gradients are differences of numbers up to 1 (or pos_weight), so errors are absolute. float16 may be denormal.
ABSOLUTE = {torch.float64: 2.0**-51, torch.float32: 3e-7, torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}


def close(got, expected, relative, absolute):
    limit = torch.finfo(got.dtype).max
    expected = np.where(np.abs(expected) > limit, np.copysign(np.inf, expected), expected)  # such as a sum in float16
    got = got.detach().cpu().double().numpy()
    assert got.shape == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=relative, atol=absolute, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("target", ["tensor", 1.0, 0.0, 0.9])
def test_values_and_gradients(device, dtype, size, reduction, target):
    x = (torch.randn(size, device=device) * 5).to(dtype).requires_grad_()
    if target == "tensor":
        target = torch.rand(size, device=device).to(dtype)
    loss = FF.binary_cross_entropy_with_logits(x, target, reduction=reduction)
    grad = torch.randn_like(loss)
    loss.backward(grad)
    terms = (x.detach().cpu().double(), torch.as_tensor(target, dtype=torch.float64).cpu())
    expected, gradient = reference.reduced(*reference.bce_with_logits(*terms), reduction)
    assert loss.dtype == dtype
    assert x.grad.dtype == dtype
    assert loss.shape == (x.shape if reduction == "none" else ())
    close(loss, expected, RELATIVE[dtype], 1e-7 if dtype == torch.float16 else 1e-30)
    scale = abs(grad.cpu().double().numpy())
    close(x.grad, gradient * grad.cpu().double().numpy(), RELATIVE[dtype], ABSOLUTE[dtype] * scale.max(initial=0))


@pytest.mark.parametrize("target", [0.0, 1.0, 0.1, 0.9, 0.5, "drawn"])
def test_accuracy_over_all_logits(device, target):
    """The docstring's bounds hold for float32 logits in [-100, 100]: evenly spaced ones, and tiny ones."""
    x = torch.cat([torch.linspace(-100, 100, 800_001), torch.logspace(-30, 0, 50_000), -torch.logspace(-30, 0, 50_000)])
    x = x.to(device).requires_grad_()
    exact = target in (0.0, 1.0)
    t = torch.rand_like(x) if target == "drawn" else target
    loss = FF.binary_cross_entropy_with_logits(x, t, reduction="none")
    loss.sum().backward()
    # The kernel takes a target that is a number in float32.
    t = t.cpu().double() if target == "drawn" else float(np.float32(target))
    expected, gradient = reference.bce_with_logits(x.detach().cpu().double(), t)
    # At targets 0 and 1 the gradient may be tiny, and its error is relative.
    close(loss, expected, 4e-7 if exact else 6e-7, 1e-30)
    close(x.grad, gradient, 4e-7 if exact else 0, 1e-30 if exact else 3e-7)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_limits_at_infinite_logits(device, dtype):
    inf = float("inf")
    x = torch.tensor([inf, -inf, inf, -inf, inf, -inf], device=device, dtype=dtype, requires_grad=True)
    target = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.5, 0.5], device=device, dtype=dtype)
    loss = FF.binary_cross_entropy_with_logits(x, target, reduction="none")
    loss.backward(torch.ones_like(x))
    assert loss.tolist() == [0.0, 0.0, inf, inf, inf, inf]
    assert x.grad.tolist() == [0.0, 0.0, 1.0, -1.0, 0.5, -0.5]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("bad", ["input", "target"])
def test_nan_stays_nan(device, dtype, bad):
    x, target = torch.zeros(20, device=device, dtype=dtype), torch.ones(20, device=device, dtype=dtype)
    (x if bad == "input" else target)[3] = float("nan")
    x.requires_grad_()
    loss = FF.binary_cross_entropy_with_logits(x, target, reduction="none")
    loss.sum().backward()
    assert loss.isnan().nonzero().tolist() == [[3]]
    assert x.grad.isnan().nonzero().tolist() == [[3]]
    assert FF.binary_cross_entropy_with_logits(x, target).isnan()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_an_empty_input_gives_what_torch_gives(device, reduction):
    x = torch.empty(0, 3, device=device, requires_grad=True)
    loss = FF.binary_cross_entropy_with_logits(x, 1.0, reduction=reduction)
    plain = torch.nn.functional.binary_cross_entropy_with_logits(x, torch.ones_like(x), reduction=reduction)
    loss.backward()
    torch.testing.assert_close(loss, plain, equal_nan=True)
    assert x.grad.shape == (0, 3)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(4, 6, 5), (6, 5), (5,), (1,), (), (4, 1, 5), (6, 1)])
@pytest.mark.parametrize("which", ["weight", "pos_weight", "both"])
@pytest.mark.parametrize("target", ["tensor", 0.75])
def test_weights_broadcast(device, dtype, shape, which, target):
    x = (torch.randn(4, 6, 5, device=device) * 3).to(dtype).requires_grad_()
    target = torch.rand(4, 6, 5, device=device).to(dtype) if target == "tensor" else target
    weights = {
        name: torch.rand(shape, device=device) * 3 for name in ("weight", "pos_weight") if which in (name, "both")
    }
    terms = (x.detach().cpu().double(), torch.as_tensor(target, dtype=torch.float64).cpu())
    known = {name: weight.cpu().double() for name, weight in weights.items()}
    for reduction in ("mean", "sum", "none"):
        x.grad = None
        loss = FF.binary_cross_entropy_with_logits(x, target, reduction=reduction, **weights)
        loss.backward(torch.ones_like(loss))
        expected, gradient = reference.reduced(*reference.bce_with_logits(*terms, **known), reduction)
        # The products with weights of up to 3 add two roundings.
        close(loss, expected, 2 * RELATIVE[dtype], 0)
        close(x.grad, gradient, 2 * RELATIVE[dtype], 9 * ABSOLUTE[dtype])


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("layout", ["channels_last", "transposed", "sliced", "expanded"])
@pytest.mark.parametrize("of", ["input", "target", "both"])
def test_every_layout(device, reduction, layout, of):
    def laid_out(dense):
        if layout == "channels_last":
            return dense.contiguous(memory_format=torch.channels_last)
        if layout == "transposed":
            return dense.transpose(1, 3).contiguous().transpose(1, 3)
        if layout == "expanded":
            return dense[:, :1].expand_as(dense)
        return torch.cat([dense, dense], 3)[..., :7]

    x, target = torch.randn(3, 4, 5, 7, device=device), torch.rand(3, 4, 5, 7, device=device)
    x = laid_out(x) if of != "target" else x
    target = laid_out(target) if of != "input" else target
    x.requires_grad_()
    loss = FF.binary_cross_entropy_with_logits(x, target, reduction=reduction)
    grad = torch.randn_like(loss)
    (gradient,) = torch.autograd.grad(loss, x, grad)
    if reduction == "none" and layout in ("channels_last", "transposed"):
        assert loss.stride() == x.stride()
    terms = (x.detach().cpu().double(), target.cpu().double())
    expected, by_x = reference.reduced(*reference.bce_with_logits(*terms), reduction)
    close(loss, expected, RELATIVE[torch.float32], 0)
    close(gradient, by_x * grad.cpu().double().numpy(), 6e-7, 3e-6)


def test_the_number_of_threads_changes_no_bit():
    x, target = torch.randn(300_001), torch.rand(300_001)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        leaf = x.clone().requires_grad_()
        loss = FF.binary_cross_entropy_with_logits(leaf, target, reduction="sum")
        loss.backward()
        results.append((loss.detach(), leaf.grad))
    for loss, grad in results[1:]:
        assert torch.equal(loss, results[0][0])
        assert torch.equal(grad, results[0][1])


RUN = """
import sys, torch
from fastgan import build_info, functional as FF
assert build_info()["cpu_capability"] == sys.argv[1]
torch.manual_seed(0)
results = []
for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
    x = (torch.randn(4095) * 8).to(dtype).requires_grad_()
    target = torch.rand(4095).to(dtype)
    for reduction in ("none", "mean"):
        loss = FF.binary_cross_entropy_with_logits(x, target, reduction=reduction)
        results += [loss.detach(), *torch.autograd.grad(loss.sum(), x)]
torch.save(results, sys.argv[2])
"""


def test_every_instruction_set_gives_the_same(tmp_path):
    """Results differ by at most 2 eps of the largest term: without fused multiply-add they are rounded differently."""
    results = {}
    for capability in ("avx512", "avx2", "default"):
        path = tmp_path / f"{capability}.pt"
        run = subprocess.run(
            [sys.executable, "-c", RUN, capability, str(path)],
            env={**os.environ, "FASTGAN_CPU_CAPABILITY": capability},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        if "which this processor has" in run.stderr:
            continue
        assert run.returncode == 0, run.stderr
        results[capability] = torch.load(path)
    for capability in results.keys() - {"default"}:
        for got, expected in zip(results[capability], results["default"], strict=True):
            eps = torch.finfo(got.dtype).eps
            assert (got - expected).abs().max() <= 2 * eps * max(1.0, expected.abs().max().item())
