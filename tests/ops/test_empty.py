"""Every op computes 0 elements, forward, backward and double backward, in every layout, as torch's do."""

import warnings

import pytest
import torch
from kernel_devices import set_kernel_devices

from fastgan import functional as FF

OPS = torch.ops.fastgan
SHAPES = [(0,), (0, 5), (5, 0), (0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 0, 4), (2, 3, 4, 0)]
LAYOUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.transpose(0, -1),
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x,
    "sliced": lambda x: x[..., 1:] if x.shape[-1] > 1 else x,
}


def columns(x):
    """How rows with the last dimension of a tensor are cut: at most two scalars, then one segment."""
    scalars = min(x.shape[-1], 2)
    return scalars, [x.shape[-1] - scalars] if x.shape[-1] > 2 else []


def condition_loss(x):
    """The loss of no rows. Rows without columns have no condition."""
    places = torch.zeros(x.shape[:-1], dtype=torch.int64, device=x.device)
    return x.sum() if places.numel() else FF.condition_loss(x, places, *columns(x))


FUNCTIONS = {
    "leaky_relu": lambda x: FF.leaky_relu(x, 0.2),
    "leaky_relu in place": lambda x: FF.leaky_relu(x * 1, 0.2, inplace=True),
    "dropout": lambda x: FF.dropout(x, 0.5, seed=1),
    "dropout of all": lambda x: FF.dropout(x, 1.0),
    "feature dropout": lambda x: FF.leaky_relu_dropout(x, seed=1, feature=x.dim() > 1),
    "all stages": lambda x: FF.leaky_relu_dropout(
        x, seed=1, bias=x.new_ones(x.shape[-1]).requires_grad_(), channel_dim=-1, gain=2.0, clamp=1.0
    ),
    "bce": lambda x: FF.binary_cross_entropy(
        x, torch.ones_like(x).requires_grad_(), torch.ones_like(x), reduction="none"
    ),
    "bce_reduced": lambda x: FF.binary_cross_entropy(x, 0.5),
    "bce_with_logits": lambda x: FF.binary_cross_entropy_with_logits(x, 0.5, reduction="none"),
    "bce_with_logits_reduced": lambda x: FF.binary_cross_entropy_with_logits(
        x, torch.ones_like(x), torch.ones_like(x), pos_weight=torch.ones_like(x)
    ),
    "gan_loss": lambda x: FF.discriminator_loss(x, x.new_ones(3))[0] + FF.discriminator_loss(x, x)[0],
    "generator_loss": FF.generator_loss,
    "column_heads": lambda x: FF.column_heads(x, *columns(x), seed=1),
    "condition_loss": condition_loss,
}


def differentiate_twice(function, layout, shape, **options):
    leaf = torch.ones(shape, **options).requires_grad_()
    output = function(layout(leaf))
    incoming = torch.ones_like(output).requires_grad_()
    (grad,) = torch.autograd.grad(output, leaf, incoming, create_graph=True)
    (second,) = torch.autograd.grad(grad, incoming, torch.ones_like(grad))
    for result, like in ((grad, leaf), (second, output)):
        assert (result.shape, result.dtype, result.device) == (like.shape, like.dtype, like.device)
    if output.dim() == 0 and not output.is_meta:
        assert second == 0  # the sum over no elements


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_forward_backward_and_double_backward(device, function, layout, shape, dtype):
    differentiate_twice(FUNCTIONS[function], LAYOUTS[layout], shape, device=device, dtype=dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_on_meta_tensors(function, shape):
    differentiate_twice(FUNCTIONS[function], LAYOUTS["transposed"], shape, device="meta")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_composed(monkeypatch, function, shape):
    set_kernel_devices(monkeypatch, "meta")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for layout in LAYOUTS.values():
            differentiate_twice(FUNCTIONS[function], layout, shape)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 3, 4, 4)], ids=str)
def test_opcheck(device, shape):
    x = torch.ones(shape, device=device).transpose(0, -1).requires_grad_()
    stages = (None, 1, 0.2, 1.0, 0.5, 0.5, False, 1, 0, None, True)
    state = torch.empty(2, 0, device=device, dtype=torch.uint8)
    torch.library.opcheck(OPS.bias_act_dropout.default, (x, *stages))
    torch.library.opcheck(OPS.bias_act_dropout_backward.default, (x, state, x.stride(), 0.2, 1.0, True, True))
    for grad in (torch.ones((), device=device), torch.ones_like(x)):
        terms = (grad.requires_grad_(), x, torch.ones_like(x), 0.5, None)
        torch.library.opcheck(OPS.bce_backward.default, (*terms, True))
        torch.library.opcheck(OPS.bce_with_logits_backward.default, (*terms, None, True))
    grad = torch.ones((), device=device, requires_grad=True)
    torch.library.opcheck(OPS.gan_loss_backward.default, (grad, x, x, 1.0, 0.0, 1.0, 1.0))
    torch.library.opcheck(OPS.generator_loss_backward.default, (grad, x, 1.0, 1.0))
    torch.library.opcheck(OPS.column_heads_backward.default, (x, x, *columns(x), 0.2))
    places = torch.zeros(x.shape[:-1], device=device, dtype=torch.int64)
    if places.numel() == 0:
        torch.library.opcheck(OPS.condition_loss_backward.default, (grad, x, places, *columns(x)))


def test_without_elements_the_backward_takes_any_strides_but_negative_ones():
    grad, state = torch.ones(0, 5), torch.empty(2, 0, dtype=torch.uint8)
    for stride in ((5, 1), (1, 0), (2**40, 7)):
        result = OPS.bias_act_dropout_backward(grad, state, stride, 0.2, 1.0, True, True)
        assert result.stride() == stride
    with pytest.raises(ValueError, match="expected stride of no negative numbers"):
        OPS.bias_act_dropout_backward(grad, state, (5, -1), 0.2, 1.0, True, True)
