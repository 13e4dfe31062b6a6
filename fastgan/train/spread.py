"""Data that are spread over machines: each holds a part, and processes draw their share of a batch from their own part.

Processes whose data have the same fingerprint hold the same part. They share its samples as the processes of a run
share those of a whole data set.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fastgan._support.random import derive
from fastgan.data import Data
from fastgan.data.fingerprint import difference
from fastgan.data.labels import class_values, encode_labels
from fastgan.train import distributed
from fastgan.train.randomness import Purpose

__all__ = ["Share", "joined"]

# From this ratio of what processes hold on, a note tells that some samples are seen more often.
_UNEVEN = 1.05


@dataclass(frozen=True)
class Share:
    """Which samples of a run's data a process draws.

    Attributes:
        parts: the fingerprints of all parts, in order; () where all processes hold the same data.
        part: the number of the part that this process holds.
        place: the number of this process among those that hold its part.
        count: how many these are.
        samples: of all parts together; 0 where it is not known.
    """

    parts: tuple[str, ...] = ()
    part: int = 0
    place: int = 0
    count: int = 1
    samples: int = 0

    @classmethod
    def whole(cls, samples: int = 0) -> Share:
        """That of a process whose data, so many `samples`, are those of all processes."""
        return cls((), 0, distributed.rank(), distributed.world_size(), samples)

    def batch_size(self, whole: int) -> int:
        """The samples of a batch of `whole` samples, over all processes, that come from this process's part."""
        return whole // distributed.world_size() * self.count

    def seed(self, seed: int) -> int:
        """The seed of the order of this process's part, from the `seed` of the run."""
        return derive(seed, Purpose.PART, self.part) if self.parts else seed

    def of(self, batch: Tensor) -> Tensor:
        """This process's samples among those of a `batch` (N, ...) of its part; N is a multiple of `count`."""
        size = len(batch) // self.count
        return batch[self.place * size : (self.place + 1) * size]


def joined(data: Data, spread: bool) -> tuple[Data, Share, list[str]]:
    """Compare the data of all processes; all must call it together.

    Args:
        data: this process's data.
        spread: whether they may differ, as `TrainConfig.spread` says.

    Returns:
        The data, with the classes of all parts; what this process draws of them; and notes.

    Raises:
        ValueError: for data that differ without `spread`, or parts that do not fit together: samples of different
            shapes or ranges, or labels in some parts only.
    """
    everyone = distributed.all_gather(
        (data.base_fingerprint, len(data), data.sample_shape + data.input_shape, data.units.to_dict(), data.class_names)
    )
    prints = [own[0] for own in everyone]
    parts = tuple(sorted(set(prints)))
    if len(parts) == 1:
        return data, Share.whole(len(data)), []
    rank = distributed.rank()
    if not spread:
        other = next(i for i, own in enumerate(prints) if own != prints[0])
        raise ValueError(
            f"train: expected the same data in all processes, got in process {other} "
            f"{difference(prints[0], prints[other])}, compared with process 0; `spread` trains on parts that lie on "
            "different machines"
        )
    for what, i in (("samples of one shape", 2), ("samples of one range", 3)):
        differing = [k for k, own in enumerate(everyone) if own[i] != everyone[0][i]]
        if differing:
            raise ValueError(
                f"train: expected {what} in all processes for `spread`, got {everyone[0][i]} in process 0 and "
                f"{everyone[differing[0]][i]} in process {differing[0]}"
            )
    labelled = [bool(names) for *_, names in everyone]
    if any(labelled) and not all(labelled):
        raise ValueError(
            f"train: expected labels in the data of all processes for `spread`, got none in process "
            f"{labelled.index(False)}"
        )
    own, sizes = prints[rank], [everyone[prints.index(part)][1] for part in parts]
    share = Share(parts, parts.index(own), prints[:rank].count(own), prints.count(own), sum(sizes))
    if any(labelled):
        found = tuple({name for *_, names in everyone for name in names})
        data = data.with_classes(encode_labels(class_values(found), "the classes of all processes")[1])
    return data, share, _notes(parts, prints, sizes)


def _notes(parts: tuple[str, ...], prints: list[str], sizes: list[int]) -> list[str]:
    """What to say of the parts: how many samples they have, and whether some of them are seen more often."""
    notes = [f"train: {sum(sizes):,} samples in {len(parts)} parts of {', '.join(f'{size:,}' for size in sizes)}"]
    each = [size / prints.count(part) for size, part in zip(sizes, parts, strict=True)]
    if max(each) > _UNEVEN * min(each):
        notes.append(
            f"train: samples of the smallest part are seen {max(each) / min(each):.3g} times as often as those of the "
            "largest: each process draws as many"
        )
    return notes
