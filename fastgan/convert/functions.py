"""Rewrites Python functions so that they call fastgan where they call ``F.leaky_relu``, ``F.dropout`` and their kin.

A rewritten function is a copy whose bytecode loads another global name at these calls, and nothing else differs. So its
branches, contexts, optional arguments and side effects are those of the original.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fastgan import functional as FF
from fastgan.convert.rewrite import dropout_is_off
from fastgan.functional import composed

__all__ = [
    "REPLACEABLE", "Rewritten", "functions_called", "is_torch", "methods_of", "nested_codes", "rewrite",
    "rewritten_methods",
]  # fmt: skip

_PREFIX = "_fastgan_"
_DEPTH = 2  # how many functions may lie between a method and the call
_PLAIN = (Tensor, nn.Parameter)
_RANKS = {"dropout1d": 3, "dropout2d": 4, "dropout3d": 5}  # with other ranks torch warns, or reads them differently


def _relu(input: Tensor, inplace: bool = False) -> Tensor:
    return FF.leaky_relu(input, 0.0, inplace)


def _leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    output = FF.leaky_relu(input, negative_slope, inplace)
    return output.clone() if output is input and not inplace else output  # torch gives new memory for a slope of 1


# By torch's module and name. The arguments are torch's, or are left to torch.
_OURS: dict[tuple[ModuleType, str], Callable[..., Any]] = {
    (F, "leaky_relu"): _leaky_relu,
    (F, "relu"): _relu,
    (torch, "relu"): _relu,
    (F, "dropout"): FF.dropout,
    (F, "dropout1d"): FF.dropout1d,
    (F, "dropout2d"): FF.dropout2d,
    (F, "dropout3d"): FF.dropout3d,
    (F, "binary_cross_entropy"): FF.binary_cross_entropy,
    (F, "binary_cross_entropy_with_logits"): FF.binary_cross_entropy_with_logits,
}
REPLACEABLE = frozenset(name for _, name in _OURS)


def _replacement(module: ModuleType, name: str, ours: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that a rewritten one calls: fastgan's for plain tensors, else torch's."""
    torchs, rank, is_dropout = getattr(module, name), _RANKS.get(name), "dropout" in name

    @functools.wraps(torchs)
    def call(*args: Any, **kwargs: Any) -> Any:
        input: Any = args[0] if args else kwargs.get("input")
        present = getattr(module, name)
        is_ours = (
            present is torchs  # nobody has patched it since
            and type(input) in _PLAIN
            and composed.kernels_take(input)
            and rank in (None, input.dim())
            and "size_average" not in kwargs
            and "reduce" not in kwargs
        )
        if not is_ours or (len(args) > 3 and not is_dropout):  # the third argument of a loss is the last that is ours
            return present(*args, **kwargs)
        return input if is_dropout and dropout_is_off() else ours(*args, **kwargs)

    return call


_REPLACEMENTS = {getattr(module, name): _replacement(module, name, ours) for (module, name), ours in _OURS.items()}


def _namespace(name: str, values: Mapping[str, Any]) -> ModuleType:
    namespace = ModuleType(f"fastgan.{name}")
    vars(namespace).update(values)
    return namespace


def _namespaces() -> dict[ModuleType, ModuleType]:
    """Return what stands for torch's modules at a rewritten call. They hold the functions that are fastgan's."""
    functional = _namespace("F", {name: _REPLACEMENTS[getattr(F, name)] for module, name in _OURS if module is F})
    neural = _namespace("nn", {"functional": functional})
    root = _namespace("torch", {"nn": neural, "relu": _REPLACEMENTS[torch.relu]})
    return {F: functional, nn: neural, torch: root}


_NAMESPACES = _namespaces()


def is_torch(function: Any) -> bool:
    """Return whether a `function` or class is torch's or fastgan's."""
    return str(getattr(function, "__module__", "")).split(".")[0] in ("torch", "fastgan")


def nested_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a function's `code` and that of the functions and comprehensions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested_codes(constant)


def _wrapped(function: FunctionType) -> Iterator[FunctionType]:
    """Yield the functions in a function's closure, such as the one that a decorator wraps."""
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # the cell is still empty
            if isinstance(cell.cell_contents, FunctionType):
                yield cell.cell_contents


def _helpers(function: FunctionType) -> Iterator[FunctionType]:
    """Yield the functions of the same package that a function names."""
    package = str(function.__module__).split(".")[0]
    for name in {name for code in nested_codes(function.__code__) for name in code.co_names}:
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and str(value.__module__).split(".")[0] == package:
            yield value


def _may_call(function: FunctionType, depth: int = _DEPTH) -> bool:
    """Return whether a function names one of the functions, or calls or wraps something that does. A fast guess."""
    if is_torch(function):
        return False
    if any(not REPLACEABLE.isdisjoint(code.co_names) for code in nested_codes(function.__code__)):
        return True
    return depth > 0 and any(_may_call(each, depth - 1) for each in (*_wrapped(function), *_helpers(function)))


class Rewritten(NamedTuple):
    """A rewritten function.

    Attributes:
        function: the copy that calls fastgan.
        calls: the names of the functions that are fastgan's in it, once for each place.
    """

    function: FunctionType
    calls: list[str]


_rewritten: dict[FunctionType, Rewritten | None] = {}


def rewrite(function: FunctionType) -> Rewritten | None:
    """Return a copy of ``function`` that calls fastgan, or None where it calls none of the functions.

    What it calls by a global name and what a decorator wraps is rewritten, too. The copy uses global names of its own,
    which begin with ``_fastgan_`` and are added to the module of the function.

    Args:
        function: a function of a model's author.
    """
    if function not in _rewritten:
        _rewritten[function] = None  # for a function that calls itself
        _rewritten[function] = _rewrite(function) if _may_call(function) else None
    return _rewritten[function]


def _rewrite(function: FunctionType) -> Rewritten | None:
    calls: list[str] = []
    code = _rewrite_code(function.__code__, function.__globals__, calls)
    closure = []
    for cell in function.__closure__ or ():
        content = next((each for each in _wrapped(function) if _holds(cell, each)), None)
        inner = None if content is None else rewrite(content)
        closure.append(cell if inner is None else CellType(inner.function))
        calls += [] if inner is None else inner.calls
    if not calls:
        return None
    copy = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, tuple(closure))
    functools.update_wrapper(copy, function)
    copy.__kwdefaults__ = function.__kwdefaults__
    return Rewritten(copy, calls)


def _holds(cell: CellType, value: Any) -> bool:
    with contextlib.suppress(ValueError):
        return cell.cell_contents is value
    return False


def _rewrite_code(code: CodeType, scope: dict[str, Any], calls: list[str]) -> CodeType:
    """Return the code with other names where it loads what leads to one of the functions."""
    names, patched = list(code.co_names), bytearray(code.co_code)
    for step, stand_in, called in _places(code, scope):
        name = _PREFIX + step.argval
        index = names.index(name) if name in names else len(names)
        # Since Python 3.11 the lowest bit says whether a call follows.
        argument = index << 1 | (step.arg or 0) & 1 if sys.version_info >= (3, 11) else index
        if argument > 255 or scope.setdefault(name, stand_in) is not stand_in:
            continue
        names += [name] * (index == len(names))
        patched[step.offset + 1] = argument
        calls += called
    inner = [_rewrite_code(c, scope, calls) if isinstance(c, CodeType) else c for c in code.co_consts]
    return code.replace(co_names=tuple(names), co_code=bytes(patched), co_consts=tuple(inner))


def _places(code: CodeType, scope: dict[str, Any]) -> Iterator[tuple[dis.Instruction, Any, list[str]]]:
    """Yield for each load to change: the instruction, what to load instead, and which functions are called by it."""
    for step, value in _loaded(code, scope):
        first = scope[step.argval]
        if value in _REPLACEMENTS:
            yield step, _NAMESPACES[first] if isinstance(first, ModuleType) else _REPLACEMENTS[value], [value.__name__]
        elif value is first and isinstance(value, FunctionType) and (inner := rewrite(value)) is not None:
            yield step, _stand_in(value, scope, step.argval), inner.calls


def _loaded(code: CodeType, scope: dict[str, Any]) -> Iterator[tuple[dis.Instruction, Any]]:
    """Yield each instruction that loads a global name, and the function to which the name and what follows lead."""
    steps = [step for step in dis.get_instructions(code) if step.opname != "CACHE"]
    for i, step in enumerate(steps):
        is_wide = i > 0 and steps[i - 1].opname == "EXTENDED_ARG"
        if step.opname != "LOAD_GLOBAL" or step.argval not in scope or is_wide:
            continue
        first = value = scope[step.argval]
        for following in steps[i + 1 :]:  # the path of a name such as torch.nn.functional.dropout
            if not isinstance(value, ModuleType) or following.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
                break
            value = getattr(value, following.argval, None)
        is_path = not isinstance(first, ModuleType) or first in _NAMESPACES
        if is_path and isinstance(value, (FunctionType, BuiltinFunctionType)):
            yield step, value


def functions_called(function: FunctionType, depth: int = _DEPTH) -> Iterator[str]:
    """Yield the names of the functions that :func:`rewrite` would replace in ``function``, which it leaves alone.

    Args:
        function: a function of a model's author.
        depth: how many functions may lie between it and the call.
    """
    if is_torch(function) or not _may_call(function, depth):
        return
    for code in nested_codes(function.__code__):
        yield from (value.__name__ for _, value in _loaded(code, function.__globals__) if value in _REPLACEMENTS)
    for each in (*_wrapped(function), *_helpers(function)) if depth else ():
        yield from functions_called(each, depth - 1)


_stand_ins: dict[tuple[FunctionType, int, str], Callable[..., Any]] = {}  # the number is the scope's id


def _stand_in(function: FunctionType, scope: dict[str, Any], name: str) -> Callable[..., Any]:
    """Return a function that calls the rewritten one, or what has its name by then."""
    rewritten = rewrite(function)
    assert rewritten is not None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        present = scope[name]
        return (rewritten.function if present is function else present)(*args, **kwargs)

    return _stand_ins.setdefault((function, id(scope), name), call)


def methods_of(cls: type[nn.Module]) -> dict[str, FunctionType]:
    """Return the methods of a class and its bases, those of torch's and special ones excepted.

    Args:
        cls: the class.
    """
    found: dict[str, Any] = {}
    for klass in cls.__mro__:
        if not is_torch(klass) and klass is not object:
            found = {**vars(klass), **found}
    return {name: each for name, each in found.items() if isinstance(each, FunctionType) and name[:2] != "__"}


_methods: dict[type[nn.Module], dict[str, Rewritten]] = {}


def rewritten_methods(cls: type[nn.Module]) -> dict[str, Rewritten]:
    """Return the methods of a class and its bases that call one of the functions, rewritten.

    Args:
        cls: a class that is not torch's.
    """
    if cls not in _methods:
        rewritten = {name: rewrite(method) for name, method in methods_of(cls).items()}
        _methods[cls] = {name: each for name, each in rewritten.items() if each is not None}
    return _methods[cls]
