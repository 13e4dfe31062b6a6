"""torch's map-style data sets as training data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from fastgan.data.fingerprint import of_dataset
from fastgan.data.samples import Data
from fastgan.data.source import Source
from fastgan.data.tensors import as_source

__all__ = ["DatasetSource", "from_dataset"]

_PROBED = 256  # samples that are loaded to find the shape and the range
_WANTED = "a Dataset of tensors, or of tuples of those and labels"


class DatasetSource:
    """The samples of a map-style `Dataset`: its items, or the first entries of those that are tuples.

    Args:
        dataset: items are tensors, or tuples or lists that begin with one.

    Attributes:
        dataset: as given.

    Raises:
        TypeError: for items of another kind, or samples that are neither of a floating dtype nor images of bytes.
        ValueError: for a data set without samples, or whose samples differ in shape.
    """

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset
        self.notes: list[str] = []
        count = len(self)
        if count == 0:
            raise ValueError("train: expected a Dataset with samples, got an empty one")
        self._shape: tuple[int, ...] | None = None
        probed = self.read(torch.arange(min(_PROBED, count)))
        self._shape, self.dtype = tuple(probed.shape[1:]), probed.dtype
        _, self.units = as_source(probed)
        self.fingerprint = of_dataset(count, probed[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        assert self._shape is not None
        return self._shape

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def read(self, indices: Tensor) -> Tensor:
        """The samples (M, *shape) at the `indices` (M,), loaded one by one in this process.

        Raises:
            TypeError: for an item that is no tensor and no tuple that begins with one.
            ValueError: for samples that differ in shape.
        """
        samples = [self._sample(i) for i in indices.tolist()]
        for index, sample in zip(indices.tolist(), samples, strict=True):
            expected = samples[0].shape if self._shape is None else self._shape
            if sample.shape != expected:
                raise ValueError(
                    f"train: expected samples of one shape in the Dataset, {list(expected)}, "
                    f"got {list(sample.shape)} for sample {index}"
                )
        return torch.stack(samples)

    def _sample(self, index: int) -> Tensor:
        item = self.dataset[index]
        sample = item[0] if isinstance(item, list | tuple) and item else item
        if not isinstance(sample, Tensor):
            raise TypeError(f"train: expected {_WANTED}, got {type(sample)}")
        return sample


def from_dataset(dataset: Dataset[Any], labelled: bool) -> Data:
    """Turn a map-style `Dataset` into training data.

    Its samples are tensors of a floating dtype, which are used as they are, or images of bytes. An item may be a sample
    or a tuple: the second entry is then the label, and further entries are ignored. A `TensorDataset` is the tensors
    that it holds.

    Args:
        dataset: the data set.
        labelled: whether labels are wanted; without, no label is looked at. Labels are taken from `targets`, which
            torchvision's data sets have, or else from all items.

    Raises:
        TypeError: for a `DataLoader`, an `IterableDataset`, or items of another kind.
        ValueError: for a data set without samples, or labels that are no classes.
    """
    if isinstance(dataset, DataLoader):
        raise TypeError("train: expected a Dataset, got a DataLoader, whose order is its own; pass its `dataset`")
    if isinstance(dataset, IterableDataset):
        raise TypeError("train: expected a map-style Dataset, got an IterableDataset, whose samples have no index")
    for method in ("__getitem__", "__len__"):
        if not hasattr(dataset, method) or isinstance(dataset, Mapping):
            raise TypeError(f"train: expected a map-style Dataset with {method} by number, got {type(dataset)}")
    source: Source
    if type(dataset) is TensorDataset:
        source, units = as_source(dataset.tensors[0])
    else:
        source = DatasetSource(dataset)
        units = source.units
    labels = _labels(dataset, len(source)) if labelled else None
    return Data(source, labels, units, name="the Dataset")


def _labels(dataset: Dataset[Any], count: int) -> Any:
    """All labels as an array, or None where items have none."""
    targets = getattr(dataset, "targets", None)
    if targets is None and isinstance(dataset, TensorDataset) and len(dataset.tensors) > 1:
        targets = dataset.tensors[1]
    if targets is None:
        first = dataset[0]
        if not isinstance(first, list | tuple) or len(first) < 2:
            return None
        targets = [dataset[i][1] for i in range(count)]
        if isinstance(targets[0], Tensor):
            targets = torch.stack(targets)
    return targets
