"""Which real samples a step sees: classes drawn evenly, classes weighed, images mirrored."""

from __future__ import annotations

import torch
from torch import Tensor

from fastgan._support.random import derive
from fastgan.train import distributed
from fastgan.train.batches import Batch, Order, Source, sent
from fastgan.train.randomness import Purpose

__all__ = ["BALANCES", "BalancedOrder", "Flipped", "class_weights"]

BALANCES = ("none", "weights", "sampler")


class BalancedOrder(Order):
    """Batches that hold every class evenly, whatever its share of the data.

    Counted over the whole run, no class is drawn more than once more than another. Each class goes through its own
    permutations, so a rare one repeats its samples more often. Batch k is a pure function of (seed, k).

    Args:
        labels: (N,) int64 classes, in any numbering.
        batch_size: samples in a batch.
        seed: of the permutations.
    """

    def __init__(self, labels: Tensor, batch_size: int, seed: int) -> None:
        super().__init__(len(labels), batch_size, seed)
        labels = labels.cpu()
        self._members = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
        self._orders: list[tuple[int, Tensor]] = [(-1, members) for members in self._members]

    def indices(self, number: int) -> Tensor:
        """The samples' indices (batch_size,) of batch `number`."""
        classes = len(self._members)
        draws = torch.arange(number * self.batch_size, (number + 1) * self.batch_size)
        chosen = torch.empty_like(draws)
        for label in range(min(classes, len(draws))):
            label = (int(draws[0]) + label) % classes
            mine = draws % classes == label
            chosen[mine] = self._nth(label, draws[mine] // classes)
        # Mixed, so that a sample's place in the batch says nothing of its class.
        generator = torch.Generator().manual_seed(derive(self.seed, Purpose.PLACES, number))
        return chosen[torch.randperm(len(chosen), generator=generator)]

    def _nth(self, label: int, turns: Tensor) -> Tensor:
        """The samples that a class gives in these turns, ascending, counted from 0 through all its permutations."""
        members = self._members[label]
        epochs, places = turns // len(members), turns % len(members)
        chosen = torch.empty_like(turns)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            if self._orders[label][0] != epoch:
                generator = torch.Generator().manual_seed(derive(self.seed, Purpose.CLASS_ORDER, label, epoch))
                self._orders[label] = epoch, members[torch.randperm(len(members), generator=generator)]
            now = epochs == epoch
            chosen[now] = self._orders[label][1][places[now]]
        return chosen


def class_weights(labels: Tensor) -> Tensor:
    """A weight for each class from 0 to the largest (C,): inverse to its frequency, with mean 1 over the samples."""
    counts = torch.bincount(labels)
    weights = len(labels) / (int((counts > 0).sum()) * counts.clamp_min(1).double())
    return weights.float() * (counts > 0)


class Flipped:
    """Batches of images (N, C, H, W), each mirrored left to right by chance, the same ones in every run of a seed.

    Args:
        source: of the batches.
        seed: of the choice.
    """

    def __init__(self, source: Source, seed: int) -> None:
        self._source, self._seed = source, seed

    def __getitem__(self, number: int) -> Batch:
        """Samples and labels of batch `number`."""
        samples, labels = self._source[number]
        generator = torch.Generator().manual_seed(derive(self._seed, Purpose.FLIP, number))
        count = len(samples) * distributed.world_size()
        chosen = distributed.shard(torch.rand(count, generator=generator) < 0.5)
        mirrored = sent(chosen, samples.device)[:, None, None, None]
        return torch.where(mirrored, samples.flip(-1), samples), labels
