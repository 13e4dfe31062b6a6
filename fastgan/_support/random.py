"""Seeds derived from another seed."""

from __future__ import annotations

import numpy as np


def derive(seed: int, *path: int) -> int:
    """Return a seed for the purpose that `path` numbers, independent of other paths and of other seeds."""
    state = np.random.SeedSequence(seed, spawn_key=path).generate_state(1, np.uint64)
    return int(state[0]) >> 1
