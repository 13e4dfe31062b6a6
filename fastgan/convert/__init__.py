"""``convert`` puts fastgan's layers into a model in place of torch's, ``revert`` takes them out again.

Neither changes what the model computes: what cannot be shown to stay the same stays as it is, and the report says why.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import nn

from fastgan import nn as fnn
from fastgan.convert import tracing as _trace
from fastgan.convert import verify as _verify
from fastgan.convert.fuse import Fuser, as_sequential, unfuse
from fastgan.convert.references import ModuleReferences, has_hooks, is_scripted

__all__ = ["Report", "convert", "revert"]

_FAST: dict[type[nn.Module], type[nn.Module]] = {
    fast.__bases__[0]: fast
    for name, fast in vars(fnn).items()
    if isinstance(fast, type) and issubclass(fast, nn.Module) and hasattr(nn, name)
}
_SLOW = {fast: slow for slow, fast in _FAST.items()}
_Model = TypeVar("_Model", bound=nn.Module)


@dataclass
class Report:
    """What :func:`convert` did, and what it left, by dotted names.

    Attributes:
        swapped: (name, class) of each layer that is fastgan's now and still a layer by itself.
        fused: (name of the first, name of the second) of each pair that is one layer now.
        skipped: (name, reason) of each layer that could have been swapped, or fused with the next, and was not.
    """

    swapped: list[tuple[str, str]] = field(default_factory=list)
    fused: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        pairs = f"{len(self.fused)} pair{'s' * (len(self.fused) != 1)} fused"
        lines = [f"fastgan: {len(self.swapped)} swapped, {pairs}, {len(self.skipped)} skipped"]
        lines += [f"  swapped {name or '(the model)'}: {kind}" for name, kind in self.swapped]
        lines += [f"  fused   {first} and {second}" for first, second in self.fused]
        lines += [f"  skipped {name or '(the model)'}: {reason}" for name, reason in self.skipped]
        return "\n".join(lines)


def _why_not_swapped(module: nn.Module, holders: ModuleReferences) -> str | None:
    if is_scripted(module):
        return "compiled by torch.jit.script"
    if hasattr(module, "parametrizations"):
        return "parametrised"
    if type(module) not in _FAST:
        return f"{type(module).__qualname__} is a subclass, and may have a forward of its own"
    if "forward" in vars(module):
        return "has a forward of its own"
    for setting in ("negative_slope", "p"):
        if not isinstance(getattr(module, setting, 0.0), (int, float)):
            return f"its {setting} is a {type(getattr(module, setting)).__name__}, not a number"
    if not holders.elsewhere(module) or module is holders.model:
        return None
    if has_hooks(module):
        return "used outside of the model too, and has hooks"
    if id(module) in holders.unregistered:
        holder, attribute = holders.unregistered[id(module)][0]
        return f"used outside of the model too, and held by '{attribute}' of {type(holder).__name__}"
    return None


def _is_candidate(module: nn.Module) -> bool:
    if is_scripted(module):
        return getattr(module, "original_name", None) in {kind.__name__ for kind in _FAST}
    return isinstance(module, tuple(_FAST)) and type(module) not in _SLOW


def _own_copy(module: nn.Module) -> nn.Module:
    """A copy that shares tensors, but not the dicts that hold them."""
    own = copy.copy(module)
    own.__dict__.update({name: copy.copy(value) for name, value in vars(module).items() if isinstance(value, dict)})
    return own


def _swap(holders: ModuleReferences, report: Report) -> list[Callable[[], None]]:
    undo: list[Callable[[], None]] = []
    for module in list(holders.modules):
        if not _is_candidate(module):
            continue
        name = holders.name(module)
        if reason := _why_not_swapped(module, holders):
            report.skipped.append((name, reason))
            continue
        slow, fast = type(module), _FAST[type(module)]
        if holders.elsewhere(module) and module is not holders.model:
            # Something else goes on using this instance: the model gets one of its own.
            swapped = _own_copy(module)
            undo.append(holders.replace(module, swapped))
            swapped.__class__ = fast
        else:
            module.__class__ = fast
            undo.append(lambda module=module, slow=slow: setattr(module, "__class__", slow))  # type: ignore[misc]
        report.swapped.append((name, slow.__name__))
    return undo


def _fuse(holders: ModuleReferences, report: Report) -> list[Callable[[], None]]:
    undo: list[Callable[[], None]] = []
    for first, second, reason, take_back in Fuser(holders).fuse():
        if reason is not None:
            report.skipped.append((first, f"not fused with '{second}': {reason}"))
            continue
        undo.append(take_back)
        report.fused.append((first, second))
        report.swapped = [entry for entry in report.swapped if entry[0] not in (first, second)]
    return undo


def _rewrite(holders: ModuleReferences, report: Report, fuse: bool) -> list[Callable[[], None]]:
    undo: list[Callable[[], None]] = []
    for name, done, take_back in _trace.install(holders, fuse):
        if isinstance(done, str):
            report.skipped.append((name, done))
            continue
        undo.append(take_back)
        prefix = f"{name}." if name else ""
        pairs = [(prefix + first, prefix + second) for first, second in done.fused]
        report.fused += pairs
        report.swapped = [entry for entry in report.swapped if not any(entry[0] in pair for pair in pairs)]
        report.swapped += [(prefix + call, function) for call, function in done.swapped]
    return undo


def convert(
    model: nn.Module,
    example_inputs: tuple[Any, ...] | None = None,
    *,
    trace: bool = False,
    fuse: bool = True,
) -> Report:
    """Put fastgan's layers into ``model`` in place of torch's, in place, and leave what it computes as it is.

    Leaky ReLU, ReLU, dropout and binary cross-entropy modules become their namesakes of :mod:`fastgan.nn`: the same
    instances, with their hooks, settings and in-place flags. One that something else uses too (another model, a
    function's default argument) stays as it is there, and the model gets one of its own. An activation and a dropout
    next to each other in an ``nn.Sequential``, in either order, become one :class:`fastgan.nn.LeakyReLUDropout` with an
    ``nn.Identity`` at the second place, so that indices, names and state_dict stay. Converting again changes nothing.

    A pair stays two layers where one could differ: with hooks, used in several places, where it overwrites an input
    that others may see, or where the model's code may look at the value between the two. Code outside the model is not
    seen: pass ``fuse=False`` if yours runs single layers of a Sequential, or looks for ``nn.Dropout`` by its class.

    Args:
        model: any module. Its parameters and buffers are untouched.
        example_inputs: positional arguments to run the model on, before and after: in eval, and in training with the
            probability of dropout at 0. Outputs, gradients, gradients of gradients and what is written into the inputs
            must be equal within rounding. Inputs, buffers, ``.grad``, training modes and the state of the random
            generators are left as they were.
        trace: also rewrite each module whose ``forward`` :mod:`torch.fx` can trace, so that it calls fastgan for
            ``F.leaky_relu``, ``F.relu``, ``F.dropout`` and their kin, and for modules called one after the other. The
            module goes back to its own ``forward`` by itself when its attributes change.
        fuse: whether to make pairs one layer.

    Returns:
        What was swapped, fused and skipped, and why.

    Raises:
        RuntimeError: if with ``example_inputs`` something differs; it names the first module that does, and the model
            is as it was before the call.

    Example:
        >>> model = nn.Sequential(nn.Linear(64, 32), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(32, 1), nn.ReLU())
        >>> print(convert(model))
        fastgan: 1 swapped, 1 pair fused, 0 skipped
          swapped 4: ReLU
          fused   1 and 2
    """
    report, undo = Report(), list[Callable[[], None]]()
    proof = None if example_inputs is None else _verify.EquivalenceCheck(model, example_inputs)
    try:
        holders = ModuleReferences(model)
        undo += _swap(holders, report)
        if proof is not None:
            proof.observe_swapped()
        if fuse:
            undo += _fuse(holders, report)
        if trace:
            undo += _rewrite(holders, report, fuse)
        if proof is not None:
            proof.check(fused={first for first, _ in report.fused}, traced=trace)
    except BaseException:
        for step in reversed(undo):
            step()
        raise
    return report


def revert(model: _Model) -> _Model:
    """Put ``torch.nn``'s layers back in place of fastgan's, in place, for export and scripting, and return the model.

    What :func:`convert` fused becomes the two layers that it was, with the fused layer's present settings. A
    :class:`fastgan.nn.LeakyReLUDropout` that it did not make becomes ``nn.Sequential(nn.LeakyReLU, nn.Dropout)``, or
    with ``nn.Dropout2d`` if ``feature`` is set, under the same name.

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
    _trace.remove(model)
    holders = ModuleReferences(model, look_outside=False)
    for module in holders.modules:
        if not isinstance(module, fnn.LeakyReLUDropout):
            continue
        pair = unfuse(module)
        if pair is not None and module is not model and id(pair[2]) in holders.inside:
            holders.replace(module, pair[0])
            holders.replace(pair[2], pair[1])
        else:
            as_sequential(module)
    for module in model.modules():
        if type(module) in _SLOW:
            module.__class__ = _SLOW[type(module)]
    return model
