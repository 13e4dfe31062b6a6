"""The fused operations as functions, with the signatures of their namesakes in ``torch.nn.functional``.

All of the dropout family is one kernel, ``dropout(clamp(gain * leaky_relu(input + bias)))``, with stages switched off.
What every function of it keeps:

- dtypes float32, float64, float16 and bfloat16 (the halves compute in float32); any shape, any dense layout as it lies
  (``channels_last`` included), anything else made dense first; the result has the input's dtype and shape;
- a mask depends on (seed, offset, element) only: the same bits on the CPU and on every GPU, for any number of threads.
  Without ``seed`` it is drawn from torch's generator (or ``generator``), as torch's own dropout does;
- a dropped element is exactly 0 whatever its input, and its gradient is exactly 0 whatever comes in (PyTorch gives NaN
  for NaN and infinity there);
- the backward keeps 2 bits an element alive, so in-place use is always safe, and gradients are differentiable again.

``generator=`` breaks a graph of ``torch.compile``, as Dynamo cannot pass one; ``seed=`` does not. Under ``vmap`` a
dropout needs ``seed``.

Binary cross-entropy is one pass forward and one backward. Sums are in double precision and in one order: the same bits
for any number of threads, and in every run on a GPU.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fastgan import fallback
from fastgan._functional_losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    discriminator_loss,
    generator_loss,
)

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "discriminator_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "generator_loss",
    "leaky_relu",
    "leaky_relu_dropout",
]

_bias_act_dropout = torch.ops.fastgan.bias_act_dropout.default
_bias_act_dropout_ = torch.ops.fastgan.bias_act_dropout_.default


def _check(op: str, input: Tensor, p: float, seed: int | None = None, offset: int = 0) -> None:
    if not isinstance(input, Tensor):
        raise TypeError(f"fastgan::{op}: expected input to be a Tensor, got {type(input).__name__}")
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"fastgan::{op}: expected p in [0, 1], got {p}")
    # Out of this range they would not reach the op as 64-bit integers.
    if seed is not None and not 0 <= seed < 2**63:
        raise ValueError(f"fastgan::{op}: expected 0 <= seed < 2**63, got {seed}")
    if not 0 <= offset < 2**63:
        raise ValueError(f"fastgan::{op}: expected 0 <= offset < 2**63, got {offset}")


def _apply(
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
    if fallback.needed(op, input):
        output = fallback.bias_act_dropout(
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
        # The compiler makes every graph functional first, and finds the in-place form again by itself.
        return input.copy_(_bias_act_dropout(input, *stages)[0])
    _bias_act_dropout_(input, *stages)
    return input


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """``x if x > 0 else negative_slope * x``, as :func:`torch.nn.functional.leaky_relu`.

    ``input``: any shape and floating dtype. A slope of 0 is ReLU and gives exactly 0 for every x <= 0, -inf included.
    The backward reads one bit an element. Raises TypeError where ``input`` is not of a floating dtype, RuntimeError
    where ``inplace`` would overwrite a leaf that requires grad or an expanded tensor.
    """
    _check("leaky_relu", input, 0.0)
    if negative_slope == 1.0 and input.is_floating_point():
        return input
    return _apply("leaky_relu", input, inplace, negative_slope=negative_slope)


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    seed: int | None = None,
    offset: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Zero elements with probability ``p`` and scale the others by 1 / (1 - p).

    As :func:`torch.nn.functional.dropout`; any shape. ``p`` is honoured to 2^-17, and the scale is the honoured
    probability's, so the expectation is exact. ``seed`` and ``offset``, in [0, 2**63), make the result a pure function
    of the arguments, the same on all devices. With ``training=False`` or ``p=0`` the input itself is returned and
    nothing is drawn. Raises ValueError where ``p`` is outside [0, 1] or ``seed`` or ``offset`` outside their range,
    TypeError where ``input`` is not of a floating dtype.

    Source: Srivastava et al., "Dropout" (JMLR 2014).
    """
    _check("dropout", input, p, seed, offset)
    if not training or p == 0.0:
        return input
    return _apply("dropout", input, inplace, p=p, seed=seed, offset=offset, generator=generator)


def _feature_dropout(
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
    """Feature dropout over (N, C, ...) of ``batched_dim`` dimensions, or over (C, ...) of one less."""
    _check(op, input, p, seed, offset)
    dim = input.dim()
    # torch reads a 3-D input of dropout2d as (N, C, L), with a warning; a warning less, the same result.
    batched = dim == batched_dim or (op == "dropout2d" and dim == 3)
    if not batched and dim != batched_dim - 1:
        shapes = "[N, C, L]" if op == "dropout2d" else f"{batched_dim - 1} dimensions"
        raise ValueError(
            f"fastgan::{op}: expected input of {batched_dim} dimensions [N, C, ...] or {shapes},"
            f" got shape {list(input.shape)}"
        )
    if not training or p == 0.0:
        return input
    samples = input if batched else input.unsqueeze(0)
    output = _apply(op, samples, inplace, p=p, feature=True, seed=seed, offset=offset, generator=generator)
    if inplace:
        return input
    return output if batched else output.squeeze(0)


def dropout1d(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    seed: int | None = None,
    offset: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Zero whole channels of (N, C, L) or (C, L) with probability ``p``.

    As :func:`torch.nn.functional.dropout1d`; keywords and errors as :func:`dropout`, and ValueError for another rank.
    """
    return _feature_dropout("dropout1d", 3, input, p, training, inplace, seed, offset, generator)


def dropout2d(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    seed: int | None = None,
    offset: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Zero whole feature maps of (N, C, H, W) with probability ``p``.

    As :func:`torch.nn.functional.dropout2d`, which reads 3 dimensions as (N, C, L); keywords and errors as
    :func:`dropout`, and ValueError for another rank.
    """
    return _feature_dropout("dropout2d", 4, input, p, training, inplace, seed, offset, generator)


def dropout3d(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    seed: int | None = None,
    offset: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Zero whole feature maps of (N, C, D, H, W) or (C, D, H, W) with probability ``p``.

    As :func:`torch.nn.functional.dropout3d`; keywords and errors as :func:`dropout`, and ValueError for another rank.
    """
    return _feature_dropout("dropout3d", 5, input, p, training, inplace, seed, offset, generator)


def leaky_relu_dropout(
    input: Tensor,
    negative_slope: float = 0.01,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    bias: Tensor | None = None,
    channel_dim: int = 1,
    gain: float = 1.0,
    clamp: float | None = None,
    feature: bool = False,
    seed: int | None = None,
    offset: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """``dropout(clamp(gain * leaky_relu(input + bias, negative_slope), -clamp, clamp), p)`` in one pass.

    ``bias``: of shape (input.shape[channel_dim],) and any floating dtype; its gradient comes back in that dtype.
    ``gain`` and ``clamp`` follow StyleGAN's ``bias_act`` (Karras et al., 2020): the gradient is 0 where the magnitude
    reaches ``clamp``, equality included; NaN passes through. ``feature=True`` drops whole feature maps of an input
    (N, C, ...). Other arguments and errors are those of :func:`leaky_relu` and :func:`dropout`; ValueError too where
    ``bias`` has the wrong shape or ``clamp`` is negative.
    """
    _check("leaky_relu_dropout", input, p, seed, offset)
    if not training:
        p = 0.0
    if p == 0.0 and negative_slope == 1.0 and gain == 1.0 and bias is None and clamp is None:
        return input
    return _apply(
        "leaky_relu_dropout",
        input,
        inplace,
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
