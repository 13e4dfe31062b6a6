"""Adjacent activation and dropout of a Sequential, made one layer where that is exact; and two again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch
from torch import nn

from fastgan import nn as fnn
from fastgan.convert.references import ModuleReferences, has_hooks, is_scripted
from fastgan.convert.usage import SequentialUsage

__all__ = [
    "Activation",
    "Fuser",
    "as_sequential",
    "fused_inplace",
    "fused_layer",
    "is_fresh",
    "p_of",
    "slope_of",
    "unfuse",
]

Activation = fnn.LeakyReLU | fnn.ReLU
_ACTIVATIONS = (fnn.LeakyReLU, fnn.ReLU)
_DROPOUTS = (fnn.Dropout, fnn.Dropout2d)
_UNFUSED = (fnn.Dropout1d, fnn.Dropout3d)
# Layers whose output is memory of its own: nothing else can see it being overwritten.
_FRESH = (
    nn.Linear, nn.Bilinear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
    nn.GroupNorm, nn.LayerNorm,
)  # fmt: skip


def slope_of(activation: nn.Module) -> float:
    return float(activation.negative_slope) if isinstance(activation, nn.LeakyReLU) else 0.0


def p_of(dropout: nn.Module) -> float:
    p = dropout.p
    assert isinstance(p, (int, float))
    return p


def fused_inplace(first: nn.Module, second: nn.Module, fresh: bool) -> bool | None:
    """Whether the fused layer has to overwrite its input to do as the pair did; None where it can do neither.

    ``fresh``: nobody else sees the pair's input. Dropout returns its input as it is in eval, so that an in-place
    activation after it overwrites the input in eval but not in training: no fused layer does.
    """
    first_does, second_does = bool(first.inplace), bool(second.inplace)
    if first_does and second_does:
        return True
    if not first_does and (isinstance(first, _ACTIVATIONS) or not second_does):
        return False
    if not fresh:
        return None
    return isinstance(first, _ACTIVATIONS)


def fused_layer(first: nn.Module, second: nn.Module, inplace: bool) -> fnn.LeakyReLUDropout:
    """The layer that does what ``first`` and ``second`` do one after the other.

    Dropout commutes with leaky ReLU of any slope, element by element and map by map: it multiplies by a number s, zero
    or positive, and leaky_relu(s x) = s leaky_relu(x) for s >= 0. So either order is this one layer.
    """
    activation, dropout = (first, second) if isinstance(first, _ACTIVATIONS) else (second, first)
    fused = fnn.LeakyReLUDropout(
        slope_of(activation), p_of(dropout), inplace, feature=isinstance(dropout, nn.Dropout2d)
    )
    fused.train(dropout.training)
    return fused


def is_fresh(layer: nn.Module | None) -> bool:
    """Whether a layer gives its output memory of its own. A parametrised one has its own class, not its own forward."""
    if layer is None or layer._forward_hooks or "forward" in vars(layer):
        return False
    return any(isinstance(layer, kind) and type(layer).forward is kind.forward for kind in _FRESH)


class Fuser:
    """Fuses what it can in one model, and says of the rest why not."""

    def __init__(self, holders: ModuleReferences) -> None:
        self._holders = holders
        self._whole = SequentialUsage(holders)

    def fuse(self) -> Iterator[tuple[str, str, str | None, Callable[[], None]]]:
        """Each pair's two names with None and how to take it back, or with the reason why it is two layers still."""
        for sequential in list(self._holders.modules):
            if not isinstance(sequential, nn.Sequential) or is_scripted(sequential):
                continue
            keys = list(sequential._modules)
            previous: nn.Module | None = None
            for first_key, second_key in itertools.pairwise(keys):
                first, second = sequential._modules[first_key], sequential._modules[second_key]
                if first is not None and second is not None and self._is_pair(first, second):
                    names = self._holders.name(first), self._holders.name(second)
                    yield (*names, *self._fuse(sequential, first, second, is_fresh(previous)))
                previous = first

    @staticmethod
    def _is_pair(first: nn.Module, second: nn.Module) -> bool:
        dropouts = (*_DROPOUTS, *_UNFUSED)
        return (type(first) in _ACTIVATIONS and type(second) in dropouts) or (
            type(first) in dropouts and type(second) in _ACTIVATIONS
        )

    def _fuse(
        self, sequential: nn.Sequential, first: nn.Module, second: nn.Module, fresh: bool
    ) -> tuple[str | None, Callable[[], None]]:
        inplace = fused_inplace(first, second, fresh)
        reason = self._why_not(sequential, first, second)
        if reason is None and inplace is None:
            reason = "it overwrites an input that may be seen elsewhere, and one layer cannot do so as two do"
        if reason is not None or inplace is None:
            return reason, lambda: None
        fused = fused_layer(first, second, inplace)
        identity = nn.Identity().train(second.training)
        fused._fastgan_pair = (first, second, identity)  # type: ignore[assignment]
        undo_first, undo_second = self._holders.replace(first, fused), self._holders.replace(second, identity)

        def undo() -> None:
            undo_first()
            undo_second()

        return None, undo

    def _why_not(self, sequential: nn.Sequential, first: nn.Module, second: nn.Module) -> str | None:
        for layer in (first, second):
            kind, key = type(layer).__name__, id(layer)
            if type(layer) in _UNFUSED:
                return f"{kind} reads an input without a batch dimension in another way than the fused layer"
            if has_hooks(layer):
                return f"{kind} has hooks, or a forward of its own"
            if len(self._holders.inside[key]) > 1 or self._holders.elsewhere(layer):
                return f"{kind} is used in other places too"
            if key in self._holders.unregistered:
                holder, attribute = self._holders.unregistered[key][0]
                return f"{kind} is also held by '{attribute}' of {type(holder).__name__}"
        if torch.nn.modules.module._global_forward_hooks or torch.nn.modules.module._global_forward_pre_hooks:
            return "there are hooks on all modules"
        return self._whole.why_not(sequential)


def unfuse(fused: fnn.LeakyReLUDropout) -> tuple[nn.Module, nn.Module, nn.Module] | None:
    """The two layers that ``convert`` fused, and the Identity at the second's place; None if it did not make the layer.

    The two are brought up to date with what became of the fused one.
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


def as_sequential(fused: fnn.LeakyReLUDropout) -> None:
    """Turn a fused layer that ``convert`` did not make into ``nn.Sequential(LeakyReLU, Dropout or Dropout2d)``.

    Only dropout works in place, if the fused layer did: torch's in-place leaky ReLU would keep its output for the
    backward, and an in-place dropout would write over that.
    """
    dropout = nn.Dropout2d if fused.feature else nn.Dropout
    layers = nn.Sequential(nn.LeakyReLU(fused.negative_slope), dropout(fused.p, fused.inplace))
    layers.train(fused.training)
    for attribute in ("negative_slope", "p", "inplace", "feature"):
        delattr(fused, attribute)
    fused.__dict__.pop("_fastgan_pair", None)
    fused._modules.update(layers._modules)
    fused.__class__ = nn.Sequential  # type: ignore[assignment]
