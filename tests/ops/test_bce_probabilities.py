"""Op bce, of probabilities: values, gradients and errors."""

import numpy as np
import pytest
import torch

import fastgan.nn as fnn
import reference
from fastgan import functional as FF

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
# One rounding to the dtype. In float32 the logarithms are right to 1.4e-7, and two products and a sum follow.
RELATIVE = {torch.float64: 2.0**-50, torch.float32: 5e-7, torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7}


def close(got, expected, relative, absolute=0.0):
    got = got.detach().cpu().double().numpy()
    np.testing.assert_allclose(got, expected, rtol=relative, atol=absolute, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 127, 128, 129, 4095, 20_000])
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("target", ["tensor", 1.0, 0.0, 0.75])
def test_values_and_gradients(device, dtype, size, reduction, target):
    p = torch.rand(size, device=device).clamp(0.01, 0.99).to(dtype).requires_grad_()
    target = torch.rand(size, device=device).to(dtype) if target == "tensor" else target
    weight = torch.rand(size, device=device)
    loss = FF.binary_cross_entropy(p, target, weight, reduction=reduction)
    grad = torch.randn_like(loss)
    loss.backward(grad)
    assert (loss.dtype, p.grad.dtype) == (dtype, dtype)
    terms = (a.cpu().double() for a in (p.detach(), torch.as_tensor(target, dtype=torch.float64), weight))
    expected, gradient = reference.reduced(*reference.bce(*terms), reduction)
    close(loss, expected, RELATIVE[dtype], 2.0**-24 if dtype == torch.float16 else 0.0)  # the ulp of denormals
    factor = grad.cpu().double().numpy()
    # The gradient is a difference of terms up to 100.
    absolute = 100 * RELATIVE[dtype] * np.abs(factor).max(initial=0)
    close(p.grad, gradient * factor, RELATIVE[dtype], absolute / (max(size, 1) if reduction == "mean" else 1))


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_accuracy_over_all_probabilities(device, target):
    """The probabilities include denormals and the last float32 before 1."""
    small = torch.arange(0, 0x3F800000, 4999, dtype=torch.int32).view(torch.float32)
    near_one = torch.arange(0x3F800000 - 50_000, 0x3F800001, dtype=torch.int32).view(torch.float32)
    p = torch.cat([small, near_one]).to(device).requires_grad_()
    loss = FF.binary_cross_entropy(p, target, reduction="none")
    loss.sum().backward()
    expected, gradient = reference.bce(p.detach().cpu().double(), target)
    close(loss, expected, 4e-7, 1e-44)
    most = np.finfo(np.float32).max  # 1 / p of the smallest denormals
    close(p.grad, np.clip(gradient, -most, most), 4e-7)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_certain_probabilities(device, dtype):
    p = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 1.0], device=device, dtype=dtype, requires_grad=True)
    target = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.5, 0.5], device=device, dtype=dtype)
    loss = FF.binary_cross_entropy(p, target, reduction="none")
    loss.backward(torch.ones_like(p))
    assert loss.tolist() == [0.0, 0.0, 100.0, 100.0, 50.0, 50.0]
    # Where a logarithm is clamped the loss is constant.
    assert p.grad.tolist() == [-1.0, 1.0, 0.0, 0.0, 0.5, -0.5]


@pytest.mark.parametrize("logit", [-80.0, -50.0, -20.0, 0.0, 2.0])
def test_a_very_wrong_answer_has_a_gradient(device, logit):
    x = torch.tensor([logit], device=device, requires_grad=True)
    FF.binary_cross_entropy(torch.sigmoid(x), 1.0).backward()
    # Expected is sigmoid(x) - 1. The error of the sigmoid is larger where 1 - sigmoid(x) is small.
    close(x.grad, [-1 / (1 + np.exp(logit))], 3e-6 if logit > 0 else 1e-6)


def test_torchs_gradient_of_a_very_wrong_answer_vanishes():
    """The docstring says so. If this fails, torch has changed and the docstring must, too."""
    x = torch.tensor([-50.0], requires_grad=True)
    torch.nn.functional.binary_cross_entropy(torch.sigmoid(x), torch.ones(1)).backward()
    assert x.grad.abs() < 1e-9


BAD = [float("nan"), -1e-6, 1.0001, float("inf")]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", [0, 5000, 99_999])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_outside_the_range_is_an_error(bad, place, reduction):
    p, target = torch.full((100_000,), 0.5), torch.full((100_000,), 0.5)
    p[place] = bad
    with pytest.raises(RuntimeError, match=r"fastgan::bce: expected input in \[0, 1\], got NaN or a value outside"):
        FF.binary_cross_entropy(p, target, reduction=reduction)
    with pytest.raises(RuntimeError, match=r"fastgan::bce: expected target in \[0, 1\], got NaN or a value outside"):
        FF.binary_cross_entropy(target, p, reduction=reduction)


@pytest.mark.parametrize("bad", BAD)
def test_a_number_outside_the_range_is_an_error(bad):
    with pytest.raises(RuntimeError, match=r"fastgan::bce: expected target in \[0, 1\], got "):
        FF.binary_cross_entropy(torch.rand(3), bad)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_outside_the_range_is_nan_on_cuda():
    p = torch.tensor([0.5, 1.5, -0.5, float("nan")], device="cuda", requires_grad=True)
    loss = FF.binary_cross_entropy(p, 1.0, reduction="none")
    loss.sum().backward()
    assert loss.isnan().tolist() == [False, True, True, True]
    assert p.grad.isnan().tolist() == [False, True, True, True]
    targets = torch.tensor([0.5, 1.5, -0.5, float("nan")], device="cuda")
    q = torch.full((4,), 0.5, device="cuda", requires_grad=True)
    loss = FF.binary_cross_entropy(q, targets, reduction="none")
    loss.sum().backward()
    assert loss.isnan().tolist() == q.grad.isnan().tolist() == [False, True, True, True]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("target", ["tensor", 0.9])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_and_double_gradients(device, reduction, target, weighted):
    def drawn(*shape):
        return (torch.rand(shape, dtype=torch.float64, device=device) * 0.8 + 0.1).requires_grad_()

    inputs = {"input": drawn(5, 3)} | ({"target": drawn(5, 3)} if target == "tensor" else {})
    inputs |= {"weight": drawn(3)} if weighted else {}

    def run(*tensors):
        terms = {"target": target, **dict(zip(inputs, tensors, strict=True))}
        return FF.binary_cross_entropy(**terms, reduction=reduction)

    assert torch.autograd.gradcheck(run, tuple(inputs.values()))
    assert torch.autograd.gradgradcheck(run, tuple(inputs.values()))


def test_second_derivatives_of_tiny_probabilities_are_not_nan(device):
    p = torch.tensor([1e-40], device=device, requires_grad=True)
    (by_p,) = torch.autograd.grad(FF.binary_cross_entropy(p, 0.0), p, create_graph=True)
    (second,) = torch.autograd.grad(by_p, p)
    assert (by_p.item(), second.item()) == (1.0, 1.0)


def test_gradients_are_the_same_where_denormals_count_as_zero():
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormals")
    try:
        p = torch.zeros(3, requires_grad=True)
        loss = FF.binary_cross_entropy(p, torch.tensor([0.0, 1.0, 0.5]), reduction="sum")
        (by_p,) = torch.autograd.grad(loss, p, create_graph=True)
        (second,) = torch.autograd.grad(by_p.sum(), p)
        assert loss.item() == 150.0
        assert by_p.tolist() == [1.0, 0.0, 0.5]
        assert second.tolist() == [1.0, 0.0, 0.5]
    finally:
        torch.set_flush_denormal(False)


def test_derivatives_by_the_target_and_second_ones_are_finite_at_certain_probabilities(device):
    p = torch.tensor([0.0, 1.0, 0.0, 1.0], device=device, requires_grad=True)
    target = torch.tensor([1.0, 0.0, 0.0, 1.0], device=device, requires_grad=True)
    loss = FF.binary_cross_entropy(p, target, reduction="sum")
    by_p, by_target = torch.autograd.grad(loss, (p, target), create_graph=True)
    (second,) = torch.autograd.grad(by_p.sum(), p)
    assert by_target.tolist() == [100.0, -100.0, 100.0, -100.0]
    assert second.tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("target", ["tensor", None])
def test_opcheck(device, dtype, target):
    ops = torch.ops.fastgan
    p = torch.rand(3, 5, device=device).to(dtype).requires_grad_()
    weight = torch.rand(3, 5, device=device, dtype=torch.promote_types(dtype, torch.float32), requires_grad=True)
    terms = (torch.rand_like(p) if target == "tensor" else None, 0.5, weight)
    torch.library.opcheck(ops.bce.default, (p, *terms))
    torch.library.opcheck(ops.bce_reduced.default, (p, *terms, True))
    for grad in (torch.randn((), device=device, dtype=dtype), torch.randn_like(p)):
        torch.library.opcheck(ops.bce_backward.default, (grad.requires_grad_(), p, *terms, False))


def test_the_number_of_threads_changes_no_bit():
    p, target = torch.rand(300_001), torch.rand(300_001)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        leaf = p.clone().requires_grad_()
        loss = FF.binary_cross_entropy(leaf, target)
        loss.backward()
        results.append((loss.detach(), leaf.grad))
    assert all(torch.equal(a, b) for result in results[1:] for a, b in zip(result, results[0], strict=True))


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_autocast_is_allowed_and_computes_in_float32(device, reduction):
    p, target = torch.rand(9, device=device), torch.rand(9, device=device)
    with torch.autocast(device, dtype=torch.bfloat16):
        got = FF.binary_cross_entropy(p.bfloat16(), target, reduction=reduction)
    assert got.dtype == torch.float32
    assert torch.equal(got, FF.binary_cross_entropy(p.bfloat16().float(), target, reduction=reduction))


def test_compiles_as_one_graph(device):
    compiled = torch.compile(FF.binary_cross_entropy, fullgraph=True, backend="aot_eager")
    p, target = torch.rand(9, device=device, requires_grad=True), torch.rand(9, device=device)
    torch.testing.assert_close(compiled(p, target), FF.binary_cross_entropy(p, target))


@pytest.mark.parametrize("target", ["tensor", 1.0])
def test_torch_func_transforms(device, target):
    p = torch.tensor([0.0, 1e-30, 0.3, 0.7, 1.0], device=device)
    t = torch.rand(5, device=device) if target == "tensor" else target
    leaf = p.clone().requires_grad_()
    loss = FF.binary_cross_entropy(leaf, t)
    loss.backward()
    grad, value = torch.func.grad_and_value(lambda p: FF.binary_cross_entropy(p, t))(p)
    torch.testing.assert_close(value, loss.detach())
    torch.testing.assert_close(grad, leaf.grad)


def test_the_module_acts_as_torchs(device):
    settings = {"weight": torch.rand(4, device=device), "reduction": "sum"}
    ours, plain = fnn.BCELoss(**settings), torch.nn.BCELoss(**settings)
    assert isinstance(ours, torch.nn.BCELoss)
    p, target = torch.rand(3, 4, device=device), torch.rand(3, 4, device=device)
    torch.testing.assert_close(ours(p, target), plain(p, target))
    torch.testing.assert_close(ours(p, 1.0), plain(p, torch.ones_like(p)))


def test_bad_input_is_named():
    p = torch.rand(8, 1)
    with pytest.raises(ValueError, match=r"binary_cross_entropy: expected target of shape \[8, 1\].*got \[8\]"):
        FF.binary_cross_entropy(p, torch.rand(8))
    with pytest.raises(RuntimeError, match="fastgan::bce: expected target of dtype Float, got Double"):
        FF.binary_cross_entropy(p, p.double())
    with pytest.raises(
        TypeError, match=r"binary_cross_entropy: expected input of dtype float32.*got torch\.int64; .*swapped"
    ):
        FF.binary_cross_entropy(p.long(), p)
    with pytest.raises(TypeError, match=r"fastgan::bce: expected input of dtype float32.*got Long"):
        torch.ops.fastgan.bce(p.long(), None, 1.0, None)
    with pytest.raises(ValueError, match="bad is not a valid value for reduction"):
        FF.binary_cross_entropy(p, 1.0, reduction="bad")


def test_errors_have_torchs_words():
    p = torch.rand(8, 1)
    for input, target, words in (
        (p, torch.rand(8), r"a target size \(.*\) that is different to the input size \(.*\) is deprecated"),
        (p + 2, p, "all elements of input should be between 0 and 1"),
        (p, p - 2, "all elements of target should be between 0 and 1"),
        (p, p.long(), "Found dtype Long but expected Float"),
    ):
        with pytest.raises((ValueError, RuntimeError), match=words):
            torch.nn.BCELoss()(input, target)
        with pytest.raises((ValueError, RuntimeError), match=f"expected (input|target) .*{words}"):
            fnn.BCELoss()(input, target)


@pytest.mark.parametrize("bad", ["input", "target"])
def test_the_gradient_of_nan_is_nan_where_the_op_is_called_alone(bad):
    p, target = torch.full((20,), 0.5), torch.ones(20)
    (p if bad == "input" else target)[3] = float("nan")
    gradient = torch.ops.fastgan.bce_backward(torch.ones(()), p, target, 0.0, None, False)
    assert gradient.isnan().nonzero().tolist() == [[3]]
