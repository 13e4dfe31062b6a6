"""The torch.fx route: modules whose own ``forward`` is replaced by a rewritten record of it.

A traced module's class becomes a subclass made here. Whenever the record does not hold (other arguments, changed
settings, a module that grew), the module runs the forward that its author wrote.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from fastgan.convert.record import Reads, Refused, record
from fastgan.convert.references import ModuleReferences, is_scripted
from fastgan.convert.rewrite import Rewriter, call_names, dropout_off

__all__ = ["Traced", "dropout_off", "install", "remove"]

_ATTRIBUTE = "_fastgan_traced"
_ORIGINAL = "_fastgan_original"
_classes: dict[type[nn.Module], type[nn.Module]] = {}
Undo = Callable[[], None]


class Traced:
    """A module's rewritten forwards, one a mode, and what they hold for. A copy of one holds for nothing yet.

    Attributes:
        swapped: (name of the call, name of the function) of the functions that are fastgan's, in training.
        fused: the names of two calls that are one, in training.
    """

    def __init__(self, fuse: bool) -> None:
        self.fuse = fuse
        self.is_made = False
        self.swapped: list[tuple[str, str]] = []
        self.fused: list[tuple[str, str]] = []
        self._forwards: dict[bool, Callable[..., Any]] = {}
        self._reads = Reads()
        self._fingerprint: tuple[Any, ...] = ()
        self._arguments = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return Traced, (self.fuse,)

    def make(self, owner: nn.Module) -> None:
        """Record and rewrite the forward that the owner's author wrote. Raises Refused where that is no record."""
        self.is_made, mode, cls = True, owner.training, type(owner)
        forwards = {}
        try:
            owner.__class__ = original_of(owner)
            for training in (False, True):
                owner.training = training
                graph = record(owner, self._reads)
                self._arguments = sum(node.op == "placeholder" for node in graph.nodes)
                rewriter = Rewriter(owner, graph, self.fuse)
                self.swapped, self.fused = rewriter.swapped, rewriter.fused
                code = graph.python_code("self")
                scope = dict(code.globals)
                exec(compile(code.src, f"<fastgan: {type(owner).__name__}.forward>", "exec"), scope)
                forwards[training] = scope["forward"]
        finally:
            owner.training = mode
            owner.__class__ = cls
        self._fingerprint = self._reads.fingerprint(owner)
        self._forwards = forwards

    def forward_for(self, owner: nn.Module, args: tuple[Any, ...]) -> Callable[..., Any] | None:
        """The rewritten forward, where it does what the author's would."""
        if not self.is_made:
            try:
                self.make(owner)
            except Refused:
                return None
        holds = len(args) == self._arguments and self._reads.fingerprint(owner) == self._fingerprint
        return self._forwards.get(owner.training) if holds else None


def original_of(module: nn.Module) -> type[nn.Module]:
    """The class that the module's author gave it."""
    original: type[nn.Module] = getattr(type(module), _ORIGINAL, type(module))
    return original


def _forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
    if not kwargs and not torch.compiler.is_compiling():
        forward = vars(self)[_ATTRIBUTE].forward_for(self, args)
        if forward is not None:
            return forward(self, *args)
    return original_of(self).forward(self, *args, **kwargs)


def _reduce(self: nn.Module, _: Any) -> tuple[Any, ...]:
    return _rebuild, (original_of(self),), dict(vars(self))


def _rebuild(cls: type[nn.Module]) -> nn.Module:
    made = _class_of(cls)
    return made.__new__(made)


def _class_of(cls: type[nn.Module]) -> type[nn.Module]:
    """The class of the modules of ``cls`` that are traced: one, however many there are."""
    if cls in _classes:
        return _classes[cls]
    body = {name: getattr(cls, name) for name in ("__module__", "__qualname__", "__doc__")}
    _classes[cls] = type(cls.__name__, (cls,), {**body, _ORIGINAL: cls, "forward": _forward, "__reduce_ex__": _reduce})
    return _classes[cls]


def _has_author(module: nn.Module) -> bool:
    """Whether a module's forward is neither torch's nor ours, nor put there at run time."""
    forward = type(module).forward
    own = str(getattr(forward, "__module__", "")).split(".")[0] not in ("torch", "fastgan")
    return own and not is_scripted(module) and "forward" not in vars(module)


def install(holders: ModuleReferences, fuse: bool) -> Iterator[tuple[str, Traced | str, Undo]]:
    """Rewrite what can be: each module's name with what was done and how to take it back, or with why it was not."""
    for module in holders.modules:
        if not _has_author(module):
            continue
        traced = Traced(fuse)
        try:
            traced.make(module)
        except Refused as reason:
            if call_names(module):
                yield holders.name(module), f"forward is not rewritten: {reason}", lambda: None
            continue
        if traced.swapped or traced.fused:
            vars(module)[_ATTRIBUTE] = traced
            module.__class__ = _class_of(type(module))
            yield holders.name(module), traced, functools.partial(_restore, module)


def _restore(module: nn.Module) -> None:
    module.__class__ = original_of(module)
    vars(module).pop(_ATTRIBUTE, None)


def remove(model: nn.Module) -> None:
    """Give the modules of a model their author's forward back."""
    for module in model.modules():
        if _ORIGINAL in vars(type(module)):
            _restore(module)
