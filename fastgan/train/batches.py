"""Batches of real samples; which samples a batch holds depends only on the seed and the batch's number."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fastgan._support.random import derive
from fastgan.train import distributed
from fastgan.train.randomness import Purpose

__all__ = ["Batch", "BatchSource", "Batches", "Labels", "LoadedBatches", "Order", "to_device"]

Labels = Tensor | None
Batch = tuple[Tensor, Labels]


class Order:
    """The indices of each batch's samples: a new permutation every epoch, without the incomplete last batch.

    Batch k is a pure function of (seed, k). So a run that resumes at step k sees the same batches as one that was never
    interrupted, and checkpoints hold no order.

    Args:
        count: number of samples in the data.
        batch_size: samples in a batch, at most `count`.
        seed: seed of the permutations.

    Raises:
        ValueError: if `batch_size` is larger than `count`.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        if batch_size > count:
            raise ValueError(
                f"train: expected `batch_size` to be at most the {count} samples of the data, got {batch_size}"
            )
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self._epoch = -1
        self._order = torch.empty(0)

    def __getitem__(self, number: int) -> Tensor:
        """The indices (batch_size,) of batch `number`, or this process's shard of them; see `indices`."""
        return distributed.shard(self.indices(number))

    def indices(self, number: int) -> Tensor:
        """The indices (batch_size,) of the whole batch `number`, counted from 0 through all epochs."""
        epoch, position = divmod(number, self.count // self.batch_size)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derive(self.seed, Purpose.ORDER, epoch))
            self._epoch, self._order = epoch, torch.randperm(self.count, generator=generator)
        first = position * self.batch_size
        return self._order[first : first + self.batch_size]


class BatchSource(Protocol):
    """What supplies the real samples of a training step."""

    def __getitem__(self, number: int) -> Batch:
        """Samples (batch_size, ...) and labels of batch `number`, on the training device."""


class Batches:
    """Batches of a tensor, which is kept on the device if it fits there.

    Otherwise it stays in CPU memory, and a thread gathers the next batch in pinned memory while the device works on the
    current one.

    Args:
        samples: (N, ...).
        labels: (N,) int64, or None.
        batch_size: samples in a batch, at most N.
        seed: seed of the order.
        device: the training device; by default that of `samples`.

    Attributes:
        order: the `Order` of the batches.
        staged: whether the samples stay in CPU memory.
        samples: the samples, on the device unless `staged`.
        labels: the labels, where the samples are.

    Raises:
        ValueError: if `batch_size` is larger than N.
    """

    def __init__(
        self, samples: Tensor, labels: Tensor | None, batch_size: int, seed: int, device: torch.device | None = None
    ) -> None:
        device = samples.device if device is None else device
        self.order = Order(len(samples), batch_size, seed)
        self.staged = device.type == "cuda" and not samples.is_cuda and not _fits(samples, device)
        self._device = device
        if not _is_dense(samples):
            samples = samples.contiguous()
        self.samples = samples if self.staged else samples.to(device)
        self.labels = None if labels is None else labels.to(self.samples.device)
        self._matrix = _as_matrix(self.samples)
        self._prefetched: tuple[int, Future[Batch]] | None = None
        self._pool = ThreadPoolExecutor(1, "fastgan-batches") if self.staged else None

    def __getitem__(self, number: int) -> Batch:
        """Samples (batch_size, ...) and labels of batch `number`."""
        if self._pool is None:
            return self._gather(to_device(self.order[number], self._device))
        if self._prefetched is not None and self._prefetched[0] == number:
            batch = self._prefetched[1].result()
        else:
            batch = self._gather_pinned(self.order[number])
        self._prefetched = number + 1, self._pool.submit(self._gather_pinned, self.order[number + 1])
        return _batch_to_device(batch, self._device)

    def _gather(self, indices: Tensor) -> Batch:
        """Samples and labels at the indices; `index_select` copies whole rows, where indexing copies single numbers."""
        shape, strides = self.samples.shape[1:], self.samples.stride()
        rows = self._matrix.index_select(0, indices)
        samples = rows.as_strided((len(indices), *shape), strides)
        return samples, None if self.labels is None else self.labels[indices]

    def _gather_pinned(self, indices: Tensor) -> Batch:
        samples, labels = self._gather(indices)
        return samples.pin_memory(), None if labels is None else labels.pin_memory()


class LoadedBatches:
    """Batches of a map-style `Dataset`, loaded in advance by worker processes.

    Args:
        dataset: samples, or pairs of a sample and an int label; its length must be known.
        labelled: whether batches have the labels; otherwise labels are dropped.
        batch_size: samples in a batch, at most the length of `dataset`.
        seed: seed of the order and of the workers' random numbers.
        device: the training device.
        workers: number of worker processes; 0 loads in this process.

    Attributes:
        order: the `Order` of the batches.

    Raises:
        ValueError: if `batch_size` is larger than the length of `dataset`.
    """

    def __init__(
        self, dataset: Dataset[Any], labelled: bool, batch_size: int, seed: int, device: torch.device, workers: int
    ) -> None:
        self.order = Order(len(dataset), batch_size, seed)  # type: ignore[arg-type]
        self._dataset, self._labelled, self._device, self._workers = dataset, labelled, device, workers
        self._next = -1
        self._loading: Iterator[Any] = iter(())

    def __getitem__(self, number: int) -> Batch:
        """Samples (batch_size, ...) and labels of batch `number`; any but the next one starts new workers.

        Raises:
            RuntimeError: if a worker process ended.
        """
        if number != self._next:
            loader = DataLoader(
                self._dataset,
                batch_sampler=_OrderFrom(self.order, number),
                num_workers=self._workers,
                pin_memory=self._device.type == "cuda",
                generator=torch.Generator().manual_seed(
                    derive(self.order.seed, Purpose.LOADING, number, distributed.rank())
                ),
            )
            self._loading = iter(loader)
        self._next = number + 1
        try:
            item = next(self._loading)
        except (ConnectionError, EOFError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                raise  # raised by the data set itself
            raise RuntimeError(
                f"train: expected batch {number} from {self._workers} `workers`, got none, as a worker process "
                f"ended, perhaps because memory ran out: {error}"
            ) from error
        samples, labels = item if isinstance(item, list | tuple) else (item, None)
        return _batch_to_device((samples, labels if self._labelled else None), self._device)


class _OrderFrom(Sampler[list[int]]):
    """The indices of batch `first` and of all batches after it."""

    def __init__(self, order: Order, first: int) -> None:
        self._order, self._first = order, first

    def __iter__(self) -> Iterator[list[int]]:
        number = self._first
        while True:
            yield self._order[number].tolist()
            number += 1


def _is_dense(samples: Tensor) -> bool:
    """Whether the samples lie in memory one after the other, without gaps."""
    channels_last = samples.dim() == 4 and samples.is_contiguous(memory_format=torch.channels_last)
    return samples.is_contiguous() or channels_last


def _as_matrix(samples: Tensor) -> Tensor:
    """A view of dense samples (N, ...) as a matrix (N, numbers in a sample), in the order of memory."""
    return samples.as_strided((len(samples), samples[0].numel()), (samples.stride(0), 1))


def _fits(samples: Tensor, device: torch.device) -> bool:
    """Whether the samples take less than half of the device's free memory; the training needs the rest."""
    free, _ = torch.cuda.mem_get_info(device)
    return samples.nbytes < free // 2


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """Copy `x` to the `device`, without waiting for a GPU."""
    if device.type != "cuda" or x.is_cuda:
        return x.to(device)
    # A copy from memory that is not pinned would wait for all work queued before it.
    return x.pin_memory().to(device, non_blocking=True)


def _batch_to_device(batch: Batch, device: torch.device) -> Batch:
    samples, labels = batch
    return samples.to(device, non_blocking=True), None if labels is None else labels.to(device, non_blocking=True)
