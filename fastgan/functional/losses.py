"""Binary cross-entropy and the two losses of a GAN: the functions of the ops `bce` and `gan_loss`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn._reduction import get_enum, legacy_get_string

from fastgan.functional import composed

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "discriminator_loss", "generator_loss"]

_bce = torch.ops.fastgan.bce.default
_bce_reduced = torch.ops.fastgan.bce_reduced.default
_bce_with_logits = torch.ops.fastgan.bce_with_logits.default
_bce_with_logits_reduced = torch.ops.fastgan.bce_with_logits_reduced.default
_gan_loss = torch.ops.fastgan.gan_loss.default
_generator_loss = torch.ops.fastgan.generator_loss.default

_REDUCTIONS = ("none", "mean", "sum")


def _reduction_of(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """Return the reduction in today's spelling; others get the warning or the ValueError that torch gives them."""
    if size_average is not None or reduce is not None:
        return legacy_get_string(size_average, reduce)
    if reduction in _REDUCTIONS:
        return reduction
    return _REDUCTIONS[get_enum(reduction)]


def _check_input(op: str, input: Tensor, target: Tensor | float) -> None:
    if input.is_floating_point():
        return
    swapped = isinstance(target, Tensor) and target.is_floating_point()
    composed.check_floating(op, "input", input, "; input and target may be swapped" if swapped else "")


def _check_target(op: str, input: Tensor, target: Tensor, words: str) -> None:
    """Refuse a target of another shape than the input's. The message ends in torch's ``words``."""
    if target.shape != input.shape:
        raise ValueError(
            f"fastgan::{op}: expected target of shape {list(input.shape)}, as input's, got {list(target.shape)}:"
            f" {words.format(target=target.size(), input=input.size())}"
        )


def _expanded(op: str, argument: str, input: Tensor, weight: Tensor) -> Tensor:
    """Return a weight expanded to the input's shape, in the dtype of the arithmetic."""
    try:
        expanded = weight.expand(input.shape)
    except RuntimeError:
        raise RuntimeError(
            f"fastgan::{op}: expected {argument} of a shape that broadcasts to {list(input.shape)}, input's,"
            f" got {list(weight.shape)}"
        ) from None
    return expanded.to(torch.float64 if input.dtype == torch.float64 else torch.float32)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor | float,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross-entropy of probabilities, as :func:`torch.nn.functional.binary_cross_entropy`.

    The loss of an element is ``-weight * (target * log(input) + (1 - target) * log(1 - input))``, with logarithms
    clamped at -100.

    The gradient is ``(1 - target) / (1 - input) - target / input``, where the term of a clamped logarithm is 0. So it
    is never NaN; it is -1 at (input, target) = (1, 1) and 1 at (0, 0). (PyTorch divides by
    ``max(input * (1 - input), 1e-12)``, so behind a sigmoid the gradient of a very wrong answer vanishes.)
    The loss is differentiable twice and more by ``input``, ``target`` and ``weight``.

    Args:
        input: probabilities of any shape and floating dtype.
        target: of the same shape and dtype, or one number for all elements. For a number no tensor is made.
        weight: broadcasts to the shape of ``input``; in float32 for float16 and bfloat16.
        size_average: torch's older spelling of ``reduction``, with a warning.
        reduce: torch's older spelling of ``reduction``, with a warning.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Returns:
        The loss in the input's dtype. Under autocast, where PyTorch raises an error, it is float32. float16 and
        bfloat16 compute in float32.

    Raises:
        ValueError: where the shapes of ``input`` and ``target`` differ or ``reduction`` is unknown.
        TypeError: where a dtype is not floating.
        RuntimeError: where dtypes differ, where a weight does not broadcast, or where ``input`` or ``target`` holds NaN
            or a value outside [0, 1]. On CUDA the last check would have to wait for the device, so there the loss of
            such an element, and the gradient of such an input, are NaN instead.

    Example:
        >>> binary_cross_entropy(torch.tensor([0.9, 0.5, 0.1]), 1.0, reduction="none")
        tensor([0.1054, 0.6931, 2.3026])
    """
    op = "binary_cross_entropy"
    reduction = _reduction_of(reduction, size_average, reduce)
    _check_input(op, input, target)
    targets, value = (target, 0.0) if isinstance(target, Tensor) else (None, float(target))
    if targets is not None:
        words = "a target size ({target}) that is different to the input size ({input}) is deprecated"
        _check_target(op, input, targets, words)
    if composed.needed(op, input):
        return composed.bce(input, target, weight, reduction)
    if weight is not None:
        weight = _expanded(op, "weight", input, weight)
    if reduction == "none":
        return _bce(input, targets, value, weight)  # type: ignore[no-any-return]
    return _bce_reduced(input, targets, value, weight, reduction == "mean")  # type: ignore[no-any-return]


def _dtype_under_autocast(tensor: Tensor) -> torch.dtype:
    """Return the tensor's dtype, or under autocast the one of an operation that autocast runs in float32."""
    if not torch.is_autocast_enabled(tensor.device.type):
        return tensor.dtype
    return torch.promote_types(tensor.dtype, torch.float32)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor | float,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of logits, as :func:`torch.nn.functional.binary_cross_entropy_with_logits`.

    The loss of an element is ``weight * (pos_weight * target * softplus(-input) + (1 - target) * softplus(input))``.

    It is differentiable twice and more by all four tensors. In float32 the loss and its gradient have a relative error
    of at most 4e-7 for targets of 0 and 1 (an absolute one of 1e-30 where they are tiny), at large logits too. An
    infinite logit with the right target costs 0.

    Args:
        input: logits of any shape and floating dtype.
        target: of the same shape, or one number for all elements. For a number no tensor is made.
        weight: broadcasts to the shape of ``input``; in float32 for float16 and bfloat16.
        size_average: torch's older spelling of ``reduction``, with a warning.
        reduce: torch's older spelling of ``reduction``, with a warning.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        pos_weight: a factor of the first term, as ``weight``.

    Returns:
        The loss in the dtype of ``target``, or of ``input`` where ``target`` is a number. Under autocast it is float32.
        float16 and bfloat16 compute in float32.

    Raises:
        ValueError: where the shapes of ``input`` and ``target`` differ or ``reduction`` is unknown.
        TypeError: where a dtype is not floating.
        RuntimeError: where a weight does not broadcast.

    Example:
        >>> logits = torch.tensor([-200.0, 0.0, 200.0])  # a sigmoid would round the first and the last
        >>> binary_cross_entropy_with_logits(logits, 1.0, reduction="none")
        tensor([200.0000,   0.6931,   0.0000])
    """
    op = "binary_cross_entropy_with_logits"
    reduction = _reduction_of(reduction, size_average, reduce)
    _check_input(op, input, target)
    targets, value = (target, 0.0) if isinstance(target, Tensor) else (None, float(target))
    if targets is not None:
        _check_target(op, input, targets, "Target size ({target}) must be the same as input size ({input})")
    if composed.needed(op, input):
        return composed.bce_with_logits(input, target, weight, pos_weight, reduction)
    if targets is not None and targets.dtype != input.dtype and targets.is_floating_point():
        wider = torch.promote_types(input.dtype, targets.dtype)
        loss = binary_cross_entropy_with_logits(
            input.to(wider), targets.to(wider), weight, reduction=reduction, pos_weight=pos_weight
        )
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
    fake_target))``, with the cross-entropy of :func:`binary_cross_entropy_with_logits` (Goodfellow et al., "Generative
    Adversarial Nets", NeurIPS 2014). No tensor of targets is made, and nothing waits for the device.

    Args:
        real_logits: D's logits of real samples, of any shape and floating dtype.
        fake_logits: D's logits of generated samples, of any shape, with the same dtype and device.
        real_target: the target of real samples; below 1 it is one-sided label smoothing (Salimans et al., 2016).
        fake_target: the target of generated samples.
        real_weight: a factor of the first mean.
        fake_weight: a factor of the second mean.

    Returns:
        ``(loss, statistics)``. The loss is a scalar in float32 (float64 for float64), under autocast too. It is
        differentiable twice and more, and NaN for no logits. The statistics are a float32 tensor of 4 numbers on the
        logits' device, without a gradient: the mean probability of real samples and of generated ones, the share of
        real logits > 0 and the share of generated logits < 0.

    Raises:
        TypeError: where a dtype is not floating.
        RuntimeError: where the logits differ in dtype or device.

    Example:
        >>> loss, statistics = discriminator_loss(torch.tensor([[2.0], [0.5]]), torch.tensor([[-1.0], [0.3]]))
        >>> loss, statistics
        (tensor(0.8843), tensor([0.7516, 0.4217, 1.0000, 0.5000]))
    """
    settings = (real_target, fake_target, real_weight, fake_weight)
    if composed.needed("discriminator_loss", real_logits):
        composed.check_floating("discriminator_loss", "real_logits", real_logits)
        composed.check_floating("discriminator_loss", "fake_logits", fake_logits)
        return composed.discriminator_loss(real_logits, fake_logits, *settings)
    return _gan_loss(real_logits, fake_logits, *settings)  # type: ignore[no-any-return]


def generator_loss(fake_logits: Tensor, *, target: float = 1.0, saturating: bool = False) -> Tensor:
    """Return a generator's loss, from the discriminator's logits of its samples.

    It is the non-saturating ``mean(bce(fake_logits, target))``, or with ``saturating=True`` the original game's
    ``-mean(bce(fake_logits, 0))`` (Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, section 3).

    Args:
        fake_logits: D's logits of generated samples, of any shape and floating dtype.
        target: the target of these samples.
        saturating: whether to take the loss of the original game, which has no ``target``.

    Returns:
        A scalar in float32 (float64 for float64), under autocast too. It is differentiable twice and more, and NaN for
        no logits.

    Raises:
        ValueError: where both ``saturating`` and a ``target`` are given.
        TypeError: where the dtype is not floating.

    Example:
        >>> generator_loss(torch.tensor([[-1.0], [0.3]]))
        tensor(0.9338)
    """
    if saturating and target != 1.0:
        raise ValueError(f"fastgan::generator_loss: expected no target with saturating=True, got {target}")
    settings = (0.0, -1.0) if saturating else (target, 1.0)
    if composed.needed("generator_loss", fake_logits):
        composed.check_floating("generator_loss", "fake_logits", fake_logits)
        return composed.generator_loss(fake_logits, *settings)
    return _generator_loss(fake_logits, *settings)  # type: ignore[no-any-return]
