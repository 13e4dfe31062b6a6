"""What a run's generator draws for the page: nearest neighbours, interpolations, and a row for each class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fastgan._support.random import derive
from fastgan.data import Data
from fastgan.data.inputs import as_channels
from fastgan.metrics.novelty import nearest_rows
from fastgan.metrics.translation import translations
from fastgan.report.pictures import cell
from fastgan.train.latents import great_circle
from fastgan.train.saved_run import Run

__all__ = ["Neighbours", "Row", "class_rows", "interpolations", "neighbours", "translation_rows"]

_SAMPLES = 16  # whose neighbours are shown
_STEPS = 9  # of an interpolation
_LINES = 4  # interpolations
_CLASSES = 20  # rows at most
_PER_CLASS = 8
_TRANSLATIONS = 16
_SEED = 0


@dataclass(frozen=True)
class Neighbours:
    """A generated image and the training image that is nearest to it.

    Attributes:
        sample: the generated image as a data URI.
        nearest: the training image as a data URI.
        distance: between the two, in units of the median distance of real images to their nearest neighbours; 0 is a
            copy.
    """

    sample: str
    nearest: str
    distance: float


@dataclass(frozen=True)
class Row:
    """Images beside each other.

    Attributes:
        name: what the row shows.
        images: data URIs.
    """

    name: str
    images: list[str]


def neighbours(run: Run, real: Tensor) -> list[Neighbours]:
    """Sixteen samples of a run, each with the nearest training image, by the distance of their pixels.

    Args:
        run: draws images.
        real: training images (N, C, H, W) in the network's range; N of 2 or more.

    Raises:
        ValueError: for NaN or infinity in the samples.
        MissingExtraError: without Pillow.
    """
    samples = run.sample(_SAMPLES, derive(_SEED, 1))
    index, distance = nearest_rows(samples.flatten(1), real.flatten(1))
    own = torch.randperm(len(real), generator=torch.Generator().manual_seed(_SEED))[:256]
    _, usual = nearest_rows(real[own].flatten(1), real.flatten(1), own)
    unit = float(usual.median()) or 1.0
    return [Neighbours(cell(samples[i]), cell(real[int(index[i])]), float(distance[i]) / unit) for i in range(_SAMPLES)]


@torch.no_grad()
def interpolations(run: Run) -> list[Row]:
    """Images along great circles between pairs of latent vectors, each row of one class in a conditional run.

    Args:
        run: draws images.

    Raises:
        MissingExtraError: without Pillow.
    """
    generator = torch.Generator().manual_seed(derive(_SEED, 2))
    rows = []
    for line in range(_LINES):
        first, last = torch.randn(2, run.config.latent_dim, generator=generator)
        latents = torch.stack([great_circle(first, last, i / (_STEPS - 1)) for i in range(_STEPS)])
        labels = None if run.classes == 0 else torch.full((_STEPS,), line % run.classes)
        images = run.generator(latents) if labels is None else run.generator(latents, labels)
        name = f"Interpolation {line + 1}" + (f", {class_name(run, line % run.classes)}" if run.classes else "")
        rows.append(Row(name, [cell(image) for image in images]))
    return rows


def class_name(run: Run, index: int) -> str:
    """What the page calls the class with the number `index` of a `run`."""
    return f"class {run.class_names[index]}"


def class_rows(run: Run) -> list[Row]:
    """Eight samples of each of a conditional run's first twenty classes.

    Args:
        run: draws images of `run.classes` classes; 0 gives no row.

    Raises:
        MissingExtraError: without Pillow.
    """
    count = min(run.classes, _CLASSES)
    if count == 0:
        return []
    labels = torch.arange(count).repeat_interleave(_PER_CLASS)
    images = run.sample(len(labels), derive(_SEED, 3), labels).split(_PER_CLASS)
    return [Row(class_name(run, i), [cell(image) for image in images[i]]) for i in range(count)]


def translation_rows(run: Run, data: Data) -> list[Row]:
    """The first sixteen inputs of data, each with its translation and its target.

    Args:
        run: translates images.
        data: with inputs, best those that the run was not trained on.

    Raises:
        ValueError: for data without inputs or of other shapes than the run's.
        MissingExtraError: without Pillow.
    """
    made = translations(run, data.take(torch.arange(min(_TRANSLATIONS, len(data)))), derive(_SEED, 4))
    shown = as_channels(made.inputs, made.targets.shape[1])
    triples = zip(shown, made.outputs, made.targets, strict=True)
    return [Row(f"Image {i + 1}", [cell(image) for image in triple]) for i, triple in enumerate(triples)]
