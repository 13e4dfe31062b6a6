"""Composed results: equal masks and close values; when they replace the kernels, and the warning about it."""

import importlib.util
import warnings

import pytest
import torch
from kernel_devices import set_kernel_devices
from torch import nn

import fastgan
from fastgan import functional as FF
from fastgan.functional import composed

# Both compute in float32 (float64 for float64) and round once to the dtype. Composed, the factors are multiplied one by
# one, which adds up to three roundings. In float16 and bfloat16 that may give the neighbouring number.
RELATIVE = {torch.float64: 2.0**-50, torch.float32: 2.0**-21, torch.float16: 2.0**-9, torch.bfloat16: 2.0**-6}
STAGES = {
    "dropout": {"p": 0.4},
    "feature dropout": {"p": 0.4, "feature": True},
    "all dropped": {"p": 1.0},
    "leaky ReLU": {"negative_slope": 0.2},
    "ReLU": {"negative_slope": 0.0},
    "negative slope": {"negative_slope": -0.5, "p": 0.3},
    "bias": {"negative_slope": 0.2, "bias": True, "channel_dim": -3, "p": 0.1},
    "gain and clamp": {"negative_slope": 0.2, "gain": 1.4, "clamp": 0.9, "p": 0.3, "feature": True},
}
LAYOUTS = {
    "contiguous": lambda x: x,
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "transposed": lambda x: x.permute(2, 1, 3, 0),
    "sliced": lambda x: x[..., 1:],
    "channels_last, sliced": lambda x: x.contiguous(memory_format=torch.channels_last)[:, :, 1:],
}
DEFAULTS = {
    "bias": None, "channel_dim": 1, "negative_slope": 1.0, "gain": 1.0, "clamp": None, "p": 0.0, "feature": False,
    "seed": 5, "offset": 9, "generator": None,
}  # fmt: skip


@pytest.fixture
def no_kernels(monkeypatch):
    """Make every device one without kernels."""
    set_kernel_devices(monkeypatch, "meta")
    monkeypatch.setattr(composed, "_warned", set())


@pytest.mark.parametrize("dtype", RELATIVE, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stages", STAGES)
def test_composed_results_equal_the_kernels(stages, layout, dtype):
    x = torch.randn(3, 5, 7, 6).to(dtype)
    settings = {**DEFAULTS, **STAGES[stages]}
    results = []
    for is_composed in (False, True):
        leaf, arguments = x.clone().requires_grad_(), dict(settings)
        if settings["bias"]:
            channels = LAYOUTS[layout](x).shape[settings["channel_dim"]]
            arguments["bias"] = torch.linspace(-1, 1, channels, requires_grad=True)
        source = LAYOUTS[layout](leaf)
        if is_composed:
            y = composed.bias_act_dropout("test", source, **arguments)
        else:
            order = (*DEFAULTS,)
            y = torch.ops.fastgan.bias_act_dropout(source, *(arguments[name] for name in order), False)[0]
        y.backward(torch.linspace(-1, 1, y.numel()).reshape(y.shape).to(dtype))
        bias = arguments["bias"]
        results.append((y.detach(), leaf.grad, None if bias is None else bias.grad))
    (y, grad, grad_bias), (y2, grad2, grad_bias2) = results
    assert y2.dtype == dtype
    assert torch.equal(y == 0, y2 == 0)
    assert torch.equal(grad == 0, grad2 == 0)
    tolerance = {"rtol": RELATIVE[dtype], "atol": 2.0**-24 if dtype == torch.float16 else 0.0}
    if "bias" in STAGES[stages]:
        tolerance["atol"] = RELATIVE[dtype]  # x + bias cancels
        # A sum of up to 126 terms of at most 1.2, in another order, in the bias' float32.
        torch.testing.assert_close(grad_bias, grad_bias2, rtol=0, atol=126 * max(RELATIVE[dtype], 2.0**-23))
    torch.testing.assert_close(y, y2, **tolerance)
    torch.testing.assert_close(grad, grad2, **tolerance)


@pytest.mark.parametrize("layout", ["sliced", "channels_last, sliced"])
def test_layouts_with_gaps_get_the_same_mask(layout):
    x = LAYOUTS[layout](torch.randn(3, 5, 7, 6))
    assert not x.is_contiguous()
    result = composed.bias_act_dropout("test", x, **{**DEFAULTS, "p": 0.5})
    assert torch.equal(result == 0, FF.dropout(x, 0.5, seed=5, offset=9) == 0)


@pytest.mark.filterwarnings("ignore:.*composed from torch operations")
@pytest.mark.parametrize("inplace", [False, True])
def test_functions_on_a_device_without_kernels(no_kernels, monkeypatch, inplace):
    """The masks from the same generator are the same, in place too."""
    calls = (
        lambda x: FF.leaky_relu(x, 0.2, inplace),
        lambda x: FF.dropout(x, 0.3, inplace=inplace),
        lambda x: FF.dropout2d(x, 0.3, inplace=inplace),
        lambda x: FF.dropout1d(x[0, 0], 0.3, inplace=inplace),
        lambda x: FF.leaky_relu_dropout(x, 0.2, 0.3, inplace=inplace, generator=torch.Generator().manual_seed(4)),
    )
    for call in calls:
        results = []
        for device in ("meta", "cpu"):
            set_kernel_devices(monkeypatch, device)
            torch.manual_seed(2)
            x = torch.randn(4, 6, 5, 3)
            y = call(x)
            results.append((y, x))
        torch.testing.assert_close(*results)
        assert inplace == (y.data_ptr() == x.data_ptr())


@pytest.mark.filterwarnings("ignore:.*composed from torch operations")
def test_converted_models_on_a_device_without_kernels(no_kernels):
    net = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2, True), nn.Dropout(0.5), nn.Linear(8, 1))
    x = torch.randn(4, 6)
    expected = net.eval()(x)
    fastgan.convert(net)
    torch.testing.assert_close(net(x), expected)
    net.train()(x).sum().backward()
    loss = fastgan.nn.BCEWithLogitsLoss()(net.eval()(x), torch.rand(4, 1))
    loss.backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_warns_once_for_each_device(no_kernels):
    x = torch.randn(5)
    with pytest.warns(UserWarning, match=r"fastgan::dropout: expected input on meta, got cpu: composed"):
        FF.dropout(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FF.dropout(x)
        FF.leaky_relu(x)


def test_strict_is_an_error(no_kernels, monkeypatch):
    monkeypatch.setenv("FASTGAN_STRICT", "1")
    x = torch.randn(5, 1)
    for call in (
        lambda: FF.dropout(x),
        lambda: FF.leaky_relu(x),
        lambda: fastgan.nn.LeakyReLUDropout()(x),
        lambda: FF.binary_cross_entropy_with_logits(x, 1.0),
        lambda: FF.discriminator_loss(x, x),
        lambda: FF.generator_loss(x),
    ):
        with pytest.raises(RuntimeError, match=r"got cpu \(FASTGAN_STRICT=1 forbids"):
            call()


def test_strict_has_no_effect_where_there_are_kernels(monkeypatch):
    monkeypatch.setenv("FASTGAN_STRICT", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FF.dropout(torch.randn(5))
        torch.func.grad(lambda x: FF.leaky_relu(x).sum())(torch.randn(5))


def test_cuda_has_kernels_only_if_this_build_has_them(monkeypatch):
    """A build for the CPU only can be imported with a torch that has CUDA."""
    for cuda in (None, "13.0"):
        with monkeypatch.context() as patch:
            patch.setattr(torch.version, "cuda", "13.0")
            patch.setattr(fastgan._C, "build_info", lambda cuda=cuda: {"cuda": cuda})
            spec = importlib.util.spec_from_file_location("composed_again", composed.__file__)
            again = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(again)
        assert again.has_kernels("cuda") == (cuda is not None)
        assert again.has_kernels("cpu")


def test_composed_losses_equal_the_kernels(no_kernels, monkeypatch):
    logits, target = torch.randn(64, 1) * 5, torch.rand(64, 1)
    calls = (
        lambda x: FF.binary_cross_entropy_with_logits(x, target),
        lambda x: FF.binary_cross_entropy_with_logits(x, 1.0, reduction="sum"),
        lambda x: FF.binary_cross_entropy_with_logits(
            x, target, target, reduction="none", pos_weight=torch.tensor([3.0])
        ).sum(),
        lambda x: FF.discriminator_loss(x, x[:10] - 1, real_target=0.9, fake_weight=2.0)[0],
        lambda x: FF.discriminator_loss(x, x[:10] - 1)[1].sum() + x.sum(),
        lambda x: FF.generator_loss(x),
        lambda x: FF.generator_loss(x, saturating=True),
    )
    for call in calls:
        results = []
        for device in ("meta", "cpu"):
            set_kernel_devices(monkeypatch, device)
            leaf = logits.clone().requires_grad_()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loss = call(leaf)
            loss.backward()
            results.append((loss.detach(), leaf.grad))
        # Sums of 64 terms. torch's gradient loses digits at large logits; the kernels' does not.
        torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)


def test_transforms_of_torch_func():
    x = torch.randn(3, 8)

    def loss(x):
        return FF.leaky_relu_dropout(x, 0.2, 0.3, seed=3).square().sum()

    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(loss(leaf), leaf)
    torch.testing.assert_close(torch.func.grad(loss)(x), expected)
    hessian = torch.func.hessian(loss)(x).reshape(24, 24)
    torch.testing.assert_close(hessian, hessian.diag().diag())


def test_integers_are_refused_under_transforms_as_without():
    floats = torch.ones(3)
    for function in (
        FF.leaky_relu,
        FF.dropout,
        FF.generator_loss,
        lambda x: FF.binary_cross_entropy(x, floats),
        lambda x: FF.binary_cross_entropy_with_logits(x, floats),
        lambda x: FF.discriminator_loss(x, x)[0],
        lambda x: FF.discriminator_loss(floats, x)[0],
    ):
        for integers in (torch.ones(3, dtype=torch.int64), torch.ones(3, dtype=torch.bool)):
            for call in (function, torch.func.vmap(function)):
                with pytest.raises(TypeError, match=r"expected .* of dtype"):
                    call(integers if call is function else integers[None])


P, T = torch.linspace(0.1, 0.9, 24).double().reshape(2, 3, 4), torch.linspace(1.0, 0.0, 24).double().reshape(2, 3, 4)
DIFFERENTIABLE = {
    "leaky_relu": lambda x: FF.leaky_relu(x - 0.45, 0.2),
    "leaky_relu in place": lambda x: FF.leaky_relu(x - 0.45, 0.2, inplace=True),
    "dropout": lambda x: FF.dropout(x, 0.5, seed=1),
    "dropout1d": lambda x: FF.dropout1d(x, 0.5, seed=1),
    "dropout2d": lambda x: FF.dropout2d(x[None], 0.5, seed=1),
    "dropout3d": lambda x: FF.dropout3d(x[None, None], 0.5, seed=1),
    "all stages": lambda x: FF.leaky_relu_dropout(x, 0.2, 0.5, bias=x[0, :, 0] - 0.6, gain=2.0, clamp=0.5, seed=1),
    "bce": lambda x: FF.binary_cross_entropy(x, T, x),
    "bce by target": lambda x: FF.binary_cross_entropy(P, x, reduction="none"),
    "bce with logits": lambda x: FF.binary_cross_entropy_with_logits(x, T, x, pos_weight=x),
    "bce with logits by target": lambda x: FF.binary_cross_entropy_with_logits(P, x, reduction="sum"),
    "discriminator_loss": lambda x: FF.discriminator_loss(x, x + 1)[0],
    "generator_loss": FF.generator_loss,
    "layers": lambda x: nn.Sequential(
        fastgan.nn.LeakyReLU(0.2), fastgan.nn.ReLU(), fastgan.nn.Dropout(0.5).eval(), fastgan.nn.LeakyReLUDropout(p=0.0)
    )(x - 0.45),
    "loss layers": lambda x: fastgan.nn.BCELoss()(x, T) + fastgan.nn.BCEWithLogitsLoss(pos_weight=P)(x, T),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_torch_func_jvp_is_the_forward_mode(name):
    """The errors of the ops' forward mode name it."""
    function = DIFFERENTIABLE[name]
    direction = torch.linspace(-1.0, 1.0, 24).double().reshape(P.shape)
    output, tangent = torch.func.jvp(function, (P,), (direction,))
    with torch.no_grad():
        above, below = function(P + 1e-6 * direction), function(P - 1e-6 * direction)
        torch.testing.assert_close(output, function(P))
    # Central differences in float64: about 1e-16 / 1e-6 of rounding, and less of curvature.
    torch.testing.assert_close(tangent, (above - below) / 2e-6, rtol=1e-8, atol=1e-8)


def test_vmap_needs_a_seed():
    x = torch.randn(5, 8)
    mapped = torch.func.vmap(lambda row: FF.dropout(row, 0.5, seed=3))(x)
    torch.testing.assert_close(mapped, torch.stack([FF.dropout(row, 0.5, seed=3) for row in x]))
    for call in (FF.dropout, lambda row: FF.leaky_relu_dropout(row, 0.2, 0.5)):
        with pytest.raises(RuntimeError, match="expected an explicit seed under vmap"):
            torch.func.vmap(call)(x)
    torch.testing.assert_close(torch.func.vmap(FF.leaky_relu)(x), FF.leaky_relu(x))
