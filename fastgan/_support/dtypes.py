"""Dtypes in which sums and outputs are computed."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["upcast"]


def upcast(x: Tensor) -> Tensor:
    """`x` in float32, float64 unchanged: float16 and bfloat16 are inexact.

    Args:
        x: a tensor of any shape.
    """
    return x if x.dtype == torch.float64 else x.float()
