"""The cases with targets, of each op on the CPU and on CUDA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fastgan import functional as FF
from fastgan.bench._results import Case, Target, Work
from fastgan.bench._table_cases import heads_case
from fastgan.bench._workloads import (
    SLOPE,
    WORKLOADS,
    P,
    backward,
    compiled,
    copy_of,
    forward,
    forward_backward,
    saved_by,
)

BOTH = "leaky_relu_dropout"
MIDDLE, LARGE, HUGE = 1 << 22, 1 << 25, 1 << 28
PATCHES = 2 * 57_600  # logits of real and generated images by a PatchGAN's discriminator
KEPT = "leaky ReLU + dropout, forward in place, 4.2 M fp32"
LABELS = {"group": "target"}


def target_cases(threads: int, device: str = "cpu", compiled: bool = True) -> list[Case]:
    """The cases with targets for "cpu" or "cuda"; `threads` is the number of the cases that use several."""
    if device == "cuda":
        return _cuda_cases()
    return [*_activation_cases(threads, compiled), *_loss_cases(threads, compiled), heads_case(1)]


def _both_passes(
    name: str, elements: int, dtype: torch.dtype = torch.float32, compile: bool = False
) -> Callable[[str], dict[str, Work]]:
    """Forward and backward of a workload, by fastgan, eager PyTorch and, with `compile`, `torch.compile`."""

    def make(device: str) -> dict[str, Work]:
        work = WORKLOADS[name]
        inputs = work.inputs(elements, dtype, device)
        output = work.fused(*inputs)
        grad = torch.randn_like(output) if output.dim() else torch.ones_like(output)
        layers = {"fastgan": work.fused, "eager": work.eager}
        if compile:
            layers["torch.compile"] = compiled(work.eager)
        return {name: forward_backward(layer, inputs, grad) for name, layer in layers.items()}

    return make


def _copy_to(source: Tensor) -> Work:
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def forward_in_place(elements: int, device: str = "cpu") -> tuple[Work, Tensor]:
    """The fused forward in place, and the tensor that it changes."""
    # With positive numbers and this gain a kept element keeps its value. Otherwise repetition would make denormals,
    # which take longer.
    x = torch.rand(elements, device=device) + 0.5
    return lambda: FF.leaky_relu_dropout(x, SLOPE, P, inplace=True, gain=1 - P, seed=1), x


def _forward_in_place(elements: int, one_thread_too: bool = False) -> Callable[[str], dict[str, Work]]:
    def make(device: str) -> dict[str, Work]:
        fused, x = forward_in_place(elements, device)
        works: dict[str, Work] = {"fastgan": fused, "copy": _copy_to(x)}
        if one_thread_too:
            works |= {f"{name}, 1 thread": work for name, work in works.items()}
        return works

    return make


def _backward_only(elements: int) -> Callable[[str], dict[str, Work]]:
    def make(device: str) -> dict[str, Work]:
        x = torch.randn(elements, device=device)
        arguments = (None, 1, SLOPE, 1.0, None, P, False, 1, 0, None, True)
        state = torch.ops.fastgan.bias_act_dropout(x, *arguments)[1]
        grad = torch.randn_like(x)
        backward = torch.ops.fastgan.bias_act_dropout_backward
        # Both allocate their result, so that they are compared alike.
        return {
            "fastgan": lambda: backward(grad, state, (1,), SLOPE, 1 / (1 - P), True, True),
            "copy": lambda: grad.clone(),
        }

    return make


def _case(name: str, make: Callable[[str], dict[str, Any]], threads: int, nbytes: int = 0, **rest: Any) -> Case:
    return Case(name, make, threads, nbytes, labels=LABELS, **rest)


def _activation_cases(threads: int, compile: bool) -> list[Case]:
    """The cases of the op `bias_act_dropout`."""
    cases = [
        _case(
            "leaky ReLU + dropout, forward + backward, 4.2 M fp32",
            _both_passes(BOTH, MIDDLE, compile=compile),
            threads,
            MIDDLE * 16,
            targets=(Target("eager", 25), Target("torch.compile", 40)),
            saved=lambda: saved_by(BOTH),
            most_saved=0.26,
        ),
        _case(KEPT, _forward_in_place(MIDDLE), 1, MIDDLE * 8, targets=(Target("copy", 1 / 1.9),)),
        _case(
            "leaky ReLU + dropout, forward in place, 33.5 M fp32",
            _forward_in_place(LARGE),
            1,
            LARGE * 8,
            targets=(Target("copy", 1 / 1.15),),
        ),
        _case(
            "leaky ReLU + dropout, backward, 33.5 M fp32",
            _backward_only(LARGE),
            1,
            LARGE * 8,
            targets=(Target("copy", 1 / 1.1),),
        ),
        _case(
            "leaky ReLU + dropout, forward + backward, 8,192 fp32",
            _both_passes(BOTH, 8192, compile=compile),
            1,
            targets=(Target("eager", 2.8),),
        ),
        # A hidden layer of an MLP, where the time is that of the calls.
        _case(
            "leaky ReLU, forward + backward, 64 x 256 fp32",
            _both_passes("leaky_relu", 64 * 256),
            1,
            targets=(Target("eager", 1),),
        ),
        _case(
            "dropout, forward + backward, 64 x 256 fp32",
            _both_passes("dropout", 64 * 256),
            1,
            targets=(Target("eager", 1),),
        ),
        _case(
            "leaky ReLU + dropout, forward + backward, 131,072 fp32",
            _both_passes(BOTH, 1 << 17, compile=compile),
            1,
            (1 << 17) * 16,
        ),
        _case(
            "leaky ReLU, forward + backward, 4.2 M fp32",
            _both_passes("leaky_relu", MIDDLE),
            threads,
            MIDDLE * 16,
            targets=(Target("eager", 1.3),),
        ),
        _case(
            "leaky ReLU + Dropout2d, forward + backward, 4.2 M fp32",
            _both_passes("leaky_relu_dropout(feature)", MIDDLE),
            threads,
            MIDDLE * 16,
            targets=(Target("eager", 3),),
        ),
        _case(
            "leaky ReLU + dropout, forward + backward, 4.2 M bf16",
            _both_passes(BOTH, MIDDLE, torch.bfloat16),
            threads,
            MIDDLE * 8,
            targets=(Target("eager", 25),),
        ),
    ]
    if threads > 1:
        one = {"fastgan, 1 thread": 1, "copy, 1 thread": 1}
        target = Target("fastgan, 1 thread", 1.7, where=("copy", "copy, 1 thread"))
        name = f"leaky ReLU + dropout, forward in place, 4.2 M fp32, 1 to {threads} threads"
        make = _forward_in_place(MIDDLE, one_thread_too=True)
        cases.append(_case(name, make, threads, MIDDLE * 8, targets=(target,), threads_of=one))
    return cases


def _loss_cases(threads: int, compile: bool) -> list[Case]:
    """The cases of the ops `bce` and `gan_loss`."""
    return [
        _case(
            "D loss, forward + backward, 2 x 64 fp32",
            _both_passes("discriminator_loss", 2 * 64, compile=compile),
            1,
            targets=(Target("eager", 2),),
        ),
        _case(
            "D loss, forward + backward, 2 x 57,600 fp32",
            _both_passes("discriminator_loss", PATCHES, compile=compile),
            threads,
            PATCHES * 12,
            targets=(Target("eager", 3), Target("torch.compile", 2.3)),
        ),
        _case(
            "BCE with logits, tensor target, forward + backward, 4.2 M fp32",
            _both_passes("bce_with_logits", MIDDLE),
            threads,
            MIDDLE * 20,
            targets=(Target("eager", 3),),
        ),
    ]


def _cuda_cases() -> list[Case]:
    """The cases of the CUDA kernels, against eager PyTorch and a copy of the same bytes."""
    cases = []
    for dtype, share, faster in ((torch.float32, 0.9, (1.9, 2.3)), (torch.bfloat16, 0.85, None)):
        for index, passes in enumerate(("forward", "backward")):
            targets = [Target("copy", share)]
            if faster:
                targets.append(Target("eager", faster[index]))
            short = "fp32" if dtype == torch.float32 else "bf16"
            cases.append(
                _case(
                    f"leaky ReLU + dropout, {passes}, 268.4 M {short}",
                    _one_pass(BOTH, HUGE, dtype, passes),
                    1,
                    WORKLOADS[BOTH].bytes(HUGE, dtype, passes),
                    targets=targets,
                    memory=14 * HUGE * dtype.itemsize,
                    saved=lambda: saved_by(BOTH, device="cuda"),
                    most_saved=0.26,
                    most_launches=1,
                )
            )
    for passes in ("forward", "backward"):
        cases.append(
            _case(
                f"D loss, {passes}, 67.1 M logits fp32",
                _one_pass("discriminator_loss", 1 << 26, torch.float32, passes),
                1,
                WORKLOADS["discriminator_loss"].bytes(1 << 26, torch.float32, passes),
                targets=[Target("copy", 0.85)],
                most_launches=1,
            )
        )
    return cases


def _one_pass(name: str, elements: int, dtype: torch.dtype, passes: str) -> Callable[[str], dict[str, Work]]:
    def make(device: str) -> dict[str, Work]:
        work = WORKLOADS[name]
        inputs = work.inputs(elements, dtype, device)
        layers = {"fastgan": work.fused, "eager": work.eager}
        copy = {"copy": copy_of(work.bytes(elements, dtype, passes), device)}
        if passes == "forward":
            return {**{name: forward(layer, inputs) for name, layer in layers.items()}, **copy}
        grad = torch.ones_like(work.fused(*inputs))
        return {**{name: backward(layer, inputs, grad) for name, layer in layers.items()}, **copy}

    return make
