"""The end of generators whose samples lie in [-1, 1]."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fastgan._support.dtypes import upcast

__all__ = ["Float32Tanh", "bound", "end_in_float32"]


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


def bound(bounded: bool) -> list[nn.Module]:
    """The last layers of a generator: a tanh, or none for samples without bounds.

    Args:
        bounded: whether the samples have them.
    """
    return [Float32Tanh()] if bounded else []


def end_in_float32(generator: nn.Module) -> None:
    """Make an `nn.Tanh` that is the generator's last module a `Float32Tanh`.

    Args:
        generator: it is changed in place; its state dict stays the same.
    """
    path, last = list(generator.named_modules())[-1]
    if type(last) is nn.Tanh and path:
        last.__class__ = Float32Tanh  # as `convert` does: hooks and the training mode stay
