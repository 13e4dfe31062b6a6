"""The sweep: every workload at a centre, from which one factor varies at a time.

All combinations of workload, pass, size, dtype, threads and layout would be thousands of cases. The centre is 4.2 M
elements of float32, contiguous, on all threads, forward and backward together. From there vary, one at a time:

- the pass: forward and backward alone, of every workload;
- the dtype: bf16, fp16 and fp64, of every workload;
- the threads: one, of every workload;
- the layout: channels_last, of every workload on images;
- the size: 1,024 to 2^28 elements, of some workloads of each op.

`torch.compile` takes seconds to compile a case, so it is a peer at the centre and, for two workloads, along the sizes
alone. Eager in-place operations are no peer at the largest size, where the memory would not suffice. The quick sweep
has the centre of every workload and a few steps from it, without `torch.compile`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch

from fastgan.bench._results import Case, Work
from fastgan.bench._workloads import (
    IN_PLACE_FROM,
    WORKLOADS,
    Inputs,
    Workload,
    backward,
    compiled,
    copy_of,
    forward,
    forward_backward,
    saved_by,
)

CENTRE = 1 << 22
SIZES = tuple(1 << power for power in (10, 13, 16, 19, 25, 28))  # besides the centre
SIZED = ("leaky_relu", "leaky_relu_dropout", "bce_with_logits", "discriminator_loss")
COMPILED = ("leaky_relu_dropout", "discriminator_loss")  # along the sizes
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp64": torch.float64}
PASSES = {"forward": "forward", "backward": "backward", "both": "forward + backward"}
# A case needs the memory of so many tensors of its size: 10 for inputs, gradients and what eager PyTorch saves and
# makes, the rest for gaps in the heap.
TENSORS_AT_ONCE = 14


def count(elements: int) -> str:
    """A number of elements as text: 8,192 or 4.2 M."""
    return f"{elements:,}" if elements < 10**6 else f"{elements / 1e6:.1f} M"


def sweep_cases(threads: int, quick: bool = False, device: str = "cpu") -> list[Case]:
    """The cases of the sweep, the centre first; `threads` are all threads, and with 1 the threads do not vary."""
    return [
        replace(case, saved=partial(saved_by, case.labels["work"], DTYPES[case.labels["dtype"]], device))
        for case in (_quick(threads) if quick else _full(threads))
    ]


def _full(threads: int) -> Iterator[Case]:
    for name in WORKLOADS:
        yield _case(name, "centre", threads, compile=True)
    for name in WORKLOADS:
        for passes in ("forward", "backward"):
            yield _case(name, "pass", threads, passes=passes)
    for name, work in WORKLOADS.items():
        for dtype in ("bf16", "fp16", "fp64"):
            yield _case(name, "dtype", threads, dtype=dtype)
        if threads > 1:
            yield _case(name, "threads", 1)
        if work.images:
            yield _case(name, "layout", threads, channels_last=True)
    for elements in SIZES:  # the largest take longest and come last
        for name in SIZED:
            compile = name in COMPILED and elements < SIZES[-1]
            yield _case(name, "size", threads, elements=elements, compile=compile)


def _quick(threads: int) -> Iterator[Case]:
    for name in WORKLOADS:
        yield _case(name, "centre", threads)
    both_works = "leaky_relu_dropout"
    for passes in ("forward", "backward"):
        yield _case(both_works, "pass", threads, passes=passes)
    yield _case(both_works, "dtype", threads, dtype="bf16")
    if threads > 1:
        yield _case(both_works, "threads", 1)
    yield _case(both_works, "layout", threads, channels_last=True)
    for elements in SIZES[:3]:
        for name in (both_works, "discriminator_loss"):
            yield _case(name, "size", threads, elements=elements)


def _case(
    name: str,
    varied: str,
    threads: int,
    *,
    passes: str = "both",
    elements: int = CENTRE,
    dtype: str = "fp32",
    channels_last: bool = False,
    compile: bool = False,
) -> Case:
    work, kind = WORKLOADS[name], DTYPES[dtype]
    nbytes = work.bytes(elements, kind, passes)
    layout = ", channels_last" if channels_last else ""
    return Case(
        f"{name}, {PASSES[passes]}, {count(elements)} {dtype}{layout}",
        _implementations(work, passes, elements, kind, nbytes, channels_last, compile),
        threads,
        nbytes,
        memory=TENSORS_AT_ONCE * elements * kind.itemsize,
        labels={
            "group": "sweep",
            "varied": varied,
            "work": name,
            "pass": passes,
            "elements": elements,
            "dtype": dtype,
            "layout": "channels_last" if channels_last else "contiguous",
        },
    )


def _implementations(
    work: Workload,
    passes: str,
    elements: int,
    dtype: torch.dtype,
    nbytes: int,
    channels_last: bool,
    compile: bool,
) -> Callable[[str], dict[str, Work]]:
    def make(device: str) -> dict[str, Work]:
        inputs = _laid_out(work.inputs(elements, dtype, device), channels_last)
        layers = {"fastgan": work.fused, "eager": work.eager}
        given: dict[str, Inputs] = {}
        if work.in_place and passes != "backward" and IN_PLACE_FROM <= elements < SIZES[-1]:
            layers["in place"] = work.in_place
            # Positive numbers, as repetition would make denormals of others, which take longer.
            given["in place"] = tuple(x.detach().abs().requires_grad_() for x in inputs)
        if compile:
            layers["torch.compile"] = compiled(work.eager)
        output = work.fused(*inputs)
        grad = torch.randn_like(output) if output.dim() else torch.ones_like(output)
        del output
        works: dict[str, Work] = {}
        for name, layer in layers.items():
            own = given.get(name, inputs)
            if passes == "forward":
                works[name] = forward(layer, own)
            else:
                works[name] = (backward if passes == "backward" else forward_backward)(layer, own, grad)
        return {**works, "copy": copy_of(nbytes, device)}

    return make


def _laid_out(inputs: Inputs, channels_last: bool) -> Inputs:
    if not channels_last:
        return inputs
    kind = torch.channels_last
    return tuple(x.detach().to(memory_format=kind).requires_grad_() if x.dim() == 4 else x for x in inputs)
