"""Rewrites a recorded graph so that it calls fastgan for functions, and for modules called one after the other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode

from fastgan import functional as FF
from fastgan import nn as fnn
from fastgan.convert.fuse import activation_slope, allocates_output, dropout_p, fused_inplace
from fastgan.convert.references import has_hooks
from fastgan.functional import composed

__all__ = ["Rewriter", "dropout_is_off", "dropout_off"]

_ACTIVATIONS = (fnn.LeakyReLU, fnn.ReLU)
_DROPOUTS = (fnn.Dropout, fnn.Dropout1d, fnn.Dropout2d, fnn.Dropout3d)
# The layer that does what a function does. Its arguments are the function's, except `input` and `training`.
_LAYERS: dict[Any, type[nn.Module]] = {
    F.leaky_relu: fnn.LeakyReLU,
    F.relu: fnn.ReLU,
    torch.relu: fnn.ReLU,
    F.dropout: fnn.Dropout,
    F.dropout1d: fnn.Dropout1d,
    F.dropout2d: fnn.Dropout2d,
    F.dropout3d: fnn.Dropout3d,
}
_LOSSES: dict[Any, Any] = {
    F.binary_cross_entropy: FF.binary_cross_entropy,
    F.binary_cross_entropy_with_logits: FF.binary_cross_entropy_with_logits,
}
_DEPRECATED_LOSS_ARGUMENTS = ("size_average", "reduce")  # torch passes them on as None
_dropout_is_off = False


class _DropoutOff(TorchFunctionMode):
    """Makes calls of ``F.dropout`` and its variants return their input."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if issubclass(_LAYERS.get(func, nn.Module), _DROPOUTS):
            return (args or tuple(kwargs.values()))[0]
        return func(*args, **(kwargs or {}))


@contextmanager
def dropout_off() -> Iterator[None]:
    """Turn off dropout functions in the block, torch's and rewritten ones. Modules are not affected."""
    global _dropout_is_off
    _dropout_is_off = True
    try:
        with _DropoutOff():
            yield
    finally:
        _dropout_is_off = False


def dropout_is_off() -> bool:
    """Return whether the code runs in a block of :func:`dropout_off`."""
    return _dropout_is_off


def _layer_of(owner: nn.Module, node: fx.Node) -> nn.Module | None:
    """Return the layer that a node calls, or a layer that does what the function that it calls does.

    The result is None for other nodes, and for a function whose settings are not numbers.
    """
    if node.op == "call_module":
        module = owner.get_submodule(str(node.target))
        return module if len(node.args) == 1 and not node.kwargs and type(module) in _ACTIVATIONS + _DROPOUTS else None
    kind = _LAYERS.get(node.target) if node.op == "call_function" else None
    if kind is None:
        return None
    if node.target is torch.relu:
        return kind()
    settings = inspect.signature(node.target).bind(*node.args, **node.kwargs)  # type: ignore[arg-type]
    settings.apply_defaults()
    values = {name: value for name, value in settings.arguments.items() if name != "input"}
    training = values.pop("training", True)
    if any(not isinstance(value, (bool, int, float)) for value in (training, *values.values())):
        return None  # the model computes it at each call
    return kind(**values).train(bool(training))


def _input_of(node: fx.Node) -> Any:
    return node.args[0] if node.args else node.kwargs.get("input")


def _call_of(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return the function that runs ``layer`` from a graph."""

    def fastgan_layer(input: Tensor) -> Tensor:
        if _dropout_is_off and isinstance(layer, _DROPOUTS):
            return input
        return layer(input)  # type: ignore[no-any-return]

    return fastgan_layer


def _fused_call_of(first: nn.Module, second: nn.Module, input_is_private: bool) -> Callable[[Tensor], Tensor]:
    """Return the function that runs ``second(first(input))`` from a graph, in one kernel where that is exact.

    It reads hooks, settings and modes at each call, because they may change.
    """
    activation, dropout = (first, second) if isinstance(first, _ACTIVATIONS) else (second, first)
    # The kernel reads (N, C, ...), and so does Dropout2d. Dropout1d and Dropout3d do only with a batch dimension.
    rank = 3 if isinstance(dropout, nn.Dropout1d) else 5 if isinstance(dropout, nn.Dropout3d) else None
    feature = not isinstance(dropout, nn.Dropout)

    def fastgan_pair(input: Tensor) -> Tensor:
        inplace = fused_inplace(first, second, input_is_private)
        kernel_takes = composed.kernels_take(input) and (rank is None or rank == input.dim())
        if inplace is None or not kernel_takes or has_hooks(first) or has_hooks(second):
            return _call_of(second)(_call_of(first)(input))
        slope, p = activation_slope(activation), dropout_p(dropout)
        training = dropout.training and not _dropout_is_off
        output = FF.leaky_relu_dropout(input, slope, p, training, inplace, feature=feature)
        return output.clone() if output is input and not inplace else output  # torch's layers give new memory

    return fastgan_pair


def _output_is_private(node: fx.Node, owner: nn.Module) -> bool:
    """Return whether a node's output is new memory that only its one user sees."""
    return len(node.users) == 1 and node.op == "call_module" and allocates_output(owner.get_submodule(str(node.target)))


def _name_of(node: fx.Node) -> str:
    return str(node.target) if node.op == "call_module" else node.name


class Rewriter:
    """Rewrites one graph of one module in place.

    Args:
        owner: the module.
        graph: the graph of its forward.
        fuse: whether to make an activation and a dropout, one after the other, one call.

    Attributes:
        swapped: (name of the call, name of the function) of the functions that are fastgan's now.
        fused: (name of the first call, name of the second) of the pairs that are one call now.
    """

    def __init__(self, owner: nn.Module, graph: fx.Graph, fuse: bool) -> None:
        self._owner, self._graph = owner, graph
        self.swapped: list[tuple[str, str]] = []
        self.fused: list[tuple[str, str]] = []
        for node in list(graph.nodes):
            if not node._erased and not (fuse and self._fuse(node)):
                self._swap(node)

    def _replace(self, node: fx.Node, function: Callable[..., Any], arguments: tuple[Any, ...], kwargs: Any) -> None:
        with self._graph.inserting_before(node):
            new = self._graph.call_function(function, arguments, kwargs)
        node.replace_all_uses_with(new)
        self._graph.erase_node(node)

    def _fuse(self, first: fx.Node) -> bool:
        second, source = first.next, _input_of(first)
        if list(first.users) != [second] or _input_of(second) is not first or not isinstance(source, fx.Node):
            return False
        layers = _layer_of(self._owner, first), _layer_of(self._owner, second)
        if layers[0] is None or layers[1] is None:
            return False
        if isinstance(layers[0], _ACTIVATIONS) == isinstance(layers[1], _ACTIVATIONS):
            return False
        input_is_private = _output_is_private(source, self._owner)
        if fused_inplace(layers[0], layers[1], input_is_private) is None:
            return False
        self.fused.append((_name_of(first), _name_of(second)))
        self._replace(second, _fused_call_of(layers[0], layers[1], input_is_private), (source,), {})
        self._graph.erase_node(first)
        return True

    def _swap(self, node: fx.Node) -> None:
        if node.op != "call_function":
            return
        layer, loss = _layer_of(self._owner, node), _LOSSES.get(node.target)
        deprecated = {name: node.kwargs.get(name) for name in _DEPRECATED_LOSS_ARGUMENTS}
        if layer is not None:
            self._replace(node, _call_of(layer), (_input_of(node),), {})
        elif loss is not None and len(node.args) <= 3 and all(value is None for value in deprecated.values()):
            kwargs = {name: value for name, value in node.kwargs.items() if name not in deprecated}
            self._replace(node, loss, node.args, kwargs)
        else:
            return
        self.swapped.append((node.name, getattr(node.target, "__name__", str(node.target))))
