"""Names what of a module is out of reach: functions that ``trace=True`` would replace, and dropout in torch's ops."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import FunctionType

from torch import nn

from fastgan.convert.functions import REPLACEABLE, functions_called, is_torch, methods_of, nested_codes
from fastgan.convert.references import is_scripted

__all__ = ["out_of_reach"]


def out_of_reach(module: nn.Module, trace: bool) -> Iterator[str]:
    """Yield in words what of ``module`` itself, not of its children, ``convert`` does not replace.

    Args:
        module: a module that was not converted yet.
        trace: whether functions are replaced.
    """
    if isinstance(module, nn.RNNBase) and module.dropout > 0 and module.num_layers > 1:
        yield f"the dropout between the layers of {type(module).__name__} is inside torch's op"
    if isinstance(module, nn.MultiheadAttention) and module.dropout > 0:
        yield "the dropout of MultiheadAttention is inside torch's op"
    if is_torch(type(module)) or is_scripted(module):
        return
    methods = list(methods_of(type(module)).values())
    codes = [code for method in methods for code in nested_codes(method.__code__)]
    if any("scaled_dot_product_attention" in code.co_names for code in codes):
        yield "the dropout of scaled_dot_product_attention is inside torch's op"
    if not trace and (names := {name for method in methods for name in functions_called(method)}):
        yield f"calls {', '.join(sorted(names))}; trace=True replaces that"
    if names := {name for method in methods for name in _imported(method)}:
        yield f"calls {', '.join(sorted(names))} of a module that it imports itself"


def _imported(function: FunctionType) -> Iterator[str]:
    """Yield the names of torch's functions that a function imports itself and calls, as far as names show it."""
    for step in dis.get_instructions(function.__code__):
        if step.opname == "IMPORT_NAME" and str(step.argval).startswith("torch.nn"):
            yield from REPLACEABLE & set(function.__code__.co_names)
