"""torch.fx takes the layers for leaves, as it takes torch.nn's."""

import copy

import pytest
import torch
from torch import fx, nn

import convert_models as models
import fastgan
from convert_checks import images, rows
from fastgan import nn as fnn

LAYERS = [
    fnn.LeakyReLU(0.2),
    fnn.ReLU(inplace=True),
    fnn.Dropout(0.25),
    fnn.Dropout1d(0.25, inplace=True),
    fnn.Dropout2d(0.25),
    fnn.Dropout3d(0.25),
    fnn.LeakyReLUDropout(0.2, 0.25),
    fnn.LeakyReLUDropout(0.1, 0.5, inplace=True, feature=True),
]
LOSSES = [fnn.BCELoss(torch.rand(6)), fnn.BCEWithLogitsLoss(pos_weight=torch.rand(6), reduction="none")]


def called_layers(graph_module):
    return [type(graph_module.get_submodule(n.target)) for n in graph_module.graph.nodes if n.op == "call_module"]


def input_of(layer):
    return torch.randn((2, 3, 4) if isinstance(layer, nn.Dropout1d) else (2, 3, 4, 5))


def same_masks(one, other, *inputs):
    results = []
    for module in (one, other):
        torch.manual_seed(3)
        results.append(module(*(x.clone() for x in inputs)))
    return torch.equal(*results)


class OtherTracer(fx.Tracer):
    """A tracer with leaves of its own."""

    def is_leaf_module(self, m, module_qualified_name):
        return isinstance(m, nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
@pytest.mark.parametrize("training", [False, True])
def test_a_layer_is_one_node_that_calls_it(layer, training):
    net = nn.Sequential(nn.Identity(), copy.deepcopy(layer)).train(training)
    graph = fx.symbolic_trace(net)
    assert [node.op for node in graph.graph.nodes] == ["placeholder", "call_module", "call_module", "output"]
    assert called_layers(graph) == [nn.Identity, type(layer)]
    for mode in (training, not training):
        assert same_masks(graph.train(mode), net.train(mode), input_of(layer))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("constant", ["neither", "input", "target", "number"])
def test_a_loss_is_one_node_whichever_of_its_inputs_is_traced(loss, constant):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.loss, self.constant = loss, torch.rand(4, 6)

        def forward(self, x, y):
            x = self.constant if constant == "input" else x
            return self.loss(x, {"target": self.constant, "number": 1.0}.get(constant, y))

    graph, inputs = fx.symbolic_trace(Net()), (torch.rand(4, 6), torch.rand(4, 6))
    assert called_layers(graph) == [type(loss)]
    assert same_masks(graph, Net() if constant in ("neither", "number") else graph, *inputs)
    x = graph.constant if constant == "input" else inputs[0]
    target = {"target": getattr(graph, "constant", None), "number": 1.0}.get(constant, inputs[1])
    torch.testing.assert_close(graph(*inputs), loss(x, target))


@pytest.mark.parametrize("layer", [*LAYERS, fnn.BCELoss()], ids=repr)
def test_the_root_of_a_trace_becomes_functions(layer):
    graph = fx.symbolic_trace(copy.deepcopy(layer).eval())
    assert [node.op for node in graph.graph.nodes if node.op.startswith("call")] == ["call_function"]
    inputs = (torch.rand(4, 6), torch.rand(4, 6)) if isinstance(layer, nn.BCELoss) else (input_of(layer),)
    torch.testing.assert_close(graph(*inputs), copy.deepcopy(layer).eval()(*inputs))


@pytest.mark.parametrize("trace", [False, True])
@pytest.mark.parametrize("make", [models.Discriminator, models.Functional, models.Residual])
def test_a_converted_model_has_the_graph_of_the_converted_layers(make, trace):
    net = make()
    inputs = images() if make is models.Discriminator else rows()
    fastgan.convert(net, trace=trace)
    graph = fx.GraphModule(net, OtherTracer().trace(net.eval()))
    assert {type(layer) for layer in net.modules() if type(layer).__module__ == "fastgan.nn"} <= {*called_layers(graph)}
    torch.testing.assert_close(graph.eval()(*inputs), net(*inputs))


def test_features_of_a_layer_inside_can_be_cut_out():
    """What torchvision's create_feature_extractor does."""
    net = models.Discriminator().eval()
    fastgan.convert(net)
    graph = fx.symbolic_trace(net)
    node = next(node for node in graph.graph.nodes if node.target == "main.2")
    output = next(node for node in graph.graph.nodes if node.op == "output")
    output.args = ({"features": node},)
    graph.graph.eliminate_dead_code()
    graph.delete_all_unused_submodules()
    graph.recompile()
    torch.testing.assert_close(graph(*images())["features"], net.main[:3](*images()))
    assert not [name for name, _ in graph.named_modules() if name == "main.4"]


def test_a_transformed_graph_keeps_the_leaves():
    net = nn.Sequential(nn.Linear(6, 6), fnn.LeakyReLUDropout(0.2, 0.5), fnn.Dropout(0.5))
    graph = fx.Transformer(fx.symbolic_trace(net)).transform()
    assert called_layers(graph) == [nn.Linear, fnn.LeakyReLUDropout, fnn.Dropout]
    assert same_masks(graph, net, *rows())


def test_hooks_are_refused_and_revert_named():
    net = nn.Sequential(nn.Linear(6, 6), fnn.ReLU())
    net[1].register_forward_hook(lambda *_: None)
    with pytest.raises(RuntimeError, match=r"expected no hooks under torch\.fx.*'1'.*fastgan\.revert\(model\)"):
        fx.symbolic_trace(net)
    assert called_layers(fx.symbolic_trace(fastgan.revert(net))) == [nn.Linear, nn.ReLU]
