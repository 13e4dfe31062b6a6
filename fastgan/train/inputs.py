"""Inputs of image to image among the settings of a run."""

from __future__ import annotations

from fastgan.data import Data
from fastgan.train.config import TrainConfig

__all__ = ["check_inputs", "with_inputs"]


def with_inputs(data: Data, config: TrainConfig) -> Data:
    """The data with the inputs that `config.from_` makes.

    Args:
        data: images.
        config: `from_`.

    Raises:
        ValueError: as `Data.with_inputs`.
    """
    return data if config.from_ == "none" else data.with_inputs(config.from_)


def check_inputs(data: Data, config: TrainConfig) -> None:
    """Refuse settings that do not go together with data that have inputs, or need them.

    Args:
        data: of the training.
        config: the settings.

    Raises:
        ValueError: naming the setting.
    """
    if data.inputs is None:
        if config.reconstruction > 0:
            raise ValueError(
                "train: expected data with inputs for `reconstruction`, pairs:PATH or images with `from_` (--from), "
                f"got {data.name or 'data'} without"
            )
        return
    for name, wanted in (("conditional", False), ("pack", 1), ("augment", "")):
        if (got := getattr(config, name)) != wanted:
            raise ValueError(f"train: expected `{name}` to be {wanted!r} for data with inputs, got {got!r}")
    if config.balance == "weights":
        raise ValueError("train: expected `balance` to be none or sampler for data with inputs, got 'weights'")
