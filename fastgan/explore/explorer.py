"""What a run's generator draws for a choice of latents, and what its discriminator says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastgan._support.extras import MissingExtraError
from fastgan.explain import PackedDiscriminator, attribute
from fastgan.explore.directions import principal_directions
from fastgan.train.latents import great_circle
from fastgan.train.pictures import is_image, to_pixels
from fastgan.train.saved_run import load_discriminator, load_run

__all__ = ["DIRECTIONS", "Choice", "Explorer", "View"]

DIRECTIONS = 6  # latent directions that can be walked along
_SIDE = 384  # pixels at least of the longer side of a view
_METHOD = "integrated_gradients"


@dataclass(frozen=True)
class Choice:
    """What the controls of the page are set to.

    Attributes:
        seed: of the sample.
        label: its class; 0 in an unconditional run.
        truncation: bound of the latents' normal distribution; None does not truncate.
        other_seed: of the sample at the other end of the interpolation.
        share: of the way to that sample, from 0 to 1.
        walk: how far to go along each principal direction, in standard deviations of a latent's entry.
    """

    seed: int = 0
    label: int = 0
    truncation: float | None = None
    other_seed: int = 1
    share: float = 0.0
    walk: tuple[float, ...] = ()


@dataclass(frozen=True)
class View:
    """What the page shows of a choice.

    Attributes:
        image: uint8 (H, W, 3), small images enlarged by a whole factor.
        logit: of the discriminator for the image.
        heat: uint8 (H, W, 3): red raises the logit (real), blue lowers it (fake); None without Captum.
    """

    image: NDArray[np.uint8]
    logit: float
    heat: NDArray[np.uint8] | None


class Explorer:
    """Draws the image that a choice stands for; the same choice gives the same image.

    Args:
        path: the run folder.

    Attributes:
        run: the run.

    Raises:
        RunFolderError: for a folder that is not a run folder.
        ValueError: for a run of data other than images, one that translates images, or a generator without a first
            layer for the latents.
    """

    def __init__(self, path: str | Path) -> None:
        self.run = load_run(path)
        self.run.check_translates("explore", translates=False)
        if not is_image(self.run.sample_shape):
            raise ValueError(
                f"explore: expected a run of images, got samples of shape {list(self.run.sample_shape)} in {path}; "
                "`fastgan report` shows tables"
            )
        self._discriminator = load_discriminator(path)
        if self.run.config.pack > 1:
            self._discriminator = PackedDiscriminator(self._discriminator, self.run.config.pack)
        self._directions = principal_directions(self.run.generator, self.run.config.latent_dim, DIRECTIONS)

    @property
    def directions(self) -> int:
        """The number of latent directions that can be walked along."""
        return len(self._directions)

    @torch.no_grad()
    def latent(self, choice: Choice) -> Tensor:
        """The latent vector (1, latent_dim) of a `choice`.

        Raises:
            ValueError: for a truncation that is not positive and finite.
        """
        first = self.run.latents(1, choice.seed, choice.truncation)
        if choice.share:
            other = self.run.latents(1, choice.other_seed, choice.truncation)
            first = great_circle(first[0], other[0], choice.share)[None]
        walk = torch.tensor(choice.walk or [0.0], dtype=torch.float32)[: self.directions]
        return first + walk @ self._directions[: len(walk)]

    def view(self, choice: Choice) -> View:
        """The image of a `choice`, its logit, and its heat map by integrated gradients.

        Raises:
            ValueError: for a truncation that is not positive and finite, or a class that the run does not have.
        """
        classes = self.run.classes
        if not 0 <= choice.label < max(classes, 1):
            raise ValueError(f"explore: expected a class from 0 to {max(classes, 1) - 1}, got {choice.label}")
        given = (torch.tensor([choice.label]),) if classes else ()
        with torch.no_grad():
            sample = self.run.generator(self.latent(choice), *given)
            logit = float(self._discriminator(sample, *given).flatten()[0])
        return View(_enlarged(to_pixels(sample[0])), logit, self._heat(sample, given))

    def _heat(self, sample: Tensor, given: tuple[Tensor, ...]) -> NDArray[np.uint8] | None:
        try:
            found = attribute(self._discriminator, sample, *given, methods=[_METHOD], baseline=-1.0)[_METHOD]
        except MissingExtraError:
            return None
        values = found[0].sum(dim=0).numpy()
        values = values / (np.abs(values).max() or 1.0)
        white = np.ones_like(values)
        # White fades to red where the value is positive and to blue where it is negative.
        red, blue = np.minimum(white, 1 + values), np.minimum(white, 1 - values)
        colours = np.stack([red, np.minimum(red, blue), blue], axis=-1)
        return _enlarged((colours * 255).round().astype(np.uint8))


def _enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture (H, W, C) as RGB, each pixel a square of whole pixels, until the longer side has 384 or more."""
    rgb = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[..., :3]
    factor = max(1, -(-_SIDE // max(rgb.shape[:2])))
    return rgb.repeat(factor, axis=0).repeat(factor, axis=1)
