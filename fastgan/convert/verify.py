"""Runs a model before and after its conversion, and compares all that can be seen of it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.module import register_module_forward_hook
from torch.utils._pytree import tree_leaves, tree_map_only

from fastgan import nn as fnn
from fastgan.convert import tracing as _trace

__all__ = ["EquivalenceCheck"]

# Of the largest magnitude in a tensor. Activations agree to the last bit at p = 0; losses are rounded otherwise, and a
# GPU may sum a convolution's gradient in another order each time.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
_SEED = 20260101


@contextmanager
def _preserved(model: nn.Module) -> Iterator[None]:
    """Put attributes, training modes, buffers' values and random states back at the end."""
    modules = list(model.modules())
    attributes = [dict(vars(module)) for module in modules]
    tables = [
        {name: dict(table) for name, table in vars(module).items() if name in ("_modules", "_parameters", "_buffers")}
        for module in modules
    ]
    values = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    generators = [torch.default_generator, *(torch.cuda.default_generators if torch.cuda.is_initialized() else ())]
    states = [generator.get_state() for generator in generators]
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the model may use the global one
    try:
        for generator in generators:  # not torch.manual_seed, which would reach a CUDA that is not started yet
            generator.manual_seed(_SEED)
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        for module, before, held in zip(modules, attributes, tables, strict=True):
            module.__dict__.clear()
            module.__dict__.update(before)
            for name, table in held.items():
                current = module.__dict__[name]
                current.clear()
                current.update(table)
        with torch.no_grad():
            for buffer, value in values:
                if not torch.equal(buffer, value):
                    buffer.copy_(value)


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in containers and dataclasses."""
    leaves = tree_leaves(value)
    plain = [leaf for leaf in leaves if dataclasses.is_dataclass(leaf)]
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)] + [t for leaf in plain for t in _tensors(vars(leaf))]


@dataclass
class _Seen:
    """What one run shows: tensors of each kind, and every module's outputs by its name, in order of first use."""

    outputs: list[Tensor] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    gradients: list[Tensor | None] = field(default_factory=list)
    second: list[Tensor | None] = field(default_factory=list)
    by_module: dict[str, list[Tensor]] = field(default_factory=dict)


def _project(tensors: Sequence[Tensor]) -> Tensor:
    """A number that every element of the tensors has its own share in."""
    generator = torch.Generator().manual_seed(_SEED)
    shares = [torch.randn(t.shape, generator=generator, dtype=torch.float64).to(t.device, t.dtype) for t in tensors]
    return torch.stack([(t * share).sum().float() for t, share in zip(tensors, shares, strict=True)]).sum()


def _differentiable(tensors: Sequence[Tensor | None]) -> list[Tensor]:
    return [t for t in tensors if t is not None and t.requires_grad and (t.is_floating_point() or t.is_complex())]


def _observe(model: nn.Module, inputs: tuple[Any, ...], gradients: bool) -> _Seen:
    seen, names, running = _Seen(), {id(module): name for name, module in model.named_modules()}, True

    def record(module: nn.Module, _: Any, output: Any) -> None:
        if running and id(module) in names:
            copies = [t.detach().clone() for t in _tensors(output)]
            seen.by_module.setdefault(names[id(module)], []).extend(copies)

    def leaf(t: Tensor) -> Tensor:
        return t.detach().clone().requires_grad_(gradients and t.is_floating_point())

    leaves = tree_map_only(Tensor, leaf, inputs)
    hook = register_module_forward_hook(record)
    try:
        with torch.set_grad_enabled(gradients):
            # The model sees no leaves, for it may overwrite what it is given.
            fed = tree_map_only(Tensor, torch.clone, leaves)
            output = model(*fed)
            running = False
            seen.outputs = [t.detach().clone() for t in _tensors(output)]
            seen.inputs = [t.detach().clone() for t in _tensors(fed)]
            results = _differentiable(_tensors(output))
            wanted = _differentiable([*_tensors(leaves), *model.parameters()])
            if gradients and results and wanted:
                first = torch.autograd.grad(_project(results), wanted, create_graph=True, allow_unused=True)
                seen.gradients = [None if g is None else g.detach().clone() for g in first]
                seen.second = _second_order(first, wanted)
    finally:
        hook.remove()
    return seen


def _second_order(first: Sequence[Tensor | None], wanted: Sequence[Tensor]) -> list[Tensor | None]:
    """Gradients of the squared gradients; none where some operation of the model cannot be differentiated twice."""
    again = _differentiable(first)
    if not again:
        return []
    try:
        second = torch.autograd.grad(sum(g.square().sum().float() for g in again), wanted, allow_unused=True)  # type: ignore[arg-type]
    except (RuntimeError, NotImplementedError) as error:
        if "derivative" in str(error) or "differentiable" in str(error) or "double backward" in str(error):
            return []
        raise
    return list(second)


def _difference(before: Tensor | None, after: Tensor | None) -> str | None:
    """How two tensors differ, or None."""
    if before is None or after is None:
        missing = "before" if before is None else "after"
        present = before if after is None else after
        is_zero = present is None or not present.any()
        return None if is_zero else f"there is none {missing} the conversion"
    if before.shape != after.shape or before.dtype != after.dtype:
        return f"{after.dtype} of shape {list(after.shape)}, expected {before.dtype} of shape {list(before.shape)}"
    if not before.is_floating_point():
        return None if torch.equal(before, after) else "other values"
    if before.numel() == 0:
        return None
    same = (before == after) | (before.isnan() & after.isnan())
    gap = torch.where(same, 0.0, (before.double() - after.double()).abs()).max().item()
    finite = before.double().abs().nan_to_num(0.0, 0.0, 0.0).max().item()
    allowed = _TOLERANCE.get(before.dtype, 1e-1) * finite
    return None if gap <= allowed else f"a largest difference of {gap:.3g}, expected at most {allowed:.3g}"


def _first_difference(before: Sequence[Tensor | None], after: Sequence[Tensor | None]) -> str | None:
    if len(before) != len(after):
        return f"{len(after)} tensors, expected {len(before)}"
    for old, new in zip(before, after, strict=True):
        if difference := _difference(old, new):
            return difference
    return None


def _culprit(before: _Seen, after: _Seen, fused: set[str]) -> str:
    """The first module, in the order of the computation, whose outputs differ.

    A module finishes before those that hold it, so the first found is an innermost one. The first place of a fused pair
    holds the pair's value already, and is not compared.
    """
    for name, outputs in before.by_module.items():
        others = after.by_module.get(name)
        if name not in fused and others is not None and (gap := _first_difference(outputs, others)):
            return f" (the first module that differs is {repr(name) if name else 'the model itself'}: {gap})"
    return ""


class EquivalenceCheck:
    """What a model did before its conversion, to hold against what it does after."""

    def __init__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        if not isinstance(inputs, tuple):
            raise TypeError(
                f"fastgan.convert: expected example_inputs to be a tuple of positional arguments,"
                f" got {type(inputs).__name__}"
            )
        self._model, self._inputs = model, inputs
        self._eval = self._run(self._evaluating)
        self._training = self._run(self._training_without_dropout)
        self._swapped: _Seen | None = None

    def _run(self, mode: Callable[[], Any], gradients: bool = True) -> _Seen:
        with _preserved(self._model), mode():
            return _observe(self._model, self._inputs, gradients)

    def _evaluating(self) -> Any:
        self._model.eval()
        return nullcontext()

    def _training_without_dropout(self) -> Any:
        self._model.train()
        for module in self._model.modules():
            if isinstance(module, (_DropoutNd, fnn.LeakyReLUDropout)):
                module.p = 0.0
        return _trace.dropout_off()

    def _with_dropout(self) -> Any:
        self._model.train()
        return nullcontext()

    def observe_swapped(self) -> None:
        """Run the model in training, dropout and all, when its layers are swapped and not yet fused."""
        self._swapped = self._run(self._with_dropout, gradients=False)

    def check(self, fused: set[str], traced: bool) -> None:
        """Run the model again, and raise RuntimeError where it differs."""
        self._compare("in eval", self._eval, self._run(self._evaluating), fused)
        without = self._run(self._training_without_dropout)
        self._compare("in training with p = 0", self._training, without, fused)
        # Fused layers draw as many numbers, in the same order, as the layers they are made of: masks are the same, and
        # a model that looks at the value between two fused layers gives itself away. Functions of torch drew others.
        if self._swapped is not None and fused and not traced:
            self._compare("in training", self._swapped, self._run(self._with_dropout, gradients=False), fused)

    @staticmethod
    def _compare(mode: str, before: _Seen, after: _Seen, fused: set[str]) -> None:
        for what in ("outputs", "inputs", "gradients", "second"):
            difference = _first_difference(getattr(before, what), getattr(after, what))
            if difference:
                kind = {"inputs": "what it writes into its inputs", "second": "double gradients"}.get(what, what)
                raise RuntimeError(
                    f"fastgan.convert: {kind} {mode}: {difference}{_culprit(before, after, fused)}; the model is as it"
                    " was before the call"
                )
