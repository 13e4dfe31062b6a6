"""Runs a model and keeps what the run gives: outputs, gradients and writes into the inputs."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_leaves, tree_map_only

__all__ = ["Observation", "observe", "preserved"]

_SEED = 20260101


def _generators() -> list[torch.Generator]:
    return [torch.default_generator, *(torch.cuda.default_generators if torch.cuda.is_initialized() else ())]


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Restore all that a run may change, and seed the random generators in the block.

    That is attributes, training modes, parameters, buffers and the states of the random generators.

    Args:
        model: the model that runs in the block.
    """
    modules = list(model.modules())
    attributes = [dict(vars(module)) for module in modules]
    registries = [
        {name: dict(table) for name, table in vars(module).items() if name in ("_modules", "_parameters", "_buffers")}
        for module in modules
    ]
    tensors = [t for t in (*model.parameters(), *model.buffers()) if not is_lazy(t)]
    values = [(t, t.detach(), t.detach().clone()) for t in tensors]
    generators = _generators()
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
            for tensor, memory, value in values:
                if tensor.data_ptr() != memory.data_ptr():  # the model assigned to its .data
                    tensor.data = memory
                if not torch.equal(tensor, value):
                    tensor.copy_(value)


def _tensors(value: Any) -> list[Tensor]:
    """Return the tensors in containers and dataclasses."""
    leaves = tree_leaves(value)
    instances = [leaf for leaf in leaves if dataclasses.is_dataclass(leaf)]
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)] + [
        t for leaf in instances for t in _tensors(vars(leaf))
    ]


@dataclass
class Observation:
    """What one run of a model gives.

    Attributes:
        outputs: the tensors that the model returns.
        inputs: its inputs as they are after the run.
        gradients: first gradients by the inputs and parameters; None where there is none.
        second: gradients of the squared first gradients; None where an operation of the model has no second derivative.
        by_module: the outputs of each module by its name, in the order of first use.
        draws: whether the run drew random numbers from torch's generators.
    """

    outputs: list[Tensor] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    gradients: list[Tensor | None] = field(default_factory=list)
    second: list[Tensor | None] | None = field(default_factory=list)
    by_module: dict[str, list[Tensor]] = field(default_factory=dict)
    draws: bool = False


def _project(tensors: Sequence[Tensor]) -> Tensor:
    """Return a sum of all elements, each with a random weight of its own."""
    generator = torch.Generator().manual_seed(_SEED)
    weights = [torch.randn(t.shape, generator=generator, dtype=torch.float64).to(t.device, t.dtype) for t in tensors]
    return torch.stack([(t * weight).sum().float() for t, weight in zip(tensors, weights, strict=True)]).sum()


def _differentiable(tensors: Sequence[Tensor | None]) -> list[Tensor]:
    return [t for t in tensors if t is not None and t.requires_grad and (t.is_floating_point() or t.is_complex())]


def observe(model: nn.Module, inputs: tuple[Any, ...], gradients: bool) -> Observation:
    """Run a model on copies of ``inputs``.

    Args:
        model: the model, which may change.
        inputs: the positional arguments of its forward.
        gradients: whether to compute gradients, too.

    Raises:
        TypeError: where ``inputs`` holds something that :mod:`torch.utils._pytree` cannot copy.
    """
    observation, running = Observation(), True
    names = {id(module): name for name, module in model.named_modules()}

    def record(module: nn.Module, _: Any, output: Any) -> None:
        if running and id(module) in names:
            copies = [t.detach().clone() for t in _tensors(output)]
            observation.by_module.setdefault(names[id(module)], []).extend(copies)

    def leaf(t: Tensor) -> Tensor:
        return t.detach().clone().requires_grad_(gradients and t.is_floating_point())

    leaves = tree_map_only(Tensor, leaf, inputs)
    states = [generator.get_state() for generator in _generators()]
    hook = register_module_forward_hook(record)
    try:
        with torch.set_grad_enabled(gradients):
            # The model gets copies of the leaves, because it may overwrite its inputs and a leaf must not be.
            fed = tree_map_only(Tensor, torch.clone, leaves)
            output = model(*fed)
            running = False
            now = [generator.get_state() for generator in _generators()]
            # A generator more means a CUDA that the run initialised.
            observation.draws = not all(map(torch.equal, states, now)) or len(now) > len(states)
            observation.outputs = [t.detach().clone() for t in _tensors(output)]
            observation.inputs = [t.detach().clone() for t in _tensors(fed)]
            results = _differentiable(_tensors(output))
            wanted = _differentiable([*_tensors(leaves), *model.parameters()])
            if gradients:
                observation.gradients = observation.second = [None] * len(wanted)
            if gradients and results and wanted:
                first = torch.autograd.grad(_project(results), wanted, create_graph=True, allow_unused=True)
                observation.gradients = [None if g is None else g.detach().clone() for g in first]
                observation.second = _second_order(first, wanted)
    finally:
        hook.remove()
    return observation


def _second_order(first: Sequence[Tensor | None], wanted: Sequence[Tensor]) -> list[Tensor | None] | None:
    """Return gradients of the squared gradients, or None where an operation of the model has no second derivative."""
    again = _differentiable(first)
    if not again:
        return [None] * len(wanted)
    try:
        squares: Any = sum(g.square().sum().float() for g in again)
        return list(torch.autograd.grad(squares, wanted, allow_unused=True))
    except (RuntimeError, NotImplementedError) as error:
        if "derivative" in str(error) or "differentiable" in str(error) or "double backward" in str(error):
            return None
        raise
