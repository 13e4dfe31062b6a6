"""In place on a view of a tensor: gradients of the view, of its base and of other views are PyTorch's."""

import pytest
import torch
from torch import nn

from fastgan import functional as FF
from fastgan import nn as fnn

VIEWS = {
    "whole": lambda h: h.view(h.shape),
    "other shape": lambda h: h.view(4, 3, 8),
    "rows": lambda h: h[1:3],
    "columns": lambda h: h[:, 4:12],
    "transposed": lambda h: h.t(),
    "a view of a view": lambda h: h.view(4, 24)[2:].view(2, 3, 8),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("second", [False, True], ids=["gradient", "second derivative"])
def test_gradients_after_a_write_to_a_view_are_torchs(name, second):
    found = []
    for leaky_relu in (nn.functional.leaky_relu, FF.leaky_relu):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(4, 24, generator=generator, dtype=torch.float64).requires_grad_()
        h = x * x.sin()
        view, other = VIEWS[name](h), h.view(-1)[3:50]
        assert leaky_relu(view, 0.2, inplace=True) is view
        weights = torch.randn(h.shape, generator=generator, dtype=torch.float64)
        loss = (h * weights).sum() + view.square().sum() + other.cos().sum()
        (gradient,) = torch.autograd.grad(loss, x, create_graph=second)
        if second:
            (gradient,) = torch.autograd.grad(gradient.square().sum(), x)
        found.append((h.detach(), gradient.detach()))
    for expected, got in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 4, 8, 8), (1, 3, 5, 5), (2, 1, 6, 6)])
def test_an_activation_in_place_after_instance_norm_has_torchs_gradients(shape):
    found = []
    for layer in (nn.LeakyReLU, fnn.LeakyReLU):
        torch.manual_seed(0)
        channels = shape[1]
        blocks = [[nn.Conv2d(channels, channels, 3, padding=1), nn.InstanceNorm2d(channels, affine=True)] for _ in "ab"]
        network = nn.Sequential(*blocks[0], layer(0.01, inplace=True), *blocks[1], layer(0.01, inplace=True))
        x = torch.randn(shape).requires_grad_()
        found.append(torch.autograd.grad((network(x) * torch.randn(shape)).sum(), [x, *network.parameters()]))
    for expected, got in zip(*found, strict=True):
        torch.testing.assert_close(got, expected)


def test_dropout_in_place_on_a_view_drops_the_gradient_of_what_it_dropped():
    x = torch.ones(6, 40, requires_grad=True)
    h = x * 2
    view = FF.dropout(h[2:5], 0.5, inplace=True, seed=3)
    (gradient,) = torch.autograd.grad(h.sum(), x)
    torch.testing.assert_close(gradient, h.detach())
    assert 0.2 < float((view == 0).float().mean()) < 0.8
