"""The heads of a table's generator, in the layout that `fastgan.tabular.segments` describes."""

from __future__ import annotations

import torch
from torch import Tensor

from fastgan import functional as FF
from fastgan.tabular.segments import Segments, placed

__all__ = ["choose", "column_heads", "condition_loss"]


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
        >>> x = torch.tensor([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
        >>> condition_loss(x, torch.tensor([0, 1]), Segments(scalars=0, widths=(3,), conditions=1)).round(decimals=3)
        tensor(0.0130)
    """
    return FF.condition_loss(x, conditions, segments.scalars, segments.widths)


def choose(x: Tensor, segments: Segments, noise: bool = False) -> Tensor:
    """The place of the largest entry of each one-hot vector.

    Args:
        x: rows or outputs (N, width of `segments`).
        segments: where the one-hot vectors are.
        noise: whether to add Gumbel noise from the default generator, which makes each place a draw from the softmax of
            the outputs `x`.

    Returns:
        int64 (N, S).

    Raises:
        ValueError: for rows of another width.
    """
    if x.dim() != 2 or x.shape[1] != segments.width:
        raise ValueError(f"choose: expected x of shape [N, {segments.width}], got {list(x.shape)}")
    if noise:
        # The largest entry stays the largest in the softmax, whatever the temperature.
        x = column_heads(x, segments, tau=1.0)
    padded, widths = placed(segments, x.device)
    # A shorter vector's first entry stands again behind its own; argmax takes the first of equals on a CPU only.
    logits = x[:, segments.scalars :]
    places = logits.index_select(1, padded.flatten()).view(len(x), *padded.shape).argmax(2)
    return torch.where(places < widths, places, 0)
