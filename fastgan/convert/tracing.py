"""Replaces the forwards and methods of modules by rewritten ones.

Such a module gets a subclass of its class, whose methods call fastgan's functions. Where its forward can be recorded as
a graph, pairs are fused in it, too. Where the graph does not apply (other arguments, changed settings, a module that
grew), the module runs the forward that its author wrote, with fastgan's functions.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import fx, nn

from fastgan.convert.functions import rewritten_methods
from fastgan.convert.record import Dependencies, UnsupportedForwardError, record
from fastgan.convert.references import ModuleReferences, is_scripted
from fastgan.convert.rewrite import Rewriter

__all__ = ["Changes", "TracedForwards", "install", "remove"]

_ATTRIBUTE = "_fastgan_traced"
_ORIGINAL = "_fastgan_original"
_changed_classes: dict[tuple[type[nn.Module], bool], type[nn.Module]] = {}


class Changes(NamedTuple):
    """What was rewritten in one module.

    Attributes:
        swapped: (name of the call, name of the function) of the functions that are fastgan's.
        fused: (name of the first call, name of the second) of the pairs that are one call.
    """

    swapped: list[tuple[str, str]]
    fused: list[tuple[str, str]]


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


def _forward_of(cls: type[nn.Module], rewritten: Callable[..., Any]) -> Callable[..., Any]:
    """Return the forward of the traced modules of ``cls``, with the one for calls that no graph covers."""
    original = cls.forward

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        # torch.fx sees the author's forward, because a graph of ours calls layers that the model does not register.
        if torch.compiler.is_compiling() or any(isinstance(argument, fx.Proxy) for argument in args):
            return original(self, *args, **kwargs)
        recorded = None if kwargs else vars(self)[_ATTRIBUTE].forward_for(self, args)
        return (recorded or rewritten)(self, *args, **kwargs)

    vars(forward)["__wrapped__"] = original  # inspect.signature and torch.fx read the arguments there
    return forward


def _reduce(self: nn.Module, _: Any) -> tuple[Any, ...]:
    return _rebuild, (_original_class(self), _ATTRIBUTE in vars(self)), dict(vars(self))


def _rebuild(cls: type[nn.Module], has_graphs: bool) -> nn.Module:
    changed = _changed_class(cls, has_graphs)
    return changed.__new__(changed)


def _changed_class(cls: type[nn.Module], has_graphs: bool) -> type[nn.Module]:
    """Return the one subclass of ``cls`` for all modules whose methods are rewritten, with or without graphs."""
    if (cls, has_graphs) in _changed_classes:
        return _changed_classes[cls, has_graphs]
    body: dict[str, Any] = {name: getattr(cls, name) for name in ("__module__", "__qualname__", "__doc__")}
    body |= {_ORIGINAL: cls, "__reduce_ex__": _reduce}
    body |= {name: method.function for name, method in rewritten_methods(cls).items()}
    if has_graphs:
        body["forward"] = _forward_of(cls, body.get("forward", cls.forward))
    return _changed_classes.setdefault((cls, has_graphs), type(cls.__name__, (cls,), body))


def _has_custom_forward(module: nn.Module) -> bool:
    """Return whether a module's class has a forward that is neither torch's nor fastgan's, and the module uses it."""
    forward = type(module).forward
    is_custom = str(getattr(forward, "__module__", "")).split(".")[0] not in ("torch", "fastgan")
    return is_custom and not is_scripted(module) and "forward" not in vars(module)


def _calls(module: nn.Module) -> list[tuple[str, str]]:
    """Return (name of the call, name of the function) for each call that rewritten methods replace."""
    counts: Counter[str] = Counter()
    calls = []
    for method in rewritten_methods(type(module)).values():
        for function in method.calls:
            calls.append((f"{function}_{counts[function]}" if counts[function] else function, function))
            counts[function] += 1
    return calls


def install(references: ModuleReferences, fuse: bool) -> Iterator[tuple[str, Changes, Callable[[], None]]]:
    """Rewrite the forwards and methods of a model's modules where that is possible and changes something.

    Args:
        references: the references of the model.
        fuse: whether to make an activation and a dropout, one after the other, one call.

    Yields:
        For each module of which something was rewritten: its name, what was, and how to undo it.
    """
    for module in references.modules:
        if not _has_custom_forward(module) or _ORIGINAL in vars(type(module)):
            continue
        traced = TracedForwards(fuse)
        with contextlib.suppress(UnsupportedForwardError):
            traced.make(module)
        calls = _calls(module)
        if traced.swapped or traced.fused:
            vars(module)[_ATTRIBUTE] = traced
            changes = Changes(traced.swapped, traced.fused)
        elif calls:
            changes = Changes(calls, [])
        else:
            continue
        module.__class__ = _changed_class(type(module), _ATTRIBUTE in vars(module))
        yield references.name(module), changes, functools.partial(_restore, module)


def _restore(module: nn.Module) -> None:
    module.__class__ = _original_class(module)
    vars(module).pop(_ATTRIBUTE, None)


def remove(model: nn.Module) -> None:
    """Give the modules of ``model`` the forwards and methods of their authors back."""
    for module in model.modules():
        if _ORIGINAL in vars(type(module)):
            _restore(module)
