"""The heads of a table's generator, in the layout that `fastgan.data.table.segments` describes."""

from __future__ import annotations

from torch import Tensor

from fastgan import functional as FF
from fastgan.data.table.segments import Segments

__all__ = ["column_heads", "condition_loss"]


def column_heads(x: Tensor, segments: Segments, tau: float = 0.2, seed: int | None = None, offset: int = 0) -> Tensor:
    """Turn a generator's outputs into rows, as :func:`fastgan.functional.column_heads`.

    Args:
        x: outputs (N, width of `segments`), floating.
        segments: where the scalars and the one-hot vectors are.
        tau: the temperature, above 0.
        seed: with a seed the noise is a pure function of (seed, offset); without, its seed is drawn from the default
            generator of the device.
        offset: the number of the draw, such as the step; it needs a seed.

    Returns:
        Rows of the same shape and dtype as `x`.

    Raises:
        ValueError: for another width, or a temperature that is not above 0.

    Example:
        >>> import torch
        >>> segments = Segments(scalars=1, widths=(3,))
        >>> y = column_heads(torch.tensor([[0.0, 100.0, 0.0, 0.0]]), segments, seed=0)
        >>> y.round()
        tensor([[0., 1., 0., 0.]])
    """
    return FF.column_heads(x, segments.scalars, segments.widths, tau=tau, seed=seed, offset=offset)


def condition_loss(x: Tensor, conditions: Tensor, segments: Segments) -> Tensor:
    """The cross-entropy between conditions and their one-hot vectors, as :func:`fastgan.functional.condition_loss`.

    Args:
        x: the generator's outputs (N, width of `segments`), before `column_heads`.
        conditions: int64 (N,), the place of each row's category in [0, segments.condition_width).
        segments: where the one-hot vectors are.

    Raises:
        ValueError: for outputs of another width.
        IndexError: for a condition that is no place, on the CPU.

    Example:
        >>> import torch
        >>> x = torch.tensor([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
        >>> condition_loss(x, torch.tensor([0, 1]), Segments(scalars=0, widths=(3,), conditions=1)).round(decimals=3)
        tensor(0.0130)
    """
    return FF.condition_loss(x, conditions, segments.scalars, segments.widths)
