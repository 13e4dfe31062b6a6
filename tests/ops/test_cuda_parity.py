"""The CUDA kernels against the CPU kernels: equal masks and states, values within rounding."""

import pytest
import torch

from fastgan import functional as FF

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SIZES = [0, 1, 7, 8, 9, 127, 128, 129, 4095, 1_000_003]
LAYOUTS = ["contiguous", "channels_last", "transposed", "shifted"]
INTEGERS = {8: torch.int64, 4: torch.int32, 2: torch.int16}


def both(function, *tensors):
    """Return pairs of a function's results: on CUDA, moved to the CPU, and on the CPU."""
    expected = function(*tensors)
    got = function(*(tensor.cuda() if tensor is not None else None for tensor in tensors))
    return [(a.cpu(), b) for a, b in zip(got, expected, strict=True)]


def rank(x):
    """Number the floating values of a dtype in order: neighbours differ by 1, and 0 equals -0."""
    bits = x.contiguous().view(INTEGERS[x.element_size()]).to(torch.int64)
    lowest = -(2 ** (8 * x.element_size() - 1))
    return torch.where(bits < 0, lowest - bits, bits)


def assert_within_ulps(got, expected, ulps=2):
    assert (got.dtype, got.shape, got.stride()) == (expected.dtype, expected.shape, expected.stride())
    apart = (rank(got) - rank(expected)).abs()
    apart[got.isnan() & expected.isnan()] = 0
    assert apart.numel() == 0 or apart.max() <= ulps


def laid_out(x, layout):
    if layout == "channels_last":
        return x.contiguous(memory_format=torch.channels_last)
    if layout == "transposed":
        return x.permute(3, 1, 0, 2)
    if layout == "shifted":  # dense, but not aligned to 16 bytes
        base = torch.empty(x.numel() + 1, dtype=x.dtype, device=x.device)
        base[1:] = x.flatten()
        return base[1:].view(x.shape)
    return x


def with_edges(shape, dtype):
    """Return random numbers and the special values at which an activation or a loss could go wrong."""
    x = torch.randn(shape, dtype=torch.float64) * 2
    edges = torch.tensor([0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1e-40, -1e-40], dtype=torch.float64)
    flat = x.view(-1)
    count = min(edges.numel(), flat.numel() // 2)
    flat[:count] = edges[:count]
    return x.to(dtype)


STAGES = [  # negative slope, gain, clamp, p
    (0.2, 1.0, None, 0.3),
    (0.2, 1.0, None, 0.0),
    (0.0, 1.0, None, 0.5),
    (1.0, 1.0, None, 0.5),
    (-0.5, 1.4, 0.8, 0.1),
    (1.5, 0.7, 0.0, 0.9),
    (0.2, 1.4, 1.1, 1.0),
]


def act(x, bias, slope, gain, clamp, p, *, feature=False, channel_dim=1, seed=2**62 + 5, offset=2**40 + 3):
    """Return the output of op bias_act_dropout, the input's gradient for an output gradient of `x`, and the state."""
    y, state = torch.ops.fastgan.bias_act_dropout(
        x, bias, channel_dim, slope, gain, clamp, p, feature, seed, offset, None, True
    )
    active = p > 0 or clamp is not None
    grad_input = torch.ops.fastgan.bias_act_dropout_backward(
        x, state, x.stride(), slope, gain * 65536 / max(65536 - int(p * 65536 + 0.5), 1), active, slope != 1
    )
    return y, grad_input, state


def assert_same_act(results):
    (y, grad_input, state) = results
    assert torch.equal(*state)
    assert_within_ulps(*y)
    assert_within_ulps(*grad_input)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("stages", STAGES, ids=str)
def test_bias_act_dropout(dtype, stages):
    for size in SIZES:
        assert_same_act(both(lambda x: act(x, None, *stages, channel_dim=0), with_edges(size, dtype)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("feature", [False, True])
@pytest.mark.parametrize("channel_dim", [0, 1, 2, 3])
def test_bias_act_dropout_in_every_layout(dtype, layout, feature, channel_dim):
    x = with_edges((5, 6, 7, 9), dtype)
    size = laid_out(x, layout).shape[channel_dim]
    bias = torch.randn(size, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    assert_same_act(
        both(
            lambda x, bias: act(
                laid_out(x, layout), bias, 0.2, 1.4, 1.5, 0.4, feature=feature, channel_dim=channel_dim
            ),
            x,
            bias,
        )
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("stages", STAGES, ids=str)
@pytest.mark.parametrize(
    "shape", [(601, 24), (601, 13), (7, 24, 5, 17), (7, 24, 2, 2), (7, 24, 3, 1)], ids=str
)  # a bias of whole rows, of rows that wrap around, of long runs, of short ones, of runs shorter than a part
def test_a_bias_in_every_order_that_tiles_know(dtype, stages, shape):
    bias = torch.randn(shape[1], dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    assert_same_act(both(lambda x, bias: act(x, bias, *stages), with_edges(shape, dtype), bias))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("slope", [0.2, 0.0])
def test_every_half_is_activated_in_either_place_of_a_pair(dtype, slope):
    x = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    x = torch.cat([x, x[:1], x])  # the second time one place further
    assert_same_act(both(lambda x: act(x, None, slope, 1.25, None, 0.3, channel_dim=0), x))


# Each device keeps the docstring's bounds: a relative error of 4e-7 at targets 0 and 1 and of 6e-7 at others, and as
# many roundings in float64. So two devices, which round in different places, may differ by twice as much. float16 and
# bfloat16 are rounded to their own dtype in addition.
LOSS = {torch.float32: 1.2e-6, torch.float64: 4e-15, torch.float16: 2.0**-9, torch.bfloat16: 2.0**-6}


def assert_near(got, expected, relative, absolute=0.0):
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    torch.testing.assert_close(got, expected, rtol=relative, atol=absolute, equal_nan=True)


def bce(loss_of, x, target, weight, reduction, grad):
    leaf = x.clone().requires_grad_()
    loss = loss_of(leaf, target, weight=weight, reduction=reduction)
    return loss.detach(), torch.autograd.grad(loss, leaf, grad)[0]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss_of", [FF.binary_cross_entropy, FF.binary_cross_entropy_with_logits])
@pytest.mark.parametrize("target", ["tensor", 0.0, 1.0, 0.9])
def test_bce(dtype, reduction, weighted, loss_of, target):
    for size in SIZES:
        x = torch.randn(size) * 5
        x = (x.sigmoid() if loss_of is FF.binary_cross_entropy else x).to(dtype)
        targets = torch.rand(size).to(dtype) if target == "tensor" else None
        weight = torch.rand(size).to(dtype) if weighted else None
        grad = torch.randn(size if reduction == "none" else ()).to(dtype)
        loss, gradient = both(
            lambda x, t, weight, grad: bce(loss_of, x, target if t is None else t, weight, reduction, grad),
            x,
            targets,
            weight,
            grad,
        )
        assert_near(*loss, LOSS[dtype], 1e-7 if dtype == torch.float16 else 1e-30)
        # A gradient is a difference of numbers of up to 1; on probabilities it may be as large as the dtype allows.
        scale = float(grad.abs().max()) if grad.numel() else 1.0
        scale /= max(size, 1) if reduction == "mean" else 1
        assert_near(*gradient, LOSS[dtype], max(LOSS[dtype] * scale, 2.0**-23 if dtype == torch.float16 else 0.0))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("sizes", [(0, 0), (1, 1), (7, 9), (129, 0), (4095, 1), (20_000, 40_001), (3_000_000, 9)])
def test_gan_loss(dtype, sizes):
    real, fake = ((torch.randn(size) * 4).to(dtype) for size in sizes)

    def run(real, fake):
        leaves = [real.clone().requires_grad_(), fake.clone().requires_grad_()]
        loss, statistics = FF.discriminator_loss(*leaves, real_target=0.9, fake_weight=2.0)
        return loss.detach(), statistics, *torch.autograd.grad(loss, leaves)

    loss, statistics, *gradients = both(run, real, fake)
    wide = LOSS[torch.float64] if dtype == torch.float64 else LOSS[torch.float32]
    assert_near(*loss, wide)
    assert_near(*statistics, LOSS[torch.float32])
    for gradient, size in zip(gradients, sizes, strict=True):
        smallest = 2.0**-23 if dtype == torch.float16 else 0.0
        assert_near(*gradient, LOSS[dtype], max(2 * wide / max(size, 1), smallest))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("settings", [{}, {"target": 0.9}, {"saturating": True}], ids=str)
def test_generator_loss(dtype, settings):
    def run(fake):
        leaf = fake.clone().requires_grad_()
        loss = FF.generator_loss(leaf, **settings)
        return loss.detach(), torch.autograd.grad(loss, leaf)[0]

    fake = (torch.randn(4097) * 4).to(dtype)
    loss, gradient = both(run, fake)
    wide = LOSS[torch.float64] if dtype == torch.float64 else LOSS[torch.float32]
    assert_near(*loss, wide)
    assert_near(*gradient, LOSS[dtype], max(wide / 4097, 2.0**-23 if dtype == torch.float16 else 0.0))


@pytest.mark.parametrize("size", [129, 70_001])
def test_second_derivatives(size):
    """The gradient penalty of R1 differentiates the backward kernels."""
    x, weight = torch.randn(size, 1), torch.randn(1, 16)

    def run(x, weight):
        x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
        hidden = FF.leaky_relu_dropout(x @ weight, 0.2, 0.3, seed=3)
        loss = FF.binary_cross_entropy_with_logits(hidden.mean(1), 1.0)
        (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
        return torch.autograd.grad(gradient.square().sum() * size, weight)

    ((got, expected),) = both(run, x, weight)
    # Sums over `size` addends, in another order on each device.
    assert_near(got, expected, 1e-4, 1e-5 * float(expected.abs().max()))
