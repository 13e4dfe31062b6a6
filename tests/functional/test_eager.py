"""The short way to the kernel: the long way's results, and who else may see the call still does."""

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

import fastgan.nn as fnn
from fastgan import _C
from fastgan import functional as FF
from fastgan.functional import eager

LAYERS = {
    "leaky_relu": fnn.LeakyReLU(0.2),
    "relu": fnn.ReLU(),
    "dropout": fnn.Dropout(0.3),
    "dropout2d": fnn.Dropout2d(0.3),
    "leaky_relu_dropout": fnn.LeakyReLUDropout(0.2, 0.3),
}
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
OP = torch.ops.fastgan.bias_act_dropout.default


def run(layer, source, inplace=False):
    """The result and the gradient, with the generator in the same state each time."""
    torch.manual_seed(3)
    leaf = source.detach().clone().requires_grad_()
    layer.inplace = inplace
    result = layer(leaf * 1.0 if inplace else leaf)
    result.backward(torch.linspace(-1, 1, result.numel()).reshape(result.shape).to(result.dtype))
    return result.detach(), leaf.grad


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layer", LAYERS)
def test_both_ways_give_the_same_bits(layer, dtype, inplace, monkeypatch):
    x = torch.randn(2, 3, 5, 7).to(dtype).transpose(1, 3)
    short = run(LAYERS[layer], x, inplace)
    monkeypatch.setattr(_C, "bias_act_dropout", lambda *_: None)
    for got, expected in zip(short, run(LAYERS[layer], x, inplace), strict=True):
        assert torch.equal(got, expected)
        assert got.stride() == expected.stride()


def test_the_layers_take_the_short_way(monkeypatch):
    seen = []
    original = _C.bias_act_dropout
    monkeypatch.setattr(_C, "bias_act_dropout", lambda *call: seen.append(call[1:]) or original(*call))
    for layer in LAYERS.values():
        layer.inplace = False
        layer(torch.randn(2, 3, 4, 4))
    assert seen == [
        (0.2, 0.0, False, False),
        (0.0, 0.0, False, False),
        (1.0, 0.3, False, False),
        (1.0, 0.3, True, False),
        (0.2, 0.3, False, False),
    ]


class Subclass(torch.Tensor):
    pass


@pytest.mark.parametrize(
    "call",
    [
        (None, 0.2, 0.0, False, False),
        (torch.randn(4).as_subclass(Subclass), 0.2, 0.0, False, False),
        (torch.arange(4), 0.2, 0.0, False, False),
        (torch.zeros(4, dtype=torch.complex64), 0.2, 0.0, False, False),
        (torch.zeros(4, dtype=torch.float8_e5m2), 0.2, 0.0, False, False),
        (torch.eye(3).to_sparse(), 0.2, 0.0, False, False),
        (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), 0.2, 0.0, False, False),
        (torch.empty(4, device="meta"), 0.2, 0.0, False, False),
        (torch.randn(4), 1.0, 0.0, False, False),
        (torch.randn(4), 0.2, 1.5, False, False),
        (torch.randn(4), 0.2, -0.5, False, False),
        (torch.randn(4), 0.2, float("nan"), False, False),
        (torch.randn(4), torch.tensor(0.2), 0.0, False, False),
        (torch.randn(4), 10**400, 0.0, False, False),
        (torch.randn(4), 0.2, 0.0, None, False),
        (torch.randn(4), 0.2, 0.0, False, 1),
    ],
    ids=lambda call: f"{type(call[0]).__name__}-{'-'.join(map(str, call[1:]))[:40]}",
)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_other_arguments_are_left_to_the_long_way(call):
    assert eager.bias_act_dropout(*call) is None


def test_numbers_of_any_kind_are_taken():
    expected = torch.tensor([-2.0, 3.0])
    for slope in (2, 2.0, type("Float", (float,), {})(2.0)):
        assert torch.equal(eager.bias_act_dropout(torch.tensor([-1.0, 3.0]), slope, 0, False, False), expected)


def test_parameters_are_taken():
    parameter = nn.Parameter(torch.tensor([-1.0, 2.0]))
    result = eager.bias_act_dropout(parameter, 0.5, 0.0, False, False)
    assert type(result) is torch.Tensor
    result.sum().backward()
    assert parameter.grad.tolist() == [0.5, 1.0]


def test_the_input_itself_is_returned_in_place():
    x = torch.tensor([-1.0, 2.0])
    assert eager.bias_act_dropout(x, 0.5, 0.0, False, True) is x
    assert x.tolist() == [-0.5, 2.0]
    with pytest.raises(RuntimeError, match="expected input that is not a leaf"):
        eager.bias_act_dropout(x.requires_grad_(), 0.5, 0.0, False, True)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_mode_of_torch_functions_sees_the_call(layer):
    calls = []

    class Mode(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            calls.append(function)
            return function(*args, **(kwargs or {}))

    x = torch.randn(2, 3, 4, 4)
    with Mode():
        LAYERS[layer](x)
    assert OP in calls


@pytest.mark.parametrize("layer", LAYERS)
def test_a_dispatch_mode_sees_the_call(layer):
    calls = []

    class Mode(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            calls.append(function)
            return function(*args, **(kwargs or {}))

    with Mode():
        result = LAYERS[layer](torch.randn(2, 3, 4, 4, requires_grad=True))
        result.sum().backward()
    assert OP in calls
    assert torch.ops.fastgan.bias_act_dropout_backward.default in calls


@pytest.mark.parametrize("layer", LAYERS)
def test_profilers_see_the_op_by_name(layer):
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiler:
        LAYERS[layer](x).sum().backward()
    shapes = {event.key: event.input_shapes for event in profiler.key_averages(group_by_input_shape=True)}
    assert shapes["fastgan::bias_act_dropout"][0] == [2, 3, 4, 4]
    assert "fastgan::bias_act_dropout_backward" in shapes


def test_a_jit_trace_contains_the_op():
    layer = fnn.LeakyReLU(0.2)
    traced = torch.jit.trace(layer, torch.randn(3))
    assert "fastgan::bias_act_dropout" in str(traced.graph)
    x = torch.randn(5)
    assert torch.equal(traced(x), layer(x))


def test_hooks_on_saved_tensors_see_the_state():
    packed = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t.dtype) or t, lambda t: t):
        FF.leaky_relu(torch.randn(9, requires_grad=True), 0.2).sum().backward()
    assert torch.uint8 in packed


def test_vmap_and_compile_need_the_long_way_and_get_it():
    x = torch.randn(3, 8)
    expected = FF.leaky_relu(x, 0.2)
    torch.testing.assert_close(torch.func.vmap(lambda row: FF.leaky_relu(row, 0.2))(x), expected)
    compiled = torch.compile(fnn.LeakyReLU(0.2), fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x), expected)
