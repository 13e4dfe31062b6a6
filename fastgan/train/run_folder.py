"""A run's folder: made, locked against other processes, and read back."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastgan._support.extras import require
from fastgan._support.files import remove_leftovers, write_atomic
from fastgan.data import Units
from fastgan.models import NetworkSize, build
from fastgan.train import checkpoint, distributed
from fastgan.train.config import TrainConfig

__all__ = [
    "Run",
    "RunFolderError",
    "check_out",
    "joined",
    "load_discriminator",
    "load_run",
    "opened",
    "save_weights",
]


class RunFolderError(ValueError):
    """A run folder is in use, holds another run, or is none; the message names it."""


def check_out(out: Path, resume: bool) -> None:
    """Refuse a run folder `out` that is a file or, unless the run is to `resume`, has checkpoints.

    Raises:
        RunFolderError: naming the folder.
    """
    if out.exists() and not out.is_dir():
        raise RunFolderError(f"train: expected --out to be a folder, got the file {out}")
    checkpoints = [*checkpoint.listing(out / "checkpoints"), *(out / "checkpoints").glob("best.pt")]
    if checkpoints and not resume:
        raise RunFolderError(
            f"train: expected an --out without checkpoints, got {out} with {len(checkpoints)}; "
            "--resume continues that run"
        )


@contextlib.contextmanager
def opened(config: TrainConfig) -> Iterator[Path]:
    """The run's folder, made where needed and locked until the block ends.

    The lock is on the folder itself and dies with the process.

    Raises:
        RunFolderError: if another process trains there, or it has checkpoints and
            `config.resume` is not set.
    """
    out = Path(config.out) if config.out is not None else _new_folder(config)
    check_out(out, resume=True)
    out.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunFolderError(f"train: the run folder {out} is in use by another run") from None
        check_out(out, config.resume)
        remove_leftovers(out)
        remove_leftovers(out / "checkpoints")
        yield out
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # workers that were forked meanwhile share the lock, and may live on
        os.close(descriptor)


@contextlib.contextmanager
def joined(config: TrainConfig) -> Iterator[Path]:
    """The run's folder for each of several processes; the first one opens it for all.

    Raises:
        RunFolderError: as `opened` does; FirstProcessError in the other processes, then.
    """
    with contextlib.ExitStack() as stack:
        yield distributed.run_on_rank_zero(lambda: stack.enter_context(opened(config)))


def _new_folder(config: TrainConfig) -> Path:
    """A folder runs/RECIPE-DATA-TIME that did not exist."""
    kind = config.data.partition(":")[0]
    stem = f"{config.recipe}-{kind}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 1
    while True:
        path = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return path


def save_weights(path: Path, networks: dict[str, nn.Module], about: dict[str, Any]) -> None:
    """Write networks as safetensors, keys prefixed `name.`, with `about` as JSON metadata.

    Raises:
        CheckpointError: where it cannot be written.
    """
    tensors = {
        f"{name}.{key}": value.detach().cpu().clone().contiguous()  # no storage shared
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    content = require("safetensors.torch").save(tensors, {"fastgan": json.dumps(about)})
    try:
        write_atomic(path, content)
    except OSError as error:
        raise checkpoint.CheckpointError(f"checkpoint: cannot write {path}: {error.strerror or error}") from error


@dataclass(frozen=True)
class Run:
    """A trained run, read from its folder.

    Attributes:
        path: the folder.
        config: its settings.
        generator: the moving average of G, in eval mode, on the CPU.
        units: of the training data.
        step: updates that the weights have seen.
        classes: of the labels, 0 for an unconditional run.
        sample_shape: of one sample.
    """

    path: Path
    config: TrainConfig
    generator: nn.Module
    units: Units
    step: int
    classes: int
    sample_shape: tuple[int, ...]

    @property
    def data(self) -> str:
        """The name of the data that the run was trained on."""
        return self.config.data

    @torch.no_grad()
    def sample(self, count: int, seed: int, labels: Tensor | None = None, truncation: float | None = None) -> Tensor:
        """Samples (count, ...) in the network's range; a pure function of weights and arguments.

        Args:
            count: how many.
            seed: of the latents.
            labels: the classes (count,) of a conditional run's samples; by default those of the method `labels`.
            truncation: the truncation trick of Brock et al. (2019), section 3.1: latents come from the normal
                distribution's part within [-truncation, truncation], as if values beyond were drawn anew. Smaller
                numbers give more typical and less varied samples; None does not truncate.

        Raises:
            ValueError: for a truncation that is not positive and finite.
        """
        if truncation is not None and not 0 < truncation < float("inf"):
            raise ValueError(f"sample: expected `truncation` to be more than 0 and finite, got {truncation}")
        generator = torch.Generator().manual_seed(seed)
        latents = torch.randn(count, self.config.latent_dim, generator=generator)
        if truncation is not None:
            nn.init.trunc_normal_(latents, a=-truncation, b=truncation, generator=generator)
        inputs = [latents] if self.classes == 0 else [latents, self.labels(count) if labels is None else labels]
        batches = zip(*(torch.split(x, 1024) for x in inputs), strict=True)
        return torch.cat([self.generator(*batch) for batch in batches])

    def labels(self, count: int) -> Tensor:
        """The classes (`count`,) of `sample`: each in turn."""
        return torch.arange(count) % self.classes


def load_run(path: str | Path, best: bool = False) -> Run:
    """Read a run folder's newest weights, or those of its lowest FID, which `config.eval_every` keeps.

    Args:
        path: the run folder.
        best: whether to read those of the lowest FID.

    Raises:
        RunFolderError: for a folder that is not a run's, or whose weights do not fit its settings.
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
    config, about, size, generator = _rebuild(Path(path), "ema", best)
    return Run(Path(path), config, generator, Units(**about["units"]), about["step"], size.classes, size.sample_shape)


def load_discriminator(path: str | Path) -> nn.Module:
    """Read the discriminator of a run folder's newest weights, in eval mode, on the CPU.

    With `pack` in the run's settings it takes samples packed by `fastgan.train.augment.pack`. Raises as `load_run`.
    """
    return _rebuild(Path(path), "discriminator")[3]


def _rebuild(path: Path, prefix: str, best: bool = False) -> tuple[TrainConfig, dict[str, Any], NetworkSize, nn.Module]:
    """A run's settings, the weights' metadata, the networks' size, and the network `prefix`, ema or discriminator."""
    weights, settings = path / ("best.safetensors" if best else "weights.safetensors"), path / "config.toml"
    if not weights.is_file() or not settings.is_file():
        missing = "folder" if not path.is_dir() else settings.name
        missing = weights.name if path.is_dir() and settings.is_file() else missing
        raise RunFolderError(
            f"expected {path} to be a run folder of `fastgan train`, with config.toml and "
            f"{weights.name}{' (--eval-every keeps it)' if best else ''}; got no {missing}"
        )
    config = TrainConfig.load(settings)
    safetensors = require("safetensors")
    try:
        with safetensors.safe_open(str(weights), framework="pt") as file:
            about = json.loads(file.metadata()["fastgan"])
            state = {
                key.removeprefix(f"{prefix}."): file.get_tensor(key)
                for key in file.keys()  # noqa: SIM118 - not a dict
                if key.startswith(f"{prefix}.")
            }
        size = NetworkSize(**{**about["size"], "sample_shape": tuple(about["size"]["sample_shape"])})
        generator, discriminator = build(config.network, size)
        network = generator if prefix == "ema" else discriminator
        network.load_state_dict(state)
    except Exception as error:
        raise RunFolderError(
            f"expected {weights} to hold the weights of the network '{config.network}' as {settings} says: {error}"
        ) from error
    return config, about, size, network.eval()
