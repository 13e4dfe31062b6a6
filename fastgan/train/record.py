"""What a run is: its settings, its data and its networks, as checkpoints keep them and a resumed run must have them."""

from __future__ import annotations

import dataclasses
import os.path
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from fastgan.data import Data, check_spec, fingerprint
from fastgan.train.config import TrainConfig
from fastgan.train.recipes import RECIPES

__all__ = ["FORMAT", "RunRecord"]

# The layout of a checkpoint. It is raised when an entry changes its meaning, and not when a setting is added.
FORMAT = 1

# Settings that a resumed run may change. Some change no result: where and how fast a run works, what it records. The
# number of steps may grow. The data are known by their fingerprint and the shape of their samples, and a recipe by the
# settings that it stands for.
_NOT_COMPARED = {"out", "resume", "steps", "data", "image_size", "color", "recipe"}
_NOT_COMPARED |= {"device", "threads", "workers", "compile", "cuda_graph", "channels_last"}
_NOT_COMPARED |= {"checkpoint_every", "keep", "sample_every", "log_every", "eval_every"}
_NOT_COMPARED |= {"on_alarm", "alarm_readings", "strict"}


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """What a run is.

    Attributes:
        config: the settings; a path of the data is absolute.
        passed: what was passed to `GANTrainer` in place of a setting, in words: data, generator, discriminator.
        data: the data's fingerprint.
        sample_shape: the shape of one sample.
        parts: the fingerprints of the parts of data that are spread over machines, in order; () for other data.
    """

    config: TrainConfig
    passed: dict[str, str]
    data: str
    sample_shape: tuple[int, ...]
    parts: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        config: TrainConfig,
        data: Data,
        given: Any,
        generator: nn.Module | None,
        discriminator: nn.Module | None,
        parts: tuple[str, ...] = (),
    ) -> RunRecord:
        """The record of a run with these arguments of `GANTrainer`.

        Args:
            config: the settings.
            data: the data as they are used.
            given: the argument `data`; None for those of the settings.
            generator: the argument, or None.
            discriminator: the argument, or None.
            parts: the fingerprints of the parts of data that are spread.
        """
        networks = {"generator": generator, "discriminator": discriminator}
        passed = {name: f"a {type(network).__name__}" for name, network in networks.items() if network is not None}
        if given is None:
            return cls(_with_absolute_path(config), passed, data.base_fingerprint, data.sample_shape, parts)
        words = f"a {type(given).__name__} of {len(data):,} samples of shape {' x '.join(map(str, data.sample_shape))}"
        return cls(config, {"data": words, **passed}, data.base_fingerprint, data.sample_shape, parts)

    @property
    def data_name(self) -> str:
        """What the data are called in messages."""
        return self.passed.get("data", self.config.data)

    @property
    def kind(self) -> str:
        """The kind of the data, such as digits or folder; "own" for data that were passed."""
        return "own" if "data" in self.passed else self.config.data.partition(":")[0]

    def state(self) -> dict[str, Any]:
        """The entries of a checkpoint from which `check` tells whether another run goes on with this one."""
        return {
            "format": FORMAT,
            "config": self.config.to_dict(),
            "run": {
                "passed": self.passed,
                "data": self.data,
                "data_name": self.data_name,
                "sample_shape": list(self.sample_shape),
                "parts": list(self.parts),
            },
        }

    def check(self, state: Mapping[str, Any]) -> None:
        """Refuse to go on from a checkpoint of another run; what is added to a later version counts as its default.

        Args:
            state: the checkpoint, with the entries of `state`.

        Raises:
            ValueError: naming each setting, or the data or networks, with what the checkpoint has and what came.
        """
        found = state.get("format")
        if found != FORMAT:
            version = "a later" if isinstance(found, int) and found > FORMAT else "an earlier"
            raise ValueError(
                f"train: expected a checkpoint of format {FORMAT}, got {found}: {version} version of fastgan wrote it"
            )
        before = state["run"]
        self._check_networks(before["passed"])
        difference = self._difference(before)
        if difference:
            raise ValueError(
                f"train: expected the data of the checkpoint, {before['data_name']}, got {self.data_name}: {difference}"
            )
        if tuple(before["sample_shape"]) != self.sample_shape:
            raise ValueError(
                f"train: expected samples of shape {before['sample_shape']}, as in the checkpoint, got "
                f"{list(self.sample_shape)}; `image_size` is {state['config'].get('image_size')} and `color` "
                f"{state['config'].get('color')!r} there"
            )
        differing = [
            f"`{name}` to be {earlier!r}, as in the checkpoint, got {value!r}"
            for name, value in self.config.to_dict().items()
            if name not in _NOT_COMPARED and (earlier := _earlier(state["config"], name)) != value
        ]
        if differing:
            raise ValueError(f"train: expected {'; '.join(differing)}")

    def _difference(self, before: Mapping[str, Any]) -> str:
        """What differs between the data of a checkpoint and these, in words; "" if nothing does."""
        parts = tuple(before.get("parts", ()))
        if not parts and not self.parts:
            return fingerprint.difference(before["data"], self.data)
        if len(parts) != len(self.parts):
            return f"{max(1, len(self.parts))} instead of {max(1, len(parts))} parts, which machines hold"
        pairs = zip(parts, self.parts, strict=True)
        return next((fingerprint.difference(earlier, now) for earlier, now in pairs if earlier != now), "")

    def _check_networks(self, before: Mapping[str, str]) -> None:
        for name in ("generator", "discriminator"):
            own = f"that of the network '{self.config.network}'"
            earlier, now = before.get(name), self.passed.get(name)
            if earlier is not None and now is None:
                raise ValueError(
                    f"train: expected the {name} that was passed to GANTrainer, {earlier}, as in the checkpoint, got "
                    f"{own}; pass {name}=... to resume in Python"
                )
            if earlier is None and now is not None:
                raise ValueError(f"train: expected {own} as {name}, as in the checkpoint, got {now}")

    def notes(self, out: Path) -> list[str]:
        """What to say of a run whose folder is `out`: that it lies among the images."""
        kind, path = check_spec(self.config.data)
        if "data" in self.passed or kind != "folder":
            return []
        folder, root = out.resolve(), Path(path).resolve()
        if not folder.is_relative_to(root):
            return []
        return [
            f"train: the run folder {out} lies in the folder of the data, {root}; fastgan takes its pictures for no "
            "data, but other programs may: --out takes a folder elsewhere"
        ]


def _with_absolute_path(config: TrainConfig) -> TrainConfig:
    """The settings with the path of the data absolute, so that they hold in another working folder, too."""
    kind, path = check_spec(config.data)
    return config.replace(data=f"{kind}:{os.path.abspath(path)}") if path else config


def _earlier(settings: Mapping[str, Any], name: str) -> Any:
    """A checkpoint's value of a setting; one that its version of fastgan did not have yet was at its default."""
    if name in settings:
        return settings[name]
    default = TrainConfig.__dataclass_fields__[name].default
    if default is None:
        default = RECIPES.get(settings.get("recipe", ""), {}).get(name)
    return list(default) if isinstance(default, tuple) else default
