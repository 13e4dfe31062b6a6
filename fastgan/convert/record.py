"""Records a module's ``forward`` as a :mod:`torch.fx` graph, where the graph is all that the forward does.

A trace follows one path, with the numbers and flags of that moment. So a forward is refused where the code that ran
branches, enters a context such as ``torch.no_grad``, draws random numbers or has side effects. Whatever else the code
read from its module is noted, so that a later change of it is noticed.
"""

from __future__ import annotations

import dis
import gc
import inspect
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import fx, nn

__all__ = ["Dependencies", "UnsupportedForwardError", "record"]

_PLAIN_TYPES = (bool, int, float, str, type(None), torch.dtype, torch.device, torch.Size)
_CODE_TYPES = (ModuleType, FunctionType, BuiltinFunctionType, type)
_ABSENT = object()
# Allowed builtins. A call of one on a traced tensor either goes into the graph or fails.
_BUILTINS = {
    "abs", "dict", "enumerate", "float", "int", "len", "list", "max", "min", "range", "reversed", "round", "sum",
    "super", "tuple", "zip",
}  # fmt: skip
_CONTEXT_MODULES = ("torch.autograd", "torch.amp", "torch.random", "torch.utils")
_LIBRARIES = {"torch", "fastgan", *sys.stdlib_module_names} - {"__main__"}
_READS = ("LOAD_ATTR", "LOAD_METHOD")
_REGISTRIES = ("_parameters", "_buffers", "_modules")


class UnsupportedForwardError(Exception):
    """A forward cannot be recorded; the message says why."""


def _is_plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN_TYPES)


class _ModuleTracer(fx.Tracer):
    """Traces the forward of one module. Each module that it calls is one node."""

    proxy_buffer_attributes = True

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


@contextmanager
def _no_random_numbers() -> Iterator[None]:
    """Refuse code that draws random numbers, which would become constants of the graph; restore the generators."""
    python, numpy, torchs = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        yield
        now = np.random.get_state()  # noqa: NPY002
        same_numpy = np.array_equal(now[1], numpy[1]) and now[2] == numpy[2]  # type: ignore[index]
        if not (random.getstate() == python and same_numpy and torch.equal(torch.get_rng_state(), torchs)):
            raise UnsupportedForwardError("it draws random numbers")
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(torchs)


class _Called(NamedTuple):
    """A function outside of torch that ran.

    Attributes:
        code: its code.
        globals: its global names.
        on_owner: whether its first argument was the traced module.
    """

    code: CodeType
    globals: dict[str, Any]
    on_owner: bool


def _run_and_watch(owner: nn.Module, run: Callable[[], fx.Graph]) -> tuple[fx.Graph, list[_Called]]:
    """Return the graph that ``run`` gives, and the functions outside of torch that ran for it."""
    called: dict[tuple[CodeType, bool], _Called] = {}
    refused: list[str] = []

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code, module = frame.f_code, str(frame.f_globals.get("__name__", ""))
        if module.startswith(_CONTEXT_MODULES) and code.co_name in ("__enter__", "checkpoint"):
            refused.append(f"it enters a context of {module}")
        elif module.split(".")[0] not in _LIBRARIES:
            on_owner = code.co_argcount > 0 and frame.f_locals.get(code.co_varnames[0]) is owner
            called[code, on_owner] = _Called(code, frame.f_globals, on_owner)

    # A garbage collection would run callbacks and finalizers here, which are no part of the forward.
    previous, collects = sys.getprofile(), gc.isenabled()
    gc.disable()
    sys.setprofile(watch)
    try:
        graph = run()
    finally:
        sys.setprofile(previous)
        if collects:
            gc.enable()
    if refused:
        raise UnsupportedForwardError(refused[0])
    return graph, list(called.values())


def _check(called: _Called, attributes_of_children: set[str]) -> None:
    """Refuse code that may take another path at the next call, or that has an effect that the graph does not show."""
    code, instructions = called.code, list(dis.get_instructions(called.code))
    for i, instruction in enumerate(instructions):
        name, argument = instruction.opname, instruction.argval
        if name.startswith(("POP_JUMP", "JUMP_IF")) or name in ("IS_OP", "CONTAINS_OP"):
            raise UnsupportedForwardError(f"{code.co_name} branches")
        if name in ("STORE_GLOBAL", "STORE_ATTR"):
            raise UnsupportedForwardError(f"{code.co_name} assigns to '{argument}'")
        if name in ("LOAD_DEREF", "LOAD_CLASSDEREF") and argument != "__class__":
            raise UnsupportedForwardError(f"{code.co_name} reads '{argument}' of the function around it")
        if name == "LOAD_GLOBAL":
            attribute = instructions[i + 1].argval if i + 1 < len(instructions) else None
            _check_global(called, argument, attribute)
        if name == "LOAD_ATTR" and argument in attributes_of_children and not _is_of_a_library(called, instructions, i):
            of_owner = called.on_owner and instructions[i - 1].argval == code.co_varnames[0]
            if not of_owner:
                raise UnsupportedForwardError(f"{code.co_name} reads '{argument}' of another module")


def _is_of_a_library(called: _Called, instructions: list[dis.Instruction], i: int) -> bool:
    """Return whether an instruction reads an attribute of a Python module, such as ``F.dropout``."""
    path: list[str] = []
    while i > 0 and instructions[i - 1].opname in _READS:
        i -= 1
        path.insert(0, instructions[i].argval)
    if i == 0 or instructions[i - 1].opname != "LOAD_GLOBAL":
        return False
    value = called.globals.get(instructions[i - 1].argval)
    for name in path:
        value = getattr(value, name, None) if isinstance(value, ModuleType) else None
    return isinstance(value, ModuleType)


def _check_global(called: _Called, name: str, attribute: Any) -> None:
    if name not in called.globals:
        if name not in _BUILTINS:
            raise UnsupportedForwardError(f"{called.code.co_name} calls {name}()")
        return
    value, attribute_is_read = called.globals[name], False
    if isinstance(value, (ModuleType, type)) and str(getattr(value, "__module__", value.__name__))[:5] != "torch":
        attribute_is_read = isinstance(attribute, str)
        value = getattr(value, attribute, value) if isinstance(attribute, str) else value
    if not isinstance(value, _CODE_TYPES) and (attribute_is_read or not _is_plain(value)):
        raise UnsupportedForwardError(f"{called.code.co_name} reads the global '{name}', which may change")


def _names_read(called: _Called) -> Iterator[str]:
    """Yield the attributes that code reads, except those of Python modules."""
    instructions = list(dis.get_instructions(called.code))
    for i, instruction in enumerate(instructions):
        is_read = instruction.opname in _READS or instruction.opname.startswith("LOAD_SUPER")
        if is_read and not _is_of_a_library(called, instructions, i):
            yield instruction.argval


def _attributes_read(owner: nn.Module, called: list[_Called]) -> list[str]:
    """Return the attributes of ``owner`` whose values may be constants of the graph."""
    names = []
    for name in sorted({name for each in called for name in _names_read(each)}):
        value = vars(owner).get(name, inspect.getattr_static(type(owner), name, _ABSENT))
        is_code = isinstance(value, (FunctionType, property, staticmethod, classmethod))
        if value is _ABSENT or name == "training" or is_code or name in vars(nn.Module):
            continue
        if not _is_plain(value):
            raise UnsupportedForwardError(f"it reads its '{name}', a {type(value).__name__}, which may change")
        names.append(name)
    return names


def _child_ids(module: nn.Module) -> tuple[Any, ...]:
    """Return the ids of a module's children, and of those in containers, over which a forward may loop."""
    ids: list[Any] = []
    for key, child in module._modules.items():
        ids.append((key, id(child)))
        if isinstance(child, (nn.ModuleList, nn.ModuleDict, nn.Sequential)):
            ids.extend(_child_ids(child))
    return tuple(ids)


@dataclass
class Dependencies:
    """What a graph depends on besides the inputs, parameters and buffers.

    Attributes:
        attributes: names of attributes of the module.
        globals: names of global numbers, each with the namespace that it is in.
    """

    attributes: set[str] = field(default_factory=set)
    globals: dict[str, dict[str, Any]] = field(default_factory=dict)

    def fingerprint(self, owner: nn.Module) -> tuple[Any, ...]:
        """Return a value that stays equal as long as the graphs of ``owner`` are valid."""
        attributes = [repr(getattr(owner, name, None)) for name in sorted(self.attributes)]
        numbers = [repr(scope.get(name)) for name, scope in self.globals.items()]
        return attributes, numbers, _child_ids(owner), frozenset(owner._buffers)


def record(owner: nn.Module, dependencies: Dependencies) -> fx.Graph:
    """Return the graph of ``owner.forward`` in the present mode.

    Args:
        owner: the module. It is left as it was.
        dependencies: gets what the graph depends on, in addition to what it holds.

    Raises:
        UnsupportedForwardError: where a graph would not be all that the forward does.
    """
    kinds = [(p.kind, p.default) for p in inspect.signature(type(owner).forward).parameters.values()]
    if any(
        kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD or default is not inspect._empty for kind, default in kinds
    ):
        raise UnsupportedForwardError("its forward takes optional arguments")
    before = dict(vars(owner)), [dict(vars(owner)[name]) for name in _REGISTRIES]
    try:
        with _no_random_numbers():
            graph, called = _run_and_watch(owner, lambda: _ModuleTracer().trace(owner))
        attributes = {name for child in owner.modules() if child is not owner for name in vars(child)}
        for each in called:
            _check(each, attributes)
            for name in each.code.co_names:
                if _is_plain(each.globals.get(name, _ABSENT)):
                    dependencies.globals[name] = each.globals
        if vars(owner).keys() != before[0].keys():
            raise UnsupportedForwardError("it makes tensors from numbers, or keeps something in the module")
        dependencies.attributes.update(_attributes_read(owner, called))
        return graph
    except UnsupportedForwardError:
        raise
    except Exception as error:
        raise UnsupportedForwardError(
            f"torch.fx cannot trace it ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        ) from error
    finally:
        owner.__dict__.clear()
        owner.__dict__.update(before[0])
        for name, table in zip(_REGISTRIES, before[1], strict=True):
            vars(owner)[name].clear()
            vars(owner)[name].update(table)
