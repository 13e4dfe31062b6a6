"""Finds everything that holds a module, inside and outside of the model.

``convert`` may change a module in place only where nothing outside of the model uses it.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import torch
from torch import nn

__all__ = ["ModuleReferences", "Reference", "has_hooks", "is_scripted"]

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
# What nn.Module and fastgan keep in a module's __dict__. All other attributes are the model author's.
_INTERNAL = ("_modules", "_parameters", "_buffers", "_fastgan_pair")

_MODULE_FREE = {bool, int, float, str, bytes, type(None), type, FunctionType}
_EMPTY: dict[str, Any] = {}

Reference = tuple[nn.Module, str]  # a module that holds another one, and the key or attribute under which it does


def is_scripted(module: nn.Module) -> bool:
    """Return whether ``module`` was compiled by :func:`torch.jit.script`."""
    return isinstance(module, torch.jit.ScriptModule)


def has_hooks(module: nn.Module) -> bool:
    """Return whether hooks watch ``module``, or its ``forward`` is not the one of its class."""
    return (
        any(getattr(module, hooks) for hooks in _HOOKS)
        or "forward" in vars(module)
        or getattr(module, "_compiled_call_impl", None) is not None
    )


def _subclasses(cls: type) -> set[type]:
    return {cls}.union(*map(_subclasses, type.__subclasses__(cls)))


def _modules_in(value: Any) -> Iterator[nn.Module]:
    """Yield the modules in a value made of Python's containers."""
    if isinstance(value, nn.Module):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _modules_in(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _modules_in(item)
    elif isinstance(value, functools.partial):
        yield from _modules_in((value.args, value.keywords))


def _registered(module: nn.Module) -> list[tuple[str, nn.Module]]:
    children = vars(module).get("_modules")
    return [(key, child) for key, child in (children or {}).items() if child is not None]


def _unregistered(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for attribute, value in list(vars(module).items()):
        if attribute not in _INTERNAL:
            for held in _modules_in(value):
                yield attribute, held


class ModuleReferences:
    """The modules of a model and what holds each of them, as found at construction.

    Args:
        model: the model.
        search_outside: whether to look through all objects of the process for holders outside of the model.

    Attributes:
        model: the model.
        modules: its modules, in the order of ``named_modules``.
        names: the first dotted name of each module, by the module's id.
        registered: by a module's id, the (parent, key) under which the model registers it.
        unregistered: by a module's id, the (module, attribute) of the model that hold it without registering it, as a
            plain list of layers does.
        outside: by a module's id, the (parent, key) of modules outside of the model; the key is "" where that parent
            does not register it.
        held_by_functions: ids of modules that are default arguments of a function or arguments of a partial.
    """

    def __init__(self, model: nn.Module, search_outside: bool = True) -> None:
        self.model = model
        self.names: dict[int, str] = {}
        self.modules: list[nn.Module] = []
        self.registered: dict[int, list[Reference]] = {}
        self.unregistered: dict[int, list[Reference]] = {}
        self.outside: dict[int, list[Reference]] = {}
        self.held_by_functions: set[int] = set()
        for name, module in model.named_modules():
            self.names[id(module)] = name
            self.modules.append(module)
            if is_scripted(module):
                continue
            for key, child in _registered(module):
                self.registered.setdefault(id(child), []).append((module, key))
            for attribute, held in _unregistered(module):
                self.unregistered.setdefault(id(held), []).append((module, attribute))
        if search_outside:
            self._search_outside()
        if self.outside:
            # A dead model in a reference cycle must not count: collect the garbage and search again.
            self.outside, self.held_by_functions = {}, set()
            gc.collect()
            self._search_outside()

    def _search_outside(self) -> None:
        kinds = _subclasses(nn.Module) | {FunctionType, functools.partial}
        for thing in [thing for thing in gc.get_objects() if type(thing) in kinds]:
            if isinstance(thing, FunctionType):
                for value in (*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or _EMPTY).values()):
                    if type(value) not in _MODULE_FREE:  # saves time: nearly all defaults are of these types
                        self.held_by_functions.update(map(id, _modules_in(value)))
            elif isinstance(thing, functools.partial):
                self.held_by_functions.update(map(id, _modules_in(thing)))
            elif id(thing) not in self.names:
                for key, child in _registered(thing):
                    if id(child) in self.names:
                        self.outside.setdefault(id(child), []).append((thing, key))
                for _, held in _unregistered(thing):
                    if id(held) in self.names:
                        self.outside.setdefault(id(held), []).append((thing, ""))

    def is_used_elsewhere(self, module: nn.Module) -> bool:
        """Return whether something outside of this model holds ``module``."""
        return id(module) in self.outside or id(module) in self.held_by_functions

    def name(self, module: nn.Module) -> str:
        """Return the first dotted name of ``module`` in the model."""
        return self.names[id(module)]

    def replace(self, old: nn.Module, new: nn.Module) -> Callable[[], None]:
        """Register ``new`` wherever the model registers ``old``, and return a function that undoes it."""
        references = self.registered.pop(id(old))
        self.registered[id(new)] = references
        self.names[id(new)] = self.names[id(old)]
        for parent, key in references:
            parent._modules[key] = new

        def undo() -> None:
            for parent, key in references:
                parent._modules[key] = old

        return undo
