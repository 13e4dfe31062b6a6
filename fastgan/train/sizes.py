"""How large and how long a run is: what it says of that before it takes gigabytes or hours."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from fastgan._support.memory import size_text
from fastgan.train.config import TrainConfig
from fastgan.train.grid import grid_samples

__all__ = ["Pace", "RunSizes"]

_LARGE = 1e9  # bytes
_LONG = 3600.0  # seconds
_MEASURED = 1.0  # seconds of steps, at least one, from which the rest is foretold
_SLOW = 10.0  # seconds of a first step, warm-up included, that tell enough
# Numbers that an optimizer keeps for each parameter.
_MOMENTS = {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 0}


@dataclass(frozen=True)
class RunSizes:
    """The sizes of a run, in bytes, but for what the layers' activations take.

    Attributes:
        parameters: their number, in both networks.
        training: weights, moving average, gradients and optimizer states.
        checkpoint: a checkpoint's file.
        kept: all checkpoints' files.
        samples: number of samples in a grid.
        grid: memory of the host for drawing a sample grid and writing its picture.
    """

    parameters: int
    training: int
    checkpoint: int
    kept: int
    samples: int
    grid: int

    @classmethod
    def of(
        cls, generator: nn.Module, discriminator: nn.Module, config: TrainConfig, sample_shape: tuple[int, ...]
    ) -> RunSizes:
        """The sizes of a run.

        Args:
            generator: the generator.
            discriminator: the discriminator.
            config: `optimizer` and `keep`.
            sample_shape: the shape of one sample.
        """
        g, d = (sum(p.numel() * p.element_size() for p in n.parameters()) for n in (generator, discriminator))
        checkpoint = (2 + _MOMENTS[config.optimizer]) * g + (1 + _MOMENTS[config.optimizer]) * d
        samples = grid_samples(sample_shape)
        numbers = samples * math.prod(sample_shape)
        picture = numbers if len(sample_shape) == 3 else 0
        return cls(
            parameters=sum(p.numel() for n in (generator, discriminator) for p in n.parameters()),
            training=checkpoint + g + d,  # and the gradients
            checkpoint=checkpoint,
            kept=(config.keep + 1) * checkpoint,  # one is written before the oldest is deleted
            samples=samples,
            grid=4 * numbers + 3 * picture,  # the samples, and the picture with what its encoders copy
        )

    def check(self, available: int | None) -> None:
        """Refuse a run whose grids do not fit, before it trains for hours and dies at the first.

        Args:
            available: bytes of the host's memory that are left, or None where that is not known.

        Raises:
            ValueError: with both sizes.
        """
        if available is not None and self.grid > available:
            raise ValueError(
                f"train: expected {size_text(self.grid)} of memory for the sample grid of {self.samples}, got "
                f"{size_text(available)} that are free; smaller samples, as by --image-size, take less"
            )

    def notes(self) -> list[str]:
        """What to say before a run that takes gigabytes."""
        if max(self.training, self.kept) < _LARGE:
            return []
        return [f"train: {self.text()}"]

    def text(self) -> str:
        """The sizes in words."""
        return (
            f"{self.parameters:,} parameters; weights, gradients and the optimizers' states take "
            f"{size_text(self.training)}, besides the layers' outputs; a checkpoint takes "
            f"{size_text(self.checkpoint)}, those that are kept {size_text(self.kept)}"
        )


class Pace:
    """Measures the first steps, and foretells how long the others take.

    Args:
        steps: the last step.
        step: the number of steps done before.
        device: the training device.
        clock: the time in seconds.
    """

    def __init__(
        self, steps: int, step: int, device: torch.device, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._steps, self._first, self._device, self._clock = steps, step, device, clock
        self._start, self._warm, self._done = clock(), False, False

    def __call__(self, step: int) -> str | None:
        """The note of a `step` that was just done, once, if what is left takes more than an hour; else None."""
        if self._done:
            return None
        elapsed = self._clock() - self._start
        if not self._warm and elapsed < _SLOW:  # the first step does work that others need not
            self._wait()
            self._first, self._start, self._warm = step, self._clock(), True
            return None
        if elapsed < _MEASURED:
            return None
        self._wait()
        self._done = True
        seconds = (self._clock() - self._start) / (step - self._first)
        left = (self._steps - step) * seconds
        if left < _LONG:
            return None
        return (
            f"train: {self._steps - step:,} more steps of {_seconds(seconds)} s each take about {left / 3600:,.1f} "
            f"hours; memory until now {size_text(self._memory())}"
        )

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _memory(self) -> int:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_reserved(self._device)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _seconds(seconds: float) -> str:
    """Seconds with two digits, or as a whole number."""
    return f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.2g}"
