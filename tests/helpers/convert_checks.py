"""Checks that hold for the conversion of any model."""

import copy
from contextlib import contextmanager

import torch
from torch import nn

import fastgan


def observe(model, inputs, seed=0):
    """Return the outputs, the inputs after the run, the gradients and the double gradients."""
    torch.manual_seed(seed)
    leaves = [x.clone().requires_grad_() for x in inputs]
    fed = [x.clone() for x in leaves]
    output = model(*fed)
    outputs = list(output) if isinstance(output, (tuple, list)) else [output]
    wanted = [*leaves, *(p for p in model.parameters() if p.requires_grad)]
    loss = sum((y * torch.linspace(-1, 2, y.numel()).view(y.shape)).sum() for y in outputs)
    first = torch.autograd.grad(loss, wanted, create_graph=True, allow_unused=True)
    squares = sum(g.square().sum() for g in first if g is not None and g.requires_grad)
    second = torch.autograd.grad(squares, wanted, allow_unused=True) if isinstance(squares, torch.Tensor) else []
    return [outputs, fed, first, second]


def assert_equal(one, other):
    for some, others in zip(one, other, strict=True):
        for a, b in zip(some, others, strict=True):
            if a is None or b is None:  # a missing gradient counts as zeros
                assert not any(g.any() for g in (a, b) if g is not None)
            else:
                # With p = 0 the operations are the same. torch's default tolerances cover the sums of convolutions.
                torch.testing.assert_close(a, b)


@contextmanager
def without_dropout(*models):
    """Put the models in training mode, with p = 0 in every layer that has a p."""
    layers = [module for model in models for module in model.train().modules() if hasattr(module, "p")]
    before = [layer.p for layer in layers]
    for layer in layers:
        layer.p = 0.0
    yield
    for layer, p in zip(layers, before, strict=True):
        layer.p = p


def assert_same_model(make, inputs, counts, **settings):
    """Assert that converting changes no result, and that the report has `counts`: swapped, fused, skipped."""
    torch.set_num_threads(1)

    def build():
        torch.manual_seed(7)
        return make()

    model, original, swapped, checked = build(), build(), build(), build()
    names, state = [name for name, _ in model.named_modules()], copy.deepcopy(model.state_dict())
    report = fastgan.convert(model, **settings)
    assert (len(report.swapped), len(report.fused), len(report.unfused) + len(report.skipped)) == counts, str(report)
    assert [name for name, _ in model.named_modules()] == names
    assert list(model.state_dict()) == list(state)
    model.load_state_dict(state, strict=True)

    def compare_in_eval():
        for each in (model, original):
            each.eval().load_state_dict(state)
        assert_equal(observe(model, inputs), observe(original, inputs))

    compare_in_eval()
    if not settings.get("trace"):
        # Only layers: functions have no p to set, and torch's functions draw other masks than fastgan's.
        with without_dropout(model, original):
            assert_equal(observe(model, inputs), observe(original, inputs))
        fastgan.convert(swapped, fuse=False)
        for each in (swapped, model):
            each.train().load_state_dict(state)
        assert_equal(observe(swapped, inputs)[:2], observe(model, inputs)[:2])
        compare_in_eval()

    again = fastgan.convert(model, **settings)
    assert (again.swapped, again.fused) == ([], [])
    verified = fastgan.convert(checked, tuple(inputs), **settings)
    assert verified == report

    fastgan.revert(model)
    assert repr(model) == repr(original)
    assert [type(a).__name__ for a in model.modules()] == [type(a).__name__ for a in original.modules()]
    assert not any(type(a).__module__ == "fastgan.nn" for a in model.modules())
    compare_in_eval()
    return report


def rows(n=4, width=6):
    return [torch.randn(n, width, generator=torch.Generator().manual_seed(1))]


def images(n=2, channels=3, size=16):
    return [torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(1))]


def count(model, kind):
    return sum(isinstance(module, kind) for module in model.modules())


def identities(model):
    return count(model, nn.Identity)
