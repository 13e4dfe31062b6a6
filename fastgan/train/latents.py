"""Paths between latent vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["draw_latents", "great_circle"]


def great_circle(first: Tensor, last: Tensor, share: float) -> Tensor:
    """The point that lies a share of the way between two vectors, on the great circle through both.

    A point there is as long as the ends are, and so as typical of the normal distribution (White, 2016, "Sampling
    Generative Networks").

    Args:
        first: (latent_dim,), the point for the share 0.
        last: (latent_dim,), the point for the share 1.
        share: of the way.
    """
    angle = torch.arccos(torch.nn.functional.cosine_similarity(first, last, dim=0).clamp(-1, 1))
    if float(angle.sin().abs()) < 1e-6:
        return first + share * (last - first)
    return (((1 - share) * angle).sin() * first + (share * angle).sin() * last) / angle.sin()


def draw_latents(count: int, dim: int, generator: torch.Generator, truncation: float | None = None) -> Tensor:
    """Latents (count, dim) from the normal distribution.

    Args:
        count: how many.
        dim: length of each.
        generator: draws them, on its device.
        truncation: bound of the distribution; None does not truncate.

    Raises:
        ValueError: for a truncation that is not positive and finite.
    """
    if truncation is not None and not 0 < truncation < float("inf"):
        raise ValueError(f"sample: expected `truncation` to be more than 0 and finite, got {truncation}")
    latents = torch.randn(count, dim, generator=generator, device=generator.device)
    if truncation is not None:
        nn.init.trunc_normal_(latents, a=-truncation, b=truncation, generator=generator)
    return latents
