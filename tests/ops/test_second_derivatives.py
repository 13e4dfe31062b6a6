"""Second derivatives by the input are torch's: zeros where torch has zeros, at no cost until somebody asks for them."""

import copy
import weakref

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import fastgan
import fastgan.nn as fnn
from fastgan import functional as FF
from fastgan.losses import gradient_penalty, r1_penalty

GRAD = torch.autograd.grad


def critic(layers, activation="LeakyReLU", final=1):
    torch.manual_seed(0)
    act = getattr(layers, activation)
    return nn.Sequential(nn.Linear(3, 8), act(), nn.Linear(8, 8), act(inplace=True), nn.Linear(8, final))


class Counted(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def calls_of(run):
    with Counted() as counted:
        run()
    return counted.calls


@pytest.mark.parametrize("activation", ["LeakyReLU", "ReLU"])
def test_second_derivative_is_zeros_as_torchs(activation):
    for layers in (nn, fnn):
        model, x = critic(layers, activation), torch.randn(5, 3, requires_grad=True)
        (first,) = GRAD(model(x).sum(), x, create_graph=True)
        (second,) = GRAD(first.sum(), x)
        assert second.shape == x.shape
        assert not second.any()


@pytest.mark.parametrize("activation", ["LeakyReLU", "ReLU"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_strict_hessian_is_torchs(activation, create_graph):
    def hessian(layers):
        model = critic(layers, activation)
        return torch.autograd.functional.hessian(
            lambda x: model(x).sum(), torch.ones(2, 3), strict=True, create_graph=create_graph
        )

    assert torch.equal(hessian(fnn), hessian(nn))
    assert hessian(fnn).requires_grad == hessian(nn).requires_grad


def test_the_gradient_of_a_frozen_discriminator_is_a_loss_for_the_generator():
    grads = []
    for layers in (nn, fnn):
        model = critic(layers).requires_grad_(False)
        generator = nn.Linear(2, 3)
        samples = generator(torch.randn(5, 2))
        (guide,) = GRAD(model(samples).sum(), samples, create_graph=True)
        guide.square().sum().backward()
        grads.append([p.grad for p in generator.parameters()])
    for grad in grads[1]:
        assert grad is not None
        assert not grad.any()
    assert [g.shape for g in grads[1]] == [g.shape for g in grads[0]]


def test_dropout_alone_has_none_as_torchs():
    for layers in (nn, fnn):
        x = torch.ones(8, requires_grad=True)
        (first,) = GRAD(layers.Dropout(0.5)(x).sum(), x, create_graph=True)
        assert not first.requires_grad


@pytest.mark.parametrize(
    "stages",
    [{}, {"clamp": 0.5}, {"p": 0.0}, {"inplace": True}, {"bias": True}, {"bias": True, "feature": True}],
    ids=str,
)
def test_gradgradcheck_by_input_and_bias(stages):
    stages = {"p": 0.3, **stages}
    x = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    bias = (torch.randn(4, dtype=torch.float64, requires_grad=True),) if stages.pop("bias", False) else ()

    def run(x, bias=None):
        return FF.leaky_relu_dropout(x * x, 0.2, bias=bias, seed=1, **stages)

    assert torch.autograd.gradcheck(run, (x, *bias))
    assert torch.autograd.gradgradcheck(run, (x, *bias))


def test_the_bias_gets_its_zeros():
    bias = torch.randn(4, requires_grad=True)
    x = torch.randn(3, 4, requires_grad=True)
    (first,) = GRAD(FF.leaky_relu_dropout(x, 0.2, 0.3, bias=bias, seed=1).sum(), x, create_graph=True)
    assert [g.tolist() for g in GRAD(first.sum(), (bias,))] == [[0.0] * 4]


def test_third_derivatives_are_zeros_too():
    x = torch.randn(4, requires_grad=True)
    value = FF.leaky_relu(x * x, 0.2)
    for _ in range(3):
        (value,) = GRAD(value.sum(), x, create_graph=True)
    assert value.tolist() == [0.0] * 4


def loss_with(penalty, model, x):
    """The critic's loss with a gradient penalty: every parameter has a gradient of its own."""
    return model(x).mean() + penalty(model, x)


@pytest.mark.parametrize(
    "penalty", [r1_penalty, lambda d, x: gradient_penalty(d, x, torch.zeros_like(x))], ids=["r1", "wgan-gp"]
)
@pytest.mark.parametrize("how", ["backward", "grad"])
def test_a_penalty_carries_no_zeros(penalty, how):
    """Its backward calls what it would call if the second derivative did not exist, plus nothing."""
    x = torch.randn(5, 3)

    def calls(layers):
        model = critic(layers)
        torch.manual_seed(1)
        loss = loss_with(penalty, model, x)
        parameters = list(model.parameters())
        run = loss.backward if how == "backward" else lambda: GRAD(loss, parameters)
        return calls_of(run)

    ours, plain = calls(fnn), calls(nn)
    assert not [call for call in ours if "zeros" in call or call == "zero_"]
    # Loss: 3 layers with 2 products each but the first. Penalty: forward 2 a layer, double backward 1 or 2 a layer.
    assert plain.count("zeros_like") == 2
    assert ours.count("mm") < plain.count("mm")
    assert ours.count("bias_act_dropout_backward") == 4  # two of the loss, two of the penalty


def test_leaves_that_only_zeros_reach_get_them_once_at_the_end():
    model = critic(fnn)
    penalty = r1_penalty(model, torch.randn(5, 3))
    calls = calls_of(penalty.backward)
    biases = [model[0].bias.grad, model[2].bias.grad]
    assert [grad.abs().sum().item() for grad in biases] == [0.0, 0.0]
    assert calls.count("zeros_like") == 2
    assert model[4].bias.grad is None  # as torch's


def test_gradients_that_exist_are_left_alone():
    model = critic(fnn)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    r1_penalty(model, torch.randn(5, 3)).backward()
    assert model[0].bias.grad.tolist() == [1.0] * 8


def test_penalty_gradients_are_torchs():
    x, grads = torch.randn(5, 3), []
    plain = critic(nn)
    converted = copy.deepcopy(plain)
    assert fastgan.convert(converted).swapped
    for model in (plain, converted):
        loss_with(r1_penalty, model, x).backward()
        grads.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*grads)


def test_hooks_on_the_way_see_zeros_as_torchs_do():
    """A hook gets a tensor, never None."""
    for layers in (nn, fnn):
        model, seen = critic(layers), []
        model[0].register_forward_hook(lambda m, i, out, seen=seen: out.register_hook(seen.append) and None)
        penalty = r1_penalty(model, torch.randn(5, 3))
        seen.clear()
        penalty.backward()
        assert [(grad.shape, grad.any().item()) for grad in seen] == [((5, 8), False)]


def test_the_tie_keeps_no_memory():
    """The backward's node holds edges and the state, not the input."""
    x = torch.randn(1000, requires_grad=True)
    hidden = x * 1
    output = FF.leaky_relu(hidden, 0.2)
    gone = weakref.ref(hidden)
    del hidden
    assert gone() is None
    (first,) = GRAD(output.sum(), x, create_graph=True)
    assert first.requires_grad


@pytest.mark.parametrize("trace", [False, True])
def test_converts_proof_compares_double_gradients(trace):
    """It refuses a model whose second derivatives are gone."""
    model = critic(nn)
    assert fastgan.convert(model, (torch.randn(4, 3, requires_grad=True),), trace=trace).swapped
    x = torch.randn(4, 3, requires_grad=True)
    (first,) = GRAD(model(x).sum(), x, create_graph=True)
    assert GRAD(first.sum(), x)[0].shape == x.shape
