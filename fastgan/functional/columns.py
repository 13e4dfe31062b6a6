"""The heads of a table's generator and the loss of its conditions: the ops `column_heads` and `condition_loss`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fastgan.functional import composed, composed_columns
from fastgan.functional._call import check_input, check_seed

__all__ = ["column_heads", "condition_loss"]

_column_heads = torch.ops.fastgan.column_heads.default
_condition_loss = torch.ops.fastgan.condition_loss.default


def _check(op: str, input: Tensor, scalars: int, widths: Sequence[int]) -> None:
    check_input(op, input)
    if scalars < 0:
        raise ValueError(f"fastgan::{op}: expected scalars >= 0, got {scalars}")
    if any(width < 1 for width in widths):
        raise ValueError(f"fastgan::{op}: expected widths of at least 1, got {list(widths)}")
    total = scalars + sum(widths)
    if input.dim() < 1 or input.shape[-1] != total:
        raise ValueError(f"fastgan::{op}: expected input of shape [..., {total}], got {list(input.shape)}")


def column_heads(
    input: Tensor,
    scalars: int,
    widths: Sequence[int],
    *,
    tau: float = 0.2,
    seed: int | None = None,
    offset: int = 0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Turn a generator's outputs into rows of a table: tanh of the scalars, Gumbel-softmax of each segment.

    A row is ``scalars`` numbers, then a segment for each of ``widths``. A segment becomes ``softmax((x + g) / tau)``,
    where g is noise with a Gumbel distribution (Jang et al., "Categorical Reparameterization with Gumbel-Softmax", ICLR
    2017, equation 2; as heads of a table's generator, Xu et al., NeurIPS 2019, section 4.4). It sums to 1, and its
    largest entry is a draw from softmax(x). NaN or +inf in a segment makes it NaN.

    The noise of an element depends only on (seed, offset, row, place behind the scalars). Its random bits are the same
    on the CPU and on every GPU, for any number of threads, rows and columns; the results differ in roundings. The
    backward reads the result and the incoming gradient only. The gradient is differentiable again.

    Args:
        input: (..., scalars + sum(widths)), floating. The dimensions before the last one count rows.
        scalars: how many numbers a row begins with.
        widths: the length of each segment, at least 1.
        tau: the temperature, above 0.
        seed: in [0, 2^63). With it the result is a pure function of the arguments.
        offset: in [0, 2^63). Each offset gives other noise of the same ``seed``; it needs a ``seed``.
        generator: the generator to draw from without a ``seed``; None is torch's own. Without segments nothing is
            drawn.

    Returns:
        A contiguous tensor of the shape and dtype of ``input``, under autocast too.

    Raises:
        ValueError: where the last dimension has another size, or an argument is outside its range.
        TypeError: where ``input`` is not of a floating dtype.

    Example:
        >>> column_heads(torch.tensor([[0.5, 9.0, 0.0, 0.0]]), 1, (3,), seed=0).round(decimals=4)
        tensor([[0.4621, 1.0000, 0.0000, 0.0000]])
    """
    op = "column_heads"
    _check(op, input, scalars, widths)
    if not 0.0 < tau < float("inf"):
        raise ValueError(f"fastgan::{op}: expected tau above 0, got {tau}")
    check_seed(op, seed, offset)
    if composed.needed(op, input):
        return composed_columns.column_heads(op, input, scalars, widths, tau, seed, offset, generator)
    return _column_heads(input, scalars, widths, tau, seed, offset, generator)  # type: ignore[no-any-return]


def condition_loss(input: Tensor, conditions: Tensor, scalars: int, widths: Sequence[int]) -> Tensor:
    """Return the mean cross-entropy between conditions and the segments that hold them.

    It is low where a generator obeys its conditions (Xu et al., "Modeling Tabular Data using Conditional GAN", NeurIPS
    2019, section 4.3). Of each row only the segment of its condition counts, and only it has a gradient.

    Args:
        input: a generator's outputs (..., scalars + sum(widths)), before :func:`column_heads`.
        conditions: int64 (...), the place of each row's condition behind the scalars, in [0, sum(widths)).
        scalars: how many numbers a row begins with.
        widths: the length of each segment, at least 1.

    Returns:
        A scalar in float32 (float64 for float64), under autocast too. It is differentiable twice and more by ``input``,
        and NaN for no rows.

    Raises:
        ValueError: where a shape does not fit, or an argument is outside its range.
        TypeError: where ``input`` is not of a floating dtype or ``conditions`` not int64.
        IndexError: where a condition is outside its range. On CUDA this check would have to wait for the device, so
            there the loss, and the gradient of such a row, are NaN instead.

    Example:
        >>> outputs = torch.tensor([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
        >>> condition_loss(outputs, torch.tensor([0, 1]), 0, (3,))
        tensor(0.0134)
    """
    op = "condition_loss"
    _check(op, input, scalars, widths)
    if composed.needed(op, input):
        return composed_columns.condition_loss(op, input, conditions, scalars, widths)
    return _condition_loss(input, conditions, scalars, widths)  # type: ignore[no-any-return]
