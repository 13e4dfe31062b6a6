"""Conditional networks, which take class labels as a second argument."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

__all__ = ["LabelledDiscriminator", "LabelledGenerator"]


class LabelledGenerator(nn.Module):
    """A conditional generator: `body` gets the latents with one-hot labels appended.

    Args:
        body: maps (N, latent_dim + classes) to samples.
        classes: their number.
    """

    def __init__(self, body: nn.Module, classes: int) -> None:
        super().__init__()
        self.body, self.classes = body, classes

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Map `latents` (N, latent_dim) and `labels` (N,) int64 to samples."""
        one_hot = nn.functional.one_hot(labels, self.classes).to(latents.dtype)
        return cast(Tensor, self.body(torch.cat((latents, one_hot), 1)))


class LabelledDiscriminator(nn.Module):
    """A conditional discriminator: `body` gets the samples with one-hot labels appended.

    The labels are constant channels for a convolutional body, and further features for a dense one.

    Args:
        body: maps samples with `classes` more channels or features to logits (N, 1).
        classes: their number.
        dense: whether `body` takes (N, features) rather than images.
    """

    def __init__(self, body: nn.Module, classes: int, dense: bool) -> None:
        super().__init__()
        self.body, self.classes, self.dense = body, classes, dense

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Map `samples` (N, ...) and `labels` (N,) int64 to logits (N, 1)."""
        one_hot = nn.functional.one_hot(labels, self.classes).to(samples.dtype)
        if self.dense:
            return cast(Tensor, self.body(torch.cat((samples.flatten(1), one_hot), 1)))
        maps = one_hot[:, :, None, None].expand(-1, -1, *samples.shape[2:])
        return cast(Tensor, self.body(torch.cat((samples, maps), 1)))
