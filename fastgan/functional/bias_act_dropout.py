"""Leaky ReLU and dropout, apart and fused: the functions of the op `bias_act_dropout`."""

from __future__ import annotations

import torch
from torch import Tensor

from fastgan.functional._call import apply, check, check_input, feature_dropout

__all__ = ["dropout", "dropout1d", "dropout2d", "dropout3d", "leaky_relu", "leaky_relu_dropout"]


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return ``x if x > 0 else negative_slope * x``, as :func:`torch.nn.functional.leaky_relu`.

    A slope of 0 is ReLU and gives exactly 0 for every x <= 0, -inf included. A slope of 1 returns the input itself. The
    backward reads one bit an element. Two signs differ from PyTorch's: ReLU of -0.0 is 0.0, and the gradient of ReLU at
    NaN is 0, not 1.

    Args:
        input: any shape and floating dtype.
        negative_slope: the factor of x <= 0.
        inplace: whether to write the result into ``input`` and return that.

    Raises:
        TypeError: where ``input`` is not of a floating dtype.
        RuntimeError: where ``inplace`` would overwrite a leaf that requires grad or an expanded tensor.

    Example:
        >>> leaky_relu(torch.tensor([-2.0, 0.0, 3.0]), 0.2)
        tensor([-0.4000,  0.0000,  3.0000])
    """
    check_input("leaky_relu", input)
    if negative_slope == 1.0 and input.is_floating_point():
        return input
    return apply("leaky_relu", input, inplace, negative_slope=negative_slope)


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
    """Zero elements with probability ``p`` and scale the others by 1 / (1 - p), as :func:`torch.nn.functional.dropout`.

    ``p`` is rounded to a multiple of 2^-16. The scale is that of the rounded ``p``, so the expectation is exact. With
    ``training=False`` or ``p=0`` the input itself is returned and nothing is drawn. Source: Srivastava et al.,
    "Dropout" (JMLR 2014).

    Args:
        input: any shape and floating dtype.
        p: probability in [0, 1] that an element is dropped.
        training: whether to drop at all.
        inplace: whether to write the result into ``input`` and return that.
        seed: in [0, 2^63). With it the result is a pure function of the arguments, the same on all devices.
        offset: in [0, 2^63). Each offset gives another mask of the same ``seed``; it needs a ``seed``.
        generator: the generator to draw from without a ``seed``; None is torch's own.

    Raises:
        ValueError: where ``p``, ``seed`` or ``offset`` is outside its range, or ``offset`` comes without ``seed``.
        TypeError: where ``input`` is not of a floating dtype.

    Example:
        >>> dropout(torch.ones(8), p=0.5, seed=1)
        tensor([2., 2., 2., 0., 2., 0., 0., 0.])
    """
    check("dropout", input, p, seed, offset)
    if not training or p == 0.0:
        return input
    return apply("dropout", input, inplace, p=p, seed=seed, offset=offset, generator=generator)


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

    As :func:`torch.nn.functional.dropout1d`. Arguments and errors are those of :func:`dropout`. Another rank is
    a ValueError.

    Example:
        >>> dropout1d(torch.ones(1, 4, 3), seed=3)[0, :, 0]  # a channel is doubled or zeroed
        tensor([2., 0., 0., 0.])
    """
    return feature_dropout("dropout1d", 3, input, p, training, inplace, seed, offset, generator)


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

    As :func:`torch.nn.functional.dropout2d`, which reads 3 dimensions as (N, C, L), with a warning. Arguments and
    errors are those of :func:`dropout`. Another rank is a ValueError.

    Example:
        >>> dropout2d(torch.ones(2, 3, 4, 4), seed=3).mean((2, 3))  # a map is doubled or zeroed
        tensor([[2., 0., 0.],
                [0., 2., 0.]])
    """
    return feature_dropout("dropout2d", 4, input, p, training, inplace, seed, offset, generator)


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

    As :func:`torch.nn.functional.dropout3d`. Arguments and errors are those of :func:`dropout`. Another rank is
    a ValueError.

    Example:
        >>> dropout3d(torch.ones(2, 3, 4, 4, 4), seed=3).mean((2, 3, 4))
        tensor([[2., 0., 0.],
                [0., 2., 0.]])
    """
    return feature_dropout("dropout3d", 5, input, p, training, inplace, seed, offset, generator)


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
    """Return ``dropout(clamp(gain * leaky_relu(input + bias, negative_slope), -clamp, clamp), p)``, in one pass.

    ``gain`` and ``clamp`` follow StyleGAN's ``bias_act`` (Karras et al., 2020).

    Args:
        input: any shape and floating dtype; with ``feature`` (N, C, ...).
        negative_slope: as :func:`leaky_relu`'s.
        p: as :func:`dropout`'s.
        training: as :func:`dropout`'s.
        inplace: as :func:`dropout`'s.
        bias: shape (input.shape[channel_dim],), of any floating dtype; its gradient has the same dtype.
        channel_dim: the dimension that the bias runs along.
        gain: a factor of the activation's output.
        clamp: limits that output's magnitude after ``gain``. The gradient is 0 where the limit is reached or exceeded;
            NaN passes through.
        feature: whether to drop whole feature maps.
        seed: as :func:`dropout`'s.
        offset: as :func:`dropout`'s.
        generator: as :func:`dropout`'s.

    Raises:
        ValueError, TypeError, RuntimeError: as :func:`dropout` and :func:`leaky_relu`; ValueError also where ``bias``
            has the wrong shape or ``clamp`` is negative.

    Example:
        >>> x = torch.tensor([[-1.0, 2.0, -3.0, 4.0]])
        >>> leaky_relu_dropout(x, 0.2, p=0.5, bias=torch.ones(4), seed=1)
        tensor([[ 0.0000,  6.0000, -0.8000,  0.0000]])
    """
    check("leaky_relu_dropout", input, p, seed, offset)
    if not training:
        p = 0.0
    if p == 0.0 and negative_slope == 1.0 and gain == 1.0 and bias is None and clamp is None:
        return input
    return apply(
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
