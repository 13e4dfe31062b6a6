"""Conditions for training: a category for each row of a batch, and a real row that has it."""

from __future__ import annotations

import torch
from torch import Tensor

from fastgan.data.table.segments import Segments, choose

__all__ = ["ConditionSampler", "draw_categories", "row_conditions"]


class ConditionSampler:
    """Draws conditions and rows that fulfil them; "training by sampling" of Xu et al. (2019), section 4.3.

    A batch is a handful of array operations on the table's device; nothing loops over rows or columns. What is drawn
    depends on the state of the given generator alone.

    Args:
        codes: int64 (N, S), the category of each row in each column, at least one row; the first `segments.conditions`
            columns are used.
        segments: the table's layout.

    Raises:
        ValueError: for a table without rows, or codes of another shape.

    Example:
        >>> codes = torch.tensor([[0], [0], [0], [1]])
        >>> sampler = ConditionSampler(codes, Segments(scalars=0, widths=(2,), conditions=1))
        >>> conditions, rows = sampler.draw(1000, torch.Generator().manual_seed(0))
        >>> bool((codes[rows, 0] == conditions).all()), conditions.float().mean().round(decimals=1)
        (True, tensor(0.3000))
    """

    def __init__(self, codes: Tensor, segments: Segments) -> None:
        if codes.dim() != 2 or codes.shape[1] != len(segments.widths) or not len(codes):
            raise ValueError(
                f"ConditionSampler: expected codes of shape [N, {len(segments.widths)}], got {list(codes.shape)}"
            )
        self._rows, self._columns = codes.shape[0], segments.conditions
        if not self._columns:
            self._device = codes.device
            return
        device = self._device = codes.device
        places = codes[:, : self._columns] + segments.starts[: self._columns].to(device)
        counts = torch.bincount(places.flatten(), minlength=segments.condition_width)
        # Rows in the order of their categories, one column after the other; starts: where a category's rows begin.
        self._order = codes[:, : self._columns].argsort(dim=0, stable=True).T.flatten().contiguous()
        self._counts, self._starts = counts, counts.cumsum(0) - counts
        owner = segments.owner[: segments.condition_width].to(device)
        self._log = self._cumulated(counts, owner)

    def draw(self, count: int, generator: torch.Generator | None = None) -> tuple[Tensor | None, Tensor]:
        """Draw a batch for training: a column, one of its categories by the logarithm of its frequency, a row of it.

        Args:
            count: the size of the batch.
            generator: of the table's device; None takes its default one.

        Returns:
            The place of each category in [0, segments.condition_width), int64 (count,), or None where no column can be
            a condition; and the indices (count,) of the rows.
        """
        if not self._columns:
            return None, torch.randint(self._rows, (count,), generator=generator, device=self._device)
        conditions = draw_categories(self._log, count, generator)
        place = torch.rand(count, dtype=torch.float64, generator=generator, device=self._device)
        sizes = self._counts[conditions]
        rows = self._starts[conditions] + (place * sizes).long().clamp_max(sizes - 1)
        return conditions, self._order[rows]

    def _cumulated(self, counts: Tensor, owner: Tensor) -> Tensor:
        """Sums up to each category of the logarithms of their counts, where each column's are scaled to sum to 1."""
        weights = (counts + 1.0).log().double()  # 0 for a category without rows
        sums = torch.zeros(self._columns, dtype=torch.float64, device=weights.device).index_add_(0, owner, weights)
        return (weights / sums[owner]).cumsum(0)


def draw_categories(cumulated: Tensor, count: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw places of categories, int64 (count,), never one of weight 0.

    Args:
        cumulated: float64 (W,), the sums of the weights up to each category.
        count: how many.
        generator: of the device of `cumulated`; None takes its default one.
    """
    place = torch.rand(count, dtype=torch.float64, generator=generator, device=cumulated.device) * cumulated[-1]
    # A category of weight 0 has the sum of the one before it, so that `right` passes over it.
    return torch.searchsorted(cumulated, place, right=True).clamp_max(len(cumulated) - 1)


def row_conditions(rows: Tensor, segments: Segments, seed: int = 0) -> Tensor | None:
    """For each row one of the conditions that it fulfils, as a discriminator gets it beside the row.

    Args:
        rows: (N, width of `segments`).
        segments: the table's layout.
        seed: chooses the columns.

    Returns:
        The places, int64 (N,), as `ConditionSampler.draw` gives them; None where no column can be a condition.
    """
    count = segments.conditions
    if not count:
        return None
    column = torch.randint(count, (len(rows), 1), generator=torch.Generator().manual_seed(seed)).to(rows.device)
    places = choose(rows, segments)[:, :count] + segments.starts[:count].to(rows.device)
    return places.gather(1, column)[:, 0]
