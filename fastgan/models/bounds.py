"""The end of generators whose samples lie in [-1, 1]."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from fastgan._support.dtypes import upcast

__all__ = ["Float32Tanh", "InwardTanh", "bound", "end_in_float32"]

_INWARD = 0.01  # the derivative at least, where the step goes inwards


class Float32Tanh(nn.Tanh):
    """Tanh that autocast leaves in float32.

    In bfloat16 tanh is 1 from 3.5 on, so that its gradient is 0 there, in float32 from 9 on. A generator whose images
    are all white, which those of drawings on white are at first, would not learn anything more.
    """

    reverts_to = nn.Tanh  # by fastgan.convert.revert

    def forward(self, x: Tensor) -> Tensor:
        """tanh(x), in float32 for bfloat16 and float16.

        Args:
            x: a tensor of any shape.
        """
        return torch.tanh(upcast(x))


class InwardTanh(Float32Tanh):
    """Tanh in float32, whose derivative is at least 0.01 where a step against the gradient leads towards 0.

    Pixels far outside of [-1, 1] come back at usual rates. Outwards the derivative is that of tanh. It is no function's
    gradient there: a generator's optimiser should see it, numerical checks should not.
    """

    def forward(self, x: Tensor) -> Tensor:
        """tanh(x), in float32 for bfloat16 and float16.

        Args:
            x: a tensor of any shape.
        """
        if not torch.is_grad_enabled() or not x.requires_grad:
            return super().forward(x)  # which can be exported
        return cast(Tensor, _Inward.apply(upcast(x)))  # type: ignore[no-untyped-call]


class _Inward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        slope = 1 - y * y
        return gradient * torch.where(gradient * y > 0, slope.clamp_min(_INWARD), slope)


def bound(bounded: bool, inward: bool = False) -> list[nn.Module]:
    """The last layers of a generator: a tanh, or none for samples without bounds.

    Args:
        bounded: whether the samples have them.
        inward: whether it is an `InwardTanh`.
    """
    if not bounded:
        return []
    return [InwardTanh() if inward else Float32Tanh()]


def end_in_float32(generator: nn.Module) -> None:
    """Make an `nn.Tanh` that is the generator's last module a `Float32Tanh`.

    Args:
        generator: it is changed in place; its state dict stays the same.
    """
    path, last = list(generator.named_modules())[-1]
    if type(last) is nn.Tanh and path:
        last.__class__ = Float32Tanh  # as `convert` does: hooks and the training mode stay
