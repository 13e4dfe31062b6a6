"""convert() on models that a careless conversion would break."""

import copy
import gc
import pickle

import pytest
import torch
from torch import nn

import convert_models as models
import convert_taps as taps
import fastgan
from convert_checks import assert_same_model, count, identities, images, rows
from fastgan import nn as fnn

# For each model: how to make it, its inputs, and the numbers of layers swapped, pairs fused, and both skipped.
CASES = {
    "DCGAN": (models.Discriminator, images(), (0, 2, 0)),
    "U-Net": (models.UNet, images(channels=4), (6, 0, 0)),
    "U-Net, overwriting": (lambda: models.UNet(1, dropout_first=True), images(channels=4), (4, 0, 1)),
    "residual": (models.Residual, rows(), (2, 2, 0)),
    "shared activation": (models.shared_activation, rows(), (3, 0, 2)),
    "default argument": (models.DefaultArgument, rows(), (0, 1, 0)),
    "functional": (models.Functional, rows(), (2, 0, 0)),
    "dropout before norm": (models.dropout_between_convolution_and_norm, images(), (2, 0, 0)),
    "dropout first": (models.dropout_before_activation, images(), (0, 2, 0)),
    "plain list": (models.PlainList, rows(), (2, 0, 1)),
    "features": (taps.Features, rows(), (0, 1, 0)),
    "loop": (models.Loop, rows(), (0, 2, 0)),
    "feature taps": (taps.FeatureTaps, rows(), (2, 0, 1)),
    "sliced taps": (taps.SlicedTaps, rows(), (2, 0, 1)),
    "taps in a method": (taps.TapsInAMethod, rows(), (2, 0, 1)),
    "taps in a property": (taps.TapsInAProperty, rows(), (2, 0, 1)),
    "taps in a lambda": (taps.TapsInALambda, rows(), (2, 0, 1)),
    "taps in a wrapper": (taps.TapsInAWrapper, rows(), (2, 0, 1)),
    "taps in a function": (taps.TapsInAFunction, rows(), (2, 0, 1)),
    "taps by name": (taps.TapsByName, rows(), (2, 0, 1)),
    "layers that are attributes too": (taps.Registered, rows(), (0, 1, 0)),
    "blocks by index": (taps.StackOfRegistered, rows(), (0, 2, 0)),
    "attributes that are run too": (taps.RegisteredAndRead, rows(), (2, 0, 1)),
    "dense block": (taps.DenseBlock, rows(), (0, 2, 0)),
    "dense block over itself": (taps.DenseBlockByItself, rows(), (0, 2, 0)),
    "taps of a dense block": (taps.DenseBlockTaps, rows(), (4, 0, 2)),
    "taps in a loop": (taps.LoopTaps, rows(), (2, 0, 1)),
    "blocks kept by a loop": (taps.LoopKeeps, rows(), (2, 0, 1)),
    "own forward": (
        lambda: models.OwnForward(nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Dropout(0.5)),
        rows(),
        (2, 0, 1),
    ),
    "layers of two Sequentials": (models.Halves, rows(), (2, 0, 1)),
    "slope 1": (models.slope_one, rows(), (1, 1, 0)),
    "PReLU": (models.learned_slope, rows(), (1, 0, 0)),
    "spectral and weight norm": (models.normalised_weights, rows(), (0, 3, 0)),
    "packed": (models.Packed, rows(), (0, 2, 0)),
    "growing": (models.Growing, rows(), (0, 1, 0)),
    "checkpointed": (models.Checkpointed, rows(), (0, 1, 0)),
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_changes_and_the_report_counts(case):
    make, inputs, counts = CASES[case]
    assert_same_model(make, inputs, counts)


@pytest.mark.parametrize("case", ["feature taps", "functional", "DCGAN", "growing", "residual"])
def test_nothing_changes_when_traced(case):
    make, inputs, _ = CASES[case]
    counts = {"feature taps": (2, 0, 1), "functional": (2, 2, 0), "DCGAN": (0, 2, 0), "growing": (0, 1, 0)}
    assert_same_model(make, inputs, counts.get(case, (2, 2, 0)), trace=True)


def test_an_inplace_layer_overwrites_its_input_as_before():
    net = models.UNet(1)
    fastgan.convert(net)
    assert type(net.model[0]) is fnn.LeakyReLU
    x = images(channels=4)[0]
    before = x.clone()
    output = net(x)
    assert torch.equal(x, nn.functional.leaky_relu(before, 0.2))
    assert torch.equal(output[:, :4], x)


@pytest.mark.parametrize("order", ["activation first", "dropout first"])
@pytest.mark.parametrize("first_inplace", [False, True])
@pytest.mark.parametrize("second_inplace", [False, True])
@pytest.mark.parametrize("after_linear", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_every_combination_of_inplace_flags(order, first_inplace, second_inplace, after_linear, training):
    """The output, its mask and what is written into the input are the same, in both modes."""
    pair = (nn.LeakyReLU(0.2, first_inplace), nn.Dropout(0.5, second_inplace))
    if order == "dropout first":
        pair = (nn.Dropout(0.5, first_inplace), nn.LeakyReLU(0.2, second_inplace))
    plain = nn.Sequential(*([nn.Linear(6, 6)] if after_linear else []), *pair).train(training)
    fused = copy.deepcopy(plain)
    fastgan.convert(plain, fuse=False)
    fastgan.convert(fused)
    if after_linear or first_inplace == second_inplace:
        assert identities(fused) == 1
    results = []
    for model in (plain, fused):
        torch.manual_seed(3)
        x = rows()[0]
        results.append((model(x), x))
    torch.testing.assert_close(results[0], results[1])


def test_a_layer_of_two_models_is_changed_in_one_only():
    converted, other = models.DefaultArgument(), models.DefaultArgument()
    act = other.net[1]
    assert converted.net[1] is act
    assert len(fastgan.convert(converted).fused) == 1
    assert other.net[1] is act
    assert type(act) is nn.LeakyReLU
    assert type(models.DefaultArgument().net[1]) is nn.LeakyReLU


def test_a_layer_shared_by_generator_and_discriminator():
    act = nn.LeakyReLU(0.2)
    generator, discriminator = nn.Sequential(nn.Linear(6, 6), act), nn.Sequential(nn.Linear(6, 1), act, act)
    fastgan.convert(discriminator)
    assert generator[1] is act
    assert type(act) is nn.LeakyReLU
    assert type(discriminator[1]) is fnn.LeakyReLU
    assert discriminator[1] is discriminator[2]


def test_a_layer_that_only_one_model_holds_stays_the_same_instance():
    act = nn.LeakyReLU(0.2)
    net = nn.Sequential(nn.Linear(6, 8), act, nn.Linear(8, 8), act)
    dead = nn.Sequential(nn.Linear(6, 8), act)
    dead.cycle = [dead]
    del dead  # a dead model in a cycle does not count
    fastgan.convert(net)
    assert net[1] is act
    assert net[3] is act
    assert type(act) is fnn.LeakyReLU
    gc.collect()


def test_a_shared_instance_with_hooks_is_left_alone():
    first = nn.Sequential(nn.LeakyReLU(0.2))
    second = nn.Sequential(first[0])
    first[0].register_forward_hook(lambda *_: None)
    report = fastgan.convert(second)
    assert report.swapped == []
    assert "hooks" in report.skipped[0][-1]


def test_aliases_in_a_plain_list_go_on_following_the_mode():
    net = models.PlainList()
    fastgan.convert(net)
    assert net.layers[2] is net.net[2]
    x = rows()[0]
    assert torch.equal(net.eval()(x), net(x))
    assert not torch.equal(net.train()(x), net(x))


def test_taps_see_the_values_between_the_layers_in_training():
    net = taps.FeatureTaps()
    fastgan.convert(net)
    seen = net(rows()[0])
    assert not (seen[1] == 0).any()
    assert (seen[2] == 0).any()


def test_taps_of_a_model_that_holds_this_one():
    net = taps.Features()
    outer = taps.TapsFromOutside(net.features)
    report = fastgan.convert(net)
    assert report.fused == []
    assert "TapsFromOutside.forward reads 'features'" in report.unfused[0][-1]
    assert outer.features is net.features
    assert len(fastgan.convert(taps.Features()).fused) == 1


def test_growth_while_training():
    net = models.Growing()
    fastgan.convert(net)
    net.grow()
    before = copy.deepcopy(net)
    assert len(fastgan.convert(net).fused) == 1
    x = rows()[0]
    torch.testing.assert_close(net.eval()(x), before.eval()(x))
    fastgan.revert(net)
    assert [type(layer) for layer in net.net] == [nn.Linear, nn.LeakyReLU, nn.Dropout] * 2


def test_growth_of_a_traced_model():
    net = models.GrowingLoop()
    report = fastgan.convert(net, trace=True)
    assert len(report.swapped) == 1
    x = rows()[0]
    for _ in range(2):
        expected = x
        for block in net.blocks:
            expected = nn.functional.leaky_relu(block(expected), 0.2) * net.share
        torch.testing.assert_close(net(x), expected)
        net.grow()


def test_gradient_penalty_of_packed_samples():
    net = models.Packed()
    plain = copy.deepcopy(net)
    fastgan.convert(net)
    fastgan.convert(plain, fuse=False)
    gradients = []
    for model in (net, plain):
        torch.manual_seed(5)
        model.penalty(torch.randn(8, 6), torch.randn(8, 6)).backward()
        gradients.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_weights_by_index_and_optimizers_stay():
    net = models.Discriminator()
    weight, optimizer = net.main[0].weight, torch.optim.Adam(net.parameters())
    fastgan.convert(net)
    assert net.main[0].weight is weight
    net(images()[0]).sum().backward()
    optimizer.step()
    assert optimizer.state[weight]["step"] == 1


def test_checkpointing_draws_the_same_masks_again():
    net = models.Checkpointed()
    fastgan.convert(net)
    x = rows()[0].requires_grad_()
    y = net(x)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    direct = net.net
    torch.manual_seed(0)
    y = net(x)
    torch.manual_seed(0)
    torch.testing.assert_close(direct(x), y)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_of_converted_models_are_converted_models(copied):
    for case in ("DCGAN", "functional", "residual"):
        make, inputs, _ = CASES[case]
        net = make()
        before = copy.deepcopy(net)
        fastgan.convert(net, trace=True)
        twin = copied(net)
        for model in (twin, net, before):
            model.eval()
        torch.testing.assert_close(twin(*inputs), before(*inputs))
        assert count(twin, fnn.LeakyReLUDropout) == count(net, fnn.LeakyReLUDropout)
        fastgan.revert(twin)
        assert repr(twin) == repr(before)
