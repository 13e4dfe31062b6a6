"""The end of generators whose samples lie in [-1, 1]."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fastgan._support.dtypes import upcast

__all__ = ["Float32Tanh", "LeakyTanh", "bound", "end_in_float32"]

_LEAK = 0.01  # of the gradient


class Float32Tanh(nn.Tanh):
    """Tanh that autocast leaves in float32.

    In bfloat16 tanh is 1 from 3.5 on, so that its gradient is 0 there, in float32 from 9 on. A generator whose images
    are all white, which those of drawings on white are at first, would not learn anything more.
    """

    def forward(self, x: Tensor) -> Tensor:
        """tanh(x), in float32 for bfloat16 and float16.

        Args:
            x: a tensor of any shape.
        """
        return torch.tanh(upcast(x))


class LeakyTanh(Float32Tanh):
    """`Float32Tanh` with 0.01 more gradient while training; its values are those of tanh.

    Generators without normalisation can pass 9 in their first steps, where the data are white or black nearly
    everywhere. The gradient brings them back.
    """

    def forward(self, x: Tensor) -> Tensor:
        """tanh(x), as `Float32Tanh`.

        Args:
            x: a tensor of any shape.
        """
        x = upcast(x)
        y = torch.tanh(x)
        return y + _LEAK * (x - x.detach()) if self.training else y


def bound(bounded: bool, layer: type[nn.Module] = Float32Tanh) -> list[nn.Module]:
    """The last layers of a generator: a tanh, or none for samples without bounds.

    Args:
        bounded: whether the samples have them.
        layer: the class of the tanh.
    """
    return [layer()] if bounded else []


def end_in_float32(generator: nn.Module) -> None:
    """Put a `Float32Tanh` in the place of an `nn.Tanh` that is the generator's last module.

    Args:
        generator: it is changed in place; its state dict stays the same.
    """
    path, last = list(generator.named_modules())[-1]
    if type(last) is nn.Tanh and path:
        holder, _, name = path.rpartition(".")
        setattr(generator.get_submodule(holder), name, Float32Tanh())
