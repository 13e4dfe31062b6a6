"""Replaces torch's layers in a model by fastgan's (:func:`convert`), and fastgan's by torch's (:func:`revert`).

Neither changes what the model computes. A layer whose replacement could is left as it is, and the report says why.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import nn

from fastgan import nn as fnn
from fastgan.convert import tracing
from fastgan.convert.fuse import Fuser, holders_of_pairs, to_sequential, unfuse
from fastgan.convert.reach import out_of_reach
from fastgan.convert.references import ModuleReferences, OutsideHolders, has_hooks, is_scripted
from fastgan.convert.verify import EquivalenceCheck

__all__ = ["Report", "convert", "revert"]

_FASTGAN_CLASS: dict[type[nn.Module], type[nn.Module]] = {
    cls.__bases__[0]: cls
    for name, cls in vars(fnn).items()
    if isinstance(cls, type) and issubclass(cls, nn.Module) and hasattr(nn, name)
}
_TORCH_CLASS = {fastgan_class: torch_class for torch_class, fastgan_class in _FASTGAN_CLASS.items()}
_Model = TypeVar("_Model", bound=nn.Module)


@dataclass
class Report:
    """What :func:`convert` changed, and what it left as it was, by dotted names.

    Attributes:
        swapped: (name, class) of each layer that fastgan computes now, without those in ``fused``.
        fused: (name of the first, name of the second) of each pair of layers that one kernel computes now.
        unfused: (name of the first, name of the second, reason) of each pair that stays two layers.
        skipped: (name, reason) of each layer that stays torch's.
        unreached: (name, what) of modules that draw or activate where ``convert`` does not reach: in functions, which
            ``trace=True`` replaces, or inside torch's LSTM, attention and the like.
    """

    swapped: list[tuple[str, str]] = field(default_factory=list)
    fused: list[tuple[str, str]] = field(default_factory=list)
    unfused: list[tuple[str, str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    unreached: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        pairs = f"{len(self.fused)} pair{'s' * (len(self.fused) != 1)} fused"
        lines = [f"fastgan: {len(self.swapped)} swapped, {pairs}, {len(self.skipped)} skipped"]
        lines += [f"  swapped {name or '(the model)'}: {kind}" for name, kind in self.swapped]
        lines += [f"  fused   {first} and {second}" for first, second in self.fused]
        lines += [f"  unfused {first} and {second}: {reason}" for first, second, reason in self.unfused]
        lines += [f"  skipped {name or '(the model)'}: {reason}" for name, reason in self.skipped]
        lines += [f"  beyond  {name or '(the model)'}: {what}" for name, what in self.unreached]
        return "\n".join(lines)


def _why_not_swapped(module: nn.Module, references: ModuleReferences) -> str | None:
    if is_scripted(module):
        return "compiled by torch.jit.script"
    if hasattr(module, "parametrizations"):
        return "parametrised"
    if type(module) not in _FASTGAN_CLASS:
        return f"{type(module).__qualname__} is a subclass, and may have a forward of its own"
    if "forward" in vars(module):
        return "has a forward of its own"
    for setting in ("negative_slope", "p"):
        if not isinstance(getattr(module, setting, 0.0), (int, float)):
            return f"its {setting} is a {type(getattr(module, setting)).__name__}, not a number"
    if not references.is_used_elsewhere(module) or module is references.model:
        return None
    if has_hooks(module):
        return "used outside of the model too, and has hooks"
    if id(module) in references.unregistered:
        holder, attribute = references.unregistered[id(module)][0]
        return f"used outside of the model too, and held by '{attribute}' of {type(holder).__name__}"
    return None


def _is_candidate(module: nn.Module) -> bool:
    if is_scripted(module):
        return getattr(module, "original_name", None) in {kind.__name__ for kind in _FASTGAN_CLASS}
    return isinstance(module, tuple(_FASTGAN_CLASS)) and type(module) not in _TORCH_CLASS


def _changeable(modules: list[nn.Module], fuse: bool) -> list[nn.Module]:
    """Return the modules that are changed where nothing else uses them, and those that hold pairs to fuse."""
    layers = [module for module in modules if _is_candidate(module) or (fuse and type(module) in _TORCH_CLASS)]
    return [*layers, *(holders_of_pairs(modules) if fuse else [])]


def _copy_sharing_tensors(module: nn.Module) -> nn.Module:
    """Return a copy that shares the module's tensors, but not the dicts that hold them."""
    result = copy.copy(module)
    result.__dict__.update({name: copy.copy(value) for name, value in vars(module).items() if isinstance(value, dict)})
    return result


def _swap(references: ModuleReferences, report: Report) -> list[Callable[[], None]]:
    undo: list[Callable[[], None]] = []
    for module in list(references.modules):
        if not _is_candidate(module):
            continue
        name = references.name(module)
        if reason := _why_not_swapped(module, references):
            report.skipped.append((name, reason))
            continue
        torch_class, fastgan_class = type(module), _FASTGAN_CLASS[type(module)]
        if references.is_used_elsewhere(module) and module is not references.model:
            # Something else goes on using this instance, so the model gets a copy.
            swapped = _copy_sharing_tensors(module)
            undo.append(references.replace(module, swapped))
            swapped.__class__ = fastgan_class
        else:
            module.__class__ = fastgan_class
            undo.append(functools.partial(setattr, module, "__class__", torch_class))
        report.swapped.append((name, torch_class.__name__))
    return undo


def _fuse(references: ModuleReferences, report: Report) -> list[Callable[[], None]]:
    undo: list[Callable[[], None]] = []
    for first, second, reason, undo_pair in Fuser(references).fuse():
        if reason is not None:
            report.unfused.append((first, second, reason))
            continue
        undo.append(undo_pair)
        report.fused.append((first, second))
        report.swapped = [entry for entry in report.swapped if entry[0] not in (first, second)]
    return undo


def _rewrite_forwards(references: ModuleReferences, report: Report, fuse: bool) -> list[Callable[[], None]]:
    undo: list[Callable[[], None]] = []
    for name, result, undo_module in tracing.install(references, fuse):
        undo.append(undo_module)
        prefix = f"{name}." if name else ""
        pairs = [(prefix + first, prefix + second) for first, second in result.fused]
        report.fused += pairs
        report.swapped = [entry for entry in report.swapped if not any(entry[0] in pair for pair in pairs)]
        report.swapped += [(prefix + call, function) for call, function in result.swapped]
    return undo


def convert(
    model: nn.Module,
    example_inputs: tuple[Any, ...] | None = None,
    *,
    trace: bool = False,
    fuse: bool = True,
) -> Report:
    """Replace torch's layers in ``model`` by fastgan's, in place, without changing what the model computes.

    Leaky ReLU, ReLU, dropout and binary cross-entropy modules become their namesakes of :mod:`fastgan.nn`. They stay
    the same instances, with their hooks, settings and in-place flags. A layer that something else uses too, such as
    another model or a function's default argument, is not changed there; the model gets a copy.

    An activation and a dropout next to each other in an ``nn.Sequential``, in either order, become one
    :class:`fastgan.nn.LeakyReLUDropout`. An ``nn.Identity`` takes the second place, so that indices, names and the
    state_dict stay. Converting again changes nothing.

    A pair stays two layers where the result could differ: where it has hooks, is used in several places, overwrites an
    input that others may see, or where the model's code may read the value between the two. ``convert`` cannot see code
    outside of the model. Pass ``fuse=False`` if such code runs single layers of a Sequential, or looks for
    ``nn.Dropout`` by its class.

    Args:
        model: any module. Its parameters and buffers are untouched.
        example_inputs: positional arguments. With them, the model runs before and after the conversion, in eval and in
            training with the probability of dropout at 0. Outputs, gradients, second gradients and what is written into
            the inputs must be equal within rounding. Inputs, buffers, ``.grad``, training modes and the state of the
            random generators are left as they were. Where the model draws random numbers in eval, dropout is off there
            too. A warning names what differs between two runs of the unconverted model, and is not compared.
        trace: whether to also rewrite the methods of the model's modules, so that they call fastgan for
            ``F.leaky_relu``, ``F.relu``, ``F.dropout``, its variants and the losses. All else in them stays: branches,
            optional arguments, helper functions. A ``forward`` that :mod:`torch.fx` can trace is also recorded, so that
            what it calls one after the other is fused; when the module's attributes change, the recording is not used.
            A method that a subclass calls by ``super()`` is not rewritten.
        fuse: whether to fuse pairs.

    Returns:
        What was swapped, fused and left as it is, and why.

    Raises:
        RuntimeError: where something differs with ``example_inputs``. The message names the first module that differs,
            and the model is as it was before the call. Also where the model cannot run on ``example_inputs``.
        TypeError: where ``example_inputs`` is not a tuple.

    Example:
        >>> model = nn.Sequential(nn.Linear(64, 32), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(32, 1), nn.ReLU())
        >>> print(convert(model))
        fastgan: 1 swapped, 1 pair fused, 0 skipped
          swapped 4: ReLU
          fused   1 and 2
    """
    report, undo = Report(), list[Callable[[], None]]()
    # First, because what is made here would hold the model, too.
    outside = OutsideHolders().find(model, functools.partial(_changeable, fuse=fuse))
    equivalence = None if example_inputs is None else EquivalenceCheck(model, example_inputs)
    try:
        references = ModuleReferences(model, outside)
        report.unreached = [(references.name(m), what) for m in references.modules for what in out_of_reach(m, trace)]
        undo += _swap(references, report)
        if equivalence is not None:
            equivalence.observe_swapped()
        if fuse:
            undo += _fuse(references, report)
        if trace:
            undo += _rewrite_forwards(references, report, fuse)
        if equivalence is not None:
            equivalence.check(fused={first for first, _ in report.fused}, traced=trace)
    except BaseException:
        for step in reversed(undo):
            step()
        raise
    return report


def revert(model: _Model) -> _Model:
    """Replace fastgan's layers in ``model`` by those of ``torch.nn``, in place, for export and scripting.

    A layer that :func:`convert` fused becomes the original two layers, with the present settings of the fused one. A
    :class:`fastgan.nn.LeakyReLUDropout` that it did not make becomes ``nn.Sequential(nn.LeakyReLU, nn.Dropout)`` under
    the same name, with ``nn.Dropout2d`` if ``feature`` is set.

    Args:
        model: any module.

    Returns:
        The model itself.

    Example:
        >>> model = nn.Sequential(nn.LeakyReLU(0.2), nn.Dropout(0.3))
        >>> report = convert(model)
        >>> model
        Sequential(
          (0): LeakyReLUDropout(negative_slope=0.2, p=0.3)
          (1): Identity()
        )
        >>> revert(model)
        Sequential(
          (0): LeakyReLU(negative_slope=0.2)
          (1): Dropout(p=0.3, inplace=False)
        )
    """
    tracing.remove(model)
    references = ModuleReferences(model)
    for module in references.modules:
        if not isinstance(module, fnn.LeakyReLUDropout):
            continue
        pair = unfuse(module)
        if pair is not None and module is not model and id(pair[2]) in references.registered:
            references.replace(module, pair[0])
            references.replace(pair[2], pair[1])
        else:
            to_sequential(module)
    for module in model.modules():
        kind = type(module)
        original = _TORCH_CLASS.get(kind, getattr(kind, "reverts_to", kind))
        if original is not kind:
            module.__class__ = original
    return model
