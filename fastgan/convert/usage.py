"""EquivalenceCheck that a Sequential is only ever run whole, so that nobody sees the value between two of its layers.

The proof reads the bytecode of the model's own classes, whose source may not be at hand. It is no proof for code
outside the model, nor does it try to be for code that finds layers by computed names: such a model is not fused.
"""

from __future__ import annotations

import contextlib
import dis
import inspect
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from torch import nn

from fastgan.convert.references import ModuleReferences

__all__ = ["SequentialUsage"]

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_WRAPPERS = ("DataParallel", "DistributedDataParallel", "OptimizedModule")  # of torch: they call what they hold
_FINDS_LAYERS = {
    "_modules", "children", "modules", "named_children", "named_modules", "get_submodule", "getattr", "attrgetter",
    "vars", "__dict__", "__getattr__", "__getattribute__",
}  # fmt: skip
# What may be asked of a Sequential, besides calling it, that runs none of its layers.
_HARMLESS = {
    "add_module", "append", "apply", "buffers", "cpu", "cuda", "double", "eval", "extend", "float", "forward", "half",
    "insert", "load_state_dict", "named_buffers", "named_parameters", "parameters", "requires_grad_", "state_dict",
    "to", "train", "training", "zero_grad",
}  # fmt: skip
_COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


def _is_torch(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).split(".")[0] == "torch"


def _runs_children_itself(module: nn.Module) -> bool:
    """Whether a container's class is torch's, or a subclass that only builds itself in another way."""
    for cls in type(module).__mro__:
        if _is_torch(cls):
            return True
        kinds = (FunctionType, property, classmethod, staticmethod)
        if any(isinstance(value, kinds) and "init" not in name for name, value in vars(cls).items()):
            return False
    return True


def _functions_of(cls: type) -> Iterator[FunctionType]:
    for klass in cls.__mro__:
        if _is_torch(klass) or klass is object or "_fastgan_original" in vars(klass):
            continue
        for value in vars(klass).values():
            # Methods, static and class methods, properties, and what functools makes.
            for function in (value, *(getattr(value, part, None) for part in ("__func__", "fget", "func"))):
                if isinstance(function, FunctionType):
                    yield inspect.unwrap(function)


def _nested(code: CodeType, building: bool) -> Iterator[CodeType]:
    """A function's code and that of the functions in it.

    What builds a model runs before the model does, but the functions that it makes may run later.
    """
    if not building:
        yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant, building and constant.co_name in _COMPREHENSIONS)


def _in_closure(function: FunctionType) -> list[Any]:
    """What the function around this one gave it: a decorator's wrapper calls the function it was given."""
    held = []
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # still empty
            held.append(cell.cell_contents)
    return held


def _codes(functions: Iterator[FunctionType]) -> Iterator[CodeType]:
    """Code that may run with the model: of these functions and of those that they call by a global name."""
    waiting, seen = list(functions), set()
    while waiting:
        function = waiting.pop()
        if id(function) in seen or not isinstance(function, FunctionType):
            continue
        seen.add(id(function))
        waiting += _in_closure(function)
        for code in _nested(function.__code__, building="init" in function.__name__):
            yield code
            called = (function.__globals__.get(name) for name in code.co_names)
            waiting += [f for f in called if isinstance(f, FunctionType) and not _is_torch(f)]


def _reads(code: CodeType) -> Iterator[str]:
    """Attributes that the code reads for anything but to call them, to checkpoint them or to ask what is harmless."""
    instructions = list(dis.get_instructions(code))
    for i, instruction in enumerate(instructions):
        if instruction.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
            continue
        is_call = instruction.opname == "LOAD_METHOD"
        if sys.version_info >= (3, 12):
            is_call = bool((instruction.arg or 0) & 1)
        follower = instructions[i + 1].argval if i + 1 < len(instructions) else None
        # checkpoint(self.main, x): the function, then self, then the attribute
        is_checkpointed = i >= 2 and instructions[i - 2].argval == "checkpoint"
        if not (is_call or is_checkpointed or follower in _HARMLESS):
            yield instruction.argval


class _Class:
    """What the code of one class of the model reads."""

    def __init__(self, cls: type) -> None:
        self.attributes: dict[str, str] = {}
        self.finds_layers = ""
        for code in _codes(_functions_of(cls)):
            place = f"{cls.__name__}.{code.co_name}"
            for attribute in _reads(code):
                self.attributes.setdefault(attribute, place)
            if not _FINDS_LAYERS.isdisjoint(code.co_names):
                self.finds_layers = place


class SequentialUsage:
    """Answers, for the Sequentials of one model, whether they are only run whole."""

    def __init__(self, holders: ModuleReferences) -> None:
        self._holders = holders
        self._classes: dict[type, _Class] = {}
        for module in holders.modules:
            self._class_of(module)

    def _class_of(self, module: nn.Module) -> _Class:
        cls = type(module)
        if cls not in self._classes:
            self._classes[cls] = _Class(cls)
        return self._classes[cls]

    def why_not(self, sequential: nn.Sequential) -> str | None:
        """Why the value between two layers of ``sequential`` may be seen, or None."""
        waiting: list[nn.Module] = [sequential]
        seen: set[int] = set()
        while waiting:
            module = waiting.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            if reason := self._why_seen(module):
                return reason
            key = id(module)
            for attribute_of, attribute in self._holders.unregistered.get(key, []):
                return f"'{attribute}' of {type(attribute_of).__name__} holds its Sequential too"
            places = self._holders.inside.get(key, [])
            for holder, name in places + self._holders.outside.get(key, []):
                if not isinstance(holder, _CONTAINERS) and (reason := self._why_read(holder, name)):
                    return reason
            waiting += [holder for holder, _ in places]
        return None

    def _why_seen(self, module: nn.Module) -> str | None:
        if isinstance(module, _CONTAINERS):
            own = not _runs_children_itself(module) or "forward" in vars(module)
            return f"{type(module).__name__} runs its layers by a function of its own" if own else None
        finds = self._class_of(module).finds_layers
        return f"{finds} may find layers by computed names" if finds else None

    def _why_read(self, holder: nn.Module, attribute: str) -> str | None:
        if _is_torch(type(holder)):
            known = type(holder).__name__ in _WRAPPERS
            return None if known else f"{type(holder).__name__} holds its Sequential"
        self._class_of(holder)
        for read in self._classes.values():
            if place := read.attributes.get(attribute):
                return f"{place} reads '{attribute}' other than by calling it, and may see the value between them"
        return None
