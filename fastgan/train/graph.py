"""The device's part of a training step as one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from fastgan.functional import composed
from fastgan.train import distributed

__all__ = ["Body", "GraphedBody", "is_wanted"]

Body = Callable[[Sequence[Tensor], Any], None]

_WARM_UP = 3  # whole steps before a capture: allocators, cuDNN and optimizers settle in them


def is_wanted(setting: str, device: torch.device, precision: str) -> bool:
    """Whether the `setting` off, auto or on has steps captured; auto leaves out fp16 and several processes.

    Raises:
        ValueError: for on where this build has no CUDA kernels.
    """
    if device.type != "cuda" or setting == "off":
        return False
    if not composed.has_kernels(device.type):
        # Composed dropout draws its seed on the host: a graph would replay one mask for ever.
        if setting == "on":
            raise ValueError("train: expected `cuda_graph` to be auto or off in a build without CUDA kernels, got 'on'")
        return False
    return setting == "on" or (precision != "fp16" and distributed.world_size() == 1)


class GraphedBody:
    """Runs `body(inputs, key)`, a part of a step that never waits for the device, as CUDA graphs.

    The first steps run as they are, on a side stream. Then each new `key`, which stands for a variant of the body
    (with and without a lazy penalty, say), is captured once and replayed from then on. Inputs are copied into tensors
    that the graph reads. Random numbers, dropout's masks among them, advance with each replay.

    Args:
        body: takes CUDA tensors of the same shapes every time, and a key.
        device: where they are.
        capture: "on" lets an error of the capture through; with "auto" the step then stays as it was.
        say: told why, in that case.
    """

    def __init__(self, body: Body, device: torch.device, capture: str, say: Callable[[str], None]) -> None:
        self._body, self._capture, self._say = body, capture, say
        self._stream = torch.cuda.Stream(device)
        self._graphs: dict[Hashable, torch.cuda.CUDAGraph] = {}
        self._inputs: list[Tensor] = []
        self._calls = 0

    def __call__(self, inputs: Sequence[Tensor], key: Hashable) -> None:
        """One step."""
        self._calls += 1
        if self._calls <= _WARM_UP or self._capture == "off":
            self._run_aside(inputs, key)
            return
        if not self._inputs:
            self._inputs = [torch.empty_like(x) for x in inputs]
        for own, x in zip(self._inputs, inputs, strict=True):
            own.copy_(x)
        if key not in self._graphs and not self._record(key):
            self._run_aside(inputs, key)
            return
        self._graphs[key].replay()

    def forget(self) -> None:
        """Start anew, with steps that run as they are: graphs hold the addresses of tensors that were replaced."""
        torch.cuda.synchronize(self._stream.device)  # a replay may still read what is freed here
        self._graphs.clear()
        self._inputs.clear()
        self._calls = 0

    def _run_aside(self, inputs: Sequence[Tensor], key: Hashable) -> None:
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            self._body(inputs, key)
        current.wait_stream(self._stream)

    def _record(self, key: Hashable) -> bool:
        """Capture the body, which does not run it."""
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
