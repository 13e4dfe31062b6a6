"""Replaces the forwards of modules by recorded and rewritten ones.

A traced module gets a subclass of its class. Where the recorded graph does not apply (other arguments, changed
settings, a module that grew), the module runs the forward that its author wrote.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import fx, nn

from fastgan.convert.record import Dependencies, UnsupportedForwardError, record
from fastgan.convert.references import ModuleReferences, is_scripted
from fastgan.convert.rewrite import Rewriter, rewritable_calls

__all__ = ["TracedForwards", "install", "remove"]

_ATTRIBUTE = "_fastgan_traced"
_ORIGINAL = "_fastgan_original"
_traced_classes: dict[type[nn.Module], type[nn.Module]] = {}


class TracedForwards:
    """The rewritten forwards of one module, for training and for eval, and what they depend on.

    A copy or a pickle of it has no forwards; they are made at the first call, because graphs refer to the module.

    Args:
        fuse: whether to make an activation and a dropout, one after the other, one call.

    Attributes:
        fuse: the argument.
        is_made: whether :meth:`make` was called.
        swapped: (name of the call, name of the function) of the functions that are fastgan's, in training.
        fused: (name of the first call, name of the second) of the pairs that are one call, in training.
    """

    def __init__(self, fuse: bool) -> None:
        self.fuse = fuse
        self.is_made = False
        self.swapped: list[tuple[str, str]] = []
        self.fused: list[tuple[str, str]] = []
        self._forwards: dict[bool, Callable[..., Any]] = {}
        self._dependencies = Dependencies()
        self._fingerprint: tuple[Any, ...] = ()
        self._num_inputs = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return TracedForwards, (self.fuse,)

    def make(self, owner: nn.Module) -> None:
        """Record and rewrite the forward that the author of the module ``owner`` wrote.

        Raises:
            UnsupportedForwardError: where it cannot be recorded.
        """
        self.is_made, mode, cls = True, owner.training, type(owner)
        forwards = {}
        try:
            owner.__class__ = _original_class(owner)
            for training in (False, True):
                owner.training = training
                graph = record(owner, self._dependencies)
                self._num_inputs = sum(node.op == "placeholder" for node in graph.nodes)
                rewriter = Rewriter(owner, graph, self.fuse)
                self.swapped, self.fused = rewriter.swapped, rewriter.fused
                code = graph.python_code("self")
                scope = dict(code.globals)
                exec(compile(code.src, f"<fastgan: {type(owner).__name__}.forward>", "exec"), scope)
                forwards[training] = scope["forward"]
        finally:
            owner.training = mode
            owner.__class__ = cls
        self._fingerprint = self._dependencies.fingerprint(owner)
        self._forwards = forwards

    def forward_for(self, owner: nn.Module, args: tuple[Any, ...]) -> Callable[..., Any] | None:
        """Return the rewritten forward for the module ``owner`` in its present state, called with ``args``.

        The result is None where the author's forward may do something else.
        """
        if not self.is_made:
            try:
                self.make(owner)
            except UnsupportedForwardError:
                return None
        is_valid = len(args) == self._num_inputs and self._dependencies.fingerprint(owner) == self._fingerprint
        return self._forwards.get(owner.training) if is_valid else None


def _original_class(module: nn.Module) -> type[nn.Module]:
    """Return the class that the module's author gave it."""
    original: type[nn.Module] = getattr(type(module), _ORIGINAL, type(module))
    return original


def _forward_of(cls: type[nn.Module]) -> Callable[..., Any]:
    """Return the forward of the traced modules of ``cls``."""
    original = cls.forward

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        # torch.fx sees the author's forward, because a graph of ours calls layers that the model does not register.
        is_traced = torch.compiler.is_compiling() or any(isinstance(argument, fx.Proxy) for argument in args)
        if not kwargs and not is_traced:
            rewritten = vars(self)[_ATTRIBUTE].forward_for(self, args)
            if rewritten is not None:
                return rewritten(self, *args)
        return original(self, *args, **kwargs)

    vars(forward)["__wrapped__"] = original  # inspect.signature and torch.fx read the arguments there
    return forward


def _reduce(self: nn.Module, _: Any) -> tuple[Any, ...]:
    return _rebuild, (_original_class(self),), dict(vars(self))


def _rebuild(cls: type[nn.Module]) -> nn.Module:
    traced = _traced_class(cls)
    return traced.__new__(traced)


def _traced_class(cls: type[nn.Module]) -> type[nn.Module]:
    """Return the one class of all traced modules of ``cls``."""
    if cls in _traced_classes:
        return _traced_classes[cls]
    body = {name: getattr(cls, name) for name in ("__module__", "__qualname__", "__doc__")}
    body |= {_ORIGINAL: cls, "forward": _forward_of(cls), "__reduce_ex__": _reduce}
    _traced_classes[cls] = type(cls.__name__, (cls,), body)
    return _traced_classes[cls]


def _has_custom_forward(module: nn.Module) -> bool:
    """Return whether a module's class has a forward that is neither torch's nor fastgan's, and the module uses it."""
    forward = type(module).forward
    is_custom = str(getattr(forward, "__module__", "")).split(".")[0] not in ("torch", "fastgan")
    return is_custom and not is_scripted(module) and "forward" not in vars(module)


def install(references: ModuleReferences, fuse: bool) -> Iterator[tuple[str, TracedForwards | str, Callable[[], None]]]:
    """Rewrite the forwards of a model's modules where that is possible and changes something.

    Args:
        references: the references of the model.
        fuse: whether to make an activation and a dropout, one after the other, one call.

    Yields:
        For each module, its name, what was rewritten and how to undo it; or its name and why nothing was, where its
        code seems to call a function that could be.
    """
    for module in references.modules:
        if not _has_custom_forward(module):
            continue
        traced = TracedForwards(fuse)
        try:
            traced.make(module)
        except UnsupportedForwardError as reason:
            if rewritable_calls(module):
                yield references.name(module), f"forward is not rewritten: {reason}", lambda: None
            continue
        if traced.swapped or traced.fused:
            vars(module)[_ATTRIBUTE] = traced
            module.__class__ = _traced_class(type(module))
            yield references.name(module), traced, functools.partial(_restore, module)


def _restore(module: nn.Module) -> None:
    module.__class__ = _original_class(module)
    vars(module).pop(_ATTRIBUTE, None)


def remove(model: nn.Module) -> None:
    """Give the modules of ``model`` the forwards of their authors back."""
    for module in model.modules():
        if _ORIGINAL in vars(type(module)):
            _restore(module)
