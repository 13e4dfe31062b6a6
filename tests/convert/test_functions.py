"""convert(trace=True): functions are fastgan's wherever the code of a module calls them."""

import copy
import functools
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.functional import dropout
from torch.profiler import profile

import fastgan
from convert_checks import rows

EAGER = {
    "aten::leaky_relu",
    "aten::leaky_relu_",
    "aten::relu",
    "aten::dropout",
    "aten::native_dropout",
    "aten::bernoulli_",
}


def ops_of(model, *inputs, **settings):
    with profile() as seen:
        model(*inputs, **settings)
    return {event.name for event in seen.events()}


def assert_fastgans(model, *inputs, **settings):
    names = ops_of(model, *inputs, **settings)
    assert names.isdisjoint(EAGER)
    assert any(name.startswith("fastgan::bias_act_dropout") for name in names)


def halved(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs) / 2

    return wrapper


def helper(x, training):
    return F.dropout(x, training=training)


def another(x, training):
    return x * 7


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.shortcut, self.dropout, self.F = nn.Linear(6, 6), None, 0.5, nn.Linear(6, 6)


class Optional(Base):
    """As in torch_geometric and transformers: arguments, of which some calls give some, and branches on them."""

    def forward(self, x, batch=None, *, scale=1.0):
        if batch is not None:
            x = x + batch
        x = F.dropout(F.leaky_relu(self.linear(x), 0.3), p=self.dropout, training=self.training)
        return x * scale if self.shortcut is None else self.shortcut(x)


class InMethods(Base):
    def forward(self, x):
        return self.message(x) if x.shape[0] else x

    def message(self, x):
        return torch.nn.functional.dropout(torch.relu(self.F(x)), self.dropout, self.training)


class Inherits(InMethods):
    def message(self, x):
        return super().message(F.relu(x))


class InAFunction(Base):
    def forward(self, x, name="helper"):
        return helper(F.relu(x), self.training) if name else x


class Decorated(Base):
    @halved
    def forward(self, x):
        return dropout(nn.functional.leaky_relu(x), 0.5, self.training) if x.shape[0] else x


class InInnerFunctions(Base):
    def forward(self, x):
        parts = [F.relu(part) for part in x.unbind()]
        return torch.stack([(lambda y: F.dropout(y, training=self.training))(part) for part in parts])


KINDS = [Optional, InMethods, InAFunction, Decorated, InInnerFunctions]


@pytest.mark.parametrize("kind", KINDS)
def test_functions_are_fastgans_whatever_else_the_code_does(kind):
    net = kind()
    original = copy.deepcopy(net)
    assert dict(fastgan.convert(copy.deepcopy(net)).unreached)[""].endswith("trace=True replaces that")
    report = fastgan.convert(net, tuple(rows()), trace=True)
    assert report.skipped == report.unreached == []
    assert {name for _, name in report.swapped} >= {"dropout"}
    assert_fastgans(net.train(), *rows())
    torch.testing.assert_close(net.eval()(*rows()), original.eval()(*rows()))
    assert fastgan.convert(net, trace=True).swapped == []
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert_fastgans(twin.train(), *rows())
    assert type(fastgan.revert(net)) is kind
    assert EAGER & ops_of(net.train(), *rows())


def test_a_method_that_is_called_by_super_stays_torchs():
    net = Inherits().eval()
    expected = net(*rows())
    assert fastgan.convert(net, tuple(rows()), trace=True).swapped == [("relu", "relu")]
    torch.testing.assert_close(net(*rows()), expected)


def test_every_signature_of_a_forward_with_optional_arguments():
    net = Optional().eval()
    x = rows()[0]
    expected = [net(x), net(x, x), net(x, scale=2.0), net(x=x, batch=x)]
    fastgan.convert(net, (x,), trace=True)
    torch.testing.assert_close([net(x), net(x, x), net(x, scale=2.0), net(x=x, batch=x)], expected)
    net.train()
    assert_fastgans(net, x)
    assert_fastgans(net, x, x)
    assert_fastgans(net, x=x, batch=x, scale=2.0)
    net.shortcut = nn.Identity()
    assert_fastgans(net, x)


def test_a_function_that_is_patched_later_is_called(monkeypatch):
    net = InAFunction().eval()
    x = rows()[0]
    fastgan.convert(net, trace=True)
    monkeypatch.setitem(globals(), "helper", another)
    torch.testing.assert_close(net(x), F.relu(x) * 7)
    monkeypatch.setattr(F, "relu", lambda x: x + 3)
    torch.testing.assert_close(net(x), (x + 3) * 7)


class Any(nn.Module):
    def forward(self, x, **settings):
        return F.relu(x) if settings.get("relu", True) else F.dropout1d(x, 0.5, self.training)


def test_what_fastgan_does_not_take_is_torchs():
    net = Any()
    fastgan.convert(net, trace=True)
    assert net(torch.tensor([-1, 2])).tolist() == [0, 2]
    assert net(torch.eye(2).to_sparse()).is_sparse
    assert net(torch.ones(3, 4), relu=False).shape == (3, 4)
    with pytest.raises(TypeError, match="int"):
        net(3)


def test_a_slope_of_one_gives_new_memory():
    class Same(nn.Module):
        def forward(self, x, scale=None):
            return F.leaky_relu(x, 1.0)

    net, x = Same(), rows()[0]
    fastgan.convert(net, trace=True)
    assert net(x).data_ptr() != x.data_ptr()


def test_losses_with_settings_that_only_torch_has():
    class Loss(nn.Module):
        def forward(self, logits, target, **settings):
            return F.binary_cross_entropy_with_logits(logits, target, **settings)

    net, inputs = Loss(), (torch.randn(5, 1), torch.rand(5, 1))
    for settings in ({}, {"reduction": "sum"}, {"size_average": False}, {"pos_weight": torch.tensor([2.0])}):
        with pytest.warns() if "size_average" in settings else functools.partial(pytest.MonkeyPatch.context)():
            expected = net(*inputs, **settings)
            fastgan.convert(net, trace=True)
            torch.testing.assert_close(net(*inputs, **settings), expected)
            fastgan.revert(net)


def test_compiled_and_traced_models_of_rewritten_methods():
    net = Optional().eval()
    x = rows()[0]
    expected = net(x)
    fastgan.convert(net, trace=True)
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), expected)
    graph = torch.fx.symbolic_trace(net, concrete_args={"batch": None})
    torch.testing.assert_close(graph(x), expected)


class ImportsItself(Base):
    def forward(self, x):
        from torch.nn import functional

        return functional.dropout(x) if x.shape[0] else x


def test_a_call_out_of_reach_is_reported():
    report = fastgan.convert(ImportsItself(), trace=True)
    assert report.swapped == []
    assert report.unreached == [("", "calls dropout of a module that it imports itself")]
