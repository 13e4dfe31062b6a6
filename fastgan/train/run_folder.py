"""The folder of a training run: creating and locking it, and loading the networks saved in it."""

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

__all__ = ["Run", "RunFolderError", "check_out", "load_discriminator", "load_run", "open_run_folder", "save_weights"]


class RunFolderError(ValueError):
    """A folder is in use by another run, holds another run, or is not a run folder; the message names it."""


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
def open_run_folder(config: TrainConfig) -> Iterator[Path]:
    """Create the folder of a run if needed, and lock it until the block ends; process 0 does so for all processes.

    Args:
        config: `out`, or None for a new folder under runs/, and `resume`.

    Yields:
        The folder.

    Raises:
        RunFolderError: if another run is training there, or the folder has checkpoints and `config.resume` is not set.
        FirstProcessError: in the other processes, if process 0 could not open the folder.
    """
    with contextlib.ExitStack() as stack:
        yield distributed.run_on_rank_zero(lambda: stack.enter_context(_locked_folder(config)))


@contextlib.contextmanager
def _locked_folder(config: TrainConfig) -> Iterator[Path]:
    """The folder, with a lock on the folder itself, which the system releases when the process dies."""
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
        remove_leftovers(out / "samples")
        yield out
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # explicitly: forked workers that outlive this block hold the lock, too
        os.close(descriptor)


def _new_folder(config: TrainConfig) -> Path:
    """Create a new folder runs/RECIPE-DATA-TIME."""
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
    """Write the weights of networks to a safetensors file.

    Args:
        path: the file.
        networks: by name; each key in the file is prefixed with the network's name and a dot.
        about: metadata, stored as JSON.

    Raises:
        CheckpointError: for an OSError, if the file cannot be written.
        MissingExtraError: without safetensors.
    """
    tensors = {
        f"{name}.{key}": value.detach().cpu().clone().contiguous()  # safetensors refuses tensors that share memory
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
        config: the run's settings.
        generator: the moving average of G, in eval mode, on the CPU.
        units: the units of the training data.
        step: number of training steps of the weights.
        classes: number of classes; 0 for an unconditional run.
        sample_shape: shape of one sample.
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
        """The training data, as `config.data` names it."""
        return self.config.data

    @torch.no_grad()
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
        latents = self.latents(count, seed, truncation)
        inputs = [latents] if self.classes == 0 else [latents, self.labels(count) if labels is None else labels]
        batches = zip(*(torch.split(x, 1024) for x in inputs), strict=True)
        return torch.cat([self.generator(*batch) for batch in batches])

    def latents(self, count: int, seed: int, truncation: float | None = None) -> Tensor:
        """The latents (count, latent_dim) of the samples that `sample` draws for the same arguments.

        Args:
            count: number of latents.
            seed: of the generator that draws them.
            truncation: the bound of the normal distribution; None does not truncate.

        Raises:
            ValueError: for a truncation that is not positive and finite.
        """
        if truncation is not None and not 0 < truncation < float("inf"):
            raise ValueError(f"sample: expected `truncation` to be more than 0 and finite, got {truncation}")
        generator = torch.Generator().manual_seed(seed)
        latents = torch.randn(count, self.config.latent_dim, generator=generator)
        if truncation is not None:
            nn.init.trunc_normal_(latents, a=-truncation, b=truncation, generator=generator)
        return latents

    def labels(self, count: int) -> Tensor:
        """The default classes (`count`,) of `sample`: 0, 1, ... in turn."""
        return torch.arange(count) % self.classes


def load_run(path: str | Path, best: bool = False) -> Run:
    """Load a trained run from its folder.

    Args:
        path: the run folder.
        best: load the weights with the lowest FID, which `config.eval_every` keeps, instead of the newest.

    Raises:
        RunFolderError: for a folder that is not a run folder, or whose weights do not fit its settings.
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
    config, about, size, generator = _load_network(path, "ema", best)
    return Run(path, config, generator, Units(**about["units"]), about["step"], size.classes, size.sample_shape)


def load_discriminator(path: str | Path) -> nn.Module:
    """Load the discriminator of a run's newest weights, in eval mode, on the CPU.

    If the run's settings have `pack`, it takes samples packed by `fastgan.train.augment.pack`.

    Args:
        path: the run folder.

    Raises:
        RunFolderError: for a folder that is not a run folder, or whose weights do not fit its settings.
        MissingExtraError: without safetensors.
    """
    return _load_network(Path(path).expanduser(), "discriminator")[3]


def _load_network(
    path: Path, name: str, best: bool = False
) -> tuple[TrainConfig, dict[str, Any], NetworkSize, nn.Module]:
    """A run's settings, the weights' metadata, the networks' size, and the network called ema or discriminator."""
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
                key.removeprefix(f"{name}."): file.get_tensor(key)
                for key in file.keys()  # noqa: SIM118 - not a dict
                if key.startswith(f"{name}.")
            }
        size = NetworkSize(**{**about["size"], "sample_shape": tuple(about["size"]["sample_shape"])})
        generator, discriminator = build(config.network, size)
        network = generator if name == "ema" else discriminator
        network.load_state_dict(state)
    except Exception as error:
        raise RunFolderError(
            f"expected {weights} to hold the weights of the network '{config.network}' as {settings} says: {error}"
        ) from error
    return config, about, size, network.eval()
