"""Compares what a model gives before its conversion with what it gives after."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from fastgan import nn as fnn
from fastgan.convert.observe import Observation, observe, preserved
from fastgan.convert.rewrite import dropout_off

__all__ = ["EquivalenceCheck"]

# Relative to the largest magnitude in a tensor. Activations agree to the last bit at p = 0. Losses are rounded in
# another way, and a GPU may sum a convolution's gradient in another order each time.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
# What is compared, and what messages call it.
_KINDS = {
    "outputs": "outputs",
    "inputs": "what it writes into its inputs",
    "gradients": "gradients",
    "second": "double gradients",
}


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


def _first_difference(before: Sequence[Tensor | None] | None, after: Sequence[Tensor | None] | None) -> str | None:
    if before is None:  # the model had no such values, so there is nothing to keep
        return None
    if after is None:
        return "an operation of the converted model has none"
    if len(before) != len(after):
        return f"{len(after)} tensors, expected {len(before)}"
    for old, new in zip(before, after, strict=True):
        if difference := _difference(old, new):
            return difference
    return None


def _first_differing_module(before: Observation, after: Observation, fused: set[str]) -> str:
    """Return a phrase that names the first module, in the order of the computation, whose outputs differ.

    A module finishes before its parents, so the first one found is an innermost one. The first layer of a fused pair is
    not compared, because it gives the output of the pair.
    """
    for name, outputs in before.by_module.items():
        others = after.by_module.get(name)
        if name not in fused and others is not None and (gap := _first_difference(outputs, others)):
            return f" (the first module that differs is {repr(name) if name else 'the model itself'}: {gap})"
    return ""


@contextmanager
def _without_dropout(model: nn.Module, training: bool) -> Iterator[None]:
    """Put a model in one mode, with every dropout at p = 0."""
    model.train(training)
    for module in model.modules():
        if isinstance(module, (_DropoutNd, fnn.LeakyReLUDropout)):
            module.p = 0.0
    with dropout_off():
        yield


@contextmanager
def _blamed_on_the_conversion(mode: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise RuntimeError(
            f"fastgan.convert: expected the converted model to run {mode} as before, got {type(error).__name__}:"
            f" {error}; the model is as it was before the call"
        ) from error


@dataclass
class _Reference:
    """What a model gives in one mode before something is done to it.

    Attributes:
        mode: the mode, in words.
        run: runs the model in that mode.
        observation: what the run gave.
        unstable: the kinds of values in which the model differed from itself, in a second run from the same state.
    """

    mode: str
    run: Callable[[], Observation]
    observation: Observation
    unstable: set[str]


class EquivalenceCheck:
    """Compares what a model computes before its conversion with what it computes after.

    The construction runs the unconverted model, twice in each of two modes. What differs between the two runs cannot be
    compared; a warning says so.

    Args:
        model: the model.
        inputs: the positional arguments of its forward.

    Raises:
        TypeError: where ``inputs`` is not a tuple.
        RuntimeError: where the model cannot run on ``inputs``.
    """

    def __init__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        if not isinstance(inputs, tuple):
            raise TypeError(
                f"fastgan.convert: expected example_inputs to be a tuple of positional arguments,"
                f" got {type(inputs).__name__}"
            )
        self._model, self._inputs = model, inputs
        try:
            in_eval = self._run(self._eval_mode, gradients=True)
            # A model that draws in eval may keep dropout on there, as pix2pix does; the masks would differ.
            self._plain = [
                self._reference("in eval with p = 0", lambda: _without_dropout(model, False))
                if in_eval.draws
                else self._reference("in eval", self._eval_mode, first=in_eval),
                self._reference("in training with p = 0", lambda: _without_dropout(model, True)),
            ]
        except Exception as error:
            raise RuntimeError(
                "fastgan.convert: expected a model that runs on example_inputs, got this error of the model itself,"
                f" before anything was converted: {type(error).__name__}: {error}"
            ) from error
        self._swapped: _Reference | None = None

    def _run(self, mode: Callable[[], Any], gradients: bool) -> Observation:
        with preserved(self._model), mode():
            return observe(self._model, self._inputs, gradients)

    def _reference(
        self, mode: str, enter: Callable[[], Any], gradients: bool = True, first: Observation | None = None
    ) -> _Reference:
        def run() -> Observation:
            return self._run(enter, gradients)

        first, second = first or run(), run()
        gaps = {kind: _first_difference(getattr(first, kind), getattr(second, kind)) for kind in _KINDS}
        unstable = {kind for kind, gap in gaps.items() if gap}
        for kind in unstable:
            warnings.warn(
                f"fastgan.convert: {_KINDS[kind]} {mode} could not be compared, because two runs of the model before"
                f" the conversion differ: {gaps[kind]}",
                stacklevel=5,
            )
        return _Reference(mode, run, first, unstable)

    def _eval_mode(self) -> Any:
        self._model.eval()
        return nullcontext()

    def _training_mode(self) -> Any:
        self._model.train()
        return nullcontext()

    def observe_swapped(self) -> None:
        """Run the model in training with dropout. To be called when its layers are swapped and not yet fused.

        Raises:
            RuntimeError: where it cannot run.
        """
        with _blamed_on_the_conversion("in training"):
            self._swapped = self._reference("in training", self._training_mode, gradients=False)

    def check(self, fused: set[str], traced: bool) -> None:
        """Run the converted model and compare.

        Args:
            fused: the names of the first layers of fused pairs.
            traced: whether forwards were rewritten.

        Raises:
            RuntimeError: where something differs; the message names the first module that does.
        """
        for reference in self._plain:
            self._compare(reference, fused)
        # Fused layers draw as many numbers, in the same order, as the swapped layers did, so the masks are the same. A
        # difference shows a model that uses the value between two fused layers. With rewritten forwards this cannot be
        # compared, because the functions of torch drew other masks.
        if self._swapped is not None and fused and not traced:
            self._compare(self._swapped, fused)

    @staticmethod
    def _compare(reference: _Reference, fused: set[str]) -> None:
        before = reference.observation
        with _blamed_on_the_conversion(reference.mode):
            after = reference.run()
        for kind, words in _KINDS.items():
            if kind in reference.unstable:
                continue
            if difference := _first_difference(getattr(before, kind), getattr(after, kind)):
                module = _first_differing_module(before, after, fused)
                raise RuntimeError(
                    f"fastgan.convert: {words} {reference.mode}: {difference}{module}; the model is as it was before"
                    " the call"
                )
