"""The case of a table's heads: rows as a step of the conditional tabular GAN has them, with the loss of conditions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fastgan import functional as FF
from fastgan.bench._results import Case, Target, Work
from fastgan.bench._workloads import forward_backward

ROWS, TAU = 500, 0.2
SCALARS, WIDTHS = 7, (5, 7, 8, *[10] * 7)  # 7 numbers of 10 modes each, and 3 columns of categories: as `diamonds`
WIDTH = SCALARS + sum(WIDTHS)


def heads_case(threads: int, rows: int = ROWS, faster: float = 4.0) -> Case:
    """Heads and the loss of conditions, forward and backward, by fastgan and by eager PyTorch.

    Args:
        threads: CPU threads.
        rows: of the batch.
        faster: the target for eager PyTorch's time divided by fastgan's.
    """
    name = f"table heads + loss of conditions, forward + backward, {rows:,} x {WIDTH} fp32"
    return Case(
        name,
        lambda device: _works(rows, device),
        threads,
        targets=(Target("eager", faster),),
        labels={"group": "target"},
    )


def _works(rows: int, device: str) -> dict[str, Work]:
    x = torch.randn(rows, WIDTH, device=device, requires_grad=True)
    conditions = torch.randint(sum(WIDTHS), (rows,), device=device)
    grad = torch.randn(rows, WIDTH, device=device)
    layers = {"fastgan": _fused(conditions), "eager": eager_heads(conditions)}
    # The loss is the sum of both results' products with a gradient.
    one = torch.ones((), device=device)
    return {name: forward_backward(_joined(layer, grad), (x,), one) for name, layer in layers.items()}


Heads = Callable[[Tensor], tuple[Tensor, Tensor]]


def _joined(layer: Heads, grad: Tensor) -> Callable[[Tensor], Tensor]:
    def joined(x: Tensor) -> Tensor:
        rows, loss = layer(x)
        return (rows * grad).sum() + loss

    return joined


def _fused(conditions: Tensor) -> Heads:
    def heads(x: Tensor) -> tuple[Tensor, Tensor]:
        return FF.column_heads(x, SCALARS, WIDTHS, tau=TAU), FF.condition_loss(x, conditions, SCALARS, WIDTHS)

    return heads


def eager_heads(conditions: Tensor) -> Heads:
    """The heads in torch's operations, without a loop over columns: sums over segments are a product of matrices.

    Args:
        conditions: int64 (N,), the place of each row's condition behind the scalars.
    """
    sizes = torch.tensor(WIDTHS, device=conditions.device)
    owner = torch.repeat_interleave(sizes)
    belongs = torch.nn.functional.one_hot(owner).float()
    offsets = torch.arange(max(WIDTHS), device=conditions.device)
    starts = sizes.cumsum(0) - sizes
    padded = starts[:, None] + torch.where(offsets < sizes[:, None], offsets, 0)

    def heads(x: Tensor) -> tuple[Tensor, Tensor]:
        logits = x[:, SCALARS:]
        noise = torch.empty_like(logits, requires_grad=False).exponential_().log()
        noisy = (logits - noise) / TAU
        largest = noisy.detach()[:, padded].amax(2)
        powers = (noisy - largest.index_select(1, owner)).exp()
        rows = torch.cat((x[:, :SCALARS].tanh(), powers / (powers @ belongs).index_select(1, owner)), 1)
        segment = owner[conditions]
        outside = offsets >= sizes[segment][:, None]
        total = logits.gather(1, padded[segment]).masked_fill(outside, -torch.inf).logsumexp(1)
        return rows, (total - logits.gather(1, conditions[:, None])[:, 0]).mean()

    return heads
