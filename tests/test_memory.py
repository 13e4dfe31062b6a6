"""Ops give back all memory that they take."""

from pathlib import Path

import torch

from fastgan import functional as FF

_PAGE = 4096


def _resident():
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def _step(x, target):
    y = FF.leaky_relu_dropout(x, 0.2, 0.3, bias=target[:10])
    y = FF.leaky_relu(FF.dropout2d(y[..., None, None], 0.5)[..., 0, 0], 0.1)
    loss = FF.binary_cross_entropy_with_logits(y, target.expand_as(y)) + FF.discriminator_loss(y, x)[0]
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)  # and the second backward
    gradient.square().sum().backward()
    x.grad = None


def test_ten_thousand_steps_keep_no_memory():
    x, target = torch.randn(20, 10, requires_grad=True), torch.rand(10)
    for _ in range(1000):
        _step(x, target)
    before = _resident()
    for _ in range(10_000):
        _step(x, target)
    # One tensor of 800 bytes kept by each step would be 8 MB; the allocator's own drift is a few pages.
    assert _resident() - before < 2 * 2**20
