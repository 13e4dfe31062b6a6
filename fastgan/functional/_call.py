"""The checks and the kernel call that all functions of the dropout family share."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from fastgan.functional import composed, eager

_bias_act_dropout = torch.ops.fastgan.bias_act_dropout.default
_bias_act_dropout_ = torch.ops.fastgan.bias_act_dropout_.default


def check_input(op: str, input: Tensor) -> None:
    """Raise TypeError unless ``input`` is a tensor."""
    if not isinstance(input, Tensor):
        raise TypeError(f"fastgan::{op}: expected input to be a Tensor, got {type(input).__name__}")


def check(op: str, input: Tensor, p: float, seed: int | None, offset: int) -> None:
    """Raise for arguments that would not reach the kernel as they are meant."""
    check_input(op, input)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"fastgan::{op}: expected p in [0, 1], got {p}")
    check_seed(op, seed, offset)


def check_seed(op: str, seed: int | None, offset: int) -> None:
    """Raise ValueError for a seed or an offset out of range, or an offset without a seed."""
    # The op takes 64-bit integers.
    if seed is not None and not 0 <= seed < 2**63:
        raise ValueError(f"fastgan::{op}: expected 0 <= seed < 2**63, got {seed}")
    if not 0 <= offset < 2**63:
        raise ValueError(f"fastgan::{op}: expected 0 <= offset < 2**63, got {offset}")
    if offset != 0 and seed is None:
        raise ValueError(f"fastgan::{op}: expected a seed with offset {offset}, got none")


def apply(
    op: str,
    input: Tensor,
    inplace: bool,
    *,
    bias: Tensor | None = None,
    channel_dim: int = 1,
    negative_slope: float = 1.0,
    gain: float = 1.0,
    clamp: float | None = None,
    p: float = 0.0,
    feature: bool = False,
    seed: int | None = None,
    offset: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Run the kernel with the given stages, or compose its result from torch operations where that is needed."""
    if bias is None and gain == 1.0 and clamp is None and seed is None and generator is None:
        result = eager.bias_act_dropout(input, negative_slope, p, feature, inplace)
        if result is not None:
            return result
    if composed.needed(op, input):
        output = composed.bias_act_dropout(
            op,
            input,
            bias=bias,
            channel_dim=channel_dim,
            negative_slope=negative_slope,
            gain=gain,
            clamp=clamp,
            p=p,
            feature=feature,
            seed=seed,
            offset=offset,
            generator=generator,
        )
        return input.copy_(output) if inplace else output
    stages = (bias, channel_dim, negative_slope, gain, clamp, p, feature, seed, offset, generator, False)
    if not inplace:
        return _bias_act_dropout(input, *stages)[0]  # type: ignore[no-any-return]
    if torch.compiler.is_compiling():
        # torch.compile functionalises the graph and restores the in-place form by itself.
        return input.copy_(_bias_act_dropout(input, *stages)[0])
    _bias_act_dropout_(input, *stages)
    return input


def feature_dropout(
    op: str,
    batched_dim: int,
    input: Tensor,
    p: float,
    training: bool,
    inplace: bool,
    seed: int | None,
    offset: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Drop whole feature maps of (N, C, ...) with ``batched_dim`` dimensions, or of (C, ...) with one less."""
    check(op, input, p, seed, offset)
    dim = input.dim()
    batched = dim == batched_dim
    if op == "dropout2d" and dim == 3:  # as torch, whose words are in the warning
        warnings.warn(
            "fastgan::dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is"
            " desired, on (N, C, L); dropout1d does that without this warning",
            stacklevel=4,
        )
        batched = True
    if not batched and dim != batched_dim - 1:
        shapes = "[N, C, L]" if op == "dropout2d" else f"{batched_dim - 1} dimensions"
        raise ValueError(
            f"fastgan::{op}: expected input of {batched_dim} dimensions [N, C, ...] or {shapes},"
            f" got shape {list(input.shape)}"
        )
    if not training or p == 0.0:
        return input
    samples = input if batched else input.unsqueeze(0)
    output = apply(op, samples, inplace, p=p, feature=True, seed=seed, offset=offset, generator=generator)
    if inplace:
        return input
    return output if batched else output.squeeze(0)
