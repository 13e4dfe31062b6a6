"""Finds everything that holds a module, inside and outside of the model.

``convert`` may change a module in place only where nothing outside of the model uses it.
"""

from __future__ import annotations

import functools
import gc
import math
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any

import torch
from torch import nn

from fastgan.convert.holders import MOST_ELEMENTS, Accounts

__all__ = ["ModuleReferences", "OutsideHolders", "Reference", "has_hooks", "is_scripted"]

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


def _modules_in(value: Any, most: float, seen: set[int]) -> Iterator[nn.Module]:
    """Yield the modules in a value made of Python's containers, those of more than ``most`` elements excepted."""
    if isinstance(value, nn.Module):
        yield value
    elif isinstance(value, functools.partial):
        yield from _modules_in((value.args, value.keywords), most, seen)
    elif isinstance(value, (dict, list, tuple, set, frozenset)) and len(value) <= most and id(value) not in seen:
        seen.add(id(value))  # a container may hold itself
        for item in value.values() if isinstance(value, dict) else value:
            if type(item) not in _MODULE_FREE:
                yield from _modules_in(item, most, seen)


def _registered(module: nn.Module) -> list[tuple[str, nn.Module]]:
    children = vars(module).get("_modules")
    return [(key, child) for key, child in (children or {}).items() if child is not None]


def _unregistered(module: nn.Module, most: float = math.inf) -> Iterator[Reference]:
    for attribute, value in list(vars(module).items()):
        if attribute not in _INTERNAL and type(value) not in _MODULE_FREE:
            for held in _modules_in(value, most, set()):
                yield held, attribute


class OutsideHolders:
    """What holds the modules of one model, outside of it.

    Attributes:
        by_modules: by a module's id, the (parent, key) of modules outside of the model; the key is "" where that parent
            does not register it.
        by_functions: ids of modules that are default arguments of a function or arguments of a partial.
        most_elements: a larger container in the model's attributes holds none of the modules that matter.
    """

    def __init__(self) -> None:
        self.by_modules: dict[int, list[Reference]] = {}
        self.by_functions: set[int] = set()
        self.most_elements: float = MOST_ELEMENTS
        self._model: set[int] = set()

    def find(self, model: nn.Module, relevant: Callable[[list[nn.Module]], Iterable[nn.Module]]) -> OutsideHolders:
        """Look for the holders and return this object.

        Args:
            model: the model.
            relevant: gets the model's modules and returns those whose holders matter.
        """
        modules = list(model.modules())
        self._model = set(map(id, modules))
        if not Accounts(modules, set(map(id, relevant(modules))), self._see).explain():
            self.most_elements = math.inf
            self._search_process()
        return self

    def _search_process(self) -> None:
        """Look through all objects of the process."""
        self._see_all()
        if self.by_modules:  # a dead model in a reference cycle must not count
            self.by_modules = {}
            gc.collect()
            self._see_all()

    def _see_all(self) -> None:
        self.by_modules, self.by_functions = {}, set()
        kinds = _subclasses(nn.Module) | {FunctionType, functools.partial}
        for thing in [thing for thing in gc.get_objects() if type(thing) in kinds]:
            self._see(thing)

    def _see(self, thing: Any) -> None:
        """Note which modules of the model a module, a function or a partial holds."""
        if isinstance(thing, FunctionType):
            for value in (*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or _EMPTY).values()):
                if type(value) not in _MODULE_FREE:  # saves time: nearly all defaults are of these types
                    self.by_functions.update(map(id, _modules_in(value, math.inf, set())))
        elif isinstance(thing, functools.partial):
            self.by_functions.update(map(id, _modules_in(thing, math.inf, set())))
        elif id(thing) not in self._model:
            for key, child in _registered(thing):
                if id(child) in self._model:
                    self.by_modules.setdefault(id(child), []).append((thing, key))
            for held, _ in _unregistered(thing):
                if id(held) in self._model:
                    self.by_modules.setdefault(id(held), []).append((thing, ""))


class ModuleReferences:
    """The modules of a model and what holds each of them, as found at construction.

    Args:
        model: the model.
        outside: what holds them outside of the model, where that matters.

    Attributes:
        model: the model.
        modules: its modules, in the order of ``named_modules``.
        names: the first dotted name of each module, by the module's id.
        registered: by a module's id, the (parent, key) under which the model registers it.
        unregistered: by a module's id, the (module, attribute) of the model that hold it without registering it, as a
            plain list of layers does.
        outside: the argument.
    """

    def __init__(self, model: nn.Module, outside: OutsideHolders | None = None) -> None:
        self.model, self.outside = model, outside or OutsideHolders()
        self.names: dict[int, str] = {}
        self.modules: list[nn.Module] = []
        self.registered: dict[int, list[Reference]] = {}
        self.unregistered: dict[int, list[Reference]] = {}
        for name, module in model.named_modules():
            self.names[id(module)] = name
            self.modules.append(module)
            if is_scripted(module):
                continue
            for key, child in _registered(module):
                self.registered.setdefault(id(child), []).append((module, key))
            for held, attribute in _unregistered(module, self.outside.most_elements):
                self.unregistered.setdefault(id(held), []).append((module, attribute))

    def is_used_elsewhere(self, module: nn.Module) -> bool:
        """Return whether something outside of this model holds ``module``."""
        return id(module) in self.outside.by_modules or id(module) in self.outside.by_functions

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
