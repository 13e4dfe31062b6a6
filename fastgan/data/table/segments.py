"""The layout of a row of an encoded table: scalars first, then a one-hot vector for each column."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Placed", "Segments", "choose", "one_hot", "placed"]


@dataclass(frozen=True)
class Segments:
    """How a row is cut: `scalars` numbers in [-1, 1], then one-hot vectors of these `widths`.

    The first `conditions` one-hot vectors are those of the table's own categories, on which rows can be conditioned;
    the others say which mode of its mixture a number belongs to.

    Attributes:
        scalars: how many numbers a row begins with.
        widths: the length of each one-hot vector, at least 1.
        conditions: how many of the one-hot vectors can be conditions.

    Example:
        >>> segments = Segments(scalars=1, widths=(2, 3), conditions=1)
        >>> segments.width, segments.condition_width, segments.starts.tolist()
        (6, 2, [0, 2])
    """

    scalars: int
    widths: tuple[int, ...]
    conditions: int = 0

    @property
    def width(self) -> int:
        """The length of a row."""
        return self.scalars + sum(self.widths)

    @property
    def condition_width(self) -> int:
        """The length of a condition: of the one-hot vectors that can be conditions."""
        return sum(self.widths[: self.conditions])

    @cached_property
    def starts(self) -> Tensor:
        """int64 (S,): where each one-hot vector begins, counted from the end of the scalars."""
        widths = torch.tensor(self.widths, dtype=torch.int64)
        return widths.cumsum(0) - widths

    @cached_property
    def owner(self) -> Tensor:
        """int64 (W,): to which one-hot vector each entry behind the scalars belongs."""
        return torch.repeat_interleave(torch.arange(len(self.widths)), torch.tensor(self.widths, dtype=torch.int64))

    @cached_property
    def padded(self) -> Tensor:
        """int64 (S, longest): the entries of each one-hot vector; its first one again where it is shorter."""
        offsets = torch.arange(max(self.widths, default=0))
        inside = offsets < torch.tensor(self.widths, dtype=torch.int64)[:, None]
        return self.starts[:, None] + torch.where(inside, offsets, 0)


class Placed(NamedTuple):
    """The indices of `Segments` on a device.

    Attributes:
        padded: int64 (S, longest), as in `Segments`.
        widths: int64 (S,).
    """

    padded: Tensor
    widths: Tensor


@lru_cache(maxsize=64)
def placed(segments: Segments, device: torch.device) -> Placed:
    """The indices on a device, made once, so that sampling copies nothing from the host.

    Args:
        segments: the layout.
        device: where they are needed.
    """
    widths = torch.tensor(segments.widths, dtype=torch.int64)
    return Placed(segments.padded.to(device), widths.to(device))


def choose(x: Tensor, segments: Segments) -> Tensor:
    """The place of the largest entry of each one-hot vector.

    Args:
        x: rows or outputs (N, width of `segments`).
        segments: where the one-hot vectors are.

    Returns:
        int64 (N, S).

    Raises:
        ValueError: for rows of another width.
    """
    if x.dim() != 2 or x.shape[1] != segments.width:
        raise ValueError(f"choose: expected x of shape [N, {segments.width}], got {list(x.shape)}")
    padded, widths = placed(segments, x.device)
    # A shorter vector's first entry stands again behind its own; argmax takes the first of equals on a CPU only.
    places = x[:, segments.scalars :].index_select(1, padded.flatten()).view(len(x), *padded.shape).argmax(2)
    return torch.where(places < widths, places, 0)


def one_hot(scalars: Tensor, codes: Tensor, segments: Segments) -> Tensor:
    """Rows (N, width of `segments`) of scalars and one-hot vectors.

    Args:
        scalars: floating (N, C).
        codes: int64 (N, S), the place of the 1 in each vector; -1 makes a vector of zeros.
        segments: the layout.
    """
    rows = scalars.new_zeros(len(codes), segments.width)
    rows[:, : segments.scalars] = scalars
    starts = segments.scalars + segments.starts.to(codes.device)
    return rows.scatter_(1, codes.clamp_min(0) + starts, (codes >= 0).to(rows.dtype))
