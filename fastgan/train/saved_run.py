"""A trained run as it lies in its folder: its settings, its networks, samples of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastgan._support.extras import require
from fastgan._support.random import derive
from fastgan.data import Units
from fastgan.data.table.encoding import TableEncoding
from fastgan.data.table.units import EncodedUnits, read_units
from fastgan.models import NetworkSize, build
from fastgan.train.config import TrainConfig
from fastgan.train.latents import draw_latents
from fastgan.train.randomness import Purpose, drawn
from fastgan.train.run_folder import RunFolderError
from fastgan.train.settings_file import read_settings
from fastgan.train.table_rows import new_rows
from fastgan.train.translate import check_images, served_size, translate

__all__ = ["Run", "load_discriminator", "load_run"]

_BLOCK = 1024  # latents drawn at once
_IN_PYTHON = {
    "generator": "fastgan.train.load_run(path, generator=...) fills one with its weights",
    "discriminator": "weights.safetensors holds its weights under the names discriminator.*",
}
_ABOUT = {"size", "units", "step", "data", "class_names", "inputs"}  # the entries of the weights' metadata


@dataclass(frozen=True)
class Run:
    """A trained run, read from its folder.

    Attributes:
        path: the folder.
        config: the run's settings.
        generator: the moving average of G, in eval mode, on the CPU.
        units: the units of the training data.
        step: number of training steps of the weights.
        classes: number of classes; 0 for an unconditional run.
        sample_shape: shape of one sample.
        fingerprint: of the training data; see `fastgan.data.fingerprint`.
        passed: what was passed to `GANTrainer` in place of a setting, in words: data, generator, discriminator.
        class_names: of the training data, in the order of the labels; () without labels.
        input_shape: of the images that the run translates; () for a run that draws samples from latents.
        inputs: how the inputs of the training were got: "pairs", or made by one of `fastgan.data.inputs.INPUTS`; "".
    """

    path: Path
    config: TrainConfig
    generator: nn.Module
    units: Units
    step: int
    classes: int
    sample_shape: tuple[int, ...]
    fingerprint: str
    passed: dict[str, str]
    class_names: tuple[str, ...]
    input_shape: tuple[int, ...] = ()
    inputs: str = ""

    @property
    def data(self) -> str:
        """The training data, as `config.data` names it, or what was passed to `GANTrainer` in words."""
        return self.passed.get("data", self.config.data)

    @property
    def encoding(self) -> TableEncoding | None:
        """How the rows of a run of the network `tabular` are encoded; None for other runs."""
        return self.units.encoding if isinstance(self.units, EncodedUnits) else None

    def translate(self, images: Tensor, seed: int | None = 0) -> Tensor:
        """Translate images (N, C', H, W), in the network's range, to images (N, C, H, W).

        Each image's translation depends on the image, the weights and the seed, and not on the images beside it.

        Args:
            images: as many channels as `input_shape`; sides that `nearest_size` leaves as they are.
            seed: of the dropout, which is the generator's noise; None leaves it off.

        Raises:
            ValueError: for a run that draws samples from latents, images of other channels, or sides that the network
                does not serve, with the nearest that it does.
        """
        self.check_translates("translate")
        check_images(self.generator, images, self.input_shape)
        return translate(self.generator, images, seed)

    def nearest_size(self, height: int, width: int) -> tuple[int, int]:
        """The sides nearest to `height` and `width` that the generator serves.

        Raises:
            ValueError: for a run that draws samples from latents.
        """
        self.check_translates("translate")
        return served_size(self.generator, height, width, self.input_shape)

    def check_translates(self, command: str, translates: bool = True) -> None:
        """Refuse a run for a `command` that takes those that translate images, or if not `translates` the others.

        Raises:
            ValueError: naming the run.
        """
        if bool(self.input_shape) != translates:
            kinds = ("draws samples from latents", "translates images")
            what = f"a run that {kinds[translates]}, got {self.path}, which {kinds[not translates]}"
            raise ValueError(f"{command}: expected {what}{'' if translates else '; fastgan translate takes it'}")

    def sample(self, count: int, seed: int, labels: Tensor | None = None, truncation: float | None = None) -> Tensor:
        """Draw samples (count, ...), in the network's range; a pure function of the weights and the arguments.

        Args:
            count: number of samples.
            seed: seed of the latents.
            labels: the classes (count,) of a conditional run's samples; by default those of the method `labels`.
            truncation: the truncation trick of Brock et al. (2019), section 3.1: latents are drawn from the normal
                distribution truncated to [-truncation, truncation]. Smaller values give more typical and less varied
                samples. None does not truncate.

        Raises:
            ValueError: for a truncation that is not positive and finite.
        """
        samples, start = torch.empty(0), 0
        for batch in self.batches(count, seed, labels, truncation):
            if start == 0:
                samples = batch.new_empty(count, *batch.shape[1:])
            samples[start : start + len(batch)] = batch
            start += len(batch)
        return samples

    def batches(
        self,
        count: int,
        seed: int,
        labels: Tensor | None = None,
        truncation: float | None = None,
        conditions: Mapping[str, Any] | None = None,
    ) -> Iterator[Tensor]:
        """The samples that `sample` draws, in batches: memory holds one of them.

        Args:
            count: number of samples.
            seed: seed of the latents.
            labels: the classes (count,) of a conditional run's samples; by default those of the method `labels`.
            truncation: as in `sample`.
            conditions: for columns of a table the value that all rows have; of a run of the network `tabular`.

        Returns:
            Samples (N, ...), N at most `config.batch_size`; of the network `tabular` as `new_rows` makes them.

        Raises:
            ValueError: for a truncation that is not positive and finite; for conditions of a run of another network,
                and as `new_rows` does.
        """
        if self.encoding is not None:
            seed, dim = derive(seed, Purpose.SAMPLING), self.config.latent_dim
            return new_rows(self.generator, self.encoding, dim, count, seed, conditions, truncation)
        if conditions:
            raise ValueError(
                f"sample: expected a run of the network tabular for conditions, got one of {self.config.network}"
            )
        return self._batches(count, seed, labels, truncation)

    def _batches(self, count: int, seed: int, labels: Tensor | None, truncation: float | None) -> Iterator[Tensor]:
        start = 0
        for block in self._latents(count, seed, truncation):
            for latents in block.split(self.config.batch_size):
                end = start + len(latents)
                given = None
                if self.classes:
                    given = torch.arange(start, end) % self.classes if labels is None else labels[start:end]
                yield drawn(self.generator, derive(seed, Purpose.SAMPLING, start), latents, given)
                start = end

    def latents(self, count: int, seed: int, truncation: float | None = None) -> Tensor:
        """The latents (count, latent_dim) of the samples that `sample` draws for the same arguments.

        Args:
            count: number of latents.
            seed: of the generator that draws them.
            truncation: the bound of the normal distribution; None does not truncate.

        Raises:
            ValueError: for a truncation that is not positive and finite.
        """
        return torch.cat(list(self._latents(count, seed, truncation)))

    def _latents(self, count: int, seed: int, truncation: float | None) -> Iterator[Tensor]:
        """The latents in blocks, whose size does not depend on the batches, so that these change no sample."""
        self.check_translates("sample", translates=False)
        generator = torch.Generator().manual_seed(seed)
        for start in range(0, count, _BLOCK):
            yield draw_latents(min(_BLOCK, count - start), self.config.latent_dim, generator, truncation)

    def labels(self, count: int) -> Tensor:
        """The default classes (`count`,) of `sample`: 0, 1, ... in turn."""
        return torch.arange(count) % self.classes

    def names_of(self, labels: Tensor) -> list[str]:
        """The names of the classes `labels` (N,)."""
        return [self.class_names[label] for label in labels.tolist()]


def load_run(path: str | Path, best: bool = False, generator: nn.Module | None = None) -> Run:
    """Load a trained run from its folder.

    Args:
        path: the run folder.
        best: load the weights with the lowest FID, which `config.eval_every` keeps, instead of the newest.
        generator: for a run whose generator was passed to `GANTrainer`: a network like it, into which the weights are
            loaded.

    Raises:
        RunFolderError: for a folder that is not a run folder, a run of a generator that was passed to `GANTrainer` if
            none is given, or weights that do not fit the network.
        MissingExtraError: without safetensors.

    Example:
        >>> import tempfile
        >>> from fastgan.train import GANTrainer
        >>> with tempfile.TemporaryDirectory() as out:
        ...     config = TrainConfig(steps=2, batch_size=8, latent_dim=4, out=out)
        ...     run = load_run(GANTrainer(config, data=torch.rand(32, 2)).fit())
        >>> run.step, run.sample(3, seed=0).shape
        (2, torch.Size([3, 2]))
    """
    path = Path(path).expanduser()
    saved = _load_network(path, "ema", best, generator)
    about, size = saved.about, saved.size
    return Run(
        path,
        saved.config,
        saved.network,
        read_units(about["units"]),
        about["step"],
        size.classes,
        size.sample_shape,
        about["data"],
        saved.passed,
        tuple(about["class_names"]),
        size.input_shape,
        about["inputs"],
    )


def load_discriminator(path: str | Path) -> nn.Module:
    """Load the discriminator of a run's newest weights, in eval mode, on the CPU.

    If the run's settings have `pack`, it takes samples packed by `fastgan.train.augment.pack`.

    Args:
        path: the run folder.

    Raises:
        RunFolderError: for a folder that is not a run folder, a run of a discriminator that was passed to `GANTrainer`,
            or weights that do not fit the network.
        MissingExtraError: without safetensors.
    """
    return _load_network(Path(path).expanduser(), "discriminator").network


@dataclass(frozen=True)
class _Saved:
    """What a run folder holds of a network: the settings, the weights' metadata, the network with its weights."""

    config: TrainConfig
    passed: dict[str, str]
    about: dict[str, Any]
    size: NetworkSize
    network: nn.Module


def _load_network(path: Path, name: str, best: bool = False, given: nn.Module | None = None) -> _Saved:
    """The network called ema or discriminator; `given` is filled with the weights in place of that of the settings."""
    weights, settings = path / ("best.safetensors" if best else "weights.safetensors"), path / "config.toml"
    if not weights.is_file() or not settings.is_file():
        missing = "folder" if not path.is_dir() else settings.name
        missing = weights.name if path.is_dir() and settings.is_file() else missing
        raise RunFolderError(
            f"expected {path} to be a run folder of `fastgan train`, with config.toml and "
            f"{weights.name}{' (--eval-every keeps it)' if best else ''}; got no {missing}"
        )
    config, passed = TrainConfig.load_resolved(settings), read_settings(settings).passed
    role = "generator" if name == "ema" else name
    if role in passed and given is None:
        raise RunFolderError(
            f"expected {path} to be a run of networks that its settings name, got one whose {role}, {passed[role]}, "
            f"was passed to GANTrainer in Python: {_IN_PYTHON[role]}"
        )
    safetensors = require("safetensors")
    try:
        with safetensors.safe_open(str(weights), framework="pt") as file:
            about = json.loads(file.metadata()["fastgan"])
            state = {
                key.removeprefix(f"{name}."): file.get_tensor(key)
                for key in file.keys()  # noqa: SIM118 - not a dict
                if key.startswith(f"{name}.")
            }
        size = NetworkSize.from_dict(about["size"])
        network = build(config.network, size)[0 if name == "ema" else 1] if given is None else given
        network.load_state_dict(state)
    except Exception as error:
        expected = (
            f"the network '{config.network}' as {settings} says" if given is None else f"a {type(given).__name__}"
        )
        raise RunFolderError(f"expected {weights} to hold the weights of {expected}: {error}") from error
    if lacking := sorted(_ABOUT - about.keys()):
        raise RunFolderError(
            f"expected {weights} to be of this version of fastgan, got one without {', '.join(lacking)}"
        )
    return _Saved(config, passed, about, size, network.eval())
