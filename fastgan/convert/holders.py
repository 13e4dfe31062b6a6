"""Accounts for the references to a model's modules, at a cost that does not grow with the objects of the process.

Python counts the references to each object. Where the model, the variables of the running functions and what those hold
explain the whole count, nothing else can hold the module, and nobody needs to search the process for it.
"""

from __future__ import annotations

import dis
import functools
import gc
import itertools
import sys
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from types import CellType, CodeType, FrameType, FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn

__all__ = ["MOST_ELEMENTS", "Accounts"]

# A container of more elements is a user's data; a module in it stays unexplained.
MOST_ELEMENTS, _MOST_OPENED = 1000, 1000
_SIZED = (dict, list, tuple, set, frozenset)
_OPENED_AT_ONCE = (*_SIZED, functools.partial, FunctionType, MethodType, CellType)
_ITERATORS: tuple[Iterator[Any], ...] = (iter([]), iter(()), iter(set()), iter({}), iter({}.values()), iter({}.items()))
# What a for loop holds, which is no variable.
_LOOPS = (GeneratorType, enumerate, zip, map, filter, reversed, *map(type, _ITERATORS))
_YOUNG = {*_LOOPS, tuple, dict}
_NEVER_OPENED = (type, ModuleType, CodeType, torch.Tensor)
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class of Python code
_OPTIMIZED = 1  # CO_OPTIMIZED: the code of a function, whose variables are not in a dict
# Since 3.14 a variable may borrow its reference, and without the interpreter's lock counts are split.
_COUNTS_ARE_EXACT = (
    sys.implementation.name == "cpython"
    and sys.version_info < (3, 14)
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
)


def _contents(thing: Any) -> list[Any]:
    """Return what a thing refers to, without the global names of a function's module."""
    contents = gc.get_referents(thing)
    if isinstance(thing, FunctionType) and "__name__" in thing.__globals__:
        return [each for each in contents if each is not thing.__globals__]
    return contents


def _frames() -> Iterator[FrameType]:
    """Yield the frames of the functions that are running, except those of this file."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals is not globals():
            yield frame
        frame = frame.f_back


def _keeps_variables(code: CodeType) -> bool:
    """Return whether code asks for a dict of its variables.

    It may use that dict later, and reading the variables again changes it.
    """
    asks = {"locals", "vars"}
    if asks.isdisjoint(code.co_names):
        return False
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("CACHE", "PRECALL", "PUSH_NULL")]
    return any(
        step.opname == "LOAD_GLOBAL"
        and step.argval in asks
        and following.opname.startswith("CALL")
        and not following.arg
        for step, following in itertools.pairwise(steps)
    )


def _variables(frame: FrameType) -> dict[str, Any]:
    """Return the variables of a function that is running, or none of them where its code asks for them as a dict.

    Until Python 3.12 reading them leaves a dict at the frame, which would keep them alive. So it is emptied.
    """
    if _keeps_variables(frame.f_code):
        return {}
    left = frame.f_locals
    variables = dict(left)
    if sys.version_info < (3, 13):
        left.clear()
    return variables


def _references_of_call(frame: FrameType, passed: list[Any]) -> Iterator[int]:
    """Yield ids of the arguments of a function that was called through C, once for each reference that the call holds.

    Args:
        frame: the function's frame.
        passed: tuples and dicts that may hold the arguments of a call.
    """
    code, caller = frame.f_code, frame.f_back
    if caller is None or not code.co_flags & _OPTIMIZED:
        return
    call = dis.opname[caller.f_code.co_code[caller.f_lasti]]
    variables = _variables(frame)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    values = [id(variables.get(name)) for name in names]
    for arguments in passed:
        if isinstance(arguments, dict):
            is_passed = all(id(value) == id(variables.get(name)) for name, value in arguments.items())
        else:
            is_passed = list(map(id, arguments)) in (values[: len(arguments)], values[1 : len(arguments) + 1])
        if is_passed and call in ("CALL", "CALL_KW", "CALL_FUNCTION_EX"):
            held = list(map(id, arguments.values() if isinstance(arguments, dict) else arguments))
            yield from held
            if isinstance(arguments, dict):  # they are unpacked again before the function gets them
                yield from held
            if call != "CALL_FUNCTION_EX":  # the caller's stack holds them, too
                yield from held


class Accounts:
    """The references that were found, beside the numbers of references that there are.

    Args:
        modules: the model's modules. Nothing that is not a variable may hold them, except the model and this list.
        relevant: ids of the modules whose holders matter.
        see: called with each module outside of the model, function and partial that is found.
    """

    def __init__(self, modules: list[nn.Module], relevant: set[int], see: Callable[[Any], None]) -> None:
        self._modules, self._relevant, self._see = modules, relevant, see
        self._of_model = set(map(id, modules))
        self._found: Counter[int] = Counter(self._of_model)  # the references of the list `modules`
        # A cell is found from the functions that share it and from the frame that made it. It is one reference.
        self._from_cells: Counter[int] = Counter()
        self._from_frames: Counter[int] = Counter()
        self._opened: list[Any] = []  # each thing once
        self._ids: set[int] = {id(self), id(modules)}  # of what is opened, or never is
        self._namespaces: set[int] = set()  # the global names of Python's modules, which many functions hold
        self._pending: list[Any] = []  # found and not yet opened

    def explain(self) -> bool:
        """Return whether all references to the relevant modules were found."""
        # A debugger writes the variables that it read back into the frame.
        if not _COUNTS_ARE_EXACT or sys.gettrace() is not None or sys.getprofile() is not None:
            return False
        self._open(self._modules, limit=len(self._modules) * 100)
        steps = (self._count_variables, self._look_at_young, self._open_pending, self._open_globals)
        for step in (*steps, self._open_pending, self._open_pending):
            if self._is_explained():
                return True
            step()
        return self._is_explained()

    def _open(self, things: Iterable[Any], limit: int = _MOST_OPENED) -> None:
        """Open these things and the containers in them; other things in them become pending."""
        first, waiting = set(map(id, things)), list(things)
        while waiting and limit > 0:
            thing = waiting.pop()
            if id(thing) in self._ids:
                continue
            if isinstance(thing, _SIZED) and id(thing) not in self._namespaces and len(thing) > MOST_ELEMENTS:
                continue
            if id(thing) not in first and not isinstance(thing, _OPENED_AT_ONCE):
                if id(thing) not in self._of_model:
                    self._pending.append(thing)
                continue
            limit -= 1
            self._ids.add(id(thing))
            self._opened.append(thing)
            if isinstance(thing, (nn.Module, FunctionType, functools.partial)) and id(thing) not in self._of_model:
                self._see(thing)
            contents = _contents(thing)
            (self._from_cells if isinstance(thing, CellType) else self._found).update(map(id, contents))
            waiting += [each for each in contents if gc.is_tracked(each) and not isinstance(each, _NEVER_OPENED)]

    def _open_pending(self) -> None:
        pending, self._pending = self._pending, []
        kinds = (*_OPENED_AT_ONCE, *_LOOPS)
        self._open(
            [
                thing
                for thing in reversed(pending[:_MOST_OPENED])
                if (isinstance(thing, kinds) or type(thing).__flags__ & _HEAP_TYPE)
                and not isinstance(thing, _NEVER_OPENED)
                and not (isinstance(thing, GeneratorType) and thing.gi_running)  # its frame was counted
            ]
        )

    def _count_variables(self) -> None:
        for frame in _frames():
            if not frame.f_code.co_flags & _OPTIMIZED:
                self._open_namespace(frame.f_locals)
                continue
            code, variables = frame.f_code, _variables(frame)
            own = [variables[name] for name in code.co_varnames if name in variables and name not in code.co_cellvars]
            in_cells = [variables[name] for name in code.co_cellvars if name in variables]
            self._found.update(map(id, own))
            self._from_frames.update(map(id, in_cells))
            self._pending += filter(gc.is_tracked, own + in_cells)

    def _open_globals(self) -> None:
        for frame in _frames():
            self._open_namespace(frame.f_globals)

    def _open_namespace(self, namespace: dict[str, Any]) -> None:
        if id(namespace) in self._ids:
            return
        self._ids.add(id(namespace))
        self._namespaces.add(id(namespace))
        self._opened.append(namespace)
        self._found.update(map(id, namespace.values()))
        self._pending += filter(gc.is_tracked, namespace.values())

    def _look_at_young(self) -> None:
        """Open what loops hold, and count the arguments of running calls of classes. No variable holds these.

        Only young objects are looked at. Python's collector bounds their number.
        """
        if gc.get_count()[0] > 10 * _MOST_OPENED:  # the collector is off
            return
        young: list[Any] = []
        held: Counter[int] = Counter()
        for generation in (0, 1):
            objects = gc.get_objects(generation)
            held.update(map(id, gc.get_referents(*objects)))
            young += [thing for thing in objects if type(thing) in _YOUNG]
            del objects  # the next one would hold it
        loops = [thing for thing in young if type(thing) in _LOOPS and self._leads_to_model(thing)]
        passed = [
            thing
            for thing in young
            if type(thing) not in _LOOPS
            and id(thing) not in self._ids
            and len(thing) <= MOST_ELEMENTS
            and not held[id(thing)]  # what is held by another object is none of a call's arguments
            and not self._relevant.isdisjoint(map(id, _contents(thing)))
        ]
        for frame in _frames() if passed else ():
            self._found.update(_references_of_call(frame, passed))
        del young, passed
        self._pending = loops + self._pending
        del loops
        self._open_pending()

    def _leads_to_model(self, loop: Any) -> bool:
        """Return whether a loop, or what it iterates over, holds a relevant module or a dict of the model's modules."""
        contents = _contents(loop)
        for each in tuple(contents):
            if isinstance(each, _SIZED) and len(each) <= MOST_ELEMENTS:
                contents += _contents(each)
        known = self._relevant | self._ids
        return not known.isdisjoint(map(id, contents))

    def _is_explained(self) -> bool:
        pending, unexplained = Counter(map(id, self._pending)), set()
        # The last one is held by nothing but the list, so its count is what listing and counting add.
        self._opened.append(object())
        counts = list(map(sys.getrefcount, self._opened))
        self._opened.pop()
        base = counts.pop()
        for key, count in zip(map(id, self._opened), counts, strict=True):
            in_cells = max(self._from_cells[key], self._from_frames[key])
            if count - base != self._found[key] + in_cells + pending[key]:
                unexplained.add(key)
        if not unexplained.isdisjoint(self._relevant):
            return False
        # Who holds a container has its modules, too.
        return not any(
            id(thing) in unexplained and id(thing) not in self._namespaces and self._reaches_relevant(thing)
            for thing in self._opened
            if isinstance(thing, (*_SIZED, functools.partial))
        )

    def _reaches_relevant(self, container: Any) -> bool:
        waiting, seen = [container], set()
        while waiting:
            thing = waiting.pop()
            if id(thing) in self._relevant:
                return True
            if id(thing) not in seen and id(thing) in self._ids and isinstance(thing, (*_SIZED, functools.partial)):
                seen.add(id(thing))
                waiting += _contents(thing)
        return False
