"""What the benchmarks measure: each row's work by fastgan and by its peers, with the targets it is held to."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from fastgan import functional as FF
from fastgan.bench import Case, Target, Work

Layer = Callable[[Tensor], Tensor]
SLOPE, P = 0.2, 0.3


def _eager(x: Tensor) -> Tensor:
    return F.dropout(F.leaky_relu(x, SLOPE), P)


def _fused(x: Tensor) -> Tensor:
    return FF.leaky_relu_dropout(x, SLOPE, P)


def _forward_backward(layer: Layer, x: Tensor, grad: Tensor) -> Work:
    def work() -> None:
        x.grad = None
        torch.autograd.backward(layer(x), grad)

    return work


def _copy(source: Tensor) -> Work:
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def _both_ways(
    fused: Layer, eager: Layer, shape: tuple[int, ...], dtype: torch.dtype = torch.float32, compiled: bool = False
) -> Callable[[str], dict[str, Work]]:
    """Forward and backward, by fastgan, eager PyTorch and, on request, ``torch.compile``."""

    def make(device: str) -> dict[str, Work]:
        x = torch.randn(shape, device=device, dtype=dtype, requires_grad=True)
        grad = torch.randn_like(x)
        layers: dict[str, Layer] = {"fastgan": fused, "eager": eager}
        if compiled:
            layers["torch.compile"] = torch.compile(eager)
        return {name: _forward_backward(layer, x, grad) for name, layer in layers.items()}

    return make


def _forward_in_place(elements: int) -> Callable[[str], dict[str, Work]]:
    def make(device: str) -> dict[str, Work]:
        # Positive numbers and this gain make a kept element its own image, so that repetition drives none to
        # denormals, which would be timed instead.
        x = torch.rand(elements, device=device) + 0.5
        return {
            "fastgan": lambda: FF.leaky_relu_dropout(x, SLOPE, P, inplace=True, gain=1 - P, seed=1),
            "copy": _copy(x),
        }

    return make


def _backward_only(elements: int) -> Callable[[str], dict[str, Work]]:
    def make(device: str) -> dict[str, Work]:
        x = torch.randn(elements, device=device)
        arguments = (None, 1, SLOPE, 1.0, None, P, False, 1, 0, None, True)
        state = torch.ops.fastgan.bias_act_dropout(x, *arguments)[1]
        grad = torch.randn_like(x)
        backward = torch.ops.fastgan.bias_act_dropout_backward
        # Both allocate their result: a copy into memory that is at hand would be another kind of work.
        return {
            "fastgan": lambda: backward(grad, state, (1,), SLOPE, 1 / (1 - P), True, True),
            "copy": lambda: grad.clone(),
        }

    return make


def _two_dimensional(x: Tensor) -> Tensor:
    return F.dropout2d(F.leaky_relu(x, SLOPE), 0.25)


def _two_dimensional_fused(x: Tensor) -> Tensor:
    return FF.leaky_relu_dropout(x, SLOPE, 0.25, feature=True)


def activation_cases(threads: int, compiled: bool) -> list[Case]:
    """Row ``bias_act_dropout``. ``threads``: what "several" means here."""
    middle, large = 1 << 22, 1 << 25
    maps = (128, 128, 16, 16)
    leaky: Layer = lambda x: FF.leaky_relu(x, SLOPE)  # noqa: E731
    eager_leaky: Layer = lambda x: F.leaky_relu(x, SLOPE)  # noqa: E731
    return [
        Case(
            "leaky ReLU + dropout, forward + backward, 4.2 M fp32",
            _both_ways(_fused, _eager, (middle,), compiled=compiled),
            threads,
            middle * 16,
            (Target("eager", 25), Target("torch.compile", 40)),
        ),
        Case(
            "leaky ReLU + dropout, forward in place, 4.2 M fp32",
            _forward_in_place(middle),
            1,
            middle * 8,
            (Target("copy", 1 / 1.9),),
        ),
        Case(
            "leaky ReLU + dropout, forward in place, 33.5 M fp32",
            _forward_in_place(large),
            1,
            large * 8,
            (Target("copy", 1 / 1.15),),
        ),
        Case(
            "leaky ReLU + dropout, backward, 33.5 M fp32",
            _backward_only(large),
            1,
            large * 8,
            (Target("copy", 1 / 1.1),),
        ),
        Case(
            "leaky ReLU + dropout, forward + backward, 8,192 fp32",
            _both_ways(_fused, _eager, (8192,), compiled=compiled),
            1,
            targets=(Target("eager", 2.8),),
        ),
        Case(
            "leaky ReLU + dropout, forward + backward, 131,072 fp32",
            _both_ways(_fused, _eager, (1 << 17,), compiled=compiled),
            1,
            (1 << 17) * 16,
        ),
        Case(
            "leaky ReLU, forward + backward, 4.2 M fp32",
            _both_ways(leaky, eager_leaky, (middle,)),
            threads,
            middle * 16,
            (Target("eager", 1.3),),
        ),
        Case(
            "leaky ReLU + Dropout2d, forward + backward, 4.2 M fp32",
            _both_ways(_two_dimensional_fused, _two_dimensional, maps),
            threads,
            middle * 16,
            (Target("eager", 3),),
        ),
        Case(
            "leaky ReLU + dropout, forward + backward, 4.2 M bf16",
            _both_ways(_fused, _eager, (middle,), torch.bfloat16),
            threads,
            middle * 8,
            (Target("eager", 25),),
        ),
    ]


def _discriminator_loss(samples: int, compiled: bool) -> Callable[[str], dict[str, Work]]:
    """D's loss of as many real as generated logits, forward and backward; eagerly, two losses and their sum."""

    def eager(real: Tensor, fake: Tensor) -> Tensor:
        bce = F.binary_cross_entropy_with_logits
        return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))

    def make(device: str) -> dict[str, Work]:
        real, fake = (torch.randn(samples, device=device, requires_grad=True) for _ in range(2))

        def step(loss: Callable[[Tensor, Tensor], Tensor]) -> Work:
            def work() -> None:
                real.grad = fake.grad = None
                loss(real, fake).backward()

            return work

        ways = {"fastgan": step(lambda real, fake: FF.discriminator_loss(real, fake)[0]), "eager": step(eager)}
        return {**ways, "torch.compile": step(torch.compile(eager))} if compiled else ways

    return make


def _logit_loss(elements: int) -> Callable[[str], dict[str, Work]]:
    def make(device: str) -> dict[str, Work]:
        target = torch.rand(elements, device=device)
        x = torch.randn(elements, device=device, requires_grad=True)
        grad = torch.ones((), device=device)
        fused: Layer = lambda x: FF.binary_cross_entropy_with_logits(x, target)  # noqa: E731
        eager: Layer = lambda x: F.binary_cross_entropy_with_logits(x, target)  # noqa: E731
        return {"fastgan": _forward_backward(fused, x, grad), "eager": _forward_backward(eager, x, grad)}

    return make


def loss_cases(threads: int, compiled: bool) -> list[Case]:
    """Rows ``bce`` and ``gan_loss``. ``threads``: what "several" means here."""
    patches, middle = 57_600, 1 << 22
    return [
        Case(
            "D loss, forward + backward, 2 x 64 fp32",
            _discriminator_loss(64, compiled),
            1,
            targets=(Target("eager", 2),),
        ),
        Case(
            "D loss, forward + backward, 2 x 57,600 fp32",
            _discriminator_loss(patches, compiled),
            threads,
            patches * 24,
            (Target("eager", 3), Target("torch.compile", 2.3)),
        ),
        Case(
            "BCE with logits, tensor target, forward + backward, 4.2 M fp32",
            _logit_loss(middle),
            threads,
            middle * 20,
            (Target("eager", 3),),
        ),
    ]


def bytes_saved(layer: Layer, elements: int = 1 << 20) -> float:
    """Bytes an element that ``layer`` keeps alive for its backward."""
    x = torch.randn(elements, requires_grad=True)
    # By storage, as several saved tensors may be views of one; the input counts where it is kept.
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(x)
    return sum(saved.values()) / elements


def saved_for_backward() -> dict[str, float]:
    """Bytes an element of leaky ReLU and dropout, by fastgan and by eager PyTorch."""
    return {"fastgan": bytes_saved(_fused), "eager": bytes_saved(_eager)}
