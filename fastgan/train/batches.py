"""Batches of real samples, in an order that depends on nothing but seed and number."""

from __future__ import annotations

import torch
from torch import Tensor

from fastgan.train.randomness import derive

_ORDER = 1  # the order's place among the purposes of a seed


class Batches:
    """The training set cut into batches: every epoch a new permutation, incomplete batches dropped.

    Batch k is a pure function of (seed, k), so a run that resumes at step k goes on with the very
    batches that it would have seen, and no order needs saving.

    Args:
        samples: (N, ...) on the device that trains.
        labels: (N,) int64 on the same device, or None.
        batch_size: at most N.
        seed: of the permutations.
    """

    def __init__(self, samples: Tensor, labels: Tensor | None, batch_size: int, seed: int) -> None:
        if batch_size > len(samples):
            raise ValueError(
                f"train: expected `batch_size` to be at most the {len(samples)} samples of the data, got {batch_size}"
            )
        self.samples, self.labels, self.batch_size, self.seed = samples, labels, batch_size, seed
        self.per_epoch = len(samples) // batch_size
        self._epoch = -1
        self._order = torch.empty(0)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor | None]:
        """Samples (batch_size, ...) and labels of batch `number`, counted from 0 through all epochs."""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._permutation(epoch)
        first = place * self.batch_size
        chosen = self._order[first : first + self.batch_size]
        return self.samples[chosen], None if self.labels is None else self.labels[chosen]

    def _permutation(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(derive(self.seed, _ORDER, epoch))
        return torch.randperm(len(self.samples), generator=generator).to(self.samples.device)
