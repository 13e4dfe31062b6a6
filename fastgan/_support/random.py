"""Seeds that are derived from a seed."""

from __future__ import annotations

import numpy as np


def derive(seed: int, *path: int) -> int:
    """A seed of its own for one purpose: unrelated to those of other paths and of nearby seeds."""
    state = np.random.SeedSequence(seed, spawn_key=path).generate_state(1, np.uint64)
    return int(state[0]) >> 1
