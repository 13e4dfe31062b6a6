"""`NumberScaler`: scikit-learn's standardisation of some features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgan._support.extras import require

_StandardScaler: Any = require("sklearn.preprocessing").StandardScaler

__all__ = ["NumberScaler"]


class NumberScaler(_StandardScaler):  # type: ignore[misc]
    """Standardises numbers, and leaves features of 0 and 1 as they are, such as one-hot categories.

    Args:
        numbers: of each feature, whether it is standardised; () standardises all.

    Example:
        >>> NumberScaler([True, False]).fit_transform([[1.0, 0.0], [3.0, 1.0]]).tolist()
        [[-1.0, 0.0], [1.0, 1.0]]
    """

    def __init__(self, numbers: Sequence[bool] = ()) -> None:
        super().__init__()
        self.numbers = numbers

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> NumberScaler:
        """Find the mean and the scale of the features of samples `X` (N, F).

        Args:
            X: the samples.
            y: ignored.
            sample_weight: as scikit-learn's `StandardScaler` takes it.
        """
        super().fit(X, y, sample_weight)
        if len(self.numbers):
            plain = ~np.asarray(self.numbers)
            self.mean_[plain], self.scale_[plain] = 0.0, 1.0
        return self
