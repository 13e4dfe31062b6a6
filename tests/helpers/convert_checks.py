"""What must hold of a model and its conversion, whatever the model."""

import copy
from contextlib import contextmanager

import torch
from torch import nn

import fastgan


def observe(model, inputs, seed=0):
    """Outputs, inputs as the model leaves them, gradients and double gradients."""
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


def equal(one, other):
    for some, others in zip(one, other, strict=True):
        for a, b in zip(some, others, strict=True):
            if a is None or b is None:  # no gradient is a gradient of zeros
                assert not any(g.any() for g in (a, b) if g is not None)
            else:
                # p = 0: the same products in the same order. Convolutions sum as they did; torch's own defaults.
                torch.testing.assert_close(a, b)


@contextmanager
def without_dropout(*both):
    """Training, with p = 0 in every layer that has one."""
    layers = [module for model in both for module in model.train().modules() if hasattr(module, "p")]
    before = [layer.p for layer in layers]
    for layer in layers:
        layer.p = 0.0
    yield
    for layer, p in zip(layers, before, strict=True):
        layer.p = p


def assert_same_model(make, inputs, counts, **settings):
    """Converting changes nothing that can be seen, and the report says `counts`: swapped, fused, skipped."""
    torch.set_num_threads(1)

    def build():
        torch.manual_seed(7)
        return make()

    model, original, swapped, proved = build(), build(), build(), build()
    names, state = [name for name, _ in model.named_modules()], copy.deepcopy(model.state_dict())
    report = fastgan.convert(model, **settings)
    assert (len(report.swapped), len(report.fused), len(report.skipped)) == counts, str(report)
    assert [name for name, _ in model.named_modules()] == names
    assert list(model.state_dict()) == list(state)
    model.load_state_dict(state, strict=True)

    def compare_in_eval():
        for each in (model, original):
            each.eval().load_state_dict(state)
        equal(observe(model, inputs), observe(original, inputs))

    compare_in_eval()
    if not settings.get("trace"):
        # Functions have no p to set, and torch's draw other masks; layers draw the same ones, fused or not.
        with without_dropout(model, original):
            equal(observe(model, inputs), observe(original, inputs))
        fastgan.convert(swapped, fuse=False)
        for each in (swapped, model):
            each.train().load_state_dict(state)
        equal(observe(swapped, inputs)[:2], observe(model, inputs)[:2])
        compare_in_eval()

    again = fastgan.convert(model, **settings)
    assert (again.swapped, again.fused) == ([], [])
    proof = fastgan.convert(proved, tuple(inputs), **settings)
    assert (proof.swapped, proof.fused, proof.skipped) == (report.swapped, report.fused, report.skipped)

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
