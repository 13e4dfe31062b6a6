"""The workloads: each layer and loss, by fastgan and by its peers, and how its passes are run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fastgan import functional as FF
from fastgan.bench._results import Work

Layer = Callable[..., Tensor]
Inputs = tuple[Tensor, ...]
SLOPE, P, P_MAPS = 0.2, 0.3, 0.25
CHANNELS = 128
LARGEST_COPY = 1 << 29  # bytes of one part of a copy
IN_PLACE_FROM = 1 << 16  # elements; with fewer, the alias that in-place peers need would take most of the time


@dataclass(frozen=True)
class Workload:
    """A layer or loss, its inputs and its peers.

    Attributes:
        name: of the workload.
        fused: the layer by fastgan.
        eager: the layer by eager PyTorch.
        inputs: makes the inputs, of a number of elements (logits of real and generated samples together), a dtype and
            a device.
        traffic: how many tensors of that size the forward and the backward must read or write.
        in_place: the eager layer with in-place operations where autograd allows them, or None.
        images: whether the inputs may be (N, C, H, W).
    """

    name: str
    fused: Layer
    eager: Layer
    inputs: Callable[[int, torch.dtype, str], Inputs]
    traffic: tuple[int, int]
    in_place: Layer | None = None
    images: bool = False

    def bytes(self, elements: int, dtype: torch.dtype, passes: str) -> int:
        """The bytes that `passes` ("forward", "backward" or "both") must read and write."""
        forward, backward = self.traffic
        times = {"forward": forward, "backward": backward, "both": forward + backward}[passes]
        return times * elements * dtype.itemsize


def shape_of(elements: int) -> tuple[int, ...]:
    """(N, 128, 16, 16), or one dimension where the elements do not fill that."""
    maps = CHANNELS * 16 * 16
    return (elements // maps, CHANNELS, 16, 16) if elements % maps == 0 else (elements,)


def _activations(elements: int, dtype: torch.dtype, device: str) -> Inputs:
    return (torch.randn(shape_of(elements), device=device, dtype=dtype, requires_grad=True),)


def _activations_and_bias(elements: int, dtype: torch.dtype, device: str) -> Inputs:
    return *_activations(elements, dtype, device), torch.randn(CHANNELS, device=device, dtype=dtype, requires_grad=True)


def _logits_and_target(elements: int, dtype: torch.dtype, device: str) -> Inputs:
    logits = torch.randn(elements, device=device, dtype=dtype, requires_grad=True)
    return logits, torch.rand(elements, device=device, dtype=dtype)


def _probabilities_and_target(elements: int, dtype: torch.dtype, device: str) -> Inputs:
    logits, target = _logits_and_target(elements, dtype, device)
    return logits.detach().sigmoid().requires_grad_(), target


def _real_and_fake(elements: int, dtype: torch.dtype, device: str) -> Inputs:
    real, fake = (torch.randn(elements // 2, device=device, dtype=dtype, requires_grad=True) for _ in range(2))
    return real, fake


def _fake(elements: int, dtype: torch.dtype, device: str) -> Inputs:
    return (torch.randn(elements, device=device, dtype=dtype, requires_grad=True),)


def _with_bias(layer: Layer) -> Layer:
    def biased(x: Tensor, bias: Tensor) -> Tensor:
        return layer(x + bias.view(-1, 1, 1))

    return biased


def _eager_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    bce = F.binary_cross_entropy_with_logits
    return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))


def _eager_generator_loss(fake: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))


def _eager(x: Tensor) -> Tensor:
    return F.dropout(F.leaky_relu(x, SLOPE), P)


def _eager_maps(x: Tensor) -> Tensor:
    return F.dropout2d(F.leaky_relu(x, SLOPE), P_MAPS)


# Dropout overwrites nothing that leaky ReLU's backward needs, so it stays out of place.
def _in_place(x: Tensor) -> Tensor:
    return F.dropout(F.leaky_relu(x, SLOPE, inplace=True), P)


def _in_place_maps(x: Tensor) -> Tensor:
    return F.dropout2d(F.leaky_relu(x, SLOPE, inplace=True), P_MAPS)


class _Alias(torch.autograd.Function):
    """The same memory as a tensor that is neither a leaf nor a view, so that autograd lets it be overwritten."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.new_empty(0).set_(x.untyped_storage(), x.storage_offset(), x.size(), x.stride())

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0]


def _aliased(layer: Layer) -> Layer:
    return lambda x: layer(_Alias.apply(x))  # type: ignore[no-untyped-call]


_fused = functools.partial(FF.leaky_relu_dropout, negative_slope=SLOPE, p=P)
_fused_maps = functools.partial(FF.leaky_relu_dropout, negative_slope=SLOPE, p=P_MAPS, feature=True)

WORKLOADS = {
    workload.name: workload
    for workload in [
        Workload(
            "leaky_relu",
            lambda x: FF.leaky_relu(x, SLOPE),
            lambda x: F.leaky_relu(x, SLOPE),
            _activations,
            (2, 2),
            _aliased(lambda x: F.leaky_relu(x, SLOPE, inplace=True)),
            True,
        ),
        Workload(
            "relu",
            lambda x: FF.leaky_relu(x, 0.0),
            F.relu,
            _activations,
            (2, 2),
            _aliased(lambda x: F.relu(x, inplace=True)),
            True,
        ),
        Workload(
            "dropout",
            lambda x: FF.dropout(x, P),
            lambda x: F.dropout(x, P),
            _activations,
            (2, 2),
            _aliased(lambda x: F.dropout(x, P, inplace=True)),
            True,
        ),
        Workload(
            "dropout2d",
            lambda x: FF.dropout2d(x, P_MAPS),
            lambda x: F.dropout2d(x, P_MAPS),
            _activations,
            (2, 2),
            _aliased(lambda x: F.dropout2d(x, P_MAPS, inplace=True)),
            True,
        ),
        Workload("leaky_relu_dropout", _fused, _eager, _activations, (2, 2), _aliased(_in_place), True),
        Workload(
            "leaky_relu_dropout(feature)",
            _fused_maps,
            _eager_maps,
            _activations,
            (2, 2),
            _aliased(_in_place_maps),
            True,
        ),
        Workload(
            "leaky_relu_dropout(bias)",
            lambda x, bias: _fused(x, bias=bias),
            _with_bias(_eager),
            _activations_and_bias,
            (2, 2),
            _with_bias(_in_place),
            True,
        ),
        Workload(
            "leaky_relu_dropout(bias, feature)",
            lambda x, bias: _fused_maps(x, bias=bias),
            _with_bias(_eager_maps),
            _activations_and_bias,
            (2, 2),
            _with_bias(_in_place_maps),
            True,
        ),
        Workload("bce", FF.binary_cross_entropy, F.binary_cross_entropy, _probabilities_and_target, (2, 3)),
        Workload(
            "bce_with_logits",
            FF.binary_cross_entropy_with_logits,
            F.binary_cross_entropy_with_logits,
            _logits_and_target,
            (2, 3),
        ),
        Workload(
            "discriminator_loss",
            lambda real, fake: FF.discriminator_loss(real, fake)[0],
            _eager_discriminator_loss,
            _real_and_fake,
            (1, 2),
        ),
        Workload("generator_loss", FF.generator_loss, _eager_generator_loss, _fake, (1, 2)),
    ]
}


def forward(layer: Layer, inputs: Inputs) -> Work:
    """The forward alone, which saves what a backward would need."""
    return lambda: layer(*inputs)


def forward_backward(layer: Layer, inputs: Inputs, grad: Tensor) -> Work:
    """Forward and backward, with new gradients."""
    leaves = [tensor for tensor in inputs if tensor.requires_grad]

    def work() -> None:
        for leaf in leaves:
            leaf.grad = None
        torch.autograd.backward(layer(*inputs), grad)

    return work


def backward(layer: Layer, inputs: Inputs, grad: Tensor) -> Work:
    """The backward alone, through the same graph each time."""
    output = layer(*inputs)
    leaves = [tensor for tensor in inputs if tensor.requires_grad]
    return lambda: torch.autograd.grad(output, leaves, grad, retain_graph=True)


def copy_of(nbytes: int, device: str) -> Work:
    """A copy that reads and writes `nbytes` together, in several parts where these are far larger than the caches."""
    half = max(1, nbytes // 2)
    times = -(-half // LARGEST_COPY)
    source = torch.zeros(-(-half // times), dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)

    def work() -> Tensor:
        for _ in range(times):
            target.copy_(source)
        return target

    return work


def compiled(layer: Layer) -> Layer:
    """`torch.compile` of a layer for one shape; drops the compiled code of earlier cases, whose number is limited."""
    torch.compiler.reset()
    return torch.compile(layer, dynamic=False)


def bytes_saved(layer: Layer, inputs: Inputs) -> float:
    """The bytes that a layer saves for its backward, for each element of the inputs that have a gradient."""
    # Counted by storage, as several saved tensors may be views of one. An input that is saved counts too.
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(*inputs)
    return sum(saved.values()) / sum(tensor.numel() for tensor in inputs if tensor.requires_grad)


@functools.cache
def saved_by(name: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> dict[str, float]:
    """The bytes an element that a workload saves for its backward, by fastgan and by eager PyTorch."""
    work = WORKLOADS[name]
    inputs = work.inputs(1 << 20, dtype, device)
    return {"fastgan": bytes_saved(work.fused, inputs), "eager": bytes_saved(work.eager, inputs)}
