"""The results of the kernels of a table's columns, composed from torch operations.

They replace the kernels where `fastgan.functional.composed` says. The random bits are the kernels', bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fastgan.functional.composed import check_floating, draw_seed, philox_draws

__all__ = ["column_heads", "condition_loss", "gumbel_noise"]

_ROW_BITS = 40


def _wide(input: Tensor) -> Tensor:
    return input.double() if input.dtype == torch.float64 else input.float()


def gumbel_noise(shape: Sequence[int], seed: int, offset: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the Gumbel noise that the kernels add to rows of logits.

    Element (row, entry) has word entry % 4 of the Philox block whose number is entry // 4 * 2^40 + row.

    Args:
        shape: (..., entries); all dimensions before the last one count rows.
        seed: 64 bits.
        offset: 64 bits.
        device: where the noise is made.
        dtype: float32 or float64.
    """
    entries = shape[-1]
    rows = torch.Size(shape[:-1]).numel()
    blocks = torch.arange((entries + 3) // 4, device=device) << _ROW_BITS
    halves = philox_draws(seed, offset, torch.arange(rows, device=device)[:, None] + blocks)
    words = (halves[..., 0::2] | halves[..., 1::2] << 16).flatten(1)[:, :entries]
    uniform = words.to(dtype) * 2.0**-32 + 2.0**-33
    if dtype == torch.float32:
        uniform = uniform.clamp_max(1.0 - 2.0**-24)
    # log1p keeps the digits of a small number, from which the large noise comes.
    return (-(-torch.log1p(-uniform)).log()).reshape(shape)


def column_heads(
    op: str,
    input: Tensor,
    scalars: int,
    widths: Sequence[int],
    tau: float,
    seed: int | None,
    offset: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Compute the tanh of scalars and the Gumbel-softmax of segments from torch operations.

    ``op`` is the function's name in messages. The other arguments are those of
    :func:`fastgan.functional.column_heads`.

    Raises:
        TypeError: where ``input`` is not floating.
        RuntimeError: under vmap without a seed.
    """
    check_floating(op, "input", input)
    value = _wide(input)
    results = [value[..., :scalars].tanh()]
    if widths:
        if seed is None:
            seed = draw_seed(op, generator)
        logits = value[..., scalars:]
        noise = gumbel_noise(logits.shape, seed, offset, logits.device, logits.dtype)
        results += [part.softmax(-1) for part in torch.split((logits + noise) / tau, list(widths), -1)]
    # torch.cat leaves out a tensor of shape (0,), and with it its gradient.
    return (torch.cat(results, -1) if widths else results[0]).to(input.dtype)


def condition_loss(op: str, input: Tensor, conditions: Tensor, scalars: int, widths: Sequence[int]) -> Tensor:
    """Compute the cross-entropy of the conditioned segments from torch operations.

    ``op`` is the function's name in messages. The other arguments are those of
    :func:`fastgan.functional.condition_loss`.

    Raises:
        TypeError: where ``input`` is not floating.
    """
    check_floating(op, "input", input)
    logits = _wide(input)[..., scalars:]
    sizes = torch.tensor(list(widths), device=input.device, dtype=torch.int64)
    owner = torch.repeat_interleave(sizes)
    inside = owner == owner[conditions].unsqueeze(-1)
    total = logits.masked_fill(~inside, -torch.inf).logsumexp(-1)
    return (total - logits.gather(-1, conditions.unsqueeze(-1)).squeeze(-1)).mean()
