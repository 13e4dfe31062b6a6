"""Paths between latent vectors."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["great_circle"]


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
