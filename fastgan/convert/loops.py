"""Finds the for loops of Python code that do nothing with what they iterate over but call it."""

from __future__ import annotations

import dis
from types import CodeType

__all__ = ["loads_of_calling_loops", "runs_its_layers_whole"]

_NO_STEPS = ("CACHE", "PRECALL", "NOP", "RESUME", "EXTENDED_ARG")
_LOADS = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_FAST")


def _steps(code: CodeType) -> list[dis.Instruction]:
    return [step for step in dis.get_instructions(code) if step.opname not in _NO_STEPS]


def _is_only_called(variable: str, code: CodeType) -> bool:
    """Return whether each load of a variable is that of a function to call."""
    steps = list(dis.get_instructions(code))
    loads = [i for i, step in enumerate(steps) if "LOAD" in step.opname and variable in _names(step)]
    return bool(loads) and all(steps[i].opname == "LOAD_FAST" and _calls(steps[i + 1 :]) for i in loads)


def _calls(steps: list[dis.Instruction]) -> bool:
    """Return whether the first step that takes the value on top of the stack calls it."""
    above = 0  # values on top of it
    for step in steps:
        if step.opcode in (*dis.hasjrel, *dis.hasjabs):
            return False
        if step.opname in ("CACHE", "NOP", "PUSH_NULL", "KW_NAMES", "EXTENDED_ARG"):
            above += step.opname == "PUSH_NULL" and above > 0  # since Python 3.13 it follows the function
            continue
        above += dis.stack_effect(step.opcode, step.arg)
        if above <= 0:
            return step.opname.startswith(("CALL", "PRECALL"))
    return False


def _names(step: dis.Instruction) -> tuple[str, ...]:
    return step.argval if isinstance(step.argval, tuple) else (step.argval,)


def loads_of_calling_loops(code: CodeType) -> set[int]:
    """Return the offsets of the instructions that load what such loops iterate over.

    That is ``blocks`` in ``for block in self.blocks: x = block(x)``, and ``children`` in a loop over
    ``self.children()``. Bytecode that this does not know, as that of Python 3.10, has no such loops.

    Args:
        code: a function's code.
    """
    steps, offsets = _steps(code), set[int]()
    for i, step in enumerate(steps):
        if step.opname != "FOR_ITER" or i < 2 or steps[i - 1].opname != "GET_ITER":
            continue
        variables = [s for s in steps[i + 1 : i + 4] if s.opname == "STORE_FAST"]
        is_pair = steps[i + 1].opname == "UNPACK_SEQUENCE" and steps[i + 1].argval == 2 and len(variables) == 2
        if not (is_pair or steps[i + 1].opname == "STORE_FAST"):
            continue
        variable = variables[1 if is_pair else 0].argval  # of names and modules, the second
        loaded = i - 3 if steps[i - 2].opname.startswith("CALL") and steps[i - 2].arg == 0 else i - 2
        if loaded >= 0 and steps[loaded].opname in _LOADS and _is_only_called(variable, code):
            offsets.add(steps[loaded].offset)
            if steps[loaded].argval in ("values", "items"):
                offsets.add(steps[loaded - 1].offset)
    return offsets


def runs_its_layers_whole(code: CodeType) -> bool:
    """Return whether a method of a container only iterates over it in such loops, and reads its attributes.

    Args:
        code: the method's code.
    """
    if not code.co_argcount or any(isinstance(constant, CodeType) for constant in code.co_consts):
        return False
    itself, steps, loops = code.co_varnames[0], _steps(code), loads_of_calling_loops(code)
    loads = [i for i, step in enumerate(steps) if step.opname != "STORE_FAST" and itself in _names(step)]
    return all(
        steps[i].opname == "LOAD_FAST"
        and (steps[i].offset in loops or steps[i + 1].opname in ("LOAD_ATTR", "LOAD_METHOD"))
        for i in loads
    )
