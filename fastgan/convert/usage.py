"""Decides whether a Sequential is only ever run whole, so that no code sees the value between two of its layers.

The check reads the bytecode of the model's own classes, because their source may not be available. It does not cover
code outside of the model. Where a class may find layers by computed names, the answer is that the value may be seen.
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
_WRAPPERS = ("DataParallel", "DistributedDataParallel", "OptimizedModule")  # torch's: they call the module they hold
_FINDS_LAYERS = {
    "_modules", "children", "modules", "named_children", "named_modules", "get_submodule", "getattr", "attrgetter",
    "vars", "__dict__", "__getattr__", "__getattribute__",
}  # fmt: skip
# Attributes of a Sequential that run none of its layers, or all of them.
_SAFE_ATTRIBUTES = {
    "add_module", "append", "apply", "buffers", "cpu", "cuda", "double", "eval", "extend", "float", "forward", "half",
    "insert", "load_state_dict", "named_buffers", "named_parameters", "parameters", "requires_grad_", "state_dict",
    "to", "train", "training", "zero_grad",
}  # fmt: skip
_COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


def _is_torch(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).split(".")[0] == "torch"


def _has_torch_methods(module: nn.Module) -> bool:
    """Return whether a container's class is torch's, or a subclass that only overrides how it is built."""
    for cls in type(module).__mro__:
        if _is_torch(cls):
            return True
        kinds = (FunctionType, property, classmethod, staticmethod)
        if any(isinstance(value, kinds) and "init" not in name for name, value in vars(cls).items()):
            return False
    return True


def _functions_of(cls: type) -> Iterator[FunctionType]:
    """Yield the functions that a class and its bases define, those of torch's and fastgan's classes excepted."""
    for klass in cls.__mro__:
        if _is_torch(klass) or klass is object or "_fastgan_original" in vars(klass):
            continue
        for value in vars(klass).values():
            # A method, a static or class method, a property, or a partialmethod or cached_property.
            for function in (value, *(getattr(value, part, None) for part in ("__func__", "fget", "func"))):
                if isinstance(function, FunctionType):
                    yield inspect.unwrap(function)


def _nested(code: CodeType, building: bool) -> Iterator[CodeType]:
    """Yield a function's code and that of the functions defined in it.

    With ``building``, the function builds the model. Its own code is then left out, because it runs before the model
    does; the functions that it defines may run later.
    """
    if not building:
        yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant, building and constant.co_name in _COMPREHENSIONS)


def _closure_values(function: FunctionType) -> list[Any]:
    """Return the values in a function's closure, such as the function that a decorator's wrapper calls."""
    values = []
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # the cell is still empty
            values.append(cell.cell_contents)
    return values


def _reachable_code(functions: Iterator[FunctionType]) -> Iterator[CodeType]:
    """Yield the code of these functions, of those in their closures and of those that they call by a global name."""
    waiting, seen = list(functions), set()
    while waiting:
        function = waiting.pop()
        if id(function) in seen or not isinstance(function, FunctionType):
            continue
        seen.add(id(function))
        waiting += _closure_values(function)
        for code in _nested(function.__code__, building="init" in function.__name__):
            yield code
            called = (function.__globals__.get(name) for name in code.co_names)
            waiting += [f for f in called if isinstance(f, FunctionType) and not _is_torch(f)]


def _exposed_attributes(code: CodeType) -> Iterator[str]:
    """Yield the attributes that the code reads, except where it calls, checkpoints or uses them safely."""
    instructions = list(dis.get_instructions(code))
    for i, instruction in enumerate(instructions):
        if instruction.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
            continue
        is_call = instruction.opname == "LOAD_METHOD"
        if sys.version_info >= (3, 12):
            is_call = bool((instruction.arg or 0) & 1)
        follower = instructions[i + 1].argval if i + 1 < len(instructions) else None
        # `checkpoint(self.main, x)` loads the function, then self, then the attribute.
        is_checkpointed = i >= 2 and instructions[i - 2].argval == "checkpoint"
        if not (is_call or is_checkpointed or follower in _SAFE_ATTRIBUTES):
            yield instruction.argval


class _ClassCode:
    """What the code of one class does with the layers of its modules.

    Attributes:
        exposed: attributes that the code reads, so that it could run single layers of a Sequential under that name;
            each with the function that reads it.
        finds_layers: a function that may find layers by computed names, or "".
    """

    def __init__(self, cls: type) -> None:
        self.exposed: dict[str, str] = {}
        self.finds_layers = ""
        for code in _reachable_code(_functions_of(cls)):
            location = f"{cls.__name__}.{code.co_name}"
            for attribute in _exposed_attributes(code):
                self.exposed.setdefault(attribute, location)
            if not _FINDS_LAYERS.isdisjoint(code.co_names):
                self.finds_layers = location


class SequentialUsage:
    """Tells for the Sequentials of one model whether code may see the value between two of their layers.

    Args:
        references: the references of the model.
    """

    def __init__(self, references: ModuleReferences) -> None:
        self._references = references
        self._classes: dict[type, _ClassCode] = {}
        for module in references.modules:
            self._code_of(module)

    def _code_of(self, module: nn.Module) -> _ClassCode:
        cls = type(module)
        if cls not in self._classes:
            self._classes[cls] = _ClassCode(cls)
        return self._classes[cls]

    def why_exposed(self, sequential: nn.Sequential) -> str | None:
        """Return why code may see the value between two layers of ``sequential``, or None where none may."""
        waiting: list[nn.Module] = [sequential]
        seen: set[int] = set()
        while waiting:
            module = waiting.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            if reason := self._why_module_exposes(module):
                return reason
            key = id(module)
            for holder, attribute in self._references.unregistered.get(key, []):
                return f"'{attribute}' of {type(holder).__name__} holds its Sequential too"
            registered = self._references.registered.get(key, [])
            for parent, name in registered + self._references.outside.by_modules.get(key, []):
                if not isinstance(parent, _CONTAINERS) and (reason := self._why_attribute_exposes(parent, name)):
                    return reason
            waiting += [parent for parent, _ in registered]
        return None

    def _why_module_exposes(self, module: nn.Module) -> str | None:
        if isinstance(module, _CONTAINERS):
            own = not _has_torch_methods(module) or "forward" in vars(module)
            return f"{type(module).__name__} runs its layers by a function of its own" if own else None
        finds = self._code_of(module).finds_layers
        return f"{finds} may find layers by computed names" if finds else None

    def _why_attribute_exposes(self, parent: nn.Module, attribute: str) -> str | None:
        if _is_torch(type(parent)):
            known = type(parent).__name__ in _WRAPPERS
            return None if known else f"{type(parent).__name__} holds its Sequential"
        self._code_of(parent)
        for code in self._classes.values():
            if location := code.exposed.get(attribute):
                return f"{location} reads '{attribute}' other than by calling it, and may see a value between layers"
        return None
