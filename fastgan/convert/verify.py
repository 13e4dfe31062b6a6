"""Runs a model before and after its conversion, and compares outputs, gradients and writes into the inputs."""

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
from fastgan.convert.rewrite import dropout_off

__all__ = ["EquivalenceCheck"]

# Relative to the largest magnitude in a tensor. Activations agree to the last bit at p = 0. Losses are rounded in
# another way, and a GPU may sum a convolution's gradient in another order each time.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
_SEED = 20260101


@contextmanager
def _preserved(model: nn.Module) -> Iterator[None]:
    """Restore attributes, training modes, values of buffers and random states at the end of the block."""
    modules = list(model.modules())
    attributes = [dict(vars(module)) for module in modules]
    registries = [
        {name: dict(table) for name, table in vars(module).items() if name in ("_modules", "_parameters", "_buffers")}
        for module in modules
    ]
    values = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    generators = [torch.default_generator, *(torch.cuda.default_generators if torch.cuda.is_initialized() else ())]
    states = [generator.get_state() for generator in generators]
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the model may use the global one
    try:
        for generator in generators:  # torch.manual_seed would also queue a seed for a CUDA that is not initialised
            generator.manual_seed(_SEED)
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        for module, before, saved in zip(modules, attributes, registries, strict=True):
            module.__dict__.clear()
            module.__dict__.update(before)
            for name, table in saved.items():
                current = module.__dict__[name]
                current.clear()
                current.update(table)
        with torch.no_grad():
            for buffer, value in values:
                if not torch.equal(buffer, value):
                    buffer.copy_(value)


def _tensors(value: Any) -> list[Tensor]:
    """Return the tensors in containers and dataclasses."""
    leaves = tree_leaves(value)
    instances = [leaf for leaf in leaves if dataclasses.is_dataclass(leaf)]
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)] + [
        t for leaf in instances for t in _tensors(vars(leaf))
    ]


@dataclass
class _Observation:
    """What one run of a model gives.

    Attributes:
        outputs: the tensors that the model returns.
        inputs: its inputs as they are after the run.
        gradients: first gradients by the inputs and parameters.
        second: gradients of the squared first gradients.
        by_module: the outputs of each module by its name, in the order of first use.
    """

    outputs: list[Tensor] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    gradients: list[Tensor | None] = field(default_factory=list)
    second: list[Tensor | None] = field(default_factory=list)
    by_module: dict[str, list[Tensor]] = field(default_factory=dict)


def _project(tensors: Sequence[Tensor]) -> Tensor:
    """Return a sum of all elements, each with a random weight of its own."""
    generator = torch.Generator().manual_seed(_SEED)
    weights = [torch.randn(t.shape, generator=generator, dtype=torch.float64).to(t.device, t.dtype) for t in tensors]
    return torch.stack([(t * weight).sum().float() for t, weight in zip(tensors, weights, strict=True)]).sum()


def _differentiable(tensors: Sequence[Tensor | None]) -> list[Tensor]:
    return [t for t in tensors if t is not None and t.requires_grad and (t.is_floating_point() or t.is_complex())]


def _observe(model: nn.Module, inputs: tuple[Any, ...], gradients: bool) -> _Observation:
    observation, running = _Observation(), True
    names = {id(module): name for name, module in model.named_modules()}

    def record(module: nn.Module, _: Any, output: Any) -> None:
        if running and id(module) in names:
            copies = [t.detach().clone() for t in _tensors(output)]
            observation.by_module.setdefault(names[id(module)], []).extend(copies)

    def leaf(t: Tensor) -> Tensor:
        return t.detach().clone().requires_grad_(gradients and t.is_floating_point())

    leaves = tree_map_only(Tensor, leaf, inputs)
    hook = register_module_forward_hook(record)
    try:
        with torch.set_grad_enabled(gradients):
            # The model gets copies of the leaves, because it may overwrite its inputs and a leaf must not be.
            fed = tree_map_only(Tensor, torch.clone, leaves)
            output = model(*fed)
            running = False
            observation.outputs = [t.detach().clone() for t in _tensors(output)]
            observation.inputs = [t.detach().clone() for t in _tensors(fed)]
            results = _differentiable(_tensors(output))
            wanted = _differentiable([*_tensors(leaves), *model.parameters()])
            if gradients and results and wanted:
                first = torch.autograd.grad(_project(results), wanted, create_graph=True, allow_unused=True)
                observation.gradients = [None if g is None else g.detach().clone() for g in first]
                observation.second = _second_order(first, wanted)
    finally:
        hook.remove()
    return observation


def _second_order(first: Sequence[Tensor | None], wanted: Sequence[Tensor]) -> list[Tensor | None]:
    """Return gradients of the squared gradients, or [] where an operation of the model has no second derivative."""
    again = _differentiable(first)
    if not again:
        return []
    try:
        squares: Any = sum(g.square().sum().float() for g in again)
        second = torch.autograd.grad(squares, wanted, allow_unused=True)
    except (RuntimeError, NotImplementedError) as error:
        if "derivative" in str(error) or "differentiable" in str(error) or "double backward" in str(error):
            return []
        raise
    return list(second)


def _difference(before: Tensor | None, after: Tensor | None) -> str | None:
    """Return how two tensors differ, or None."""
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


def _first_differing_module(before: _Observation, after: _Observation, fused: set[str]) -> str:
    """Return a phrase that names the first module, in the order of the computation, whose outputs differ.

    A module finishes before its parents, so the first one found is an innermost one. The first layer of a fused pair is
    not compared, because it gives the output of the pair.
    """
    for name, outputs in before.by_module.items():
        others = after.by_module.get(name)
        if name not in fused and others is not None and (gap := _first_difference(outputs, others)):
            return f" (the first module that differs is {repr(name) if name else 'the model itself'}: {gap})"
    return ""


class EquivalenceCheck:
    """Compares what a model computes before its conversion with what it computes after.

    The construction runs the unconverted model.

    Args:
        model: the model.
        inputs: the positional arguments of its forward.

    Raises:
        TypeError: where ``inputs`` is not a tuple.
    """

    def __init__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        if not isinstance(inputs, tuple):
            raise TypeError(
                f"fastgan.convert: expected example_inputs to be a tuple of positional arguments,"
                f" got {type(inputs).__name__}"
            )
        self._model, self._inputs = model, inputs
        self._in_eval = self._run(self._eval_mode)
        self._in_training = self._run(self._training_mode_without_dropout)
        self._swapped: _Observation | None = None

    def _run(self, mode: Callable[[], Any], gradients: bool = True) -> _Observation:
        with _preserved(self._model), mode():
            return _observe(self._model, self._inputs, gradients)

    def _eval_mode(self) -> Any:
        self._model.eval()
        return nullcontext()

    def _training_mode_without_dropout(self) -> Any:
        self._model.train()
        for module in self._model.modules():
            if isinstance(module, (_DropoutNd, fnn.LeakyReLUDropout)):
                module.p = 0.0
        return dropout_off()

    def _training_mode(self) -> Any:
        self._model.train()
        return nullcontext()

    def observe_swapped(self) -> None:
        """Run the model in training with dropout. To be called when its layers are swapped and not yet fused."""
        self._swapped = self._run(self._training_mode, gradients=False)

    def check(self, fused: set[str], traced: bool) -> None:
        """Run the converted model and compare.

        Args:
            fused: the names of the first layers of fused pairs.
            traced: whether forwards were rewritten.

        Raises:
            RuntimeError: where something differs; the message names the first module that does.
        """
        self._compare("in eval", self._in_eval, self._run(self._eval_mode), fused)
        without_dropout = self._run(self._training_mode_without_dropout)
        self._compare("in training with p = 0", self._in_training, without_dropout, fused)
        # Fused layers draw as many numbers, in the same order, as the swapped layers did, so the masks are the same. A
        # difference shows a model that uses the value between two fused layers. With rewritten forwards this cannot be
        # compared, because the functions of torch drew other masks.
        if self._swapped is not None and fused and not traced:
            self._compare("in training", self._swapped, self._run(self._training_mode, gradients=False), fused)

    @staticmethod
    def _compare(mode: str, before: _Observation, after: _Observation, fused: set[str]) -> None:
        for what in ("outputs", "inputs", "gradients", "second"):
            difference = _first_difference(getattr(before, what), getattr(after, what))
            if difference:
                kind = {"inputs": "what it writes into its inputs", "second": "double gradients"}.get(what, what)
                module = _first_differing_module(before, after, fused)
                raise RuntimeError(
                    f"fastgan.convert: {kind} {mode}: {difference}{module}; the model is as it was before the call"
                )
