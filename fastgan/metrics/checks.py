"""Checks of the samples and features that the metrics are given."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["as_rows", "check_same_width"]


def as_rows(metric: str, name: str, x: Tensor, more_than: int, why: str, dtype: torch.dtype) -> Tensor:
    """`x` (N, ...) flattened to (N, F) in `dtype`, without its gradient.

    Args:
        metric: the metric's name, for error messages.
        name: the argument's name, for error messages.
        x: samples or features.
        more_than: N must be larger than this.
        why: what that number is, for error messages, such as "k=5".
        dtype: of the result.

    Raises:
        TypeError: for something that is not a tensor.
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


def check_same_width(metric: str, names: tuple[str, str], a: Tensor, b: Tensor) -> None:
    """Check that two sets of rows have the same width.

    Args:
        metric: the metric's name, for error messages.
        names: of the arguments `a` and `b`, for error messages.
        a: (N, F).
        b: (M, F).

    Raises:
        ValueError: for different widths.
    """
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{metric}: expected {names[1]} of width {a.shape[1]}, as {names[0]} has, got {b.shape[1]}")
