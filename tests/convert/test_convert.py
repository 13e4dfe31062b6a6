"""convert(): its report, the layers that it skips, and the check with example inputs."""

import copy
import importlib
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

import convert_models as models
import convert_taps as taps
import fastgan
from convert_checks import images, rows
from fastgan import nn as fnn
from fastgan.convert.usage import SequentialUsage

LAYERS = [kind for kind in vars(fnn).values() if isinstance(kind, type) and issubclass(kind, nn.Module)]
NAMESAKES = [kind for kind in LAYERS if hasattr(nn, kind.__name__)]


def pair(activation=None, dropout=None):
    return nn.Sequential(nn.Linear(6, 6), activation or nn.LeakyReLU(0.2), dropout or nn.Dropout(0.5))


def test_the_function_and_the_module_of_the_same_name_are_both_there():
    assert fastgan.convert is importlib.import_module("fastgan.convert").convert
    assert callable(fastgan.convert)
    assert callable(fastgan.revert)


@pytest.mark.parametrize("kind", NAMESAKES, ids=lambda kind: kind.__name__)
def test_every_namesake_is_swapped_and_reverted(kind):
    torch_class = getattr(nn, kind.__name__)
    model = nn.ModuleDict({"layer": torch_class()})
    layer = model["layer"]
    report = fastgan.convert(model)
    assert report.swapped == [("layer", torch_class.__name__)]
    assert model["layer"] is layer
    assert type(layer) is kind
    assert fastgan.revert(model) is model
    assert type(layer) is torch_class


def test_a_model_that_is_one_layer():
    layer = nn.LeakyReLU(0.2)
    other = nn.Sequential(layer)
    assert fastgan.convert(layer).swapped == [("", "LeakyReLU")]
    assert type(layer) is fnn.LeakyReLU
    assert other[0] is layer


def test_loss_with_a_weight_shared_with_another_model():
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0]))
    model, other = nn.ModuleDict({"loss": loss}), nn.ModuleDict({"loss": loss})
    logits, target = torch.randn(5, 1), torch.rand(5, 1)
    fastgan.convert(model, None)
    model.double()
    assert other["loss"].pos_weight.dtype == torch.float32
    torch.testing.assert_close(model["loss"](logits.double(), target.double()).float(), loss(logits, target))


def test_the_report_as_text():
    report = fastgan.convert(nn.Sequential(*pair(), nn.Dropout1d(), nn.ReLU()))
    assert str(report).splitlines() == [
        "fastgan: 2 swapped, 1 pair fused, 0 skipped",
        "  swapped 3: Dropout1d",
        "  swapped 4: ReLU",
        "  fused   1 and 2",
        "  unfused 3 and 4: Dropout1d reads an input without a batch dimension in another way than the fused layer",
    ]


def test_fused_layers_keep_settings_and_modes():
    net = pair(nn.LeakyReLU(0.3, inplace=True), nn.Dropout2d(0.4))
    net[2].eval()
    fastgan.convert(net)
    fused, identity = net[1], net[2]
    assert (fused.negative_slope, fused.p, fused.inplace, fused.feature) == (0.3, 0.4, True, True)
    assert type(identity) is nn.Identity
    assert (fused.training, identity.training) == (False, False)
    relu = pair(nn.ReLU())
    fastgan.convert(relu)
    assert (relu[1].negative_slope, relu[1].inplace, relu[1].feature) == (0.0, False, False)


def test_fuse_false_swaps_only():
    net = pair()
    report = fastgan.convert(net, fuse=False)
    assert [name for name, _ in report.swapped] == ["1", "2"]
    assert report.fused == report.unfused == report.skipped == []


class OwnForward(nn.LeakyReLU):
    def forward(self, input):
        return super().forward(input) + 1


class Doubled(nn.Module):
    def forward(self, p):
        return p


def hooked(net):
    net[2].register_forward_pre_hook(lambda *_: None)


def patched(net):
    net[1].forward = lambda x: x + 1


def backward_hooked(net):
    net[1].register_full_backward_hook(lambda *_: None)


def kept_in_a_list(net):
    net.taps = [net[1]]


def subclassed(net):
    net[1] = OwnForward(0.2)


def scripted(net):
    net[1] = torch.jit.script(nn.LeakyReLU(0.2))


def parametrised(net):
    net[1].register_parameter("unused", nn.Parameter(torch.ones(())))
    parametrize.register_parametrization(net[1], "unused", Doubled())


def slope_tensor(net):
    net[1].negative_slope = torch.tensor(0.2)


@pytest.mark.parametrize(
    ("change", "swapped", "reason"),
    [
        (hooked, 2, "hooks"),
        (patched, 1, "forward of its own"),
        (backward_hooked, 2, "hooks"),
        (kept_in_a_list, 2, "'taps' of Sequential"),
        (subclassed, 1, "OwnForward is a subclass"),
        (scripted, 1, "torch.jit.script"),
        (parametrised, 1, "parametrised"),
        (slope_tensor, 1, "not a number"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*")
def test_a_skipped_layer_has_a_reason(change, swapped, reason):
    net = pair()
    change(net)
    kinds = [type(layer) for layer in net]
    report = fastgan.convert(net)
    assert report.fused == []
    assert len(report.swapped) == swapped
    (entry,) = report.skipped + report.unfused
    assert entry[0] == "1"
    assert reason in entry[-1]
    assert not {name for name, _ in report.skipped} & {name for name, _ in report.swapped}
    if swapped == 1:
        assert type(net[1]) is kinds[1]


def test_hooks_on_a_swapped_layer_go_on_running():
    net, seen = pair(), []
    net[1].register_forward_hook(lambda module, args, output: seen.append(type(module)))
    fastgan.convert(net)
    net(rows()[0])
    assert seen == [fnn.LeakyReLU]


@pytest.mark.parametrize("trace", [False, True])
def test_the_equivalence_check_leaves_everything_as_it_was(trace):
    net = models.Discriminator()
    inputs = (images()[0].requires_grad_(),)
    net(*inputs).sum().backward()
    net.main[4].eval()
    gradients = [p.grad for p in net.parameters()]
    before = copy.deepcopy((net.state_dict(), gradients, inputs[0].detach(), inputs[0].grad))
    modes = [module.training for module in net.modules()]
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    fastgan.convert(net, inputs, trace=trace)
    after = net.state_dict(), [p.grad for p in net.parameters()], inputs[0].detach(), inputs[0].grad
    torch.testing.assert_close(after, before, rtol=0, atol=0)
    assert all(p.grad is g for p, g in zip(net.parameters(), gradients, strict=True))
    assert [module.training for module in net.modules()] == modes
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert (states[2] == np.random.get_state()[1]).all()  # noqa: NPY002


@pytest.mark.parametrize("fault", ["output", "gradient", "second", "mutation"])
def test_the_equivalence_check_names_the_first_module_that_differs(monkeypatch, fault):
    def wrong(self, input):
        y = nn.functional.leaky_relu(input.clone(), self.negative_slope)
        if fault == "output":
            return y * 1.01
        if fault == "gradient":
            return y + (input - input.detach())
        if fault == "second":
            return y + (input - input.detach()) ** 2
        with torch.no_grad():
            input.mul_(2)
        return y

    net = nn.Sequential(nn.Identity(), nn.LeakyReLU(0.2), nn.Linear(6, 6), nn.LeakyReLU(0.3), nn.Dropout(0.5))
    before = [*net]
    monkeypatch.setattr(fnn.LeakyReLU, "forward", wrong)
    named = {"output": "first module that differs is '1'", "second": "double gradients", "gradient": "gradients"}
    with pytest.raises(RuntimeError, match=named.get(fault, "writes into its inputs")):
        fastgan.convert(net, tuple(rows()))
    assert [*net] == before
    assert [type(layer) for layer in net] == [nn.Identity, nn.LeakyReLU, nn.Linear, nn.LeakyReLU, nn.Dropout]


def test_the_equivalence_check_finds_a_tap_that_the_code_analysis_missed(monkeypatch):
    monkeypatch.setattr(SequentialUsage, "why_exposed", lambda *_: None)
    net = taps.FeatureTaps()
    with pytest.raises(RuntimeError, match="outputs in training"):
        fastgan.convert(net, tuple(rows()))
    assert [type(layer) for layer in net.features] == [nn.Linear, nn.LeakyReLU, nn.Dropout, nn.Linear]


def test_bad_example_inputs_change_nothing():
    net = pair()
    with pytest.raises(TypeError, match="tuple of positional arguments, got Tensor"):
        fastgan.convert(net, rows()[0])
    with pytest.raises(RuntimeError, match="shapes"):
        fastgan.convert(net, (torch.randn(4, 5),))
    assert type(net[1]) is nn.LeakyReLU


class Attention(nn.Module):
    def forward(self, x):
        return nn.functional.scaled_dot_product_attention(x, x, x, dropout_p=0.1)


def test_the_report_names_dropout_that_is_out_of_reach():
    model = nn.ModuleDict(
        {
            "lstm": nn.LSTM(4, 4, 2, dropout=0.1),
            "single": nn.LSTM(4, 4),
            "heads": nn.MultiheadAttention(4, 2, dropout=0.1),
            "plain": nn.MultiheadAttention(4, 2),
            "attention": Attention(),
            "functions": models.Functional(),
        }
    )
    report = fastgan.convert(model)
    assert report.unreached == [
        ("lstm", "the dropout between the layers of LSTM is inside torch's op"),
        ("heads", "the dropout of MultiheadAttention is inside torch's op"),
        ("attention", "the dropout of scaled_dot_product_attention is inside torch's op"),
        ("functions", "calls dropout, leaky_relu, relu; trace=True replaces that"),
    ]
    assert "  beyond  functions: calls dropout" in str(report)
    assert [name for name, _ in fastgan.convert(model, trace=True).unreached] == ["lstm", "heads", "attention"]
