"""convert(trace=True): forwards that it rewrites, and forwards that a graph would not cover."""

import functools
import gc
import types

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.profiler import profile
from torch.utils.checkpoint import checkpoint

import fastgan
from convert_checks import rows
from fastgan.convert.record import Dependencies, UnsupportedForwardError, record

SLOPE, SETTINGS = 0.2, types.SimpleNamespace(slope=0.2)


def ops_of(model, *inputs):
    with profile() as seen:
        model(*inputs)
    return [event.name for event in seen.events()]


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.drop, self.slope, self.slopes = nn.Linear(6, 6), nn.Dropout(0.5), 0.2, [torch.ones(())]
        self.blocks = nn.ModuleList([nn.Linear(6, 6), nn.Linear(6, 6)])


class Straight(Base):
    def forward(self, x):
        for block in self.blocks:
            x = F.leaky_relu(block(x), SLOPE, inplace=True)
        return self.helper(x)

    def helper(self, x):
        return F.dropout(F.relu(self.linear(x)), p=self.slope, training=self.training)


class Branches(Base):
    def forward(self, x):
        return F.leaky_relu(x if x.sum() > 0 else -x)


class Optional(Base):
    def forward(self, x, scale=1.0):
        return F.leaky_relu(x) * scale


class NoGradient(Base):
    def forward(self, x):
        with torch.no_grad():
            y = F.leaky_relu(x)
        return y + x


class NoGradientAround(Base):
    @torch.no_grad()
    def forward(self, x):
        return F.leaky_relu(x)


class Draws(Base):
    def forward(self, x):
        return F.leaky_relu(x) + float(torch.rand(()))


class MakesTensors(Base):
    def forward(self, x):
        return F.leaky_relu(x) + torch.ones(6)


class Counts(Base):
    def forward(self, x):
        self.slope = self.slope * 1
        return F.leaky_relu(x)


class Prints(Base):
    def forward(self, x):
        print("here")
        return F.leaky_relu(x)


class GlobalObject(Base):
    def forward(self, x):
        return F.leaky_relu(x, SETTINGS.slope)


class AttributeList(Base):
    def forward(self, x):
        return F.leaky_relu(x) * self.slopes[0]


class OfAnotherModule(Base):
    def forward(self, x):
        return F.dropout(F.leaky_relu(x), 0.5, self.drop.training)


class Checkpoints(Base):
    def forward(self, x):
        return checkpoint(F.leaky_relu, x, use_reentrant=False)


class Closed(Base):
    def __init__(self):
        super().__init__()
        self.function = functools.partial(F.leaky_relu, negative_slope=0.3)

    def forward(self, x):
        return F.leaky_relu(self.function(x))


def test_functions_become_fastgans_in_both_modes():
    net = Straight()
    report = fastgan.convert(net, tuple(rows()), trace=True)
    assert report.fused == [("relu", "dropout")]
    assert [name for name, _ in report.swapped] == ["drop", "leaky_relu", "leaky_relu_1"]
    for mode in (True, False):
        names = ops_of(net.train(mode), *rows())
        assert sum(name.startswith("fastgan::bias_act_dropout") for name in names) >= 3
        assert not any(
            name in ("aten::leaky_relu", "aten::relu", "aten::dropout", "aten::native_dropout") for name in names
        )
    x = rows()[0]
    assert torch.equal(net(x), net(x))
    assert not torch.equal(net.train()(x), net(x))
    assert fastgan.convert(net, trace=True).fused == []
    assert type(fastgan.revert(net)) is Straight
    assert "fastgan::bias_act_dropout" not in ops_of(net.linear, x)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Branches, "branches|control flow"),
        (Optional, "optional arguments"),
        (NoGradient, "branches|context"),
        (NoGradientAround, "context"),
        (Draws, "random|calls"),
        (MakesTensors, "makes tensors"),
        (Counts, "assigns to 'slope'"),
        (Prints, r"calls print\(\)"),
        (GlobalObject, "the global 'SETTINGS'"),
        (AttributeList, "makes tensors|its 'slopes'"),
        (OfAnotherModule, "'training' of another module"),
        (Checkpoints, "context|trace"),
        (Closed, "its 'function'"),
    ],
)
def test_a_forward_that_a_graph_does_not_cover_is_not_recorded(kind, reason):
    net, state = kind(), torch.get_rng_state()
    attributes = dict(vars(net))
    with pytest.raises(UnsupportedForwardError, match=reason):
        record(net, Dependencies())
    assert torch.equal(state, torch.get_rng_state())
    assert vars(net) == attributes
    report = fastgan.convert(net, trace=True)  # its functions are fastgan's where they stand
    assert report.fused == report.skipped == []
    assert ("leaky_relu", "leaky_relu") in report.swapped
    assert vars(net) == attributes
    assert type(fastgan.revert(net)) is kind


def test_a_graph_is_used_only_while_its_dependencies_are_unchanged(monkeypatch):
    net = Straight().eval()
    fastgan.convert(net, trace=True)
    x = rows()[0]

    def expected(slope):
        y = x
        for block in net.blocks:
            y = F.leaky_relu(block(y), slope)
        return F.relu(net.linear(y))

    torch.testing.assert_close(net(x), expected(0.2))
    monkeypatch.setitem(globals(), "SLOPE", 0.7)
    torch.testing.assert_close(net(x), expected(0.7))
    net.blocks.append(nn.Linear(6, 6))
    torch.testing.assert_close(net(x), expected(0.7))
    net.linear = nn.Linear(6, 6)
    torch.testing.assert_close(net(x), expected(0.7))


def test_losses_in_a_forward():
    class Losses(nn.Module):
        def forward(self, logits, target):
            likely = F.binary_cross_entropy(logits.sigmoid(), target)
            return likely + F.binary_cross_entropy_with_logits(logits, target, reduction="sum")

    net, inputs = Losses(), (torch.randn(5, 1), torch.rand(5, 1))
    expected = net(*inputs)
    report = fastgan.convert(net, inputs, trace=True)
    assert [kind for _, kind in report.swapped] == ["binary_cross_entropy", "binary_cross_entropy_with_logits"]
    torch.testing.assert_close(net(*inputs), expected)
    assert any(name.startswith("fastgan::bce") for name in ops_of(net, *inputs))


def test_a_traced_slope_of_one_gives_new_memory():
    class Same(Base):
        def forward(self, x):
            return F.dropout(F.leaky_relu(x, 1.0), 0.5, self.training)

    net = Same().eval()
    assert len(fastgan.convert(net, trace=True).fused) == 1
    x = rows()[0]
    assert net(x).data_ptr() != x.data_ptr()


def test_hooks_added_later_see_the_value_between_the_layers():
    class Pair(Base):
        def __init__(self):
            super().__init__()
            self.act = nn.LeakyReLU(0.2)

        def forward(self, x):
            return self.drop(self.act(self.linear(x)))

    net, seen = Pair(), []
    assert fastgan.convert(net, trace=True).fused == [("act", "drop")]
    net.act.register_forward_hook(lambda module, args, output: seen.append(output))
    y = net(rows()[0])
    assert not (seen[0] == 0).any()
    assert (y == 0).any()
    net.drop.eval()
    assert torch.equal(net(rows()[0]), seen[1])


def test_a_garbage_collection_during_tracing_is_ignored():
    def callback(phase, info):
        return phase if phase == "start" else info  # has a branch, which would be refused in a forward

    gc.callbacks.append(callback)
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        report = fastgan.convert(Straight(), trace=True)
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(callback)
    assert gc.isenabled()
    assert not [reason for _, reason in report.skipped if "not rewritten" in reason]


class NumberNamedDropout(nn.Module):
    def __init__(self):
        super().__init__()
        self.dropout, self.linear = 0.5, nn.Linear(6, 6)

    def forward(self, x):
        return self.linear(x)


class HoldsNames(nn.Module):
    """Has a number and a list under the names of functions, as GATConv, LSTM and MultiheadAttention have."""

    def __init__(self):
        super().__init__()
        self.child, self.relu = NumberNamedDropout(), [torch.ones(())]

    def forward(self, x):
        dropout = torch.nn.functional.dropout
        return dropout(F.dropout(F.relu(self.child(x)), 0.5, self.training), 0.5, self.training)


class ReadsTheNumber(HoldsNames):
    def forward(self, x):
        return F.relu(self.child(x)) * self.child.dropout


def test_the_name_of_a_function_is_no_attribute_of_a_module():
    report = fastgan.convert(HoldsNames(), tuple(rows()), trace=True)
    assert report.skipped == []
    assert {name.split("_")[0] for name in [*(n for n, _ in report.swapped), *sum(report.fused, ())]} == {
        "relu",
        "dropout",
    }
    with pytest.raises(UnsupportedForwardError, match="reads 'dropout' of another module"):
        record(ReadsTheNumber(), Dependencies())
