"""Batches of real samples, in an order that depends on nothing but seed and number."""

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

__all__ = ["Batch", "Batches", "LoadedBatches", "Order", "Source", "sent"]

Batch = tuple[Tensor, Tensor | None]


class Order:
    """Which samples each batch holds: every epoch a new permutation, incomplete batches dropped.

    Batch k is a pure function of (seed, k), so a run that resumes at step k goes on with the very
    batches that it would have seen, and no order needs saving.

    Args:
        count: samples in the data.
        batch_size: at most `count`.
        seed: of the permutations.
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
        """The samples' indices of batch `number`, counted from 0 through all epochs.

        (batch_size,), or this process's equal share of them where there are several.
        """
        return distributed.shard(self.indices(number))

    def indices(self, number: int) -> Tensor:
        """The indices (batch_size,) of the whole batch `number`."""
        epoch, place = divmod(number, self.count // self.batch_size)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derive(self.seed, Purpose.ORDER, epoch))
            self._epoch, self._order = epoch, torch.randperm(self.count, generator=generator)
        first = place * self.batch_size
        return self._order[first : first + self.batch_size]


class Source(Protocol):
    """Where a training step's real samples come from."""

    def __getitem__(self, number: int) -> Batch:
        """Samples (batch_size, ...) and labels of a batch, on the device that trains."""


class Batches:
    """Batches of a tensor, which lies on the device where it fits, and otherwise in pinned memory.

    In pinned memory the next batch is gathered and sent while the device works on this one.

    Args:
        samples: (N, ...).
        labels: (N,) int64, or None.
        batch_size: at most N.
        seed: of the order.
        device: that trains; default the samples' own.
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
        self._rows = _rows(self.samples)
        self._ahead: tuple[int, Future[Batch]] | None = None
        self._pool = ThreadPoolExecutor(1, "fastgan-batches") if self.staged else None

    def __getitem__(self, number: int) -> Batch:
        """Samples (batch_size, ...) and labels of batch `number`."""
        if self._pool is None:
            return self._pick(sent(self.order[number], self._device))
        if self._ahead is not None and self._ahead[0] == number:
            batch = self._ahead[1].result()
        else:
            batch = self._pinned(self.order[number])
        self._ahead = number + 1, self._pool.submit(self._pinned, self.order[number + 1])
        return _sent(batch, self._device)

    def _pick(self, chosen: Tensor) -> Batch:
        """SequentialUsage rows, which `index_select` copies as such; indexing goes element by element."""
        shape, strides = self.samples.shape[1:], self.samples.stride()
        rows = self._rows.index_select(0, chosen)
        samples = rows.as_strided((len(chosen), *shape), strides)
        return samples, None if self.labels is None else self.labels[chosen]

    def _pinned(self, chosen: Tensor) -> Batch:
        samples, labels = self._pick(chosen)
        return samples.pin_memory(), None if labels is None else labels.pin_memory()


class LoadedBatches:
    """Batches of a map-style `Dataset`, loaded by worker processes ahead of their use.

    Args:
        dataset: of samples (...), or of pairs of a sample and an int label, of known length.
        labelled: take the labels; otherwise they are dropped.
        batch_size: at most the length.
        seed: of the order, and of the workers' own random numbers.
        device: that trains.
        workers: processes; 0 loads in this one.
    """

    def __init__(
        self, dataset: Dataset[Any], labelled: bool, batch_size: int, seed: int, device: torch.device, workers: int
    ) -> None:
        self.order = Order(len(dataset), batch_size, seed)  # type: ignore[arg-type]
        self._dataset, self._labelled, self._device, self._workers = dataset, labelled, device, workers
        self._next = -1
        self._loading: Iterator[Any] = iter(())

    def __getitem__(self, number: int) -> Batch:
        """Samples (batch_size, ...) and labels of batch `number`; in turn they are quickest."""
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
                raise  # the data set's own
            raise RuntimeError(
                f"train: expected batch {number} from {self._workers} `workers`, got none, as a process of theirs "
                f"ended, perhaps for want of memory: {error}"
            ) from error
        samples, labels = item if isinstance(item, list | tuple) else (item, None)
        return _sent((samples, labels if self._labelled else None), self._device)


class _OrderFrom(Sampler[list[int]]):
    """The indices of batch `first` and all after it."""

    def __init__(self, order: Order, first: int) -> None:
        self._order, self._first = order, first

    def __iter__(self) -> Iterator[list[int]]:
        number = self._first
        while True:
            yield self._order[number].tolist()
            number += 1


def _is_dense(samples: Tensor) -> bool:
    """Whether each sample fills a block of memory of its own, one after the other."""
    channels_last = samples.dim() == 4 and samples.is_contiguous(memory_format=torch.channels_last)
    return samples.is_contiguous() or channels_last


def _rows(samples: Tensor) -> Tensor:
    """Dense samples (N, ...) as a matrix (N, numbers in each) in the order of memory, sharing it."""
    return samples.as_strided((len(samples), samples[0].numel()), (samples.stride(0), 1))


def _fits(samples: Tensor, device: torch.device) -> bool:
    """Whether the samples leave half of the device's free memory to the training."""
    free, _ = torch.cuda.mem_get_info(device)
    return samples.nbytes < free // 2


def sent(x: Tensor, device: torch.device) -> Tensor:
    """`x` on the device; a GPU is not waited for."""
    if device.type != "cuda" or x.is_cuda:
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)  # a copy from pageable memory waits for the work before it


def _sent(batch: Batch, device: torch.device) -> Batch:
    samples, labels = batch
    return samples.to(device, non_blocking=True), None if labels is None else labels.to(device, non_blocking=True)
