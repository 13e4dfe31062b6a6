"""The fixed latents or inputs of a run's sample grids; samples are made in batches of the training's size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fastgan._support.random import derive
from fastgan.data import Data
from fastgan.data.inputs import as_channels
from fastgan.models.translation import dropout_noise
from fastgan.train.randomness import Purpose, drawn

__all__ = ["SampleGrid", "TranslationGrid", "grid_samples"]

_TRANSLATIONS = 16  # rows of input, output and target in a grid

_SAMPLES = 100
_SEED = 0  # of random layers of the generator
_NUMBERS = 30_000_000  # in the samples of a grid, at most: 38 colour images of 512 x 512, which make 10 million pixels


def grid_samples(sample_shape: tuple[int, ...]) -> int:
    """The number of samples in a grid: 100, or fewer, but at least one, where they are large.

    Args:
        sample_shape: the shape of one sample.
    """
    return max(1, min(_SAMPLES, _NUMBERS // max(1, math.prod(sample_shape))))


class SampleGrid:
    """Draws the samples of a run's grids, always from the same latents.

    Args:
        inputs: the generator's: latents (N, latent_dim), and labels (N,) if any.
        batch_size: samples that the generator makes at once, as in the training; memory holds no more of its layers.
        sample_shape: the shape of one sample.
        captions: of the samples, such as the names of their classes, or ().

    Attributes:
        captions: as given.
    """

    def __init__(
        self,
        inputs: tuple[Tensor, ...],
        batch_size: int,
        sample_shape: tuple[int, ...],
        captions: Sequence[str] = (),
    ) -> None:
        self.captions = captions
        self._batches = list(zip(*(x.split(batch_size) for x in inputs), strict=True))
        self._shape = (len(inputs[0]), *sample_shape)

    def draw(self, generator: nn.Module) -> Tensor:
        """The samples (N, ...) of a `generator`, float32, on the CPU."""
        samples = torch.empty(self._shape)
        start = 0
        for batch in self._batches:
            made = drawn(generator, derive(_SEED, Purpose.SAMPLING, start), *batch)
            samples[start : start + len(made)] = made.to(samples)
            start += len(made)
        return samples

    def shown(self, samples: Tensor) -> Tensor:
        """The images (N, ...) to show for the `samples` that `draw` returned: these themselves."""
        return samples


class TranslationGrid(SampleGrid):
    """Translates always the same inputs, with the same noise, and shows each beside its translation and its target.

    Args:
        data: images with inputs, of which the first 16 are shown.
        batch_size: images that are translated at once.
        seed: of the noise, and of holes.
        device: where the generator is.
    """

    def __init__(self, data: Data, batch_size: int, seed: int, device: torch.device) -> None:
        targets, inputs = data.pair_batch(torch.arange(min(_TRANSLATIONS, len(data))), seed)
        super().__init__((inputs.to(device),), batch_size, tuple(targets.shape[1:]))
        self._seed, self._targets = seed, targets.cpu().float()
        self._inputs = as_channels(inputs.cpu().float(), targets.shape[1])

    def draw(self, generator: nn.Module) -> Tensor:
        """The translations (N, C, H, W) by a `generator`, float32, on the CPU."""
        with dropout_noise(generator, self._seed):
            return super().draw(generator)

    def shown(self, samples: Tensor) -> Tensor:
        """Images (N, C, H, 3 W): each input, its translation of `samples`, and its target."""
        return torch.cat((self._inputs, samples, self._targets), 3)
