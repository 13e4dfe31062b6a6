"""New rows from a trained generator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from fastgan._support.random import derive
from fastgan.tabular.conditions import draw_categories
from fastgan.tabular.encoding import TableEncoding
from fastgan.tabular.heads import choose
from fastgan.tabular.networks import TableGenerator

__all__ = ["CHUNK", "new_rows"]

CHUNK = 16384  # rows that are made at once
_TRIES = 200  # rows made for each row wanted, at most, where conditions must hold


def new_rows(
    generator: TableGenerator, encoding: TableEncoding, n: int, conditions: Mapping[Any, Any], seed: int
) -> Iterator[Any]:
    """Make rows as DataFrames of at most `CHUNK` rows, at least one DataFrame.

    Without conditions a row's own condition is drawn as the table has them. With conditions the generator gets the
    rarest of them, which says most, and rows that do not fulfil all of them are made again.

    Args:
        generator: in eval mode.
        encoding: of the table.
        n: how many rows.
        conditions: for columns of categories the value that all rows must have.
        seed: seeds torch's default generators for each DataFrame.

    Raises:
        ValueError: for a column that is no category, a value that never occurs, or conditions that hardly any row
            fulfils; the message names them.
    """
    places = [encoding.condition(name, value) for name, value in conditions.items()]
    return _parts(generator, encoding, n, places, seed, ", ".join(f"{c}={v}" for c, v in conditions.items()))


def _parts(
    generator: TableGenerator, encoding: TableEncoding, n: int, places: list[int], seed: int, asked: str
) -> Iterator[Any]:
    segments = encoding.segments
    done = made = part = 0
    while done < n or part == 0:
        count = n - done
        if places:  # by the share that was kept so far
            count = math.ceil(1.1 * count * made / done) if done else max(256, count, made)
        torch.manual_seed(derive(seed, part))
        scalars, codes = _draw(generator, encoding, min(count, CHUNK), places)
        made, part = made + len(codes), part + 1
        for place in places:
            owner = int(segments.owner[place])
            kept = codes[:, owner] == place - int(segments.starts[owner])
            scalars, codes = scalars[kept], codes[kept]
        scalars, codes = scalars[: n - done], codes[: n - done]
        if len(codes) or n == 0:
            yield encoding.decode_codes(scalars, codes, seed, done)
        done += len(codes)
        if made > _TRIES * max(n, 1000) and done < n:
            raise ValueError(f"tabular: expected {n} rows with {asked}, got {done} among {made}")


@torch.no_grad()
def _draw(generator: TableGenerator, encoding: TableEncoding, count: int, places: list[int]) -> tuple[Tensor, Tensor]:
    """Scalars and codes of new rows."""
    segments, device = encoding.segments, generator.out.weight.device
    conditions = None
    if places:
        rarest = min(places, key=encoding.frequencies.__getitem__)
        conditions = torch.full((count,), rarest, device=device)
    elif segments.conditions:
        cumulated = torch.tensor(encoding.frequencies, dtype=torch.float64, device=device).cumsum(0)
        conditions = draw_categories(cumulated, count)
    outputs = generator.outputs(torch.randn(count, generator.latent_dim, device=device), conditions)
    return outputs[:, : segments.scalars].tanh(), choose(outputs, segments, noise=True)
