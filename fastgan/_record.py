"""Recording of a module's own ``forward`` as a graph, where the graph is all that the forward does.

A trace sees one path, with the numbers and flags of that moment. So the record is refused where the code that ran
branches, enters a context (``torch.no_grad``), draws numbers or has side effects; and what else it read from its module
is noted, so that a later change is noticed.
"""

from __future__ import annotations

import dis
import inspect
import random
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import fx, nn

_SIMPLE = (bool, int, float, str, type(None), torch.dtype, torch.device, torch.Size)
_FIXED = (ModuleType, FunctionType, BuiltinFunctionType, type, *_SIMPLE)
_CONTEXTS = ("torch.autograd", "torch.amp", "torch.random", "torch.utils")
_NOT_THE_AUTHORS = {"torch", "fastgan", *sys.stdlib_module_names} - {"__main__"}
_HELD_ELSEWHERE = ("_parameters", "_buffers", "_modules")


class Refused(Exception):
    """Says why a forward cannot be recorded."""


def _is_simple(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return all(map(_is_simple, value))
    return isinstance(value, _SIMPLE)


class _OwnForward(fx.Tracer):
    """Records what one module does, with all modules that it calls as single steps."""

    proxy_buffer_attributes = True

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def _random_states() -> tuple[Any, ...]:
    numpy = np.random.get_state()  # noqa: NPY002 - the model may use the global one
    return random.getstate(), numpy[1].tobytes(), numpy[2], torch.get_rng_state().numpy().tobytes()  # type: ignore[index]


def _run_and_watch(run: Callable[[], fx.Graph]) -> tuple[fx.Graph, list[FrameType]]:
    """The graph, and a frame of each function outside torch that ran for it."""
    frames: dict[CodeType, FrameType] = {}
    refused: list[str] = []

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(_CONTEXTS) and frame.f_code.co_name in ("__enter__", "checkpoint"):
            refused.append(f"it enters a context of {module}")
        elif module.split(".")[0] not in _NOT_THE_AUTHORS:
            frames[frame.f_code] = frame

    previous = sys.getprofile()
    sys.setprofile(watch)
    try:
        graph = run()
    finally:
        sys.setprofile(previous)
    if refused:
        raise Refused(refused[0])
    return graph, list(frames.values())


def _check_code(frame: FrameType) -> None:
    code = frame.f_code
    for instruction in dis.get_instructions(code):
        if instruction.opname.startswith(("POP_JUMP", "JUMP_IF")):
            raise Refused(f"{code.co_name} branches")
        if instruction.opname in ("STORE_GLOBAL", "STORE_ATTR"):
            raise Refused(f"{code.co_name} assigns to '{instruction.argval}'")
        if instruction.opname in ("LOAD_DEREF", "LOAD_CLASSDEREF") and instruction.argval != "__class__":
            raise Refused(f"{code.co_name} reads '{instruction.argval}' of the function around it")
        if instruction.opname == "LOAD_GLOBAL":
            value = frame.f_globals.get(instruction.argval)
            if not isinstance(value, _FIXED):
                raise Refused(f"{code.co_name} reads the global '{instruction.argval}'")


def _read_names(owner: nn.Module, frames: list[FrameType]) -> list[str]:
    """The attributes of ``owner`` whose values may have gone into the graph."""
    names = []
    for name in sorted({name for frame in frames for name in frame.f_code.co_names}):
        value = vars(owner).get(name, inspect.getattr_static(type(owner), name, _FIXED))
        if (
            value is _FIXED
            or name == "training"
            or isinstance(value, (FunctionType, property, staticmethod, classmethod))
        ):
            continue
        if name in vars(nn.Module):
            continue
        if not _is_simple(value):
            raise Refused(f"it reads its '{name}', a {type(value).__name__}, which may change")
        names.append(name)
    return names


def _children(module: nn.Module) -> tuple[Any, ...]:
    """The identity of what a module is made of, through the containers that it may loop over."""
    ids: list[Any] = []
    for key, child in module._modules.items():
        ids.append((key, id(child)))
        if isinstance(child, (nn.ModuleList, nn.ModuleDict, nn.Sequential)):
            ids.extend(_children(child))
    return tuple(ids)


def fingerprint(owner: nn.Module, names: tuple[str, ...]) -> tuple[Any, ...]:
    """What a record of ``owner`` depends on, besides its inputs, parameters, buffers and mode."""
    return (tuple(repr(getattr(owner, name, None)) for name in names), _children(owner), frozenset(owner._buffers))


def record(owner: nn.Module) -> tuple[fx.Graph, tuple[str, ...]]:
    """The graph of ``owner.forward`` in the present mode, and the names of the attributes that it depends on.

    Raises:
        Refused: where a graph would not be the whole of what forward does.
    """
    kinds = [(p.kind, p.default) for p in inspect.signature(type(owner).forward).parameters.values()]
    if any(
        kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD or default is not inspect._empty for kind, default in kinds
    ):
        raise Refused("its forward takes optional arguments")
    before = dict(vars(owner)), [dict(vars(owner)[name]) for name in _HELD_ELSEWHERE]
    states = _random_states()
    try:
        graph, frames = _run_and_watch(lambda: _OwnForward().trace(owner))
        for frame in frames:
            _check_code(frame)
        if _random_states() != states:
            raise Refused("it draws random numbers")
        if vars(owner).keys() != before[0].keys():
            raise Refused("it makes tensors from numbers, or keeps something in the module")
        return graph, tuple(_read_names(owner, frames))
    except Refused:
        raise
    except Exception as error:
        raise Refused(
            f"torch.fx cannot trace it ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        ) from error
    finally:
        owner.__dict__.clear()
        owner.__dict__.update(before[0])
        for name, table in zip(_HELD_ELSEWHERE, before[1], strict=True):
            vars(owner)[name].clear()
            vars(owner)[name].update(table)
