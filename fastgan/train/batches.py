"""Batches of real samples; which samples a batch holds depends only on the seed and the batch's number."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fastgan._support.random import derive
from fastgan.data import Data
from fastgan.data.dataset import DatasetSource
from fastgan.data.inputs import draw_holes
from fastgan.data.source import MemorySource, Source, View, placed, to_device
from fastgan.train import distributed
from fastgan.train.conditions import Condition, are_inputs
from fastgan.train.randomness import Purpose
from fastgan.train.spread import Share

__all__ = ["Batch", "Batches", "Order"]

_AHEAD = 3  # batches that are read in advance of the one that is asked for

Batch = tuple[Tensor, Condition]


class Order:
    """The indices of each batch's samples: a new permutation every epoch, without the incomplete last batch.

    Batch k is a pure function of (seed, k). So a run that resumes at step k sees the same batches as one that was never
    interrupted, and checkpoints hold no order.

    Args:
        count: number of samples in the data.
        batch_size: samples in a batch, over all processes; of this process's data at most `count`.
        seed: seed of the permutations.
        share: which samples of the data this process draws; None if all processes hold the same data.

    Raises:
        ValueError: if `batch_size` is larger than `count`.
    """

    def __init__(self, count: int, batch_size: int, seed: int, share: Share | None = None) -> None:
        self.share = share or Share.whole()
        batch_size, seed = self.share.batch_size(batch_size), self.share.seed(seed)
        if batch_size > count:
            raise ValueError(
                f"train: expected `batch_size` to be at most the {count} samples of the data, got {batch_size}"
            )
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self._epoch = -1
        self._order = torch.empty(0)

    def __getitem__(self, number: int) -> Tensor:
        """This process's indices among those of batch `number`; see `indices`."""
        return self.share.of(self.indices(number))

    def indices(self, number: int) -> Tensor:
        """The indices (batch_size,) of batch `number`, from 0 through all epochs, of all that hold these data."""
        epoch, position = divmod(number, self.count // self.batch_size)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derive(self.seed, Purpose.ORDER, epoch))
            self._epoch, self._order = epoch, torch.randperm(self.count, generator=generator)
        first = position * self.batch_size
        return self._order[first : first + self.batch_size]

    def labels(self, number: int, labels: Condition) -> Condition:
        """What the networks get beside the samples of batch `number`: of all `labels` (N,) those of its samples."""
        return None if labels is None else labels[to_device(self[number], labels.device)]


class Batches:
    """Batches of real samples on the training device, in the network's range.

    Data that lie in memory are kept on the device, as they are stored, if they fit there. A `Dataset` is loaded by its
    `DataLoader`. Everything else is read in advance, by a thread, while the device works on the current batch. Raw
    samples cross to the device, and are mirrored and converted there. An input of image to image is mirrored with its
    target. Which samples a batch holds, which of them are mirrored, and where images have holes, is a pure function of
    the seed and the batch's number.

    Args:
        data: samples and labels.
        batch_size: samples in a batch, at most the length of `data`.
        seed: seed of the order.
        device: the training device.
        labelled: whether batches have the data's labels; those of data with inputs have the inputs instead.
        channels_last: the memory format of images: channels_last, or contiguous; None leaves it.
        flip: mirror each image left to right with probability 0.5.
        workers: processes of a `Dataset`'s loader.
        order: of the samples; None makes an `Order`.
        share: which samples of the data this process draws; None if all processes hold the same data.

    Attributes:
        order: the `Order` of the batches.
        source: what batches are read from: on the device, if the data fit there.
        waited: seconds that the callers have waited for batches.

    Raises:
        ValueError: if `batch_size` is larger than the length of `data`.
    """

    def __init__(
        self,
        data: Data,
        batch_size: int,
        seed: int,
        device: torch.device | None = None,
        *,
        labelled: bool = False,
        channels_last: bool | None = None,
        flip: bool = False,
        workers: int = 0,
        share: Share | None = None,
        order: Order | None = None,
    ) -> None:
        self.order = Order(len(data), batch_size, seed, share) if order is None else order
        self.waited = 0.0
        self._data, self._units, self._seed, self._flip = data, data.units, seed, flip
        images = len(data.sample_shape) == 3 and channels_last is not None
        self._format = (torch.channels_last if channels_last else torch.contiguous_format) if images else None
        self._device = _device_of(data.source) if device is None else device
        self.source = placed(data.source, self._device, self._format if data.units.layout in ("chw", "") else None)
        self._labels = None
        if labelled and data.labels is not None:
            self._labels = data.labels.to(self._device if self.resident else "cpu")
        self._reader: _Inline | _Ahead | _Loaded = _Inline(self.source)
        if isinstance(_base(self.source), DatasetSource):
            self._reader = _Loaded(self.source, self.order, self._device, workers)
        elif not self.resident:
            self._reader = _Ahead(self.source, self._device)

    @property
    def resident(self) -> bool:
        """Whether the samples lie on the training device."""
        base = _base(self.source)
        return isinstance(base, MemorySource) and base.samples.device == self._device

    def __getitem__(self, number: int) -> Batch:
        """Samples (batch_size, ...) of batch `number`, and their labels or inputs, if they have any."""
        began = time.perf_counter()
        raw = to_device(self._reader(self.order, number), self._device)
        condition = self.order.labels(number, self._labels)
        condition = None if condition is None else to_device(condition, self._device)
        # Composed from torch's ops: 0.2 ms for 64 RGB images of 64 x 64, 1.1 ms if they are mirrored, on one core that
        # was busy besides; a DCGAN-64 step of that batch takes hundreds.
        raw = self._mirrored(raw, number) if self._flip else raw
        if self._data.inputs is None:
            samples = self._units.normalise(raw)
        else:
            samples, condition = self._data.pair(raw, self._holes(len(raw), number))
        if self._format is not None:
            samples = samples.contiguous(memory_format=self._format)
            if condition is not None and are_inputs(condition):
                condition = condition.contiguous(memory_format=self._format)
        self.waited += time.perf_counter() - began
        return samples, condition

    def _holes(self, count: int, number: int) -> Tensor | None:
        """The holes of batch `number`, where inputs have some; `count` samples of it are this process's."""
        if self._data.inputs is None or self._data.inputs.kind != "mask":
            return None
        generator = torch.Generator().manual_seed(derive(self._seed, Purpose.HOLES, number))
        _, height, width = self._data.sample_shape
        return distributed.shard(draw_holes(count * distributed.world_size(), height, width, generator))

    def _mirrored(self, raw: Tensor, number: int) -> Tensor:
        generator = torch.Generator().manual_seed(derive(self._seed, Purpose.FLIP, number))
        chosen = distributed.shard(torch.rand(len(raw) * distributed.world_size(), generator=generator) < 0.5)
        width = 2 if self._units.layout == "hwc" else raw.dim() - 1
        chosen = to_device(chosen, raw.device).view(-1, *(1,) * (raw.dim() - 1))
        return torch.where(chosen, raw.flip(width), raw)


class _Inline:
    """Reads a batch when it is asked for: a gather on the device."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __call__(self, order: Order, number: int) -> Tensor:
        return self._source.read(order[number])


class _Ahead:
    """Reads the batches after the one that is asked for in a thread, into pinned memory for a GPU."""

    def __init__(self, source: Source, device: torch.device) -> None:
        self._source, self._pinned = source, device.type == "cuda"
        self._pool = ThreadPoolExecutor(1, "fastgan-batches")
        self._reading: deque[tuple[int, Future[Tensor]]] = deque()

    def __call__(self, order: Order, number: int) -> Tensor:
        if not self._reading or self._reading[0][0] != number:
            for _, abandoned in self._reading:
                abandoned.cancel()
            self._reading.clear()
        next_number = self._reading[-1][0] + 1 if self._reading else number
        for ahead in range(next_number, number + 1 + _AHEAD):
            # The order is asked here, not in the thread: it remembers its epoch's permutation.
            self._reading.append((ahead, self._pool.submit(self._read, order[ahead])))
        return self._reading.popleft()[1].result()

    def _read(self, indices: Tensor) -> Tensor:
        raw = self._source.read(indices)
        return raw.pin_memory() if self._pinned and not raw.is_cuda else raw


class _Loaded:
    """Batches of a map-style `Dataset`, loaded in advance by worker processes; 0 workers load in this process."""

    def __init__(self, source: Source, order: Order, device: torch.device, workers: int) -> None:
        self._samples, self._device, self._workers = _Samples(source), device, workers
        self._next = -1
        self._loading: Iterator[Tensor] = iter(())

    def __call__(self, order: Order, number: int) -> Tensor:
        """The samples of batch `number`; any but the next one starts new workers."""
        if number != self._next:
            seed = derive(order.seed, Purpose.LOADING, number, distributed.rank())
            self._loading = iter(
                DataLoader(
                    self._samples,
                    batch_sampler=_OrderFrom(order, number),
                    num_workers=self._workers,
                    pin_memory=self._device.type == "cuda",
                    generator=torch.Generator().manual_seed(seed),
                )
            )
        self._next = number + 1
        try:
            return next(self._loading)
        except (ConnectionError, EOFError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                raise  # raised by the data set itself
            raise RuntimeError(
                f"train: expected batch {number} from {self._workers} `workers`, got none, as a worker process "
                f"ended, perhaps because memory ran out: {error}"
            ) from error


class _Samples(Dataset[Tensor]):
    """The samples of a source of a `Dataset`, one by one, without labels."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Tensor:
        return self._source.read(torch.tensor([index]))[0]


class _OrderFrom(Sampler[list[int]]):
    """The indices of batch `first` and of all batches after it."""

    def __init__(self, order: Order, first: int) -> None:
        self._order, self._first = order, first

    def __iter__(self) -> Iterator[list[int]]:
        number = self._first
        while True:
            yield self._order[number].tolist()
            number += 1


def _base(source: Source) -> Source:
    return source.base if isinstance(source, View) else source


def _device_of(source: Source) -> torch.device:
    base = _base(source)
    return base.samples.device if isinstance(base, MemorySource) else torch.device("cpu")
