"""Mode-specific normalisation of the number columns of a table, all columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan.data.table.mixtures import Mixtures, fit_mixtures

__all__ = ["Modes", "Normaliser"]

Array = NDArray[Any]

_ATOM_SHARE = 0.02  # numbers that at least this share of the rows has are modes by themselves
_MOST_ATOMS = 20
_CHUNK = 65536  # rows that are normalised at once
_STDS = 4.0  # a mode reaches this many standard deviations from its mean, or as far as a number that belongs to it


@dataclass(frozen=True)
class Modes:
    """The modes of one column of numbers: single values first, then Gaussians.

    Attributes:
        atoms: values that are frequent by themselves, rising.
        weights: the Gaussians' shares of the other values.
        means: their means.
        stds: their standard deviations, above 0.
        reaches: how far from their means they reach.
    """

    atoms: tuple[float, ...]
    weights: tuple[float, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]
    reaches: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many modes there are."""
        return len(self.atoms) + len(self.means)

    def to_json(self) -> dict[str, list[float]]:
        """The modes as plain JSON."""
        return {name: list(values) for name, values in asdict(self).items()}

    @classmethod
    def from_json(cls, content: dict[str, list[float]]) -> Modes:
        """The modes that `to_json` gave as `content`."""
        return cls(**{name: tuple(values) for name, values in content.items()})


class Normaliser:
    """Maps numbers to the mode that each belongs to and its place in the mode, and back.

    Args:
        modes: those of each of the C columns.
    """

    def __init__(self, modes: Sequence[Modes]) -> None:
        self.modes = list(modes)
        self._atom_counts = np.array([len(m.atoms) for m in modes], dtype=np.int64)
        self._counts = np.array([m.count for m in modes], dtype=np.int64)
        self._atoms = _padded([m.atoms for m in modes], np.nan)
        self._mixtures = Mixtures(
            _padded([m.weights for m in modes], 0.0),
            _padded([m.means for m in modes], 0.0),
            _padded([m.stds for m in modes], 1.0),
        )
        # What a mode means: its centre and its reach, 0 for an atom; the last of each row is missing.
        centres = [[*m.atoms, *m.means, np.nan] for m in modes]
        reaches = [[*[0.0] * len(m.atoms), *m.reaches, 0.0] for m in modes]
        self._centres, self._reaches = _padded(centres, np.nan), _padded(reaches, 0.0)

    @classmethod
    def fit(cls, columns: Sequence[Array], most: int = 10) -> Normaliser:
        """Find the modes of each column.

        Args:
            columns: finite values (N_c,) of each column, at least one.
            most: the largest number of Gaussians of a column.
        """
        modes: list[Modes] = []
        others: list[tuple[Array, Array]] = []
        for x in columns:
            values, counts = np.unique(x, return_counts=True)
            frequent = counts >= max(2, _ATOM_SHARE * len(x))
            frequent[np.argsort(-counts, kind="stable")[_MOST_ATOMS:]] = False
            if (~frequent).sum() <= 2:  # too few other values for a Gaussian
                frequent[:] = True
            modes.append(Modes(tuple(values[frequent].tolist()), (), (), (), ()))
            others.append((values[~frequent], counts[~frequent]))
        if mixed := [i for i, (values, _) in enumerate(others) if len(values)]:
            mixtures = fit_mixtures([np.repeat(*others[i]) for i in mixed], most)
            for i, weights, means, stds in zip(mixed, mixtures.weights, mixtures.means, mixtures.stds, strict=True):
                used = weights > 0
                found = Mixtures(*(part[used][None] for part in (weights, means, stds)))
                modes[i] = Modes(modes[i].atoms, *_gaussians(found, others[i][0]))
        return cls(modes)

    def apply(self, x: Array) -> tuple[Array, Array]:
        """Normalise numbers.

        Args:
            x: float64 (N, C), NaN where missing.

        Returns:
            The places in their modes, float32 (N, C) in [-1, 1], and the modes, int64 (N, C); those of missing values
            are 0 and the number of the column's modes.
        """
        scalars, codes = np.empty(x.shape, np.float32), np.empty(x.shape, np.int64)
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            codes[part] = chosen = self._choose(x[part])
            with np.errstate(invalid="ignore", divide="ignore"):
                centre, reach = (np.take_along_axis(t, chosen.T, 1).T for t in (self._centres, self._reaches))
                place = np.where(reach > 0, (x[part] - centre) / np.where(reach > 0, reach, 1.0), 0.0)
            scalars[part] = np.clip(np.nan_to_num(place), -1, 1)
        return scalars, codes

    def invert(self, scalars: Array, codes: Array) -> Array:
        """The numbers, float64 (N, C) with NaN for missing, of places `scalars` in modes `codes`, both (N, C)."""
        centre, reach = (np.take_along_axis(t, codes.T, 1).T for t in (self._centres, self._reaches))
        values: Array = centre + scalars.astype(np.float64) * reach
        return values

    def _choose(self, x: Array) -> Array:
        """The mode of each number, the most probable one."""
        missing = np.isnan(x)
        known = np.where(missing, 0.0, x)
        codes = self._mixtures.posterior(known).argmax(2) + self._atom_counts if self._mixtures.means.size else 0
        if self._atoms.size:
            equal = known[:, :, None] == self._atoms
            codes = np.where(equal.any(2), equal.argmax(2), codes)
        return np.where(missing, self._counts, codes)


def _gaussians(mixture: Mixtures, x: Array) -> tuple[tuple[float, ...], ...]:
    """Weights, means, standard deviations and reaches of one column's Gaussians, for its values `x` (N,)."""
    means, reaches = mixture.means[0], _STDS * mixture.stds[0]
    for start in range(0, len(x), _CHUNK):
        part = x[start : start + _CHUNK]
        chosen = mixture.posterior(part[:, None]).argmax(2)[:, 0]
        np.maximum.at(reaches, chosen, np.abs(part - means[chosen]))
    return tuple(tuple(values.tolist()) for values in (mixture.weights[0], means, mixture.stds[0], reaches))


def _padded(rows: Sequence[Sequence[float]], fill: float) -> Array:
    """Rows of different lengths as one float64 array, filled up with `fill`."""
    table = np.full((len(rows), max(map(len, rows), default=0)), fill)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table
