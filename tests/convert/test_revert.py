"""revert(): torch.nn's layers are back, and the model can be scripted and exported."""

import pytest
import torch
from torch import nn

import convert_models as models
import fastgan
from convert_checks import images, rows
from fastgan import nn as fnn


def pair(activation=None, dropout=None):
    return nn.Sequential(nn.Linear(6, 6), activation or nn.LeakyReLU(0.2), dropout or nn.Dropout(0.5))


def test_revert_gives_the_same_layers_back():
    net = nn.Sequential(*pair(nn.ReLU(True), nn.Dropout2d(0.3)), nn.Dropout(0.1), nn.LeakyReLU(0.2))
    layers = [*net]
    fastgan.convert(net)
    net.eval()
    net[1].p = 0.25
    fastgan.revert(net)
    assert [*net] == layers
    assert net[2].p == 0.25
    assert not any(module.training for module in net.modules())


def test_revert_of_layers_placed_by_hand():
    net = nn.Sequential(
        nn.Linear(6, 6),
        fnn.LeakyReLUDropout(0.2, 0.3, inplace=True).eval(),
        fnn.LeakyReLUDropout(0.1, 0.5, feature=True),
    )
    assert fastgan.convert(net).swapped == []
    fused, expected = net[1], net.eval()(rows()[0])
    fastgan.revert(net)
    assert net[1] is fused
    assert repr(net[1]) == repr(nn.Sequential(nn.LeakyReLU(0.2), nn.Dropout(0.3, True)))
    assert [type(layer) for layer in net[2]] == [nn.LeakyReLU, nn.Dropout2d]
    assert not any(module.training for module in net.modules())
    torch.testing.assert_close(net(rows()[0]), expected)
    alone = fastgan.revert(fnn.LeakyReLUDropout(0.2, 0.3))
    assert [type(layer) for layer in alone] == [nn.LeakyReLU, nn.Dropout]


def test_revert_after_the_identity_was_deleted():
    net = pair()
    fastgan.convert(net)
    del net[2]
    fastgan.revert(net)
    assert [type(layer) for layer in net[1]] == [nn.LeakyReLU, nn.Dropout]


def test_reverted_models_can_be_scripted():
    net = pair()
    fastgan.convert(net)
    torch.testing.assert_close(torch.jit.script(fastgan.revert(net).eval())(rows()[0]), net(rows()[0]))


def test_reverted_models_export():
    net = models.Discriminator().eval()
    fastgan.convert(net)
    x = images()[0]
    expected = net(x)
    program = torch.export.export(fastgan.revert(net), (x,))
    torch.testing.assert_close(program.module()(x), expected)
    assert not any("fastgan" in str(node.target) for node in program.graph.nodes)


def test_reverted_models_export_to_onnx(tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    pytest.importorskip("onnxscript", reason="needs onnxscript")
    net = pair().eval()
    fastgan.convert(net)
    torch.onnx.export(fastgan.revert(net), tuple(rows()), tmp_path / "net.onnx", dynamo=True, verbose=False)
    kinds = {node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node}
    assert "LeakyRelu" in kinds


def test_a_reverted_in_place_layer_trains():
    model = nn.Sequential(nn.Linear(4, 8), fnn.LeakyReLUDropout(0.2, 0.5, inplace=True), nn.Linear(8, 1))
    fastgan.revert(model)
    model(torch.randn(3, 4)).sum().backward()
    assert model[0].weight.grad.abs().sum() > 0
