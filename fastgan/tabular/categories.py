"""Codes of the categories of a column, for a GAN: those that are frequent, all others together, and missing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgan._support.messages import unknown_name
from fastgan.tabular.columns import Column

__all__ = ["CategoryCodes", "refuse_missing"]

Array = NDArray[Any]


def refuse_missing(column: Column, missing: Array) -> None:
    """Refuse missing values in a column that had none when it was described.

    Args:
        column: the column.
        missing: bool (N,).

    Raises:
        ValueError: for a missing value; the message names the column.
    """
    if missing.any() and not column.missing:
        raise ValueError(f"tabular: expected no missing value in column '{column.name}', as in the fitted table")


class CategoryCodes:
    """The codes of a column of categories: the most frequent first, then one for all others, then one for missing.

    Args:
        column: the column.
        most: how many codes there are at most, the one for missing not counted.

    Attributes:
        column: the column.
        width: how many codes there are.
        shares: the share of the rows of each code.
        notes: a sentence, where rare categories share a code.
    """

    def __init__(self, column: Column, most: int) -> None:
        self.column = column
        counts = np.array(column.counts, dtype=np.int64)
        order = np.argsort(-counts, kind="stable")
        self._order = order = order[counts[order] > 0]  # an unused category of a pandas categorical is never drawn
        self._counts = counts[order]
        self._kept = min(len(order), most)
        self.width = self._kept + (column.missing > 0)
        shares = [*self._counts[: self._kept - 1], self._counts[self._kept - 1 :].sum()] if self._kept else []
        shares += [column.missing] if column.missing else []
        self.shares = [float(s) / (self._counts.sum() + column.missing) for s in shares]
        self._code = np.full(len(counts) + 1, self._kept, dtype=np.int64)  # the last one stands for missing
        self._code[order] = np.minimum(np.arange(len(order)), self._kept - 1)
        self._rare = len(order) > most
        self.notes = [
            f"column '{column.name}' has {len(order)} categories: the {len(order) - most + 1} rarest are learnt as "
            "one, and drawn by their frequencies"
        ] * self._rare

    def codes(self, series: Any) -> Array:
        """The codes (N,) of a pandas `series`.

        Raises:
            ValueError: for a value that the column did not have when it was described.
        """
        places = self.column.codes(series)
        refuse_missing(self.column, places < 0)
        codes: Array = self._code[places]
        return codes

    def decode(self, codes: Array, random: np.random.Generator) -> Any:
        """A pandas series of the values of `codes` (N,); `random` draws among those that share a code."""
        places = np.append(self._order[: self._kept], -1)[codes]
        shared = codes == self._kept - 1
        if self._rare and shared.any():
            rare = self._counts[self._kept - 1 :]
            places[shared] = random.choice(self._order[self._kept - 1 :], shared.sum(), p=rare / rare.sum())
        return self.column.from_codes(places)

    def place(self, value: Any) -> int:
        """The code of a `value`, given as it is or as text.

        Raises:
            ValueError: for a value that never occurs.
        """
        texts = {str(self.column.values[i]): int(self._code[i]) for i in self._order}
        if str(value) not in texts:  # True is spelt true or TRUE in some tables
            alike = [text for text in texts if text.lower() == str(value).lower()]
            value = alike[0] if len(alike) == 1 else value
        if str(value) not in texts:
            raise ValueError(
                unknown_name(f"tabular: column '{self.column.name}' never has the value", str(value), list(texts)[:20])
            )
        if self._rare and texts[str(value)] == self._kept - 1:
            raise ValueError(
                f"tabular: expected one of the {self._kept - 1} most frequent categories of '{self.column.name}' as a "
                f"condition, got '{value}'"
            )
        return texts[str(value)]
