"""Compiled autograd runs every row's backward in its graph, after an eager forward."""

import pytest
import torch

from fastgan import functional as FF

OPS = torch.ops.fastgan
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


def in_place(x):
    hidden = x * 1
    return FF.leaky_relu_dropout(hidden, 0.2, 0.3, seed=1, inplace=True)


def in_place_on_a_view(x):
    hidden = x * 1
    FF.leaky_relu(hidden[1:], 0.2, inplace=True)
    return hidden


def penalty(x):
    (grad,) = torch.autograd.grad(FF.leaky_relu_dropout(x * x, 0.2, 0.3, seed=1).sum(), x, create_graph=True)
    return grad.square()


def second_of(function):
    def penalised(x):
        (grad,) = torch.autograd.grad(function(x), x, create_graph=True)
        return grad.square()

    return penalised


ROWS = {
    "leaky_relu": lambda x: FF.leaky_relu(x, 0.2),
    "dropout": lambda x: FF.dropout(x, 0.3, seed=1),
    "all stages": lambda x: FF.leaky_relu_dropout(x, 0.2, 0.3, bias=x[0] * 1, gain=2.0, clamp=1.0, seed=1),
    "of a slice": lambda x: FF.leaky_relu(x[:, 1:], 0.2),
    "in place": in_place,
    "in place on a view": in_place_on_a_view,
    "bce": lambda x: FF.binary_cross_entropy(x.sigmoid(), x.detach().sigmoid(), weight=x[0]),
    "bce by element": lambda x: FF.binary_cross_entropy(x.sigmoid(), 0.3, reduction="none"),
    "bce with logits": lambda x: FF.binary_cross_entropy_with_logits(x, x.sigmoid(), x[0], pos_weight=x[1]),
    "bce with logits by element": lambda x: FF.binary_cross_entropy_with_logits(x, 1.0, reduction="none"),
    "discriminator_loss": lambda x: FF.discriminator_loss(x, -2 * x, real_target=0.9)[0],
    "generator_loss": FF.generator_loss,
    "column_heads": lambda x: FF.column_heads(x, 1, (3, 2), tau=0.5, seed=1).square(),
    "condition_loss": lambda x: FF.condition_loss(x, torch.tensor([0, 4, 2, 3]), 1, (3, 2)),
    "penalty": penalty,
    "second bce with logits": second_of(lambda x: FF.binary_cross_entropy_with_logits(x, 0.9, x.detach())),
    "second bce": second_of(lambda x: FF.binary_cross_entropy(x.sigmoid(), 0.9)),
    "second discriminator_loss": second_of(lambda x: FF.discriminator_loss(x, -2 * x)[0]),
    "second generator_loss": second_of(FF.generator_loss),
    "second column_heads": second_of(lambda x: FF.column_heads(x, 1, (3, 2), tau=0.5, seed=1).square().sum()),
    "second condition_loss": second_of(lambda x: FF.condition_loss(x, torch.tensor([0, 4, 2, 3]), 1, (3, 2))),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_backward_of_an_eager_forward_is_compiled(row):
    def gradients(backward):
        torch.manual_seed(0)
        x = torch.randn(4, 6, requires_grad=True)
        backward(ROWS[row](x).sum())
        return x.grad

    expected = gradients(torch.Tensor.backward)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    with torch._dynamo.config.patch(compiled_autograd=True):
        compiled = torch.compile(lambda loss: loss.backward(), backend="aot_eager")
        for _ in range(2):
            torch.testing.assert_close(gradients(compiled), expected)
    assert torch._dynamo.utils.counters["compiled_autograd"]["captures"] == 1  # the second call is a hit of the cache


def test_other_constants_are_another_graph():
    """A slope is a part of the cache's key."""
    torch._dynamo.reset()
    with torch._dynamo.config.patch(compiled_autograd=True):
        compiled = torch.compile(lambda loss: loss.backward(), backend="aot_eager")
        for slope in (0.2, 0.3):
            x = torch.full((4,), -1.0, requires_grad=True)
            compiled(FF.leaky_relu(x, slope).sum())
            torch.testing.assert_close(x.grad, torch.full((4,), slope))


def test_sizes_may_change():
    torch._dynamo.reset()
    with torch._dynamo.config.patch(compiled_autograd=True):
        compiled = torch.compile(lambda loss: loss.backward(), backend="aot_eager")
        for size in (3, 5, 9):
            x = torch.randn(4, size, requires_grad=True)
            compiled(FF.leaky_relu_dropout(x.t(), 0.2, 0.3, seed=1).sum())
            plain = x.detach().clone().requires_grad_()
            FF.leaky_relu_dropout(plain.t(), 0.2, 0.3, seed=1).sum().backward()
            torch.testing.assert_close(x.grad, plain.grad)
