"""Op bias_act_dropout: values and gradients against the float64 reference."""

import itertools

import numpy as np
import pytest
import torch

import reference
from fastgan import functional as FF

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SIZES = [0, 1, 7, 8, 9, 127, 128, 129, 4095, 40000]
# The factor gain * slope * scale is rounded once to the type of the arithmetic, and the product once more. float16 and
# bfloat16 compute in float32 and are rounded once to their own type.
RELATIVE = {
    torch.float64: 2.0**-51,
    torch.float32: 2.0**-22,
    torch.float16: 2.0**-10,
    torch.bfloat16: 2.0**-7,
}
DENORMAL = {torch.float16: 2.0**-24, torch.bfloat16: 1e-40, torch.float32: 1e-44, torch.float64: 0.0}


def close(got, expected, dtype, terms=1):
    """Compare; `terms` is the number of roundings as large as that of the greatest addend, such as a bias."""
    expected = np.asarray(expected, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        allowed = terms * RELATIVE[dtype] * np.maximum(np.abs(expected), terms - 1) + DENORMAL[dtype]
    got = got.detach().cpu().double().numpy()
    assert got.shape == expected.shape
    same = (got == expected) | (np.isnan(got) & np.isnan(expected)) | (np.abs(got - expected) <= allowed)
    assert same.all(), f"{(~same).sum()} values differ, such as {got[~same][:3]} for {expected[~same][:3]}"


def tensor(shape, dtype, device, requires_grad=True):
    return torch.randn(shape, device=device).to(dtype).requires_grad_(requires_grad)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("slope", "p"), [(0.2, 0.3), (0.2, 0.0), (1.0, 0.5), (0.0, 0.1), (-0.5, 0.9), (1.5, 0.3)])
def test_values_and_gradients(device, dtype, size, slope, p):
    x = tensor(size, dtype, device)
    grad = tensor(size, dtype, device, False)
    y = FF.leaky_relu_dropout(x, slope, p, seed=11, offset=3)
    y.backward(grad)
    kept = reference.keep((size,), (1,), p, 11, 3)
    expected, factor = reference.bias_act_dropout(x.detach().cpu().double(), kept, p, slope)
    assert y.dtype == dtype
    assert x.grad.dtype == dtype
    close(y, expected, dtype)
    close(x.grad, factor * grad.cpu().double().numpy(), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shift", [0, 1])
def test_large_tensors_with_stores_that_bypass_the_caches(device, dtype, shift):
    size = (1 << 23) // dtype.itemsize + 13
    x = tensor(size, dtype, device, False)[shift:].requires_grad_()
    grad = tensor(size, dtype, device, False)[shift:]
    y = FF.leaky_relu_dropout(x, 0.2, 0.3, seed=11)
    y.backward(grad)
    kept = reference.keep((size - shift,), (1,), 0.3, 11, 0)
    expected, factor = reference.bias_act_dropout(x.detach().cpu().double(), kept, 0.3, 0.2)
    close(y, expected, dtype)
    close(x.grad, factor * grad.cpu().double().numpy(), dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("channel_dim", [1, 0, 2, -1])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "sliced", "transposed"])
@pytest.mark.parametrize("feature", [False, True])
def test_every_stage_in_every_layout(device, dtype, channel_dim, layout, feature):
    x = torch.randn(5, 6, 7, 9).to(device, dtype)  # the same values on every device
    if layout == "channels_last":
        x = x.contiguous(memory_format=torch.channels_last)
    elif layout == "sliced":
        x = torch.randn(5, 6, 7, 12).to(device, dtype)[..., 1:10]
    elif layout == "transposed":
        x = x.permute(3, 1, 0, 2)
    x.requires_grad_()
    bias = torch.randn(x.shape[channel_dim]).to(device).requires_grad_()
    settings = {"bias": bias, "channel_dim": channel_dim, "gain": 1.3, "clamp": 0.8}
    y = FF.leaky_relu_dropout(x, 0.2, 0.4, feature=feature, seed=5, **settings)
    grad = torch.randn_like(y)
    y.backward(grad)
    if layout != "sliced":
        assert y.stride() == x.stride()
    kept = reference.keep(tuple(x.shape), y.stride(), 0.4, 5, 0, feature)
    settings["bias"] = bias.detach().cpu()
    expected, factor = reference.bias_act_dropout(x.detach().cpu().double(), kept, 0.4, 0.2, **settings)
    grad_input = factor * grad.cpu().double().numpy()
    # One more addition and product, of terms up to about 4. An element within a rounding error of the clamp or of zero
    # could fall on the other side of it; with these seeds none does.
    close(y, expected, dtype, terms=5)
    close(x.grad, grad_input, dtype)
    others = tuple(dim for dim in range(4) if dim != channel_dim % 4)
    tolerance = {torch.float16: 2e-2, torch.bfloat16: 2e-1}.get(dtype, 1e-4)  # sums of rounded gradients
    np.testing.assert_allclose(bias.grad.cpu().numpy(), grad_input.sum(others), atol=tolerance, rtol=tolerance)


def test_a_gradient_with_other_strides_of_a_single_channel_is_not_copied():
    x = torch.randn(4, 1, 3, 3, requires_grad=True)
    y = FF.leaky_relu(x, 0.2)
    grad = torch.randn(4, 1, 3, 3).as_strided((4, 1, 3, 3), (9, 1, 3, 1))  # channels_last, in the same order
    with torch.profiler.profile() as profile:
        y.backward(grad)
    assert not [event.key for event in profile.key_averages() if "copy" in event.key]
    assert torch.equal(x.grad, torch.where(x > 0, grad, 0.2 * grad))


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "sliced"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_in_place_is_the_same(device, dtype, layout):
    base = torch.randn(4, 5, 6, 8, device=device, dtype=dtype)
    if layout == "channels_last":
        base = base.contiguous(memory_format=torch.channels_last)
    results = []
    for inplace in (False, True):
        leaf = base.clone().requires_grad_()
        x = leaf * 1
        if layout == "sliced":
            x = x[..., 1:6]
        version = x._version
        y = FF.leaky_relu_dropout(x, 0.2, 0.3, inplace=inplace, seed=2)
        assert (y is x) == inplace
        assert (x._version > version) == inplace
        (y * y).sum().backward()
        results.append((y.detach().clone(), leaf.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_edges_of_the_activation(device):
    inf, nan = float("inf"), float("nan")
    x = torch.tensor([0.0, -0.0, nan, inf, -inf, 1.0, -1.0], device=device, requires_grad=True)
    y = FF.leaky_relu(x, 0.25)
    y.backward(torch.ones_like(x))
    assert y.tolist()[3:] == [inf, -inf, 1.0, -0.25]
    assert y[2].isnan()
    assert x.grad.tolist() == [0.25, 0.25, 0.25, 1.0, 0.25, 1.0, 0.25]
    relu = FF.leaky_relu(x, 0.0)
    assert relu[[0, 1, 3, 4, 5, 6]].tolist() == [0.0, 0.0, inf, 0.0, 1.0, 0.0]
    assert relu[2].isnan()


def test_a_dropped_element_and_its_gradient_are_exactly_zero(device):
    x = torch.full((1000,), float("inf"), device=device, requires_grad=True)
    y = FF.dropout(x, 0.5, seed=1)
    y.backward(torch.full_like(y, float("nan")))
    assert ((y == 0) | y.isinf()).all()
    dropped = y == 0
    assert 0 < dropped.sum() < 1000
    assert (x.grad[dropped] == 0).all()
    assert x.grad[~dropped].isnan().all()


def test_p_one_drops_all(device):
    x = torch.full((100,), float("nan"), device=device, requires_grad=True)
    y = FF.dropout(x, 1.0)
    y.backward(torch.full_like(y, float("inf")))
    assert y.tolist() == [0.0] * 100
    assert x.grad.tolist() == [0.0] * 100


def test_identity_returns_its_input(device):
    x = torch.randn(8, device=device)
    assert FF.dropout(x, 0.5, training=False) is x
    assert FF.dropout(x, 0.0) is x
    assert FF.leaky_relu(x, 1.0) is x
    assert FF.leaky_relu_dropout(x, 1.0, 0.5, training=False) is x


def test_the_number_of_threads_changes_no_bit():
    x = torch.randn(300_001)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        leaf = x.clone().requires_grad_()
        y = FF.leaky_relu_dropout(leaf, 0.2, 0.3, seed=9)
        y.backward(x)
        results.append((y.detach(), leaf.grad))
    for y, grad in results[1:]:
        assert torch.equal(y, results[0][0])
        assert torch.equal(grad, results[0][1])


STAGES = list(itertools.product([1.0, 0.2], [0.0, 0.4], [False, True], [None, 0.9], [False, True], [False, True]))


@pytest.mark.parametrize(("slope", "p", "with_bias", "clamp", "feature", "inplace"), STAGES)
def test_gradients_and_double_gradients(device, slope, p, with_bias, clamp, feature, inplace):
    x = torch.randn(3, 4, 5, dtype=torch.float64, device=device, requires_grad=True)
    inputs = (x, torch.randn(4, dtype=torch.float64, device=device, requires_grad=True)) if with_bias else (x,)

    def run(x, bias=None):
        return FF.leaky_relu_dropout(
            x * 1.5, slope, p, inplace=inplace, bias=bias, gain=1.2, clamp=clamp, feature=feature, seed=4
        )

    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


def test_a_gradient_penalty_through_the_layer_matches_plain_torch(device):
    torch.manual_seed(2)
    x = torch.randn(16, 8, dtype=torch.float64, device=device, requires_grad=True)
    w = torch.randn(8, 8, dtype=torch.float64, device=device, requires_grad=True)
    kept = torch.tensor(reference.keep((16, 8), (8, 1), 0.5, 3, 0), device=device)
    penalties = []
    for fused in (True, False):
        hidden = x @ w
        if fused:
            hidden = FF.leaky_relu_dropout(hidden, 0.2, 0.5, seed=3)
        else:
            hidden = torch.where(kept, torch.nn.functional.leaky_relu(hidden, 0.2) * 2, 0.0)
        (grad,) = torch.autograd.grad((hidden**2).sum(), x, create_graph=True)
        penalty = ((grad.norm(dim=1) - 1) ** 2).mean()
        penalties.append((penalty, *torch.autograd.grad(penalty, (x, w))))
    for fused, plain in zip(*penalties, strict=True):
        torch.testing.assert_close(fused, plain)


def test_bytes_saved_for_the_backward():
    x = torch.randn(1 << 16, requires_grad=True)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        FF.leaky_relu_dropout(x, 0.2, 0.3)
    assert sum(t.numel() * t.element_size() for t in saved) / x.numel() == 0.25


def test_no_state_without_a_gradient():
    x = torch.randn(64)
    arguments = (None, 1, 0.2, 1.0, None, 0.3, False, None, 0, None, False)
    assert torch.ops.fastgan.bias_act_dropout(x, *arguments)[1].numel() == 0
    with torch.no_grad():
        x.requires_grad_()
        assert torch.ops.fastgan.bias_act_dropout(x, *arguments)[1].numel() == 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_opcheck(device, dtype, p):
    x = torch.randn(3, 5, 4, device=device).to(dtype).requires_grad_()
    bias = torch.randn(5, device=device, requires_grad=True)
    arguments = (bias, 1, 0.2, 1.5, None, p, False, 7, 0, None, False)
    torch.library.opcheck(torch.ops.fastgan.bias_act_dropout.default, (x, *arguments))
    torch.library.opcheck(torch.ops.fastgan.bias_act_dropout_.default, ((x * 1).detach(), *arguments))
    _, state = torch.ops.fastgan.bias_act_dropout(x, *arguments)
    backward = (x.detach().clone().requires_grad_(), state, x.stride(), 0.2, 1.5, p > 0, True)
    torch.library.opcheck(torch.ops.fastgan.bias_act_dropout_backward.default, backward)


def test_at_nan_and_zeros_of_both_signs_values_and_gradients_are_the_documented_ones(device):
    """PyTorch's, but for ReLU: its zero is 0.0 for -0.0 too, and its gradient at NaN is 0."""
    x = torch.tensor([float("nan"), -0.0, 0.0, -1.0], device=device, requires_grad=True)
    for slope, expected in ((0.2, None), (0.0, ([0.0, 0.0, 0.0], [0.0] * 4))):
        y = FF.leaky_relu(x, slope)
        (grad,) = torch.autograd.grad(y.sum(), x)
        plain = torch.nn.functional.leaky_relu(x, slope)
        values, gradient = expected or (plain[1:].tolist(), torch.autograd.grad(plain.sum(), x)[0].tolist())
        assert y[0].isnan()
        assert str(y[1:].tolist()) == str(values)  # with the sign of zero
        assert grad.tolist() == gradient
