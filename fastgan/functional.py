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
from torch.nn._reduction import get_enum

from fastgan import fallback

_bias_act_dropout = torch.ops.fastgan.bias_act_dropout.default
_bias_act_dropout_ = torch.ops.fastgan.bias_act_dropout_.default
_bce = torch.ops.fastgan.bce.default
_bce_reduced = torch.ops.fastgan.bce_reduced.default
_bce_with_logits = torch.ops.fastgan.bce_with_logits.default
_bce_with_logits_reduced = torch.ops.fastgan.bce_with_logits_reduced.default
_gan_loss = torch.ops.fastgan.gan_loss.default
_generator_loss = torch.ops.fastgan.generator_loss.default

_REDUCTIONS = ("none", "mean", "sum")


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


def _check_reduction(reduction: str) -> str:
    """``reduction`` in today's spelling; torch's own ValueError, or warning, for what torch would not take as it is."""
    if reduction in _REDUCTIONS:
        return reduction
    return _REDUCTIONS[get_enum(reduction)]


def _check_target(op: str, input: Tensor, target: Tensor) -> None:
    if target.shape != input.shape:
        raise ValueError(
            f"fastgan::{op}: expected target of shape {list(input.shape)}, as input's, got {list(target.shape)}"
        )


def _expanded(op: str, argument: str, input: Tensor, weight: Tensor) -> Tensor:
    """A weight in the input's shape and dtype."""
    try:
        expanded = weight.expand(input.shape)
    except RuntimeError:
        raise RuntimeError(
            f"fastgan::{op}: expected {argument} of a shape that broadcasts to {list(input.shape)}, input's,"
            f" got {list(weight.shape)}"
        ) from None
    return expanded.to(input.dtype)


def binary_cross_entropy(
    input: Tensor, target: Tensor | float, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Binary cross-entropy of probabilities, as :func:`torch.nn.functional.binary_cross_entropy`.

    Each element's is ``-weight * (target * log(input) + (1 - target) * log(1 - input))``, with logarithms clamped at
    -100. ``input``: probabilities of any shape and floating dtype. ``target``: of the same shape and dtype, or one
    number for all elements, for which no tensor is made. ``weight`` broadcasts to the shape of ``input``.
    ``reduction``: ``"mean"``, ``"sum"`` or ``"none"``. The result has the input's dtype, and under autocast, where
    PyTorch refuses, float32; the halves compute in float32.

    The gradient is ``(1 - target) / (1 - input) - target / input``, and a clamped logarithm's part of it is 0: never
    NaN, -1 at (input, target) = (1, 1) and 1 at (0, 0). (PyTorch divides by ``max(input * (1 - input), 1e-12)``, so
    that behind a sigmoid a surely wrong answer teaches nothing.) Differentiable twice and more by ``input`` and
    ``target``.

    Raises ValueError where the shapes of ``input`` and ``target`` differ or ``reduction`` is unknown, TypeError where a
    dtype is not floating, RuntimeError where dtypes differ, a weight does not broadcast or requires grad, or ``input``
    or ``target`` holds NaN or a value outside [0, 1]. On CUDA, where that error would have to wait for the device, such
    an element's loss, and the gradient of such an input, are NaN instead.
    """
    op = "binary_cross_entropy"
    reduction = _check_reduction(reduction)
    targets, value = (target, 0.0) if isinstance(target, Tensor) else (None, float(target))
    if targets is not None:
        _check_target(op, input, targets)
    if fallback.needed(op, input):
        return fallback.bce(input, target, weight, reduction)
    if weight is not None:
        weight = _expanded(op, "weight", input, weight)
    if reduction == "none":
        return _bce(input, targets, value, weight)  # type: ignore[no-any-return]
    return _bce_reduced(input, targets, value, weight, reduction == "mean")  # type: ignore[no-any-return]


def _dtype_under_autocast(tensor: Tensor) -> torch.dtype:
    """The tensor's dtype, or what autocast makes of it for an operation in float32."""
    if not torch.is_autocast_enabled(tensor.device.type):
        return tensor.dtype
    return torch.promote_types(tensor.dtype, torch.float32)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor | float,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross-entropy of logits, as :func:`torch.nn.functional.binary_cross_entropy_with_logits`.

    Each element's is ``weight * (pos_weight * target * softplus(-input) + (1 - target) * softplus(input))``.

    ``input``: logits of any shape and floating dtype. ``target``: of the same shape, or one number for all elements,
    for which no tensor is made. ``weight`` and ``pos_weight`` broadcast to the shape of ``input``. ``reduction``:
    ``"mean"``, ``"sum"`` or ``"none"``. The result has the dtype of ``target``, or of ``input`` where that is a number,
    and float32 under autocast; the halves compute in float32.

    Differentiable twice and more by ``input`` and ``target``. In float32 the loss and its gradient are right to a
    relative 4e-7 for targets of 0 and 1 (to 1e-30 where tiny), at large logits too. An infinite logit with the right
    target costs 0.

    Raises ValueError where the shapes of ``input`` and ``target`` differ or ``reduction`` is unknown, TypeError where a
    dtype is not floating, RuntimeError where a weight does not broadcast or requires grad.
    """
    op = "binary_cross_entropy_with_logits"
    reduction = _check_reduction(reduction)
    targets, value = (target, 0.0) if isinstance(target, Tensor) else (None, float(target))
    if targets is not None:
        _check_target(op, input, targets)
    if fallback.needed(op, input):
        return fallback.bce_with_logits(input, target, weight, pos_weight, reduction)
    if targets is not None and targets.dtype != input.dtype and targets.is_floating_point():
        wider = torch.promote_types(input.dtype, targets.dtype)
        loss = binary_cross_entropy_with_logits(input.to(wider), targets.to(wider), weight, pos_weight, reduction)
        return loss.to(_dtype_under_autocast(targets))
    if weight is not None:
        weight = _expanded(op, "weight", input, weight)
    if pos_weight is not None:
        pos_weight = _expanded(op, "pos_weight", input, pos_weight)
    if reduction == "none":
        return _bce_with_logits(input, targets, value, weight, pos_weight)  # type: ignore[no-any-return]
    mean = reduction == "mean"
    return _bce_with_logits_reduced(input, targets, value, weight, pos_weight, mean)  # type: ignore[no-any-return]


def discriminator_loss(
    real_logits: Tensor,
    fake_logits: Tensor,
    *,
    real_target: float = 1.0,
    fake_target: float = 0.0,
    real_weight: float = 1.0,
    fake_weight: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Return a discriminator's loss and its statistics, from its logits of real and of generated samples.

    The loss is ``real_weight * mean(bce(real_logits, real_target)) + fake_weight * mean(bce(fake_logits,
    fake_target))``, with the cross-entropy of :func:`binary_cross_entropy_with_logits`; a ``real_target`` below 1 is
    one-sided label smoothing (Salimans et al., 2016). The logits may have any shapes, and two different ones, but one
    floating dtype and device. No tensor of targets is made.

    Returns ``(loss, statistics)``. The loss is a scalar in float32 (float64 for float64), under autocast too,
    differentiable twice and more. The statistics are a float32 tensor of 4 on the logits' device, without a gradient:
    the mean probability given to real and to generated samples, and the share of real logits > 0 and of generated ones
    < 0. Nothing waits for the device. The mean over no logits is NaN.

    Raises TypeError where a dtype is not floating, RuntimeError where the logits differ in dtype or device.

    Source: Goodfellow et al., "Generative Adversarial Nets" (NeurIPS 2014).
    """
    settings = (real_target, fake_target, real_weight, fake_weight)
    if fallback.needed("discriminator_loss", real_logits):
        return fallback.discriminator_loss(real_logits, fake_logits, *settings)
    return _gan_loss(real_logits, fake_logits, *settings)  # type: ignore[no-any-return]


def generator_loss(fake_logits: Tensor, *, target: float = 1.0, saturating: bool = False) -> Tensor:
    """Return a generator's loss, from the discriminator's logits of its samples.

    It is the non-saturating ``mean(bce(fake_logits, target))``, or with ``saturating=True`` the original game's
    ``-mean(bce(fake_logits, 0))``, with which no ``target`` may be given. ``fake_logits``: any shape and floating
    dtype. The loss is a scalar in float32 (float64 for float64), under autocast too, differentiable twice and more. The
    mean over no logits is NaN.

    Raises ValueError where both ``saturating`` and a ``target`` are given, TypeError where the dtype is not floating.

    Source: Goodfellow et al., "Generative Adversarial Nets" (NeurIPS 2014), section 3.
    """
    if saturating and target != 1.0:
        raise ValueError(f"fastgan::generator_loss: expected no target with saturating=True, got {target}")
    settings = (0.0, -1.0) if saturating else (target, 1.0)
    if fallback.needed("generator_loss", fake_logits):
        return fallback.generator_loss(fake_logits, *settings)
    return _generator_loss(fake_logits, *settings)  # type: ignore[no-any-return]
