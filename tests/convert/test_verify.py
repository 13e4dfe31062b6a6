"""The check with example inputs compares what can be compared, and says what cannot."""

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import fastgan
from convert_checks import rows
from fastgan import nn as fnn
from fastgan.convert.verify import EquivalenceCheck


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.act, self.drop = nn.Linear(6, 6), nn.LeakyReLU(0.2), nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.act(self.linear(x)))


class KeptOn(Base):
    """Dropout is the noise of pix2pix, in eval too."""

    def train(self, mode=True):
        super().train(mode)
        self.drop.train(True)
        return self


class AlwaysOn(Base):
    def forward(self, x):
        return F.dropout(self.act(self.linear(x)), 0.5)


class OwnSpectralNorm(Base):
    """Spectral norm as in many repositories: each forward moves u, a parameter, and assigns to its .data."""

    def __init__(self, assigns):
        super().__init__()
        self.u, self.assigns = nn.Parameter(torch.randn(6), requires_grad=False), assigns
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        moved = F.normalize(self.linear.weight.detach() @ self.u.detach(), dim=0)
        if self.assigns:
            self.u.data = moved
        else:
            with torch.no_grad():
                self.u.copy_(moved)
        self.calls += 1
        return self.drop(self.act(self.linear(x))) / self.u.norm(1) * self.calls


class Counts(Base):
    """Keeps a number where nobody restores it."""

    def __init__(self):
        super().__init__()
        self.counter = [0]

    def forward(self, x):
        self.counter[0] += 1
        return super().forward(x) + self.counter[0]


class Linear(Base):
    """No second gradient depends on anything: torch gives None for some tensors, others zeros."""

    def forward(self, x):
        return self.act(x) + 0 * self.linear(x)


@pytest.mark.parametrize("kind", [KeptOn, AlwaysOn])
@pytest.mark.parametrize("trace", [False, True])
def test_dropout_that_stays_on_in_eval_is_compared_at_p_0(kind, trace):
    net = kind()
    assert fastgan.convert(net, tuple(rows()), trace=trace).swapped or trace
    net.eval()
    assert not torch.equal(net(*rows()), net(*rows()))
    assert net.drop.p == 0.5


def test_a_fault_of_a_model_whose_dropout_stays_on_is_found(monkeypatch):
    monkeypatch.setattr(fnn.LeakyReLU, "forward", lambda self, x: F.leaky_relu(x, 0.3))
    with pytest.raises(RuntimeError, match=r"outputs in eval with p = 0: .*module that differs is 'act'"):
        fastgan.convert(KeptOn(), tuple(rows()))


@pytest.mark.parametrize("assigns", [False, True])
def test_a_forward_that_changes_parameters_and_buffers_is_compared_from_equal_states(assigns):
    net = OwnSpectralNorm(assigns)
    before, memory = copy.deepcopy(net.state_dict()), net.u.data_ptr()
    assert len(fastgan.convert(net, tuple(rows())).swapped) == 2
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)
    assert net.u.data_ptr() == memory


def test_a_model_that_differs_from_itself_is_converted_with_a_warning():
    net = Counts()
    with pytest.warns(UserWarning, match="outputs in .* could not be compared, because two runs of the model before"):
        report = fastgan.convert(net, tuple(rows()))
    assert len(report.swapped) == 2
    assert type(net.act) is fnn.LeakyReLU


def test_gradients_that_a_model_which_differs_from_itself_does_have_are_compared(monkeypatch):
    monkeypatch.setattr(fnn.LeakyReLU, "forward", lambda self, x: F.leaky_relu(x, 0.3))
    warnings.simplefilter("ignore")
    net = Counts()
    with pytest.raises(RuntimeError, match="gradients in eval"):
        fastgan.convert(net, tuple(rows()))
    assert type(net.act) is nn.LeakyReLU


@pytest.mark.parametrize("missing", ["before", "after"])
def test_no_gradient_and_zeros_are_the_same(monkeypatch, missing):
    """Second derivatives by the input: torch's activations give zeros, a formula without a tie to it gives none."""
    tied = lambda self, x: F.leaky_relu(x, 0.2) + 0 * x * x  # noqa: E731
    monkeypatch.setattr(fnn.LeakyReLU if missing == "before" else nn.LeakyReLU, "forward", tied)
    fastgan.convert(Linear(), tuple(rows()))
    fastgan.convert(nn.Sequential(nn.LeakyReLU(0.2)), tuple(rows()))


def test_an_error_of_the_converted_model_alone_is_named_so(monkeypatch):
    monkeypatch.setattr(fnn.LeakyReLU, "forward", lambda self, x: x.missing)
    net = Base()
    with pytest.raises(
        RuntimeError, match=r"converted model to run in training as before, got AttributeError.*missing"
    ):
        fastgan.convert(net, tuple(rows()), fuse=False)
    assert type(net.act) is nn.LeakyReLU


def test_an_error_of_the_model_itself_is_named_so():
    net = Base()
    with pytest.raises(
        RuntimeError, match=r"error of the model itself, before anything was converted: .*shapes"
    ) as info:
        fastgan.convert(net, (torch.randn(4, 5),))
    assert isinstance(info.value.__cause__, RuntimeError)
    with pytest.raises(RuntimeError, match=r"the model itself.*TypeError"):
        fastgan.convert(net, (*rows(), *rows()))
    assert type(net.act) is nn.LeakyReLU


@pytest.mark.parametrize(("kind", "runs"), [(Base, 4), (AlwaysOn, 5)])
def test_a_model_runs_twice_in_each_mode_and_once_more_where_it_draws_in_eval(kind, runs):
    net, count = kind(), []
    net.register_forward_hook(lambda *_: count.append(1))
    EquivalenceCheck(net, tuple(rows()))
    assert len(count) == runs
