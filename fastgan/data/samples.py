"""`Data`: a source of samples, their labels, and the conversion between their own units and the network's range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan.data.fingerprint import of_choice
from fastgan.data.inputs import Inputs, holes_of, joined_pairs, make_inputs
from fastgan.data.labels import encode_labels, listed
from fastgan.data.source import MemorySource, Source, View, chunks
from fastgan.data.tensors import as_source
from fastgan.data.units import Units, bytes_as_images

__all__ = ["Data", "Units"]

_CHUNK = 4096  # samples that are converted at a time


@dataclass(frozen=True, init=False)
class Data:
    """Samples to train on.

    Args:
        source: where raw samples are read, or a tensor of them (N, ...): images (N, C, H, W) or rows (N, F) of a
            floating dtype, which are used as they are, or images of bytes, which fill the network's range.
        labels: (N,) classes, or None: integers of any dtype and value, bool, whole floats, text, or one-hot (N, K).
        units: the conversion to the network's range; None takes that of the tensor.
        class_names: the classes' names, where `labels` are numbered from 0 in their order; () takes the names from the
            labels.
        name: what to call the data in messages.
        notes: sentences on how the data were read.
        inputs: of data for image to image, how each image's input is got; those of pairs are the last channels of what
            the source reads. `Data.pairs` makes such data from tensors, `with_inputs` from any images.

    Attributes:
        source: the raw samples.
        labels: (N,) int64, 0 to one less than the number of classes, or None.
        units: the conversion to the network's range and back.
        class_names: of each class; () without labels.
        name: what to call the data in messages.
        inputs: how inputs are got, or None for data without.

    Raises:
        TypeError: for a tensor of another dtype than floating point or images of bytes.
        ValueError: for an empty tensor, fewer than two dimensions, NaN or infinity, or labels of another length.

    Example:
        >>> data = Data(torch.full((10, 3, 8, 8), 255, dtype=torch.uint8), ["cat", "dog"] * 5)
        >>> data.source.dtype, data.batch(torch.tensor([0, 3])).max(), data.labels[:3], data.class_names
        (torch.uint8, tensor(1.), tensor([0, 1, 0]), ('cat', 'dog'))
    """

    source: Source
    labels: Tensor | None
    units: Units
    class_names: tuple[str, ...]
    name: str
    inputs: Inputs | None

    def __init__(
        self,
        source: Source | Tensor,
        labels: Any = None,
        units: Units | None = None,
        class_names: Sequence[str] = (),
        name: str = "",
        notes: Sequence[str] = (),
        inputs: Inputs | None = None,
    ) -> None:
        if isinstance(source, Tensor):
            source, found = as_source(source, units)
            units = units or found
        if labels is not None and not class_names:
            codes, class_names = encode_labels(_as_array(labels), name or "the labels")
            labels = torch.from_numpy(codes)
        if labels is not None and labels.shape != (len(source),):
            raise ValueError(f"data: expected labels of shape [{len(source)}], got {list(labels.shape)}")
        given = {"source": source, "labels": labels, "units": units or Units(), "name": name}
        given |= {"class_names": tuple(class_names), "_notes": tuple(notes), "inputs": inputs}
        for field, value in given.items():
            object.__setattr__(self, field, value)

    @classmethod
    def pairs(cls, inputs: Tensor, targets: Tensor, name: str = "") -> Data:
        """Data for image to image: each target has its own input.

        Args:
            inputs: images (N, C, H, W), of a floating dtype in [-1, 1] or bytes.
            targets: images (N, C', H, W) of the same dtype.
            name: what to call the data in messages.

        Raises:
            ValueError: for tensors that are not images, of other numbers, sizes or dtypes, or not in [-1, 1].

        Example:
            >>> data = Data.pairs(torch.zeros(10, 1, 8, 8), torch.ones(10, 3, 8, 8))
            >>> data.input_shape, data.sample_shape
            ((1, 8, 8), (3, 8, 8))
        """
        joined = joined_pairs(inputs, targets)
        source, units = as_source(joined, bytes_as_images("chw") if joined.dtype == torch.uint8 else None)
        if not units.bounded:
            raise ValueError("data: expected pairs of images in [-1, 1] or of bytes, got other values")
        return cls(source, None, units, name=name, inputs=Inputs("pairs", inputs.shape[1]))

    def with_inputs(self, kind: str) -> Data:
        """These images as targets, with an input made from each; see `fastgan.data.inputs.make_inputs`.

        Args:
            kind: one of `fastgan.data.inputs.INPUTS`.

        Raises:
            ValueError: for an unknown kind, samples that it does not serve, or data that have inputs already.
        """
        if self.inputs is not None:
            raise ValueError(f"data: expected data without inputs to make them by '{kind}', got {self.inputs.kind}")
        if not self.bounded:
            raise ValueError(f"data: expected images in [-1, 1] or of bytes to make inputs from by '{kind}'")
        return self._replaced(inputs=Inputs.made(kind, self.sample_shape))

    def _replaced(self, **changes: Any) -> Data:
        """These data with some arguments of the constructor changed."""
        own = {"source": self.source, "labels": self.labels, "units": self.units, "class_names": self.class_names}
        notes: tuple[str, ...] = self._notes  # type: ignore[attr-defined]
        return Data(**{**own, "name": self.name, "notes": notes, "inputs": self.inputs, **changes})

    def __len__(self) -> int:
        return len(self.source)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The network's shape of a sample: (C, H, W) or (F,); of data for image to image, that of a target."""
        first, *rest = self.units.sample_shape(self.source.shape)
        return (first - (self.inputs.stored if self.inputs else 0), *rest)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The network's shape (C, H, W) of an input; () for data without inputs."""
        return (self.inputs.channels, *self.sample_shape[1:]) if self.inputs else ()

    @property
    def bounded(self) -> bool:
        """Whether all samples lie in [-1, 1], the range of tanh."""
        return self.units.bounded

    @property
    def fingerprint(self) -> str:
        """What tells these data from others, wherever they lie: the source's, and one of the labels."""
        if self.labels is None:
            return self.source.fingerprint
        return of_choice(self.source.fingerprint, self.labels, "labels")

    @property
    def base_fingerprint(self) -> str:
        """That of all samples, before any of them were chosen, without labels: what a run's data are known by."""
        return self.source.base.fingerprint if isinstance(self.source, View) else self.source.fingerprint

    @property
    def notes(self) -> list[str]:
        """Sentences on what was decided, skipped or passed over; reading may append more."""
        own: tuple[str, ...] = self._notes  # type: ignore[attr-defined]
        return [*own, *self.source.notes]

    @property
    def samples(self) -> Tensor:
        """All samples (N, ...) in the network's range, converted anew by each access: for data that fit in memory."""
        if isinstance(self.source, MemorySource) and self.units.scale == [1.0] and self.units.offset == [0.0]:
            return self.normalise(self.source.samples)
        parts = self.batches(_CHUNK)
        first = next(parts)
        whole = first.new_empty(len(self), *first.shape[1:])
        if not first.is_contiguous():  # images that are stored channels last keep that memory format
            whole = whole.to(memory_format=torch.channels_last)
        whole[: len(first)] = first
        position = len(first)
        for part in parts:
            whole[position : position + len(part)] = part
            position += len(part)
        return whole

    def normalise(self, raw: Tensor) -> Tensor:
        """Convert `raw` samples, as the source reads them, to the network's range and shape; see `Units.normalise`.

        Of data for image to image they are the targets.
        """
        x = self.units.normalise(raw)
        return x[:, : self.sample_shape[0]] if self.inputs and self.inputs.stored else x

    def pair(self, raw: Tensor, holes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Convert `raw` samples, as the source reads them, to targets (N, C, H, W) and their inputs (N, C', H, W).

        Args:
            raw: (N, ...), of data for image to image.
            holes: bool (N, 1, H, W), for inputs by `mask`.

        Raises:
            ValueError: for data without inputs.
        """
        if self.inputs is None:
            raise ValueError("data: expected data with inputs, got data without")
        x = self.units.normalise(raw)
        if self.inputs.stored:
            return x[:, : self.sample_shape[0]], x[:, self.sample_shape[0] :]
        return x, make_inputs(self.inputs.kind, x, None if holes is None else holes.to(x.device))

    def pair_batch(self, indices: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
        """The targets and inputs at the `indices`, int64 (M,), a function of them and, for holes, of the seed.

        Args:
            indices: of the samples.
            seed: of the holes of inputs by `mask`.

        Raises:
            ValueError: for data without inputs.
        """
        masked = self.inputs is not None and self.inputs.kind == "mask"
        holes = holes_of(indices, self.sample_shape, seed) if masked else None
        return self.pair(self.source.read(indices), holes)

    def batch(self, indices: Tensor) -> Tensor:
        """The samples (M, ...) at the `indices`, int64 (M,), in the network's range."""
        return self.normalise(self.source.read(indices))

    def batches(self, size: int) -> Iterator[Tensor]:
        """All samples in order, in batches of `size`, in the network's range."""
        return (self.batch(indices) for indices in chunks(len(self), size))

    def take(self, chosen: Tensor) -> Data:
        """The samples and labels at the indices `chosen`, int64 (M,), as a view: no sample is read or copied."""
        labels = None if self.labels is None else self.labels[chosen.to(self.labels.device)]
        return self._replaced(source=View(self.source, chosen), labels=labels)

    def with_classes(self, class_names: tuple[str, ...]) -> Data:
        """The same samples, their classes numbered as in `class_names`, which has all of them and perhaps others.

        Raises:
            ValueError: for a class that is not among `class_names`.
        """
        if unknown := [name for name in self.class_names if name not in class_names]:
            raise ValueError(f"data: expected the classes {listed(class_names)}, got {listed(unknown)}")
        if self.labels is None or class_names == self.class_names:
            return self
        number = torch.tensor([class_names.index(name) for name in self.class_names], device=self.labels.device)
        return self._replaced(labels=number[self.labels], class_names=class_names)

    def subsample(self, count: int) -> Data:
        """`count` samples chosen at random, the same ones in every call; all samples if there are not as many."""
        return self if len(self) <= count else self.take(_shuffled(len(self))[:count])

    def split(self, fraction: float) -> tuple[Data, Data]:
        """Divide the samples at random into two disjoint parts, the same ones in every call.

        Args:
            fraction: of each class's samples that the second part gets, rounded to whole samples.

        Raises:
            ValueError: where either part would be empty.
        """
        order = _shuffled(len(self))
        classes = torch.zeros(len(order)) if self.labels is None else self.labels.cpu()[order]
        second = torch.zeros(len(order), dtype=torch.bool)
        for label in classes.unique():
            members = (classes == label).nonzero()[:, 0]
            second[members[: round(fraction * len(members))]] = True
        if second.all() or not second.any():
            raise ValueError(f"data: expected samples enough to hold out {fraction} of them, got {len(order)}")
        return self.take(order[~second]), self.take(order[second])


def _as_array(labels: Any) -> NDArray[Any]:
    return labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)


def _shuffled(count: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))
