"""The heads of a table's generator: tanh for scalars, Gumbel-softmax for one-hot vectors, and the condition's loss.

They are composed from torch's operations, differentiable any number of times. No loop runs over columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fastgan.data.table.segments import Segments, placed

__all__ = ["column_heads", "condition_loss"]


def column_heads(x: Tensor, segments: Segments, tau: float = 0.2, seed: int | None = None, offset: int = 0) -> Tensor:
    """Turn a generator's outputs into rows: tanh of the scalars, Gumbel-softmax of each one-hot vector.

    Jang et al. (2017), equation 2, with the temperature of Xu et al. (2019): softmax((x + g) / tau), where g has a
    Gumbel distribution. The result of a one-hot vector sums to 1. Its largest entry is a draw from softmax(x).

    Args:
        x: outputs (N, width of `segments`), floating.
        segments: where the scalars and the one-hot vectors are.
        tau: the temperature, above 0.
        seed: with a seed the noise is a pure function of (seed, offset); without, it is drawn from the default
            generator of the device.
        offset: the number of the draw, such as the step.

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
    _check("column_heads", x, segments)
    if not tau > 0:
        raise ValueError(f"column_heads: expected `tau` above 0, got {tau}")
    scalars = x[:, : segments.scalars].tanh()
    if not segments.widths:
        return scalars
    logits = (x[:, segments.scalars :] + _gumbel(x[:, segments.scalars :], seed, offset)) / tau
    owner, padded, _, belongs = placed(segments, x.device, x.dtype)
    # Subtracting the largest entry changes no value of a softmax and needs no gradient.
    largest = logits.detach().index_select(1, padded.flatten()).view(len(x), *padded.shape).amax(2)
    powers = (logits - largest.index_select(1, owner)).exp()
    sums = powers @ belongs
    return torch.cat((scalars, powers / sums.index_select(1, owner)), 1)


def condition_loss(x: Tensor, conditions: Tensor, segments: Segments) -> Tensor:
    """The cross-entropy between the conditions and the vectors that they condition; a scalar.

    Xu et al. (2019), section 4.3: it is low where a generator obeys. Only the one-hot vector of a row's condition
    counts.

    Args:
        x: the generator's outputs (N, width of `segments`), before `column_heads`.
        conditions: int64 (N,), the place of each row's category in [0, segments.condition_width).
        segments: where the one-hot vectors are.

    Raises:
        ValueError: for outputs of another width.

    Example:
        >>> x = torch.tensor([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
        >>> condition_loss(x, torch.tensor([0, 1]), Segments(scalars=0, widths=(3,), conditions=1)).round(decimals=3)
        tensor(0.0130)
    """
    _check("condition_loss", x, segments)
    logits = x[:, segments.scalars :]
    owner, padded, widths, _ = placed(segments, x.device, x.dtype)
    segment = owner[conditions]
    entries = padded[segment]
    inside = torch.arange(entries.shape[1], device=x.device) < widths[segment][:, None]
    total = logits.gather(1, entries).masked_fill(~inside, -torch.inf).logsumexp(1)
    return (total - logits.gather(1, conditions[:, None])[:, 0]).mean()


def _gumbel(x: Tensor, seed: int | None, offset: int) -> Tensor:
    """Gumbel noise of the shape of `x`: minus the logarithm of exponentially distributed numbers."""
    generator = None
    if seed is not None:
        generator = torch.Generator(x.device).manual_seed((seed * 0x9E3779B97F4A7C15 + offset) % 2**63)
    noise = torch.empty_like(x, memory_format=torch.contiguous_format, requires_grad=False)
    return noise.exponential_(generator=generator).log_().neg_()


def _check(op: str, x: Tensor, segments: Segments) -> None:
    if x.dim() != 2 or x.shape[1] != segments.width:
        raise ValueError(f"{op}: expected x of shape [N, {segments.width}], got {list(x.shape)}")
