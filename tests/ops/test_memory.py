"""Ops free all memory that they allocate, and need no more of it than PyTorch's."""

import copy
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

import fastgan
from fastgan import functional as FF
from fastgan.bench._workloads import WORKLOADS

_PAGE = 4096


def _resident():
    """Return the resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def _step(x, target):
    y = FF.leaky_relu_dropout(x, 0.2, 0.3, bias=target[:10])
    y = FF.leaky_relu(FF.dropout2d(y[..., None, None], 0.5)[..., 0, 0], 0.1)
    loss = FF.binary_cross_entropy_with_logits(y, target.expand_as(y)) + FF.discriminator_loss(y, x)[0]
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)  # for the second backward
    gradient.square().sum().backward()
    x.grad = None


def test_ten_thousand_steps_keep_no_memory():
    x, target = torch.randn(20, 10, requires_grad=True), torch.rand(10)
    for _ in range(1000):
        _step(x, target)
    before = _resident()
    for _ in range(10_000):
        _step(x, target)
    # A leak of one tensor of 800 bytes a step would be 8 MB. The allocator itself drifts by a few pages.
    assert _resident() - before < 2 * 2**20


def _peak(step):
    """Return the peak of the bytes that a step allocates."""
    step()  # allocations that happen only once
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        step()
    events = [e for e in watched.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    assert peak > 0
    return peak


def _forward_and_backward(layer, inputs, gradients):
    outputs = layer(*(x * 1 if x.requires_grad else x for x in inputs))  # only the layer holds the inputs
    torch.autograd.backward([y for y in _tuple(outputs) if y.requires_grad], gradients)
    for x in inputs:
        x.grad = None


def _tuple(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


@pytest.mark.parametrize("name", WORKLOADS)
def test_peak_memory_is_at_most_eagers(name):
    work = WORKLOADS[name]
    inputs = work.inputs(2**20, torch.float32, "cpu")
    peaks = []
    for layer in (work.fused, work.eager):
        gradients = [torch.randn_like(y) for y in _tuple(layer(*inputs)) if y.requires_grad]
        peaks.append(_peak(partial(_forward_and_backward, layer, inputs, gradients)))
    bit_each = 2**20 // 8 if name == "relu" else 0  # torch's backward of ReLU reads the output and saves nothing else
    assert peaks[0] <= peaks[1] + bit_each + 4096


def test_peak_memory_of_a_training_step_is_at_most_eagers():
    eager = nn.Sequential(
        nn.Conv2d(3, 32, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.3),
        nn.Conv2d(32, 64, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(64 * 64, 1),
    )
    fused = copy.deepcopy(eager)
    fastgan.convert(fused)
    x = torch.randn(32, 3, 32, 32)

    def step(network):
        loss = nn.functional.binary_cross_entropy_with_logits(network(x), torch.ones(32, 1))
        loss.backward()
        network.zero_grad()

    assert _peak(lambda: step(fused)) <= _peak(lambda: step(eager))
