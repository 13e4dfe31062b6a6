"""Training data: where samples come from, and how to give them back in the data's own units."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan import data_files
from fastgan._extras import require

__all__ = ["FROM_PATH", "MIXTURES", "NAMED", "Data", "Units", "digits", "from_array", "grid", "load", "mixture", "ring"]


@dataclass(frozen=True)
class Units:
    """How samples of the network's range become the data's own: `x * scale + offset`.

    Attributes:
        scale, offset: one number, or one for each column of a table.
        low, high: the data's range, to which samples are clipped; None leaves them as they are.
        dtype: the own dtype, to whose whole numbers samples are rounded if it is an integer's.
        layout: of an image: "chw", "hwc" or "hw"; "" is anything else.
    """

    scale: list[float] = field(default_factory=lambda: [1.0])
    offset: list[float] = field(default_factory=lambda: [0.0])
    low: float | None = None
    high: float | None = None
    dtype: str = "float32"
    layout: str = ""

    def restore(self, samples: Tensor) -> NDArray[Any]:
        """`samples` (N, ...) of the network's range as an array in the data's units and layout."""
        x = samples.detach().double().cpu().numpy()
        x = x * np.asarray(self.scale) + np.asarray(self.offset)
        if self.low is not None or self.high is not None:
            x = np.clip(x, self.low, self.high)
        if np.issubdtype(np.dtype(self.dtype), np.integer):
            x = np.rint(x)
        if self.layout == "hwc":
            x = np.moveaxis(x, 1, -1)
        elif self.layout == "hw":
            x = x[:, 0]
        return x.astype(self.dtype)

    def to_dict(self) -> dict[str, Any]:
        """The attributes as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Data:
    """Samples to train on.

    Attributes:
        samples: (N, ...) floating point; images are (N, C, H, W).
        labels: (N,) int64 classes, or None.
        units: the way back to the data's own units.

    Raises:
        TypeError: for samples that are not floating.
        ValueError: for samples of no rows or dimensions, NaN or infinite ones, or labels of another length.
    """

    samples: Tensor
    labels: Tensor | None = None
    units: Units = field(default_factory=Units)

    def __post_init__(self) -> None:
        x = self.samples
        if not x.is_floating_point():
            raise TypeError(f"data: expected samples of a floating dtype, got {x.dtype}")
        if x.dim() < 2 or x.numel() == 0:
            raise ValueError(f"data: expected samples of shape (N, ...), got {tuple(x.shape)}")
        if not bool(x.isfinite().all()):
            raise ValueError("data: expected finite samples, got NaN or infinity")
        if self.labels is not None and self.labels.shape != x.shape[:1]:
            raise ValueError(f"data: expected labels of shape [{len(x)}], got {list(self.labels.shape)}")

    @property
    def bounded(self) -> bool:
        """Whether all samples lie in [-1, 1], a tanh's range."""
        return bool(self.samples.abs().max() <= 1)

    def take(self, chosen: Tensor) -> Data:
        """The samples and labels at the indices `chosen`, int64 (M,)."""
        return replace(self, samples=self.samples[chosen], labels=None if self.labels is None else self.labels[chosen])

    def some(self, most: int) -> Data:
        """At most `most` samples, a fixed random choice."""
        if len(self.samples) <= most:
            return self
        return self.take(_shuffled(len(self.samples))[:most])

    def split(self, share: float) -> tuple[Data, Data]:
        """Two parts without a sample in common, always the same ones: the second has about `share` of each class.

        Raises:
            ValueError: where either part would be empty.
        """
        order = _shuffled(len(self.samples))
        classes = torch.zeros(len(order)) if self.labels is None else self.labels.cpu()[order]
        second = torch.zeros(len(order), dtype=torch.bool)
        for label in classes.unique():
            members = (classes == label).nonzero()[:, 0]
            second[members[: round(share * len(members))]] = True
        if second.all() or not second.any():
            raise ValueError(f"data: expected samples enough to hold out {share} of them, got {len(order)}")
        return self.take(order[~second]), self.take(order[second])


def _shuffled(count: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))


def digits() -> Data:
    """Scikit-learn's 1,797 handwritten digits, 8x8 grey levels 0 to 16, classes 0 to 9.

    Raises:
        MissingExtraError: without scikit-learn.
    """
    bunch = require("sklearn.datasets").load_digits()
    samples = torch.from_numpy(bunch.images).float().div(8).sub(1).unsqueeze(1)
    units = Units(scale=[8.0], offset=[8.0], low=0.0, high=16.0, layout="hw")
    return Data(samples, torch.from_numpy(bunch.target).long(), units)


def mixture(centres: list[tuple[float, float]], sigma: float, count: int = 50_000) -> Data:
    """Points (count, 2) around `centres`, each a round Gaussian; `labels` says which. Always the same ones.

    They are standardised, as a table's columns are; `units` leads back to the centres' plane.

    Args:
        centres: each one's x and y.
        sigma: the standard deviation along either axis.
        count: how many points.
    """
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % len(centres)
    noise = torch.randn(count, 2, generator=generator)
    return _table((torch.tensor(centres)[labels] + sigma * noise).numpy(), labels)


# The centres and sigma of each mixture.
MIXTURES: dict[str, tuple[list[tuple[float, float]], float]] = {
    "ring": ([(math.cos(i * math.pi / 4), math.sin(i * math.pi / 4)) for i in range(8)], 0.01),
    "grid": ([(2.0 * x, 2.0 * y) for x in range(-2, 3) for y in range(-2, 3)], 0.05),
}


def ring() -> Data:
    """Eight Gaussians on a circle of radius 1, sigma 0.01 (PacGAN's ring)."""
    return mixture(*MIXTURES["ring"])


def grid() -> Data:
    """Twenty-five Gaussians at {-4, -2, 0, 2, 4} squared, sigma 0.05 (PacGAN's grid)."""
    return mixture(*MIXTURES["grid"])


def from_array(samples: NDArray[Any], labels: NDArray[Any] | None, source: str) -> Data:
    """Data of an array of images or rows.

    Images are (N, H, W), (N, C, H, W) or (N, H, W, C) with C of 1, 3 or 4, of any real dtype: uint8
    maps 0..255 to [-1, 1], others their own range, but floats within [-1, 1] stay. Tables (N, F) are
    standardised column by column.

    Args:
        samples: the array.
        labels: (N,) whole numbers, or None.
        source: what errors call it.

    Raises:
        ValueError: for another shape, values that are no finite numbers, or labels of another length.

    Example:
        >>> data = from_array(np.full((10, 28, 28), 255, dtype=np.uint8), None, "white images")
        >>> data.samples.shape, data.samples.max()
        (torch.Size([10, 1, 28, 28]), tensor(1.))
        >>> data.units.restore(data.samples).dtype  # and back
        dtype('uint8')
    """
    if samples.dtype.kind not in "uif":
        raise ValueError(f"data: expected numbers in {source}, got {samples.dtype}")
    if samples.size == 0 or samples.ndim not in (2, 3, 4):
        raise ValueError(
            f"data: expected samples of shape (N, F), (N, H, W), (N, H, W, C) or (N, C, H, W) "
            f"in {source}, got {samples.shape}"
        )
    if not np.isfinite(samples).all():
        raise ValueError(f"data: expected finite samples in {source}, got NaN or infinity")
    classes = None if labels is None else _classes(labels, source)
    if samples.ndim == 2:
        return _table(samples, classes)
    return _images(samples, classes, source)


def _classes(labels: NDArray[Any], source: str) -> Tensor:
    numbers = labels.dtype.kind in "uib" or (labels.dtype.kind == "f" and bool((labels == np.rint(labels)).all()))
    if not numbers or not np.isfinite(labels).all():
        got = labels.dtype if labels.dtype.kind not in "f" else labels[labels != np.rint(labels)][:1]
        raise ValueError(f"data: expected labels that are whole numbers in {source}, got {got}")
    return torch.from_numpy(labels.astype(np.int64))


def _table(rows: NDArray[Any], labels: Tensor | None) -> Data:
    mean, std = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    std[std == 0] = 1.0
    dtype = "float64" if rows.dtype.kind in "ui" else rows.dtype.name
    units = Units(scale=std.tolist(), offset=mean.tolist(), dtype=dtype)
    return Data(torch.from_numpy((rows - mean) / std).float(), labels, units)


def _images(images: NDArray[Any], labels: Tensor | None, source: str) -> Data:
    layout = "hw"
    if images.ndim == 4:
        layout = "chw" if images.shape[1] in (1, 3, 4) else "hwc"
    x = images[:, None] if layout == "hw" else images
    x = np.moveaxis(x, 3, 1) if layout == "hwc" else x
    if x.shape[1] not in (1, 3, 4):
        raise ValueError(f"data: expected images of 1, 3 or 4 channels in {source}, got {images.shape}")
    low, high = float(x.min()), float(x.max())
    if images.dtype == np.uint8:
        low, high = 0.0, 255.0
    elif images.dtype.kind == "f" and -1 <= low and high <= 1:
        low, high = -1.0, 1.0
    scale, offset = (high - low) / 2 or 1.0, (high + low) / 2
    samples = torch.from_numpy((x.astype(np.float64) - offset) / scale).float().clamp_(-1, 1)
    units = Units([scale], [offset], low, high, images.dtype.name, layout)
    return Data(samples, labels, units)


NAMED: dict[str, Callable[[], Data]] = {"digits": digits, "ring": ring, "grid": grid}
FROM_PATH = ("npz", "folder", "idx", "csv")


def check_spec(spec: str) -> tuple[str, str]:
    """Split a data name (`digits`, `npz:faces.npz`) in kind and path, opening nothing.

    Raises:
        ValueError: for an unknown name; the nearest is offered.
    """
    kind, colon, path = spec.partition(":")
    if (kind in NAMED and not colon) or (kind in FROM_PATH and path):
        return kind, path
    known = [*NAMED, *(f"{name}:PATH" for name in FROM_PATH)]
    near = difflib.get_close_matches(kind, [*NAMED, *FROM_PATH], n=1)
    hint = f" (did you mean '{near[0]}'?)" if near and near[0] != kind else ""
    raise ValueError(f"data: expected `data` to be one of {', '.join(known)}; got '{spec}'{hint}")


def load(spec: str, image_size: int = 0, strict: bool = False, color: str = "auto", workers: int = 0) -> Data:
    """Read the data set that `spec` names.

    Args:
        spec: digits, ring, grid, or npz:, folder:, idx: or csv: and a path.
        image_size: for a folder: crop images about the centre and resize them to this square; 0 does not.
        strict: for a folder: refuse an unreadable image rather than skip it with a warning.
        color: for a folder: grey, rgb, or auto, which is grey if all images are.
        workers: for a folder: threads that read.

    Raises:
        ValueError: for an unknown name or unusable data.
        FileNotFoundError: for a path that does not exist.
    """
    kind, path = check_spec(spec)
    if kind in NAMED:
        return NAMED[kind]()
    if not Path(path).exists():
        raise FileNotFoundError(f"data: expected '{path}' of '{spec}' to exist")
    if kind == "folder":
        if not Path(path).is_dir():
            raise ValueError(f"data: expected '{path}' of '{spec}' to be a folder")
        samples, labels = data_files.read_folder(path, image_size, strict, color, workers)
    elif kind == "idx":
        samples, labels = data_files.read_idx(path)
    elif kind == "csv":
        samples, labels = data_files.read_csv(path)
    else:
        samples, labels = data_files.read_npz(path)
    return from_array(samples, labels, path)
