"""Op bias_act_dropout: errors name the op, the argument, what was expected and what came."""

import re

import pytest
import torch

from fastgan import functional as FF
from fastgan import nn as fnn

x = torch.randn(4, 6)


def op(**changes):
    arguments = {
        "input": x,
        "bias": None,
        "channel_dim": 1,
        "negative_slope": 0.2,
        "gain": 1.0,
        "clamp": None,
        "p": 0.5,
        "feature": False,
        "seed": None,
        "offset": 0,
        "generator": None,
        "needs_state": False,
    }
    return torch.ops.fastgan.bias_act_dropout(**(arguments | changes))


def backward(**changes):
    arguments = {
        "grad": x,
        "state": torch.zeros(2, 3, dtype=torch.uint8),
        "stride": (6, 1),
        "negative_slope": 0.2,
        "scale": 1.0,
        "has_active": True,
        "has_positive": True,
    }
    return torch.ops.fastgan.bias_act_dropout_backward(**(arguments | changes))


WRONG = {
    "p above 1": (lambda: FF.dropout(x, 1.5), ValueError, "dropout: expected p in [0, 1], got 1.5"),
    "p below 0": (lambda: FF.dropout2d(x[None, None], -0.1), ValueError, "dropout2d: expected p in [0, 1], got -0.1"),
    "p NaN": (lambda: FF.leaky_relu_dropout(x, p=float("nan")), ValueError, "expected p in [0, 1], got nan"),
    "p in eval": (lambda: FF.dropout(x, 2.0, training=False), ValueError, "expected p in [0, 1], got 2.0"),
    "p of the op": (lambda: op(p=2.0), ValueError, "bias_act_dropout: expected p in [0, 1], got 2"),
    "p of the layer": (lambda: fnn.LeakyReLUDropout(p=7), ValueError, "expected p in [0, 1], got 7"),
    "integers": (lambda: FF.leaky_relu(torch.arange(3)), TypeError, "expected input of dtype float32, float64"),
    "integers, dropout": (lambda: FF.dropout(torch.arange(3)), TypeError, "or bfloat16, got Long"),
    "complex": (lambda: FF.dropout(torch.ones(3, dtype=torch.complex64)), TypeError, "got ComplexFloat"),
    "no tensor": (lambda: FF.leaky_relu([1.0]), TypeError, "leaky_relu: expected input to be a Tensor, got list"),
    "bias length": (
        lambda: FF.leaky_relu_dropout(x, bias=torch.ones(5)),
        ValueError,
        "bias_act_dropout: expected bias of shape [6] along dimension 1 of input, got [5]",
    ),
    "bias rank": (lambda: FF.leaky_relu_dropout(x, bias=torch.ones(1, 6)), ValueError, "of input, got [1, 6]"),
    "bias dtype": (lambda: FF.leaky_relu_dropout(x, bias=torch.arange(6)), TypeError, "expected bias of dtype"),
    "bias device": (
        lambda: FF.leaky_relu_dropout(x, bias=torch.ones(6, device="meta")),
        RuntimeError,
        "expected bias on cpu, got meta",
    ),
    "channel_dim": (
        lambda: FF.leaky_relu_dropout(x, bias=torch.ones(6), channel_dim=2),
        IndexError,
        "expected channel_dim in [-2, 1] for input of shape [4, 6], got 2",
    ),
    "clamp": (lambda: FF.leaky_relu_dropout(x, clamp=-1.0), ValueError, "expected clamp >= 0, got -1"),
    "clamp NaN": (lambda: FF.leaky_relu_dropout(x, clamp=float("nan")), ValueError, "expected clamp >= 0, got nan"),
    "seed": (lambda: FF.dropout(x, seed=-1), ValueError, "expected 0 <= seed < 2**63, got -1"),
    "large seed": (lambda: FF.dropout(x, seed=2**63), ValueError, "dropout: expected 0 <= seed < 2**63"),
    "offset": (lambda: FF.dropout(x, seed=1, offset=-2), ValueError, "expected 0 <= offset < 2**63, got -2"),
    "large offset": (lambda: FF.dropout(x, seed=1, offset=2**64), ValueError, "expected 0 <= offset < 2**63"),
    "offset without seed": (
        lambda: FF.leaky_relu_dropout(x, offset=3),
        ValueError,
        "leaky_relu_dropout: expected a seed with offset 3, got none",
    ),
    "offset without seed of a map": (
        lambda: FF.dropout2d(x[None], offset=1, generator=torch.Generator()),
        ValueError,
        "dropout2d: expected a seed with offset 1, got none",
    ),
    "seed and generator": (
        lambda: FF.dropout(x, seed=1, generator=torch.Generator()),
        ValueError,
        "expected seed or generator, got both",
    ),
    "rank of a map": (
        lambda: FF.leaky_relu_dropout(torch.ones(3), feature=True),
        ValueError,
        "expected input of shape [N, C, ...] for feature dropout, got [3]",
    ),
    "rank of dropout2d": (lambda: FF.dropout2d(x), ValueError, "got shape [4, 6]"),
    "rank of dropout1d": (lambda: FF.dropout1d(torch.ones(2)), ValueError, "dropout1d: expected input of 3 dimensions"),
    "rank of dropout3d": (lambda: FF.dropout3d(x), ValueError, "dropout3d: expected input of 5 dimensions"),
    "leaf in place": (
        lambda: FF.dropout(torch.ones(3, requires_grad=True), inplace=True),
        RuntimeError,
        "expected input that is not a leaf variable that requires grad",
    ),
    "expanded in place": (
        lambda: FF.leaky_relu(torch.ones(1).expand(4), 0.2, inplace=True),
        RuntimeError,
        "got an expanded tensor of shape [4] and strides [0]; clone() it first",
    ),
    "state's dtype": (lambda: backward(state=torch.zeros(2, 3)), RuntimeError, "expected state of dtype uint8"),
    "state's planes": (
        lambda: backward(has_active=False),
        RuntimeError,
        "contiguous and of shape [1, 3], got Byte of shape [2, 3]",
    ),
    "state's octets": (
        lambda: backward(state=torch.zeros(2, 2, dtype=torch.uint8)),
        RuntimeError,
        "contiguous and of shape [2, 3], got Byte of shape [2, 2]",
    ),
    "state's layout": (
        lambda: backward(state=torch.zeros(3, 2, dtype=torch.uint8).t()),
        RuntimeError,
        "expected state of dtype uint8, contiguous",
    ),
    "state's device": (
        lambda: backward(state=torch.zeros(2, 3, dtype=torch.uint8, device="meta")),
        RuntimeError,
        "expected state on cpu, got meta",
    ),
    "stride's length": (lambda: backward(stride=(1,)), ValueError, "expected stride of length 2, got [1]"),
    "stride below 0": (lambda: backward(stride=(6, -1)), ValueError, "expected stride of no negative numbers"),
    "stride of holes": (lambda: backward(stride=(12, 1)), ValueError, "expected stride of a dense tensor of shape"),
    "stride of overlap": (lambda: backward(stride=(1, 1)), ValueError, "got [1, 1]"),
    "grad's dtype": (lambda: backward(grad=x.long()), TypeError, "expected grad of dtype float32"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input(case):
    call, kind, message = WRONG[case]
    with pytest.raises(kind, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.ones(4, requires_grad=True),
        lambda: torch.ones(1).expand(4),
        lambda: torch.ones(8, requires_grad=True)[::2],
    ],
)
def test_a_refusal_in_place_writes_nothing(make):
    tensor = make()
    with pytest.raises(RuntimeError):
        FF.dropout(tensor, 0.9, inplace=True)
    assert tensor.tolist() == [1.0] * 4


def test_using_a_modified_input_in_another_backward_is_an_error():
    leaf = torch.randn(8, requires_grad=True)
    h = leaf * 2
    square = h**2  # saves h
    FF.leaky_relu(h, 0.2, inplace=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        square.sum().backward()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_modification_without_gradients_is_noticed(mode):
    h = torch.randn(8, requires_grad=True) * 2
    square = h**2  # saves h
    with mode():
        FF.leaky_relu(h, 0.2, inplace=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        square.sum().backward()


def test_an_inference_tensor_is_modified_in_inference_mode_only():
    with torch.inference_mode():
        x = -torch.ones(4)
        FF.leaky_relu(x, 0.5, inplace=True)
    with pytest.raises(RuntimeError, match=r"expected input that was not made in inference mode"):
        FF.leaky_relu(x, 0.5, inplace=True)
    assert x.tolist() == [-0.5] * 4


def test_a_bias_that_is_a_part_of_the_input_is_refused_in_place_only():
    x = torch.randn(3, 4)
    values = x.clone()
    with pytest.raises(RuntimeError, match=r"bias_act_dropout_: expected bias in memory of its own"):
        FF.leaky_relu_dropout(x, 0.2, 0.0, bias=x[0], inplace=True)
    assert torch.equal(x, values)
    expected = torch.nn.functional.leaky_relu(values + values[0], 0.2)
    assert torch.equal(FF.leaky_relu_dropout(x, 0.2, 0.0, bias=x[0]), expected)


@pytest.mark.parametrize("inplace", [False, True])
def test_a_lazily_negated_bias_has_the_right_sign(inplace):
    bias = torch.tensor([1 + 2j]).conj().imag
    assert FF.leaky_relu_dropout(torch.zeros(3, 1), 0.5, 0.0, bias=bias, inplace=inplace).tolist() == [[-1.0]] * 3


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_an_offset_without_a_seed_is_refused_whether_or_not_anything_is_drawn(p):
    arguments = (None, 1, 0.2, 1.0, None, p, False, None, 3, None, False)
    with pytest.raises(ValueError, match="bias_act_dropout: expected a seed with offset 3, got none"):
        torch.ops.fastgan.bias_act_dropout(torch.ones(0), *arguments)


@pytest.mark.parametrize("inplace", [False, True])
def test_forward_mode_is_an_error_that_names_jvp(inplace):
    forward_ad = torch.autograd.forward_ad
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(torch.zeros(3), torch.ones(3))
        with pytest.raises(
            NotImplementedError, match=r"bias_act_dropout_?: expected no forward-mode.*torch\.func\.jvp"
        ):
            FF.leaky_relu(dual, 0.2, inplace=inplace)
        with pytest.raises(NotImplementedError, match=r"bias_act_dropout: expected no forward-mode.*torch\.func\.jvp"):
            FF.leaky_relu_dropout(torch.zeros(2, 3), bias=dual)


def test_a_lazily_negated_view_is_refused_in_place_only():
    x = torch.randn(8, dtype=torch.complex64).conj().imag
    values = x.clone()
    with pytest.raises(RuntimeError, match=r"expected input whose memory holds its values, .*resolve_neg"):
        FF.leaky_relu(x, 0.2, inplace=True)
    assert torch.equal(x, values)
    assert torch.equal(FF.leaky_relu(x, 0.2), torch.nn.functional.leaky_relu(values, 0.2))
