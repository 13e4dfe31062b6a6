"""Seeds and states of the random number generators that training draws from."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from fastgan._support.random import derive
from fastgan.train import distributed

__all__ = [
    "Purpose",
    "drawn",
    "preserved_random_state",
    "random_state",
    "restore_generator",
    "restore_random_state",
    "restore_rank",
    "seed_all",
    "seed_rank",
]


class Purpose(IntEnum):
    """What a seed is derived for: the first part of `derive`'s path. A number is never used for two purposes."""

    ORDER = 1
    NOISE = 2
    GRID = 3
    LOADING = 4
    CLASS_ORDER = 5
    POSITIONS = 6
    FLIP = 7
    EVALUATION = 8
    ALARM = 9
    PROCESS = 10
    RESUMED_PROCESS = 11
    RESUMED_NOISE = 12
    PART = 13
    HOLES = 14
    CONDITION = 15
    SAMPLING = 16
    CALIBRATION = 17


def seed_all(seed: int) -> None:
    """Seed the global generators of torch (CPU and GPUs), NumPy and Python with `seed`."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - a user's data set may draw from the global generator
    random.seed(seed)


def restore_generator(generator: torch.Generator, state: torch.Tensor, fallback_seed: int) -> bool:
    """Restore a generator's state, or seed it anew where the state is that of another kind of device.

    Args:
        generator: the generator to change.
        state: what its `get_state` returned.
        fallback_seed: used where `state` does not fit.

    Returns:
        Whether the state was restored.
    """
    if state.shape != generator.get_state().shape:
        generator.manual_seed(fallback_seed)
        return False
    generator.set_state(state)
    return True


def seed_rank(seed: int) -> None:
    """Seed the global generators of each process except process 0 with a seed derived from `seed` and its rank."""
    if distributed.rank() > 0:
        seed_all(derive(seed, Purpose.PROCESS, distributed.rank()))


def random_state() -> dict[str, Any]:
    """The states of all global generators, in the plain types that a checkpoint may hold."""
    _, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": {
            "keys": torch.from_numpy(np.asarray(keys).astype(np.int64)),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "cached": float(cached),
        },
        "python": random.getstate(),
    }


def restore_rank(states: list[dict[str, Any]], fallback_seed: int) -> None:
    """Restore this process's random state.

    Args:
        states: the `random_state` of each process of the saved run, by rank.
        fallback_seed: the seed for a process whose rank has no state, when there are more processes than before.
    """
    if distributed.rank() < len(states):
        restore_random_state(states[distributed.rank()])
    else:
        seed_rank(fallback_seed)


def restore_random_state(state: dict[str, Any]) -> None:
    """Restore a `state` that `random_state` returned; GPU states only for the GPUs that exist."""
    torch.set_rng_state(state["torch"])
    for device in range(min(len(state["cuda"]), torch.cuda.device_count())):
        torch.cuda.set_rng_state(state["cuda"][device], device)
    numpy = state["numpy"]
    keys = numpy["keys"].numpy().astype(np.uint32)
    np.random.set_state(  # noqa: NPY002
        ("MT19937", keys, numpy["position"], numpy["has_gauss"], numpy["cached"])
    )
    random.setstate(state["python"])


@torch.no_grad()
def drawn(generator: nn.Module, seed: int, *inputs: Tensor | None) -> Tensor:
    """The samples of a generator whose own random layers draw from a seed, and leave torch's generators as they were.

    Args:
        generator: the network.
        seed: of its random layers.
        inputs: latents (N, latent_dim), and labels (N,) or conditions if any; None is left out.
    """
    given = [x for x in inputs if x is not None]
    with torch.random.fork_rng([given[0].device] if given[0].is_cuda else []):
        torch.manual_seed(seed)
        return cast(Tensor, generator(*given))


@contextlib.contextmanager
def preserved_random_state() -> Iterator[None]:
    """Leave the global generators as they were before the block: what draws in it does not change the training."""
    state = random_state()
    try:
        yield
    finally:
        restore_random_state(state)
