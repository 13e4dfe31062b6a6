"""The kernels' results, composed from torch operations.

They replace the kernels on devices that have none, and under ``torch.func`` transforms, which refuse C++ autograd
functions. The dropout masks are the kernels', bit for bit.
"""

from __future__ import annotations

import math
import os
import warnings

import torch
from torch import Tensor

from fastgan import _C

__all__ = [
    "bce",
    "bce_with_logits",
    "bias_act_dropout",
    "check_floating",
    "discriminator_loss",
    "draw_seed",
    "generator_loss",
    "has_kernels",
    "keep_mask",
    "kernels_take",
    "needed",
    "philox_draws",
]

# Asks this build, not torch: a build with FASTGAN_CUDA=0 has no CUDA kernels, even with a torch that has CUDA.
_KERNEL_DEVICES = frozenset({"cpu", "meta"} | ({"cuda"} if _C.build_info()["cuda"] else set()))
_MASK32 = 0xFFFFFFFF
_PHILOX_ROUNDS = 7
_PHILOX_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_PHILOX_WEYL = (0x9E3779B9, 0xBB67AE85)
_warned: set[str] = set()


def has_kernels(device_type: str) -> bool:
    """Return whether this build has kernels for devices of ``device_type``, such as "cuda"."""
    return device_type in _KERNEL_DEVICES


def kernels_take(input: Tensor) -> bool:
    """Return whether the kernels take ``input``: a tensor, not a proxy; floating, strided and not nested."""
    if not isinstance(input, Tensor):
        return False
    return input.is_floating_point() and input.layout == torch.strided and not input.is_nested


def needed(op: str, input: Tensor) -> bool:
    """Return whether the function named ``op`` has to be composed for ``input``.

    For a device without kernels it warns once.

    Raises:
        RuntimeError: for a device without kernels where ``FASTGAN_STRICT=1`` is in the environment.
    """
    device = input.device.type
    if device in _KERNEL_DEVICES:
        return torch._C._are_functorch_transforms_active()
    message = f"fastgan::{op}: expected input on {' or '.join(sorted(_KERNEL_DEVICES))}, got {device}"
    if os.environ.get("FASTGAN_STRICT") == "1":
        raise RuntimeError(f"{message} (FASTGAN_STRICT=1 forbids composing it from torch operations)")
    if device not in _warned:
        _warned.add(device)
        warnings.warn(f"{message}: composed from torch operations, which is slower", stacklevel=3)
    return True


def check_floating(op: str, argument: str, tensor: Tensor, hint: str = "") -> None:
    """Refuse a tensor that is not floating, as the kernels do.

    Args:
        op: the function's name in the message.
        argument: the name of the function's argument.
        tensor: the argument.
        hint: the end of the message.

    Raises:
        TypeError: where ``tensor`` is not floating.
    """
    if not tensor.is_floating_point():
        raise TypeError(
            f"fastgan::{op}: expected {argument} of dtype float32, float64, float16 or bfloat16, got"
            f" {tensor.dtype}{hint}"
        )


def _under_vmap() -> bool:
    stack = torch._C._functorch.get_interpreter_stack() or ()
    return any(level.key() == torch._C._functorch.TransformType.Vmap for level in stack)


def draw_seed(op: str, generator: torch.Generator | None) -> int:
    """Draw 64 bits from torch's generator, in the way of the CPU kernels.

    Args:
        op: the function's name in the message.
        generator: the generator; None is torch's own for the CPU.

    Raises:
        RuntimeError: under vmap.
    """
    if _under_vmap():  # a generator could mean one mask for all examples, or one for each
        raise RuntimeError(
            f"fastgan::{op}: expected an explicit seed under vmap, got none; pass seed=, which gives every example the"
            " same mask"
        )
    device = generator.device if generator is not None else "cpu"
    drawn = torch.empty((), dtype=torch.int64, device=device).random_(-(2**63), None, generator=generator)
    return int(drawn.item()) & (2**64 - 1)


def _multiply(value: Tensor, multiplier: int) -> tuple[Tensor, Tensor]:
    """Return the high and low 32 bits of a product. int64 may wrap, but its 64 bits are still the right ones."""
    product = value * multiplier
    return (product >> 32) & _MASK32, product & _MASK32


def philox_draws(seed: int, offset: int, octets: Tensor) -> Tensor:
    """Return the 8 random numbers of 16 bits of each octet, as int64 of shape ``(*octets.shape, 8)``.

    Source: Philox4x32, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC'11).

    Args:
        seed: 64 bits.
        offset: 64 bits.
        octets: numbers of octets, int64 of any shape.
    """
    key = [seed & _MASK32, seed >> 32]
    zeros = torch.zeros_like(octets)
    word = [zeros + (offset & _MASK32), zeros + (offset >> 32), octets & _MASK32, octets >> 32]
    for _ in range(_PHILOX_ROUNDS):
        high0, low0 = _multiply(word[0], _PHILOX_MULTIPLIERS[0])
        high1, low1 = _multiply(word[2], _PHILOX_MULTIPLIERS[1])
        word = [high1 ^ word[1] ^ key[0], low1, high0 ^ word[3] ^ key[1], low0]
        key = [(k + weyl) & _MASK32 for k, weyl in zip(key, _PHILOX_WEYL, strict=True)]
    return torch.stack([half for w in word for half in (w & 0xFFFF, w >> 16)], dim=-1)


def keep_mask(input: Tensor, threshold: int, feature: bool, seed: int, offset: int) -> Tensor:
    """Return which elements a dropout keeps, as bool of the input's shape, or (N, C, 1, ...) for feature dropout.

    Args:
        input: the tensor to drop elements of.
        threshold: an element is dropped where its 16 random bits are below this number.
        feature: whether whole feature maps are dropped.
        seed: 64 bits.
        offset: 64 bits.
    """
    device = input.device
    if feature:
        elements = input.shape[0] * input.shape[1]
        shape = (*input.shape[:2], *([1] * (input.dim() - 2)))
        index = torch.arange(elements, device=device).reshape(shape)
    else:
        elements = input.numel()
        dense = torch.empty_like(input, device="meta")
        index = torch.arange(elements, device=device).as_strided(input.shape, dense.stride())
    draws = philox_draws(seed, offset, torch.arange((elements + 7) // 8, device=device))
    return (draws.reshape(-1) >= threshold)[index]


def bias_act_dropout(
    op: str,
    input: Tensor,
    *,
    bias: Tensor | None,
    channel_dim: int,
    negative_slope: float,
    gain: float,
    clamp: float | None,
    p: float,
    feature: bool,
    seed: int | None,
    offset: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Compute ``dropout(clamp(gain * leaky_relu(input + bias)))`` from torch operations.

    ``op`` is the function's name in messages. The other arguments are those of
    :func:`fastgan.functional.leaky_relu_dropout`.

    Raises:
        TypeError: where ``input`` is not floating.
        RuntimeError: under vmap without a seed.
    """
    check_floating(op, "input", input)
    value = input.double() if input.dtype == torch.float64 else input.float()
    if bias is not None:
        shape = [1] * input.dim()
        shape[channel_dim] = -1
        value = value + bias.to(value.dtype).reshape(shape)
    below = value * (negative_slope * gain)
    if negative_slope * gain == 0.0:
        below = torch.where(value <= 0, 0.0, below)
    value = torch.where(value > 0, value * gain, below)
    if clamp is not None:
        value = torch.where(value.abs() >= clamp, value.clamp(-clamp, clamp).detach(), value)
    threshold = int(p * 65536 + 0.5)
    if threshold >= 65536:
        value = torch.where(torch.ones_like(value, dtype=torch.bool), 0.0, value)
    elif threshold > 0:
        if seed is None:
            seed = draw_seed(op, generator)
        keep = keep_mask(input, threshold, feature, seed, offset)
        value = torch.where(keep, value * (65536 / (65536 - threshold)), 0.0)
    return value.to(input.dtype)


def _reduced(loss: Tensor, weight: Tensor | None, reduction: str, dtype: torch.dtype) -> Tensor:
    if weight is not None:
        loss = loss * weight.to(loss.dtype)
    if reduction == "mean":
        loss = loss.mean()
    elif reduction == "sum":
        loss = loss.sum()
    return loss.to(dtype)


def _weighted(factor: Tensor | float, term: Tensor) -> Tensor:
    """Return a product that is 0 where the factor is 0, even if the term is infinite there."""
    product = factor * term
    return torch.where(torch.isinf(term) & (torch.as_tensor(factor) == 0.0), 0.0, product)


def bce_with_logits(
    input: Tensor, target: Tensor | float, weight: Tensor | None, pos_weight: Tensor | None, reduction: str
) -> Tensor:
    """Compute the binary cross-entropy of logits from torch operations.

    Arguments are those of :func:`fastgan.functional.binary_cross_entropy_with_logits`.
    """
    dtype = torch.promote_types(input.dtype, target.dtype) if isinstance(target, Tensor) else input.dtype
    x = input.to(torch.promote_types(dtype, torch.float32))
    target = target.to(x.dtype) if isinstance(target, Tensor) else target
    positive = target if pos_weight is None else pos_weight.to(x.dtype) * target
    log_sigmoid = torch.nn.functional.logsigmoid
    loss = -_weighted(positive, log_sigmoid(x)) - _weighted(1.0 - target, log_sigmoid(-x))
    return _reduced(loss, weight, reduction, dtype)


def _clamped_log(p: Tensor) -> Tensor:
    """Return ``max(log(p), -100)``, with derivative 0 where it is clamped."""
    unclamped = p >= math.exp(-100.0)
    return torch.where(unclamped, torch.where(unclamped, p, 1.0).log(), -100.0)


def bce(input: Tensor, target: Tensor | float, weight: Tensor | None, reduction: str) -> Tensor:
    """Compute the binary cross-entropy of probabilities from torch operations; it is NaN outside [0, 1].

    Arguments are those of :func:`fastgan.functional.binary_cross_entropy`.
    """
    p = input.to(torch.promote_types(input.dtype, torch.float32))
    p = torch.where((p >= 0.0) & (p <= 1.0), p, torch.nan)
    # log1p keeps the digits of a small p. For p >= 0.5, 1 - p is exact.
    log_q = torch.where(p < 0.5, torch.log1p(-torch.where(p < 0.5, p, 0.0)), _clamped_log(1.0 - p))
    loss = -target * _clamped_log(p) - (1.0 - target) * log_q
    return _reduced(torch.where(torch.isnan(p), torch.nan, loss), weight, reduction, input.dtype)


def generator_loss(logits: Tensor, target: float, weight: float) -> Tensor:
    """Compute ``weight * mean(bce(logits, target))`` in float32 or float64, from torch operations.

    Args:
        logits: logits of any shape.
        target: the target of all of them.
        weight: a factor of the mean.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return weight * bce_with_logits(logits, target, None, None, "mean")


def discriminator_loss(
    real: Tensor, fake: Tensor, real_target: float, fake_target: float, real_weight: float, fake_weight: float
) -> tuple[Tensor, Tensor]:
    """Compute the discriminator's loss and its statistics from torch operations.

    ``real`` and ``fake`` are the logits. The other arguments are those of
    :func:`fastgan.functional.discriminator_loss`.
    """
    loss = generator_loss(real, real_target, real_weight) + generator_loss(fake, fake_target, fake_weight)
    with torch.no_grad():
        shares = [real.float().sigmoid(), fake.float().sigmoid(), (real > 0).float(), (fake < 0).float()]
        return loss, torch.stack([share.mean() for share in shares])
