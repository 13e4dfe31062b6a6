"""Balanced classes and class weights."""

from __future__ import annotations

import torch
from torch import Tensor

from fastgan._support.random import derive
from fastgan.train import distributed
from fastgan.train.batches import Order
from fastgan.train.randomness import Purpose
from fastgan.train.spread import Share

__all__ = ["BALANCES", "BalancedOrder", "class_weights"]

BALANCES = ("none", "weights", "sampler")


class BalancedOrder(Order):
    """The indices of batches in which all classes are equally frequent, whatever their frequencies in the data.

    Where the data are spread over machines that holds for the classes of each part.

    Over the whole run, the numbers of draws of two classes differ by at most 1. Each class has its own permutations,
    so the samples of a rare class repeat more often. Batch k is a pure function of (seed, k).

    Args:
        labels: (N,) int64 classes; they need not be consecutive numbers.
        batch_size: samples in a batch, at most N.
        seed: seed of the permutations.
        share: which samples of the data this process draws; None if all processes hold the same data.

    Raises:
        ValueError: if `batch_size` is larger than N.
    """

    def __init__(self, labels: Tensor, batch_size: int, seed: int, share: Share | None = None) -> None:
        super().__init__(len(labels), batch_size, seed, share)
        labels = labels.cpu()
        self._members = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
        self._orders: list[tuple[int, Tensor]] = [(-1, members) for members in self._members]

    def indices(self, number: int) -> Tensor:
        """The indices (batch_size,) of the whole batch `number`, counted from 0."""
        classes = len(self._members)
        draws = torch.arange(number * self.batch_size, (number + 1) * self.batch_size)
        chosen = torch.empty_like(draws)
        for offset in range(min(classes, len(draws))):
            label = (int(draws[0]) + offset) % classes
            of_label = draws % classes == label
            chosen[of_label] = self._draw(label, draws[of_label] // classes)
        # Shuffled, so that a sample's position in the batch does not depend on its class.
        generator = torch.Generator().manual_seed(derive(self.seed, Purpose.POSITIONS, number))
        return chosen[torch.randperm(len(chosen), generator=generator)]

    def _draw(self, label: int, numbers: Tensor) -> Tensor:
        """The indices that the draws `numbers` of a class give; ascending, counted from 0 through its permutations."""
        members = self._members[label]
        epochs, positions = numbers // len(members), numbers % len(members)
        chosen = torch.empty_like(numbers)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            if self._orders[label][0] != epoch:
                generator = torch.Generator().manual_seed(derive(self.seed, Purpose.CLASS_ORDER, label, epoch))
                self._orders[label] = epoch, members[torch.randperm(len(members), generator=generator)]
            in_epoch = epochs == epoch
            chosen[in_epoch] = self._orders[label][1][positions[in_epoch]]
        return chosen


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """Weights (C,) of classes, inverse to the frequencies with which they are drawn, with mean 1 over the samples.

    Args:
        labels: (N,) int64 classes of this process's data; all processes must call it together.
        classes: C; labels are below it. A class without samples has the weight 0.
    """
    drawn = torch.bincount(labels, minlength=classes).double() / len(labels)
    distributed.average_([drawn])
    present = drawn > 0
    return torch.where(present, 1 / (present.sum() * drawn), 0.0).float()
