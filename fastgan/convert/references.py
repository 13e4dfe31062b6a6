"""Who holds a module, inside the model and outside of it: what decides whether it may be changed in place."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import torch
from torch import nn

__all__ = ["ModuleReferences", "Place", "has_hooks", "is_scripted"]

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
# What nn.Module keeps in its __dict__, and what fastgan does; all other attributes are the model author's.
_INTERNAL = ("_modules", "_parameters", "_buffers", "_fastgan_pair")

_PLAIN = {bool, int, float, str, bytes, type(None), type, FunctionType}
_NONE: dict[str, Any] = {}

Place = tuple[nn.Module, str]


def is_scripted(module: nn.Module) -> bool:
    return isinstance(module, torch.jit.ScriptModule)


def has_hooks(module: nn.Module) -> bool:
    """Whether something watches or changes what flows through the module, or its ``forward`` is not its class's."""
    return (
        any(getattr(module, hooks) for hooks in _HOOKS)
        or "forward" in vars(module)
        or getattr(module, "_compiled_call_impl", None) is not None
    )


def _subclasses(cls: type) -> set[type]:
    return {cls}.union(*map(_subclasses, type.__subclasses__(cls)))


def _modules_in(value: Any) -> Iterator[nn.Module]:
    """The modules in a value made of Python's containers."""
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


def _children(module: nn.Module) -> list[tuple[str, nn.Module]]:
    registered = vars(module).get("_modules")
    return [(key, child) for key, child in (registered or {}).items() if child is not None]


def _unregistered(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for attribute, value in list(vars(module).items()):
        if attribute not in _INTERNAL:
            for held in _modules_in(value):
                yield attribute, held


class ModuleReferences:
    """A model's modules and everything that holds them, as found when it is made.

    Attributes:
        names: of each module, by its id, the first dotted name in the model.
        inside: (holder, key) of each module registered in the model.
        unregistered: attributes of the model that hold a module without registering it (a plain list of layers).
        outside: (holder, key) in modules that are not the model's; key is "" where the module is not registered.
        in_defaults: ids of modules among the default arguments of a function, or the arguments of a partial.
    """

    def __init__(self, model: nn.Module, look_outside: bool = True) -> None:
        self.model = model
        self.names: dict[int, str] = {}
        self.modules: list[nn.Module] = []
        self.inside: dict[int, list[Place]] = {}
        self.unregistered: dict[int, list[Place]] = {}
        self.outside: dict[int, list[Place]] = {}
        self.in_defaults: set[int] = set()
        for name, module in model.named_modules():
            self.names[id(module)] = name
            self.modules.append(module)
            if is_scripted(module):
                continue
            for key, child in _children(module):
                self.inside.setdefault(id(child), []).append((module, key))
            for attribute, held in _unregistered(module):
                self.unregistered.setdefault(id(held), []).append((module, attribute))
        if look_outside:
            self._look_outside()
        if self.outside:
            # A model that is garbage already, but in a cycle, is no holder.
            self.outside, self.in_defaults = {}, set()
            gc.collect()
            self._look_outside()

    def _look_outside(self) -> None:
        kinds = _subclasses(nn.Module) | {FunctionType, functools.partial}
        for thing in [thing for thing in gc.get_objects() if type(thing) in kinds]:
            if isinstance(thing, FunctionType):
                for value in (*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or _NONE).values()):
                    if type(value) not in _PLAIN:  # nearly all are
                        self.in_defaults.update(map(id, _modules_in(value)))
            elif isinstance(thing, functools.partial):
                self.in_defaults.update(map(id, _modules_in(thing)))
            elif id(thing) not in self.names:
                for key, child in _children(thing):
                    if id(child) in self.names:
                        self.outside.setdefault(id(child), []).append((thing, key))
                for _, held in _unregistered(thing):
                    if id(held) in self.names:
                        self.outside.setdefault(id(held), []).append((thing, ""))

    def elsewhere(self, module: nn.Module) -> bool:
        """Whether something that is not this model will go on using the module."""
        return id(module) in self.outside or id(module) in self.in_defaults

    def name(self, module: nn.Module) -> str:
        return self.names[id(module)]

    def replace(self, old: nn.Module, new: nn.Module) -> Callable[[], None]:
        """Put ``new`` wherever the model registers ``old``; what is returned takes it back."""
        places = self.inside.pop(id(old))
        self.inside[id(new)] = places
        self.names[id(new)] = self.names[id(old)]
        for holder, key in places:
            holder._modules[key] = new

        def undo() -> None:
            for holder, key in places:
                holder._modules[key] = old

        return undo
