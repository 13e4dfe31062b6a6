"""The kernels' results, composed from torch operations.

They serve where no kernel can: on devices that have none, and under ``torch.func`` transforms, which refuse C++
autograd functions. Masks are the kernels' own, bit for bit.
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
    "discriminator_loss",
    "generator_loss",
    "has_kernels",
    "keep_mask",
    "needed",
    "philox_draws",
]

# What this build has, not what torch has: FASTGAN_CUDA=0 leaves the kernels out beside a torch with CUDA.
_KERNEL_DEVICES = frozenset({"cpu", "meta"} | ({"cuda"} if _C.build_info()["cuda"] else set()))
_MASK32 = 0xFFFFFFFF
_PHILOX_ROUNDS = 7
_PHILOX_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_PHILOX_WEYL = (0x9E3779B9, 0xBB67AE85)
_warned: set[str] = set()


def has_kernels(device_type: str) -> bool:
    """Whether this build has kernels for such devices."""
    return device_type in _KERNEL_DEVICES


def needed(op: str, input: Tensor) -> bool:
    """Whether ``op`` on ``input`` has to be composed.

    Warns once for each device without kernels; with ``FASTGAN_STRICT=1`` in the environment that is a RuntimeError.
    """
    device = input.device.type
    if has_kernels(device):
        return torch._C._are_functorch_transforms_active()
    message = f"fastgan::{op}: expected input on {' or '.join(sorted(_KERNEL_DEVICES))}, got {device}"
    if os.environ.get("FASTGAN_STRICT") == "1":
        raise RuntimeError(f"{message} (FASTGAN_STRICT=1 forbids composing it from torch operations)")
    if device not in _warned:
        _warned.add(device)
        warnings.warn(f"{message}: composed from torch operations, which is slower", stacklevel=3)
    return True


def _under_vmap() -> bool:
    stack = torch._C._functorch.get_interpreter_stack() or ()
    return any(level.key() == torch._C._functorch.TransformType.Vmap for level in stack)


def _draw_seed(op: str, generator: torch.Generator | None) -> int:
    """64 bits of torch's generator, as the CPU kernels take them."""
    if _under_vmap():
        raise RuntimeError(
            f"fastgan::{op}: expected an explicit seed under vmap, got none: unseeded dropout draws from a generator,"
            " whose use under vmap has no one meaning; pass seed= (the same mask for every example)"
        )
    device = generator.device if generator is not None else "cpu"
    drawn = torch.empty((), dtype=torch.int64, device=device).random_(-(2**63), None, generator=generator)
    return int(drawn.item()) & (2**64 - 1)


def _multiply(value: Tensor, multiplier: int) -> tuple[Tensor, Tensor]:
    """High and low 32 bits of a product; int64 wraps, and its low 64 bits are right all the same."""
    product = value * multiplier
    return (product >> 32) & _MASK32, product & _MASK32


def philox_draws(seed: int, offset: int, octets: Tensor) -> Tensor:
    """The 8 draws of 16 bits of each octet: int64 of shape (*octets.shape, 8).

    Source: Philox4x32, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC'11).
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
    """Which elements of ``input`` a dropout keeps: bool, of its shape, or (N, C, 1, ...) for feature dropout."""
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
    """``dropout(clamp(gain * leaky_relu(input + bias)))`` from torch operations; arguments as the op's."""
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
            seed = _draw_seed(op, generator)
        keep = keep_mask(input, threshold, feature, seed, offset)
        value = torch.where(keep, value * (65536 / (65536 - threshold)), 0.0)
    return value.to(input.dtype)


def _reduced(loss: Tensor, weight: Tensor | None, reduction: str, dtype: torch.dtype) -> Tensor:
    if weight is not None:
        loss = loss * weight
    if reduction == "mean":
        loss = loss.mean()
    elif reduction == "sum":
        loss = loss.sum()
    return loss.to(dtype)


def _weighted(factor: Tensor | float, term: Tensor) -> Tensor:
    """A product that is 0 where the factor is, though the term be infinite."""
    product = factor * term
    return torch.where(torch.isinf(term) & (torch.as_tensor(factor) == 0.0), 0.0, product)


def bce_with_logits(
    input: Tensor, target: Tensor | float, weight: Tensor | None, pos_weight: Tensor | None, reduction: str
) -> Tensor:
    """Binary cross-entropy of logits from torch operations; arguments as the function's."""
    dtype = torch.promote_types(input.dtype, target.dtype) if isinstance(target, Tensor) else input.dtype
    x = input.to(torch.promote_types(dtype, torch.float32))
    positive = target if pos_weight is None else pos_weight * target
    log_sigmoid = torch.nn.functional.logsigmoid
    loss = -_weighted(positive, log_sigmoid(x)) - _weighted(1.0 - target, log_sigmoid(-x))
    return _reduced(loss, weight, reduction, dtype)


def _clamped_log(p: Tensor) -> Tensor:
    """``max(log(p), -100)`` with derivative 0 where it is clamped."""
    unclamped = p >= math.exp(-100.0)
    return torch.where(unclamped, torch.where(unclamped, p, 1.0).log(), -100.0)


def bce(input: Tensor, target: Tensor | float, weight: Tensor | None, reduction: str) -> Tensor:
    """Binary cross-entropy of probabilities from torch operations; arguments as the function's. NaN outside [0, 1]."""
    p = input.to(torch.promote_types(input.dtype, torch.float32))
    p = torch.where((p >= 0.0) & (p <= 1.0), p, torch.nan)
    # log1p keeps the digits of a small p; 1 - p is exact where that of the other is near its clamp.
    log_q = torch.where(p < 0.5, torch.log1p(-torch.where(p < 0.5, p, 0.0)), _clamped_log(1.0 - p))
    loss = -target * _clamped_log(p) - (1.0 - target) * log_q
    return _reduced(torch.where(torch.isnan(p), torch.nan, loss), weight, reduction, input.dtype)


def generator_loss(logits: Tensor, target: float, weight: float) -> Tensor:
    """``weight * mean(bce(logits, target))`` in float32 or float64, from torch operations."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return weight * bce_with_logits(logits, target, None, None, "mean")


def discriminator_loss(
    real: Tensor, fake: Tensor, real_target: float, fake_target: float, real_weight: float, fake_weight: float
) -> tuple[Tensor, Tensor]:
    """Loss and statistics from torch operations; arguments as the function's."""
    loss = generator_loss(real, real_target, real_weight) + generator_loss(fake, fake_target, fake_weight)
    with torch.no_grad():
        shares = [real.float().sigmoid(), fake.float().sigmoid(), (real > 0).float(), (fake < 0).float()]
        return loss, torch.stack([share.mean() for share in shares])
