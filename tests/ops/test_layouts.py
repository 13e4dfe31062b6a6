"""The results' strides are torch's, and a dimension of size 1 changes no value."""

import random

import pytest
import torch
from torch import nn

import fastgan.nn as fnn
from fastgan import functional as FF

F = torch.nn.functional


def views(count):
    """Permuted, sliced and expanded tensors."""
    draw = random.Random(0)
    for _ in range(count):
        rank = draw.randint(1, 5)
        x = torch.rand([draw.randint(1, 4) for _ in range(rank)]).permute(draw.sample(range(rank), rank))
        for dim in range(rank):
            chance = draw.random()
            if chance < 0.3 and x.shape[dim] > 1:
                x = x.narrow(dim, 0, x.shape[dim] - 1)
            elif chance < 0.4:
                x = x[(slice(None),) * dim + (slice(None, None, 2),)]
            elif chance < 0.55 and x.shape[dim] == 1:
                x = x.expand(*x.shape[:dim], 3, *x.shape[dim + 1 :])
        yield x


def test_a_sliced_and_permuted_input_keeps_torchs_order(device):
    x = torch.as_strided(torch.randn(200, device=device), (2, 2, 4, 5), (60, 4, 1, 12))
    assert nn.LeakyReLU()(x).stride() == (40, 4, 1, 8)
    for layer in (fnn.LeakyReLU(), fnn.ReLU(), fnn.Dropout(), fnn.LeakyReLUDropout()):
        assert layer(x).stride() == (40, 4, 1, 8)


@pytest.mark.parametrize(
    ("ours", "plain"),
    [
        (lambda x: FF.leaky_relu(x, 0.2), lambda x: F.leaky_relu(x, 0.2)),
        (FF.dropout, F.dropout),
        (
            lambda x: FF.binary_cross_entropy_with_logits(x, 1.0, reduction="none"),
            lambda x: F.binary_cross_entropy_with_logits(x, torch.ones_like(x), reduction="none"),
        ),
    ],
    ids=["leaky_relu", "dropout", "bce_with_logits"],
)
def test_strides_and_values_of_any_view_are_torchs(device, ours, plain):
    for view in views(300):
        x = view.to(device) if device != "cpu" else view
        got, expected = ours(x), plain(x)
        # The stride of a dimension of size 1 means nothing.
        strides = [[s for n, s in zip(y.shape, y.stride(), strict=True) if n > 1] for y in (got, expected)]
        assert strides[0] == strides[1], (x.shape, x.stride())
        if plain is not F.dropout:
            torch.testing.assert_close(got, expected)


def test_a_dynamic_graph_gives_the_same_strides():
    compiled = torch.compile(lambda x: FF.leaky_relu(x, 0.2), fullgraph=True, dynamic=True, backend="aot_eager")
    for size in (5, 6):
        x = torch.randn(2, size, 4, 3).permute(0, 3, 2, 1)[:, :2]
        assert compiled(x).stride() == FF.leaky_relu(x, 0.2).stride() == F.leaky_relu(x, 0.2).stride()


@pytest.mark.parametrize("shape", [(4, 1, 5, 6), (1, 3, 5, 6), (1, 1, 5, 6), (4, 3, 1, 1), (1, 1, 1, 1)], ids=str)
@pytest.mark.parametrize("feature", [False, True])
def test_dimensions_of_size_1_change_no_value(device, shape, feature):
    """Their strides mean nothing: channels_last gives a channel dimension of size 1 the stride 1."""
    x, bias = torch.randn(shape, device=device), torch.randn(shape[1], device=device)
    settings = {"bias": bias, "p": 0.5, "seed": 1, "feature": feature}
    expected = FF.leaky_relu_dropout(x, 0.2, **settings)
    # The octets of a draw follow memory, so only a layout that moves no element is compared.
    zero = torch.as_strided(x, shape, [0 if n == 1 else s for n, s in zip(shape, x.stride(), strict=True)])
    layouts = [zero, x.to(memory_format=torch.channels_last)] if 1 in (shape[1], shape[2]) else [zero]
    for laid_out in layouts:
        torch.testing.assert_close(FF.leaky_relu_dropout(laid_out, 0.2, **settings), expected)


def test_three_dimensions_of_dropout2d_warn_as_torchs():
    x = torch.ones(2, 3, 4)
    for call in (nn.Dropout2d(), fnn.Dropout2d(), fnn.Dropout2d().eval(), FF.dropout2d):
        with pytest.warns(UserWarning, match="assuming that channel-wise 1D dropout behavior is"):
            call(x)
