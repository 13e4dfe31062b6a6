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

from fastgan.convert.loops import loads_of_calling_loops, runs_its_layers_whole
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


def _exposed_attributes(code: CodeType) -> Iterator[tuple[str, bool]]:
    """Yield the attributes that the code reads, except where it calls, checkpoints or uses them safely.

    Beside each one stands whether the code only iterates over it, and calls each of its elements.
    """
    loops = loads_of_calling_loops(code)
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
            yield instruction.argval, instruction.offset in loops


class _ClassCode:
    """What the code of one class does with the layers of its modules.

    Attributes:
        exposed: attributes that the code reads, so that it could run single layers of a Sequential under that name;
            each with the function that reads it.
        iterated: attributes whose elements the code calls one after the other, each with the function that does.
        read: all attributes that the code reads.
        finds_layers: a function that may find layers by computed names, or "".
        runs_layers_whole: whether a container of this class does with its layers nothing but call them.
    """

    def __init__(self, cls: type) -> None:
        self.exposed: dict[str, str] = {}
        self.iterated: dict[str, str] = {}
        self.read: set[str] = set()
        self.finds_layers = ""
        self.runs_layers_whole = True
        for code in _reachable_code(_functions_of(cls)):
            location = f"{cls.__name__}.{code.co_name}"
            self.read.update(code.co_names)
            for attribute, is_loop in _exposed_attributes(code):
                (self.iterated if is_loop else self.exposed).setdefault(attribute, location)
            if not _FINDS_LAYERS.isdisjoint(code.co_names):
                loops = loads_of_calling_loops(code)
                found = {step.offset for step in dis.get_instructions(code) if step.argval in _FINDS_LAYERS}
                self.finds_layers = self.finds_layers if found <= loops else location
            self.runs_layers_whole = self.runs_layers_whole and runs_its_layers_whole(code)


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

    def runs_in_other_places(self, layer: nn.Module, sequential: nn.Sequential) -> bool:
        """Return whether something may run `layer` that is not the container `sequential`.

        A class that builds its Sequential of layers that are its attributes, too, does not, if no code reads these.
        """
        others = [place for place in self._references.registered[id(layer)] if place[0] is not sequential]
        if len(others) + 1 < len(self._references.registered[id(layer)]):
            return True
        return any(
            isinstance(parent, _CONTAINERS)
            or _is_torch(type(parent))
            or self._code_of(parent).finds_layers
            or any(attribute in code.read for code in self._classes.values())
            for parent, attribute in others
        )

    def why_exposed(self, sequential: nn.Sequential) -> str | None:
        """Return why code may see the value between two layers of ``sequential``, or None where none may."""
        # Beside a module: whether indices alone lead from it to the layers. Where an attribute is on the way, code
        # needs its name, and is found by that.
        waiting: list[tuple[nn.Module, bool]] = [(sequential, True)]
        seen: set[tuple[int, bool]] = set()
        while waiting:
            module, by_index = waiting.pop()
            key = id(module)
            if (key, by_index) in seen:
                continue
            seen.add((key, by_index))
            if reason := self._why_module_exposes(module, by_index, module is sequential):
                return reason
            for holder, attribute in self._references.unregistered.get(key, []):
                return f"'{attribute}' of {type(holder).__name__} holds its Sequential too"
            registered = self._references.registered.get(key, [])
            for parent, name in registered + self._references.outside.by_modules.get(key, []):
                if by_index and not isinstance(parent, _CONTAINERS):
                    reason = self._why_attribute_exposes(parent, name, module is sequential)
                    if reason:
                        return reason
            waiting += [(parent, by_index and isinstance(parent, _CONTAINERS)) for parent, _ in registered]
        return None

    def _why_module_exposes(self, module: nn.Module, by_index: bool, is_itself: bool) -> str | None:
        code = self._code_of(module)
        if isinstance(module, _CONTAINERS):
            own = not _has_torch_methods(module) or "forward" in vars(module)
            whole = not is_itself and "forward" not in vars(module) and code.runs_layers_whole and not code.finds_layers
            if own and by_index and not whole:
                return f"{type(module).__name__} runs its layers by a function of its own"
        return f"{code.finds_layers} may find layers by computed names" if code.finds_layers else None

    def _why_attribute_exposes(self, parent: nn.Module, attribute: str, is_itself: bool) -> str | None:
        if _is_torch(type(parent)):
            known = type(parent).__name__ in _WRAPPERS
            return None if known else f"{type(parent).__name__} holds its Sequential"
        self._code_of(parent)
        for code in self._classes.values():
            location = code.exposed.get(attribute) or (code.iterated.get(attribute) if is_itself else None)
            if location:
                return f"{location} reads '{attribute}' other than by calling it, and may see a value between layers"
        return None
