"""Settings of a recipe that depend on the size and the number of the samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Fit", "settings_for"]


@dataclass(frozen=True)
class Fit:
    """Settings for images of some sizes and numbers.

    Attributes:
        settings: values by name.
        sides: the least and the largest length of the longer side in pixels, both included; None for no limit.
        most: the largest number of images; None for no limit.
    """

    settings: Mapping[str, Any]
    sides: tuple[int, int | None] = (1, None)
    most: int | None = None

    def holds(self, sample_shape: tuple[int, ...], count: int) -> bool:
        """Whether the settings are for these samples.

        Args:
            sample_shape: the shape of one sample; only images (C, H, W) fit.
            count: the number of samples.
        """
        if len(sample_shape) != 3:
            return False
        least, largest = self.sides
        side = max(sample_shape[1:])
        return least <= side and (largest is None or side <= largest) and (self.most is None or count <= self.most)

    @property
    def why(self) -> str:
        """The samples that the settings are for, in words."""
        least, largest = self.sides
        words = []
        if largest is not None:
            words.append(f"images of {least} to {largest} pixels")
        elif least > 1:
            words.append(f"images of {least} pixels and more")
        if self.most is not None:
            words.append(f"at most {self.most:,} images")
        return ", ".join(words)


def settings_for(fits: Iterable[Fit], sample_shape: tuple[int, ...], count: int) -> dict[str, tuple[Any, str]]:
    """The settings that fit the samples, each with the reason.

    Args:
        fits: of one recipe; a later one replaces the settings of an earlier one.
        sample_shape: the shape of one sample.
        count: the number of samples.

    Returns:
        Values and reasons by the settings' names.

    Example:
        >>> fits = [Fit({"lr_g": 2e-4}, sides=(16, None)), Fit({"augment": "color"}, most=500)]
        >>> settings_for(fits, (3, 32, 32), 4000)
        {'lr_g': (0.0002, 'images of 16 pixels and more')}
    """
    return {
        name: (value, fit.why) for fit in fits if fit.holds(sample_shape, count) for name, value in fit.settings.items()
    }
