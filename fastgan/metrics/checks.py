"""What the metrics check of the samples and features that they are given."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["rows", "same_width"]


def rows(metric: str, name: str, x: Tensor, more_than: int, why: str, dtype: torch.dtype) -> Tensor:
    """`x` (N, ...) flattened to (N, F) in `dtype`, without its gradient.

    Args:
        metric: the metric's name, for errors.
        name: the argument's name.
        x: samples or features.
        more_than: N must be larger than this.
        why: what the number stands for, as in "k=5".
        dtype: of the result.

    Raises:
        TypeError: for something that is no tensor.
        ValueError: for fewer than two dimensions, too few rows, or NaN and infinite values.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{metric}: expected {name} to be a tensor, got {type(x).__name__}")
    if x.dim() < 2 or x.shape[0] <= more_than:
        raise ValueError(f"{metric}: expected {name} of shape (more than {why}, ...), got {tuple(x.shape)}")
    x = x.detach().flatten(1).to(dtype)
    if not bool(x.isfinite().all()):
        raise ValueError(f"{metric}: expected finite values in {name}, got NaN or infinity")
    return x


def same_width(metric: str, names: tuple[str, str], a: Tensor, b: Tensor) -> None:
    """Refuse two sets of rows whose widths differ."""
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{metric}: expected {names[1]} of width {a.shape[1]}, as {names[0]} has, got {b.shape[1]}")
