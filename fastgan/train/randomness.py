"""The state of every generator of random numbers that training draws from."""

from __future__ import annotations

import random
from enum import IntEnum
from typing import Any

import numpy as np
import torch

from fastgan._support.random import derive
from fastgan.train import distributed

__all__ = [
    "Purpose",
    "random_state",
    "restore_generator",
    "restore_process",
    "restore_random_state",
    "seed_all",
    "seed_own",
]


class Purpose(IntEnum):
    """What a seed of its own is derived for, the first part of `derive`'s path; a number is never given twice."""

    ORDER = 1
    NOISE = 2
    GRID = 3
    LOADING = 4
    CLASS_ORDER = 5
    PLACES = 6
    FLIP = 7
    EVALUATION = 8
    ALARM = 9
    PROCESS = 10
    RESUMED_PROCESS = 11
    RESUMED_NOISE = 12


def seed_all(seed: int) -> None:
    """Seed torch (CPU and GPUs), NumPy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - data sets of others draw from the global one
    random.seed(seed)


def restore_generator(generator: torch.Generator, state: torch.Tensor, otherwise: int) -> bool:
    """Give a generator its state back; another kind of device's does not fit, and is replaced by a seed `otherwise`.

    Returns:
        Whether the state fitted.
    """
    if state.shape != generator.get_state().shape:
        generator.manual_seed(otherwise)
        return False
    generator.set_state(state)
    return True


def seed_own(seed: int) -> None:
    """Give each process but the first random numbers of its own, a function of `seed` and its number."""
    if distributed.rank() > 0:
        seed_all(derive(seed, Purpose.PROCESS, distributed.rank()))


def random_state() -> dict[str, Any]:
    """All global states, in the plain types that a checkpoint may hold."""
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


def restore_process(states: list[dict[str, Any]], otherwise: int) -> None:
    """Give this process its own of the processes' `states`; one more than there were gets a seed `otherwise`."""
    if distributed.rank() < len(states):
        restore_random_state(states[distributed.rank()])
    else:
        seed_own(otherwise)


def restore_random_state(state: dict[str, Any]) -> None:
    """Put back what `random_state` returned; GPU states only as far as there are GPUs."""
    torch.set_rng_state(state["torch"])
    for device in range(min(len(state["cuda"]), torch.cuda.device_count())):
        torch.cuda.set_rng_state(state["cuda"][device], device)
    numpy = state["numpy"]
    keys = numpy["keys"].numpy().astype(np.uint32)
    np.random.set_state(  # noqa: NPY002
        ("MT19937", keys, numpy["position"], numpy["has_gauss"], numpy["cached"])
    )
    random.setstate(state["python"])
