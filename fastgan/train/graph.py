"""The GPU part of a training step, captured and replayed as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from fastgan.functional import composed
from fastgan.train import distributed

__all__ = ["Body", "GraphedBody", "use_cuda_graph"]

Body = Callable[[Sequence[Tensor], Any], None]

_WARM_UP_STEPS = 3  # before a capture; allocator, cuDNN and optimizers allocate their memory in them


def use_cuda_graph(setting: str, device: torch.device, precision: str) -> bool:
    """Whether steps are captured as CUDA graphs.

    Args:
        setting: off, auto or on; auto does not capture steps with fp16 or in several processes.
        device: the training device; steps are never captured on a CPU.
        precision: fp32, bf16 or fp16.

    Raises:
        ValueError: for on in a build without CUDA kernels.
    """
    if device.type != "cuda" or setting == "off":
        return False
    if not composed.has_kernels(device.type):
        # Composed dropout draws its seed on the host, so a graph would replay the same mask at every step.
        if setting == "on":
            raise ValueError("train: expected `cuda_graph` to be auto or off in a build without CUDA kernels, got 'on'")
        return False
    return setting == "on" or (precision != "fp16" and distributed.world_size() == 1)


class GraphedBody:
    """Runs `body(inputs, key)`, a part of a step that never waits for the GPU, as CUDA graphs.

    The first steps run uncaptured, on a side stream. After that the body is captured once for each `key`, and then
    replayed. A key stands for a variant of the body, for example with or without a lazy penalty. Inputs are copied into
    the tensors that the graph reads. Random numbers, dropout's masks among them, advance with each replay.

    Args:
        body: takes CUDA tensors, of the same shapes at every call, and a key.
        device: the GPU.
        capture: "on" raises an error of the capture; after one, "auto" runs all steps uncaptured.
        say: called with a message in that case.
    """

    def __init__(self, body: Body, device: torch.device, capture: str, say: Callable[[str], None]) -> None:
        self._body, self._capture, self._say = body, capture, say
        self._stream = torch.cuda.Stream(device)
        self._graphs: dict[Hashable, torch.cuda.CUDAGraph] = {}
        self._inputs: list[Tensor] = []
        self._calls = 0

    def __call__(self, inputs: Sequence[Tensor], key: Hashable) -> None:
        """Run one step.

        Args:
            inputs: the body's CUDA tensors.
            key: the variant of the body.

        Raises:
            RuntimeError: if the capture fails and `capture` is "on".
        """
        self._calls += 1
        if self._calls <= _WARM_UP_STEPS or self._capture == "off":
            self._run_uncaptured(inputs, key)
            return
        if not self._inputs:
            self._inputs = [torch.empty_like(x) for x in inputs]
        for own, x in zip(self._inputs, inputs, strict=True):
            own.copy_(x)
        if key not in self._graphs and not self._capture_graph(key):
            self._run_uncaptured(inputs, key)
            return
        self._graphs[key].replay()

    def reset(self) -> None:
        """Drop the graphs and warm up again; needed after tensors were replaced whose addresses the graphs hold."""
        torch.cuda.synchronize(self._stream.device)  # a replay may still read what is freed here
        self._graphs.clear()
        self._inputs.clear()
        self._calls = 0

    def _run_uncaptured(self, inputs: Sequence[Tensor], key: Hashable) -> None:
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            self._body(inputs, key)
        current.wait_stream(self._stream)

    def _capture_graph(self, key: Hashable) -> bool:
        """Capture the body, which does not run it; returns whether that succeeded."""
        graph = torch.cuda.CUDAGraph()
        pool = next(iter(self._graphs.values())).pool() if self._graphs else None
        try:
            # Other threads (a data loader's) may use the device meanwhile.
            with torch.cuda.graph(graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"):
                self._body(self._inputs, key)
        except RuntimeError as error:
            if self._capture == "on":
                raise
            self._capture = "off"
            self._say(f"train: no CUDA graph, steps run one kernel at a time: {str(error).splitlines()[0]}")
            return False
        self._graphs[key] = graph
        return True
