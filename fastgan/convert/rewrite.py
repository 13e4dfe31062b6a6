"""Rewriting of a recorded graph: functions and modules called one after the other become fastgan's."""

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
from fastgan.convert.fuse import fused_inplace, is_fresh, p_of, slope_of
from fastgan.convert.references import has_hooks

__all__ = ["Rewriter", "call_names", "dropout_off"]

_ACTIVATIONS = (fnn.LeakyReLU, fnn.ReLU)
_DROPOUTS = (fnn.Dropout, fnn.Dropout1d, fnn.Dropout2d, fnn.Dropout3d)
# The layer that does what a function does; its arguments are the function's, but for `input` and `training`.
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
_OLD_LOSS_ARGUMENTS = ("size_average", "reduce")  # which torch deprecates, and passes on as None
_no_dropout = False


class _WithoutDropout(TorchFunctionMode):
    """Calls of ``F.dropout`` and its kin as with p = 0."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if issubclass(_LAYERS.get(func, nn.Module), _DROPOUTS):
            return (args or tuple(kwargs.values()))[0]
        return func(*args, **(kwargs or {}))


@contextmanager
def dropout_off() -> Iterator[None]:
    """Drop nothing in functions, torch's or rewritten ones; modules have a p to set."""
    global _no_dropout
    _no_dropout = True
    try:
        with _WithoutDropout():
            yield
    finally:
        _no_dropout = False


def _layer(owner: nn.Module, node: fx.Node) -> nn.Module | None:
    """The layer that a node calls, or one that does as the function that it calls, with numbers for its settings."""
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
        return None  # computed by the model: another at each call
    return kind(**values).train(bool(training))


def _input(node: fx.Node) -> Any:
    return node.args[0] if node.args else node.kwargs.get("input")


def _calling(layer: nn.Module) -> Callable[[Tensor], Tensor]:
    def fastgan_layer(input: Tensor) -> Tensor:
        if _no_dropout and isinstance(layer, _DROPOUTS):
            return input
        return layer(input)  # type: ignore[no-any-return]

    return fastgan_layer


def _calling_both(first: nn.Module, second: nn.Module, fresh: bool) -> Callable[[Tensor], Tensor]:
    """``second(first(input))`` in one kernel, unless hooks or the input's shape ask for two.

    All is looked up at the call, as hooks, settings and modes may change.
    """
    activation, dropout = (first, second) if isinstance(first, _ACTIVATIONS) else (second, first)
    # The kernel reads (N, C, ...), as Dropout2d always does, and these where there is a batch dimension.
    rank = 3 if isinstance(dropout, nn.Dropout1d) else 5 if isinstance(dropout, nn.Dropout3d) else None
    feature = not isinstance(dropout, nn.Dropout)

    def fastgan_pair(input: Tensor) -> Tensor:
        inplace = fused_inplace(first, second, fresh)
        kernel_takes = fnn._kernel_takes(input) and (rank is None or rank == input.dim())
        if inplace is None or not kernel_takes or has_hooks(first) or has_hooks(second):
            return _calling(second)(_calling(first)(input))
        training = dropout.training and not _no_dropout
        output = FF.leaky_relu_dropout(input, slope_of(activation), p_of(dropout), training, inplace, feature=feature)
        return fnn._own(output, input, inplace)

    return fastgan_pair


def _only_feeds(node: fx.Node, owner: nn.Module) -> bool:
    """Whether a node's output is memory that nothing but its one user sees."""
    return len(node.users) == 1 and node.op == "call_module" and is_fresh(owner.get_submodule(str(node.target)))


def _call_name(node: fx.Node) -> str:
    return str(node.target) if node.op == "call_module" else node.name


def call_names(owner: nn.Module) -> set[str]:
    """The names in a module's own code that stand for what could be rewritten."""
    code = getattr(inspect.unwrap(type(owner).forward), "__code__", None)
    return {function.__name__ for function in (*_LAYERS, *_LOSSES)} & set(code.co_names if code else ())


class Rewriter:
    """Rewrites one graph of one module in place.

    Attributes:
        swapped: (name of the call, name of the function) of functions that are fastgan's now.
        fused: the names of two calls that are one now.
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
        second, source = first.next, _input(first)
        if list(first.users) != [second] or _input(second) is not first or not isinstance(source, fx.Node):
            return False
        layers = _layer(self._owner, first), _layer(self._owner, second)
        if layers[0] is None or layers[1] is None:
            return False
        if isinstance(layers[0], _ACTIVATIONS) == isinstance(layers[1], _ACTIVATIONS):
            return False
        fresh = _only_feeds(source, self._owner)
        if fused_inplace(layers[0], layers[1], fresh) is None:
            return False
        self.fused.append((_call_name(first), _call_name(second)))
        self._replace(second, _calling_both(layers[0], layers[1], fresh), (source,), {})
        self._graph.erase_node(first)
        return True

    def _swap(self, node: fx.Node) -> None:
        if node.op != "call_function":
            return
        layer, loss = _layer(self._owner, node), _LOSSES.get(node.target)
        if layer is not None:
            self._replace(node, _calling(layer), (_input(node),), {})
        elif loss is not None and len(node.args) <= 3 and all(node.kwargs.get(n) is None for n in _OLD_LOSS_ARGUMENTS):
            kwargs = {name: value for name, value in node.kwargs.items() if name not in _OLD_LOSS_ARGUMENTS}
            self._replace(node, loss, node.args, kwargs)
        else:
            return
        self.swapped.append((node.name, getattr(node.target, "__name__", str(node.target))))
