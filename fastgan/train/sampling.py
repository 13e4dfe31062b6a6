"""Batches of balanced classes, class weights, and batches by conditions."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from fastgan._support.random import derive
from fastgan.data.table.conditions import ConditionSampler
from fastgan.data.table.segments import Segments
from fastgan.train import distributed
from fastgan.train.batches import Order
from fastgan.train.conditions import Condition
from fastgan.train.randomness import Purpose
from fastgan.train.spread import Share

__all__ = ["BALANCES", "BalancedOrder", "ConditionOrder", "class_weights"]

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


class ConditionOrder(Order):
    """The batches of an encoded table: a condition for each row, and a row that has it; see `ConditionSampler`.

    Rows are drawn with replacement, so a table may have fewer of them than a batch. Batch k is a pure function of
    (seed, k) and the device.

    Args:
        codes: int64 (N, S), as `TableEncoding.codes` gives them.
        segments: the table's layout.
        batch_size: rows in a batch.
        seed: seed of the draws.
        share: which rows of a batch this process draws; None if all processes share it equally.
    """

    def __init__(
        self, codes: Tensor, segments: Segments, batch_size: int, seed: int, share: Share | None = None
    ) -> None:
        super().__init__(len(codes), min(batch_size, len(codes)), seed, share)
        self.batch_size = self.share.batch_size(batch_size)
        self.sampler = ConditionSampler(codes, segments)
        self._generator = torch.Generator(codes.device)
        self._number, self._drawn = -1, self.sampler.draw(0, self._generator)

    def indices(self, number: int) -> Tensor:
        """The indices (batch_size,) of the rows of the whole batch `number`."""
        return self._draw(number)[1]

    def labels(self, number: int, labels: Condition) -> Condition:
        """The conditions of this process's shard of batch `number`; `labels` do not matter."""
        conditions = self._draw(number)[0]
        return None if conditions is None else self.share.of(conditions)

    def draws(self, purpose: Purpose, count: int) -> Iterator[Condition]:
        """Conditions (batch_size,) of `count` batches, drawn as in the training for another `purpose`."""
        generator = torch.Generator(self._generator.device).manual_seed(derive(self.seed, purpose))
        return (self.sampler.draw(self.batch_size, generator)[0] for _ in range(count))

    def _draw(self, number: int) -> tuple[Condition, Tensor]:
        if number != self._number:
            self._generator.manual_seed(derive(self.seed, Purpose.CONDITION, number))
            self._number, self._drawn = number, self.sampler.draw(self.batch_size, self._generator)
        return self._drawn


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
