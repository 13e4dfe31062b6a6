"""Fuses adjacent activation and dropout layers of a Sequential where one layer gives the exact same result."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from fastgan import nn as fnn
from fastgan.convert.references import ModuleReferences, has_hooks, is_scripted
from fastgan.convert.usage import SequentialUsage

__all__ = [
    "Fuser",
    "activation_slope",
    "allocates_output",
    "dropout_p",
    "fused_inplace",
    "fused_layer",
    "holders_of_pairs",
    "to_sequential",
    "unfuse",
]

_ACTIVATIONS = (fnn.LeakyReLU, fnn.ReLU)
_DROPOUTS = (fnn.Dropout, fnn.Dropout2d)
_UNFUSABLE_DROPOUTS = (fnn.Dropout1d, fnn.Dropout3d)
# Layers whose output is new memory. Nothing else can see it being overwritten.
_ALLOCATING = (
    nn.Linear, nn.Bilinear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
    nn.GroupNorm, nn.LayerNorm,
)  # fmt: skip


def activation_slope(activation: nn.Module) -> float:
    """Return the negative slope of the layer ``activation``; ReLU's is 0."""
    return float(activation.negative_slope) if isinstance(activation, nn.LeakyReLU) else 0.0


def dropout_p(dropout: nn.Module) -> float:
    """Return the probability of the layer ``dropout``."""
    p = dropout.p
    assert isinstance(p, (int, float))
    return p


def fused_inplace(first: nn.Module, second: nn.Module, input_is_private: bool) -> bool | None:
    """Return whether the fused layer must work in place to act as the pair does.

    Args:
        first: the first layer of the pair.
        second: the second layer.
        input_is_private: whether nothing but the pair can see the pair's input.

    Returns:
        The fused layer's ``inplace``, or None where neither value acts as the pair does. That happens where dropout
        comes first and only the activation works in place: dropout in eval returns its input itself, so the pair
        overwrites its input in eval but not in training.
    """
    first_does, second_does = bool(first.inplace), bool(second.inplace)
    if first_does and second_does:
        return True
    if not first_does and (isinstance(first, _ACTIVATIONS) or not second_does):
        return False
    if not input_is_private:
        return None
    return isinstance(first, _ACTIVATIONS)


def fused_layer(first: nn.Module, second: nn.Module, inplace: bool) -> fnn.LeakyReLUDropout:
    """Return the layer that computes ``second(first(x))``, for an activation and a dropout in either order.

    The order does not matter, because dropout multiplies an element or a map by a number s >= 0, and
    leaky_relu(s x) = s leaky_relu(x) for any slope.

    Args:
        first: the first layer of the pair.
        second: the second layer.
        inplace: whether the fused layer overwrites its input.
    """
    activation, dropout = (first, second) if isinstance(first, _ACTIVATIONS) else (second, first)
    fused = fnn.LeakyReLUDropout(
        activation_slope(activation), dropout_p(dropout), inplace, feature=isinstance(dropout, nn.Dropout2d)
    )
    fused.train(dropout.training)
    return fused


def allocates_output(layer: nn.Module | None) -> bool:
    """Return whether the output of ``layer`` is new memory that only the next layer sees."""
    if layer is None or layer._forward_hooks or "forward" in vars(layer):
        return False
    # Not `type(layer) is kind`: a parametrised layer has a class of its own, with the forward of its kind.
    return any(isinstance(layer, kind) and type(layer).forward is kind.forward for kind in _ALLOCATING)


def holders_of_pairs(modules: list[nn.Module]) -> list[nn.Module]:
    """Return the Sequentials in ``modules`` that hold an activation and a dropout, and all that hold those.

    Args:
        modules: the modules of a model, in the order of ``named_modules``, with torch's layers or fastgan's.
    """
    found: dict[int, nn.Module] = {}

    def holds(module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> bool:
        return any(isinstance(child, kinds) for child in module.children())

    for module in modules:
        if (
            isinstance(module, nn.Sequential)
            and holds(module, (nn.ReLU, nn.LeakyReLU))
            and holds(module, (_DropoutNd,))
        ):
            found[id(module)] = module
    while found:
        holders = [m for m in modules if id(m) not in found and any(id(child) in found for child in m.children())]
        if not holders:
            break
        found.update({id(module): module for module in holders})
    return list(found.values())


class Fuser:
    """Fuses the pairs of one model, and gives the reason for each pair that stays two layers.

    Args:
        references: the references of the model.
    """

    def __init__(self, references: ModuleReferences) -> None:
        self._references = references
        self._usage = SequentialUsage(references)

    def fuse(self) -> Iterator[tuple[str, str, str | None, Callable[[], None]]]:
        """Fuse the pairs, and yield for each one: both names, the reason if it was not fused, and how to undo it."""
        for sequential in list(self._references.modules):
            if not isinstance(sequential, nn.Sequential) or is_scripted(sequential):
                continue
            keys = list(sequential._modules)
            previous: nn.Module | None = None
            for first_key, second_key in itertools.pairwise(keys):
                first, second = sequential._modules[first_key], sequential._modules[second_key]
                if first is not None and second is not None and self._is_pair(first, second):
                    names = self._references.name(first), self._references.name(second)
                    yield (*names, *self._fuse_pair(sequential, first, second, allocates_output(previous)))
                previous = first

    @staticmethod
    def _is_pair(first: nn.Module, second: nn.Module) -> bool:
        dropouts = (*_DROPOUTS, *_UNFUSABLE_DROPOUTS)
        return (type(first) in _ACTIVATIONS and type(second) in dropouts) or (
            type(first) in dropouts and type(second) in _ACTIVATIONS
        )

    def _fuse_pair(
        self, sequential: nn.Sequential, first: nn.Module, second: nn.Module, input_is_private: bool
    ) -> tuple[str | None, Callable[[], None]]:
        inplace = fused_inplace(first, second, input_is_private)
        reason = self._why_not_fused(sequential, first, second)
        if reason is None and inplace is None:
            reason = "it overwrites an input that may be seen elsewhere, and one layer cannot do so as two do"
        if reason is not None or inplace is None:
            return reason, lambda: None
        fused = fused_layer(first, second, inplace)
        identity = nn.Identity().train(second.training)
        fused._fastgan_pair = (first, second, identity)  # type: ignore[assignment]
        undo_first, undo_second = self._references.replace(first, fused), self._references.replace(second, identity)

        def undo() -> None:
            undo_first()
            undo_second()

        return None, undo

    def _why_not_fused(self, sequential: nn.Sequential, first: nn.Module, second: nn.Module) -> str | None:
        for layer in (first, second):
            kind, key = type(layer).__name__, id(layer)
            if type(layer) in _UNFUSABLE_DROPOUTS:
                return f"{kind} reads an input without a batch dimension in another way than the fused layer"
            if has_hooks(layer):
                return f"{kind} has hooks, or a forward of its own"
            if self._references.is_used_elsewhere(layer) or self._usage.runs_in_other_places(layer, sequential):
                return f"{kind} is used in other places too"
            if key in self._references.unregistered:
                holder, attribute = self._references.unregistered[key][0]
                return f"{kind} is also held by '{attribute}' of {type(holder).__name__}"
        if torch.nn.modules.module._global_forward_hooks or torch.nn.modules.module._global_forward_pre_hooks:
            return "there are hooks on all modules"
        return self._usage.why_exposed(sequential)


def unfuse(fused: fnn.LeakyReLUDropout) -> tuple[nn.Module, nn.Module, nn.Module] | None:
    """Return the two layers that ``convert`` fused into ``fused``, and the Identity that stands for the second.

    The two layers get the present settings and mode of the fused one. The result is None where ``convert`` did not make
    the layer.
    """
    pair: tuple[nn.Module, nn.Module, nn.Module] | None = getattr(fused, "_fastgan_pair", None)
    if pair is None:
        return None
    for layer in pair[:2]:
        layer.train(fused.training)
        if isinstance(layer, nn.LeakyReLU) and fused.negative_slope != layer.negative_slope:
            layer.negative_slope = fused.negative_slope
        if isinstance(layer, _DROPOUTS):
            layer.p = fused.p
    return pair


def to_sequential(fused: fnn.LeakyReLUDropout) -> None:
    """Turn ``fused``, which ``convert`` did not make, into ``nn.Sequential(LeakyReLU, Dropout or Dropout2d)``.

    If the fused layer worked in place, only the dropout does then. torch's in-place leaky ReLU saves its output for the
    backward, and an in-place dropout would overwrite that.
    """
    dropout = nn.Dropout2d if fused.feature else nn.Dropout
    layers = nn.Sequential(nn.LeakyReLU(fused.negative_slope), dropout(fused.p, fused.inplace))
    layers.train(fused.training)
    for attribute in ("negative_slope", "p", "inplace", "feature"):
        delattr(fused, attribute)
    fused.__dict__.pop("_fastgan_pair", None)
    fused._modules.update(layers._modules)
    fused.__class__ = nn.Sequential  # type: ignore[assignment]
