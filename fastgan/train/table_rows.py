"""New rows from a trained generator of tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from fastgan._support.random import derive
from fastgan.data.table.encoding import TableEncoding
from fastgan.data.table.segments import Segments
from fastgan.train.latents import draw_latents
from fastgan.train.randomness import drawn

__all__ = ["CHUNK", "new_rows"]

CHUNK = 16384  # rows that are made at once
_TRIES = 200  # rows made for each row wanted, at most, where conditions must hold


def new_rows(
    generator: nn.Module,
    encoding: TableEncoding,
    latent_dim: int,
    n: int,
    seed: int,
    conditions: Mapping[Any, Any] | None = None,
    truncation: float | None = None,
) -> Iterator[Tensor]:
    """Make rows in parts of at most `CHUNK`, at least one part.

    Without conditions a row's own condition is drawn as the table has them. With conditions the generator gets the
    rarest of them, which says most, and rows that do not fulfil all of them are made again.

    Args:
        generator: of the network `tabular`, in eval mode.
        encoding: of the table.
        latent_dim: of the generator.
        n: how many rows.
        seed: of every random choice.
        conditions: for columns of categories the value that all rows must have.
        truncation: bound of the latents' normal distribution; None does not truncate.

    Returns:
        Rows (N, width of the segments), as `TableEncoding.decode` takes them.

    Raises:
        ValueError: for a column that is no category, a value that never occurs, conditions that hardly any row
            fulfils, which the message names, or a truncation that is not positive and finite.
    """
    asked = dict(conditions or {})
    places = [encoding.condition(name, value) for name, value in asked.items()]
    words = ", ".join(f"{name}={value}" for name, value in asked.items())
    rarest = min(places, key=encoding.frequencies.__getitem__) if places else None
    device = next(generator.parameters()).device

    def make(count: int, part: int) -> Tensor:
        random = torch.Generator().manual_seed(derive(seed, part))
        latents = draw_latents(count, latent_dim, random, truncation)
        given = encoding.draw_conditions(count, random) if rarest is None else torch.full((count,), rarest)
        given = None if given is None else given.to(device)
        return drawn(generator, derive(seed, part, 0), latents.to(device), given)

    def parts() -> Iterator[Tensor]:
        done = made = part = 0
        while done < n or part == 0:
            count = n - done
            if places:  # by the share that was kept so far
                count = math.ceil(1.1 * count * made / done) if done else max(256, count, made)
            rows = make(min(count, CHUNK), part)
            made, part = made + len(rows), part + 1
            rows = _fulfilling(rows, places, encoding.segments)[: n - done]
            if len(rows) or n == 0:
                yield rows
            done += len(rows)
            if made > _TRIES * max(n, 1000) and done < n:
                raise ValueError(f"tabular: expected {n} rows with {words}, got {done} among {made}")

    return parts()


def _fulfilling(rows: Tensor, places: list[int], segments: Segments) -> Tensor:
    """Those rows that have a 1 at all places behind the scalars."""
    for place in places:
        rows = rows[rows[:, segments.scalars + place] > 0.5]
    return rows
