"""`GANTrainer`: a whole run, from the configuration to the trained weights."""

from __future__ import annotations

import dataclasses
import math
import signal
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastgan._extras import check
from fastgan.data import Data, load
from fastgan.models import NetworkSize, build
from fastgan.train import checkpoint, run_folder
from fastgan.train.batches import Batches
from fastgan.train.config import TrainConfig
from fastgan.train.monitor import Monitor
from fastgan.train.process import StopSignals, pick_device, threads
from fastgan.train.randomness import derive, random_state, restore_random_state, seed_all
from fastgan.train.step import GANStep

_NOISE, _GRID = 2, 3  # purposes of a seed, beside batches._ORDER
_GRID_SAMPLES = 100
# Settings that a resumed run may change: where and how long, not what.
_FREE = {"out", "resume", "steps", "device", "checkpoint_every", "keep", "sample_every", "log_every"}


class TrainingDivergedError(RuntimeError):
    """A loss or a weight became NaN or infinite; the message names the last good checkpoint."""


class TrainingInterrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM ended the training after a whole step.

    Attributes:
        signal: the signal's number.
        checkpoint: the one saved then.
    """

    def __init__(self, number: int, path: Path) -> None:
        name = signal.Signals(number).name
        super().__init__(f"interrupted by {name}: saved {path}")
        self.signal, self.checkpoint = number, path


class GANTrainer:
    """Trains a generator against a discriminator.

    Constructing seeds torch's, NumPy's and Python's global generators with `config.seed`, as a
    training script would, and writes no file.

    Args:
        config: the settings.
        generator: a module from (N, config.latent_dim) to samples; None: the recipe's.
        discriminator: a module from samples to logits; None: the recipe's.
        data: samples (N, ...) used as they are (images in [-1, 1]), a `Data`, or None for
            `config.data`. With `config.conditional`, a `Data` with labels, which both networks get
            as their second argument.

    Attributes:
        generator, discriminator: the networks, on `device`.
        ema: the generator's moving average.
        global_step: updates done.

    Raises:
        ValueError: for data that does not serve, a batch larger than the data, or networks whose
            shapes do not fit.
    """

    def __init__(
        self,
        config: TrainConfig,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        data: Tensor | Data | None = None,
    ) -> None:
        self.config, self.global_step = config, 0
        self.device = pick_device(config.device)
        seed_all(config.seed)
        self.data = data if isinstance(data, Data) else _as_data(data, config)
        labels = self._labels(self.data)
        self._batches = Batches(self.data.samples.to(self.device), labels, config.batch_size, config.seed)
        self.size = NetworkSize(
            sample_shape=tuple(self.data.samples.shape[1:]),
            latent_dim=config.latent_dim,
            negative_slope=config.negative_slope,
            dropout=config.dropout,
            bounded=self.data.bounded,
            classes=0 if labels is None else int(labels.max()) + 1,
        )
        recipe_g, recipe_d = build(config.network, self.size)
        generator = (recipe_g if generator is None else generator).to(self.device)
        discriminator = (recipe_d if discriminator is None else discriminator).to(self.device)
        self._noise = self._generator(_NOISE)
        self._check_shapes(generator, discriminator)
        self._update = GANStep(config, generator, discriminator)

    @property
    def generator(self) -> nn.Module:
        """G."""
        return self._update.generator

    @property
    def discriminator(self) -> nn.Module:
        """D."""
        return self._update.discriminator

    @property
    def ema(self) -> nn.Module:
        """The moving average of G, in eval mode."""
        return self._update.ema

    def step(self) -> None:
        """One whole update: D (`n_critic` times), then G, then the moving average."""
        config = self.config
        first = self.global_step * config.n_critic
        batches = [self._batches[first + i] for i in range(config.n_critic)]
        latents = [self._latents(config.batch_size, self._noise) for _ in batches]
        self._update(batches, latents)
        self.global_step += 1

    def statistics(self) -> dict[str, float]:
        """Means of the losses and of D's statistics since the last call; waits for the device."""
        return self._update.read()

    def fit(self) -> Path:
        """Train up to `config.steps`, with monitor and checkpoints; returns the run folder.

        Raises:
            RunFolderError: if the folder is in use or has checkpoints that `resume` does not ask for.
            ValueError: if the checkpoint to resume was made with other settings.
            CheckpointError: if a checkpoint cannot be written; earlier ones stay.
            TrainingDivergedError: at a NaN or infinite loss.
            TrainingInterrupted: at SIGINT or SIGTERM, after the step and a checkpoint.
        """
        check(("matplotlib", "PIL", "safetensors", "tensorboard", "tqdm"))  # not hours later
        config = self.config
        with run_folder.opened(config) as out, StopSignals() as stop, threads(config.threads):
            notes: list[str] = []
            if config.resume:
                self._resume(out, notes)
            config.save(out / "config.toml")
            monitor = self._monitor(out)
            try:
                for note in notes:
                    monitor.say(note)
                self._train(out, monitor, stop)
            finally:
                monitor.close()
        return out

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on."""
        return {
            "step": self.global_step,
            "config": self.config.to_dict(),
            "networks": self._update.state_dict(),
            "random": random_state(),
            "noise": self._noise.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned, bit for bit.

        Raises:
            ValueError: naming the setting that differs.
        """
        for name, value in self.config.to_dict().items():
            if name not in _FREE and state["config"].get(name) != value:
                raise ValueError(
                    f"train: expected `{name}` to be {state['config'].get(name)!r}, as in the checkpoint, got {value!r}"
                )
        self._update.load_state_dict(state["networks"])
        self._noise.set_state(state["noise"])
        restore_random_state(state["random"])
        self.global_step = state["step"]

    def save(self, out: Path) -> Path:
        """Write a checkpoint and weights.safetensors into the run folder; returns the former."""
        config = self.config
        folder = out / "checkpoints"
        path = checkpoint.save(self.state_dict(), folder, self.global_step, config.keep)
        self._save_weights(out)
        return path

    def _save_weights(self, out: Path) -> None:
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        about = {
            "step": self.global_step,
            "size": dataclasses.asdict(self.size),
            "units": self.data.units.to_dict(),
        }
        weights = {**networks, "ema": self.ema}
        run_folder.save_weights(out / "weights.safetensors", weights, about)

    def _train(self, out: Path, monitor: Monitor, stop: StopSignals) -> None:
        config = self.config
        if self.global_step >= config.steps:
            self._save_weights(out)
        while self.global_step < config.steps:
            self.step()
            monitor.advance()
            step, last = self.global_step, self.global_step == config.steps
            saves = stop.caught is not None or last or step % config.checkpoint_every == 0
            if saves or step % config.log_every == 0:
                statistics = self.statistics()
                self._check_finite(statistics, out, thorough=saves)
                monitor.log(step, statistics)
            if last or step % config.sample_every == 0:
                monitor.sample(step, self.ema)
            if saves:
                path = self.save(out)
                if stop.caught is not None:
                    raise TrainingInterrupted(stop.caught, path)

    def _check_finite(self, statistics: dict[str, float], out: Path, thorough: bool) -> None:
        bad = [name for name, value in statistics.items() if not math.isfinite(value)]
        if not bad and thorough and not self._update.is_finite():
            bad = ["a weight"]
        if bad:
            saved = checkpoint.listing(out / "checkpoints")
            raise TrainingDivergedError(
                f"train: {bad[0]} is NaN or infinite by step {self.global_step}; the last good "
                f"checkpoint is {saved[-1] if saved else 'missing: none was saved yet'}"
            )

    def _resume(self, out: Path, notes: list[str]) -> None:
        found = checkpoint.load_newest(out / "checkpoints", notes.append)
        if found is None:
            notes.append(f"train: no whole checkpoint in {out / 'checkpoints'}: starting at step 0")
            return
        self.load_state_dict(found[1])
        notes.append(f"train: resumed from {found[0]}")

    def _monitor(self, out: Path) -> Monitor:
        config = self.config
        return Monitor(
            out,
            self.global_step,
            config.steps,
            config.batch_size * config.n_critic,
            self._grid_inputs(),
        )

    def _grid_inputs(self) -> tuple[Tensor, ...]:
        """The fixed latents of the sample grids, and labels in turn where there are classes."""
        latents = self._latents(_GRID_SAMPLES, self._generator(_GRID))
        if self.size.classes == 0:
            return (latents,)
        return latents, torch.arange(_GRID_SAMPLES, device=self.device) % self.size.classes

    def _labels(self, data: Data) -> Tensor | None:
        if not self.config.conditional:
            return None
        if data.labels is None:
            raise ValueError("train: expected labelled data for `conditional`, got none with labels")
        if data.labels.min() < 0:
            raise ValueError(f"train: expected labels from 0 on, got {int(data.labels.min())}")
        return data.labels.to(self.device)

    def _generator(self, purpose: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(derive(self.config.seed, purpose))

    def _latents(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randn(count, self.config.latent_dim, device=self.device, generator=generator)

    @torch.no_grad()
    def _check_shapes(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Refuse networks that do not fit the data, before the first step does so obscurely."""
        real, labels = self._batches.samples[:2], self._batches.labels
        given = () if labels is None else (labels[:2],)
        modes = generator.training, discriminator.training
        with torch.random.fork_rng():
            fake = generator.eval()(real.new_zeros(len(real), self.config.latent_dim), *given)
            if fake.shape != real.shape:
                raise ValueError(
                    f"train: expected generator(latents) of shape {list(real.shape)}, got {list(fake.shape)}"
                )
            logits = discriminator.eval()(real, *given)
            if logits.shape[:1] != real.shape[:1]:
                raise ValueError(
                    f"train: expected discriminator(samples) of shape [{len(real)}, ...], got {list(logits.shape)}"
                )
        generator.train(modes[0])
        discriminator.train(modes[1])


def _as_data(data: Tensor | None, config: TrainConfig) -> Data:
    return load(config.data, config.image_size, config.strict) if data is None else Data(data)
