"""`GANTrainer`: a whole run, from the configuration to the trained weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastgan._support.errors import TrainingDivergedError, TrainingInterrupted
from fastgan._support.extras import check
from fastgan._support.process import StopSignals, pick_device, threads
from fastgan._support.random import derive
from fastgan.models import NetworkSize
from fastgan.train import checkpoint, distributed, randomness, run_folder
from fastgan.train.alarms import AlarmMonitor, TrainingAlarmError
from fastgan.train.best import BestCheckpoint
from fastgan.train.callbacks import Callback
from fastgan.train.config import TrainConfig
from fastgan.train.monitor import Monitor, open_monitor
from fastgan.train.precision import pick_precision
from fastgan.train.randomness import Purpose, random_state, seed_all, seed_own
from fastgan.train.sampling import class_weights
from fastgan.train.setup import Given, all_labels, as_data, check_shapes, make_batches, make_networks, mixes_samples
from fastgan.train.step import GANStep

__all__ = ["GANTrainer"]

_GRID_SAMPLES = 100
# Settings that a resumed run may change: where and how long, not what.
_FREE = {"out", "resume", "steps", "device", "checkpoint_every", "keep", "sample_every", "log_every", "eval_every"}
_FREE |= {"on_alarm", "alarm_readings"}


class GANTrainer:
    """Trains a generator against a discriminator.

    Constructing seeds torch's, NumPy's and Python's global generators with `config.seed`, as a
    training script would, and writes no file. One of several processes (`fastgan.train.distributed`),
    which all make the same calls, trains on its share of each batch; the first one alone writes.

    Args:
        config: the settings.
        generator: a module from (N, config.latent_dim) to samples; None: the recipe's. Unless
            `config.convert` is off, `fastgan.convert` puts fused layers into a network that is given.
        discriminator: a module from samples to logits; None: the recipe's. With `config.pack`, one
            "sample" is so many, joined along their first dimension.
        data: samples (N, ...) used as they are (images in [-1, 1]), a `Data`, a map-style `Dataset` of
            samples or of pairs of sample and label, or None for `config.data`. With
            `config.conditional` it must have labels, which both networks get as their second argument.
        callbacks: told about `fit`'s progress.

    Attributes:
        generator, discriminator: the networks, on `device`.
        ema: the generator's moving average.
        global_step: updates done.

    Raises:
        ValueError: for data that does not serve, a batch larger than the data, or networks whose
            shapes do not fit.

    Example:
        >>> points = torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
        >>> trainer = GANTrainer(TrainConfig(batch_size=32, latent_dim=8, seed=0), data=points)
        >>> trainer.step()
        >>> trainer.global_step, trainer.ema(torch.randn(5, 8)).shape, sorted(trainer.statistics())
        (1, torch.Size([5, 2]), ['accuracy_fake', 'accuracy_real', 'loss_d', 'loss_g', 'p_fake', 'p_real'])
    """

    def __init__(
        self,
        config: TrainConfig,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        data: Given = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self._notes: list[str] = []
        self.config, self.global_step = config, 0
        self.callbacks = [*([BestCheckpoint()] if config.eval_every else []), *callbacks]
        self.device = pick_device(config.device, distributed.world_size(), distributed.local_rank())
        seed_all(config.seed)
        self.data = as_data(data, config)
        labels_of_all = all_labels(self.data, data, config)
        labels = self.data.labels if config.conditional else None
        self._batches = make_batches(self.data, data, labels_of_all, config, self.device)
        self.size = NetworkSize(
            sample_shape=tuple(self.data.samples.shape[1:]),
            latent_dim=config.latent_dim,
            negative_slope=config.negative_slope,
            dropout=config.dropout,
            bounded=self.data.bounded,
            classes=int(labels_of_all.max()) + 1 if config.conditional and labels_of_all is not None else 0,
            pack=config.pack,
        )
        is_image = len(self.size.sample_shape) == 3
        if config.augment and not is_image:
            raise ValueError(f"train: expected images (C, H, W) for `augment`, got samples {self.size.sample_shape}")
        networks = make_networks(generator, discriminator, self.size, config, self.device)
        self._noise = self._generator(Purpose.NOISE)
        count = 2 * config.pack
        probe_labels = None if labels is None else labels[:count].to(self.device)
        probe_batch = self.data.samples[:count].to(self.device), probe_labels
        check_shapes(*networks, *probe_batch, config)
        precision = pick_precision(config.precision, self.device, is_image)
        self._update = GANStep(config, *networks, precision, self._notes.append)
        self._update.joint = self._update.joint and not mixes_samples(networks[1], *probe_batch, config)
        if config.balance == "weights" and labels_of_all is not None:
            self._update.class_weights = class_weights(labels_of_all).to(self.device)
        seed_own(config.seed)

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
        """One whole update: D (`n_critic` times), then G (`g_steps` times), then the moving average."""
        config = self.config
        first = self.global_step * config.n_critic
        batches = [self._batches[first + i] for i in range(config.n_critic)]
        count = config.n_critic + config.g_steps - 1
        latents = [distributed.shard(self._latents(config.batch_size, self._noise)) for _ in range(count)]
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
            TrainingAlarmError: at an alarm (`fastgan.train.alarms`), if `on_alarm` is stop.
            MissingExtraError: without the libraries of the extra `train`.
            LostProcessError, FirstProcessError: when another process of the run died or failed.
        """
        check(("matplotlib", "PIL", "safetensors", "tensorboard", "tqdm"))  # not hours later
        config = self.config
        with run_folder.joined(config) as out, StopSignals() as stop, threads(config.threads):
            if config.resume:
                self._resume(out)
            distributed.run_on_rank_zero(lambda: config.save(out / "config.toml"))
            monitor = open_monitor(out, self.global_step, config, self._grid_inputs())
            try:
                for callback in self.callbacks:
                    callback.on_start(self, out)
                self._tell(monitor)
                self._train(out, monitor, stop)
                for callback in self.callbacks:
                    callback.on_end(self, out)
            finally:
                monitor.close()
        return out

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on; several processes call it together."""
        own, *others = distributed.gather(random_state())
        return {
            "step": self.global_step,
            "config": self.config.to_dict(),
            "networks": self._update.state_dict(),
            "random": own,
            "random_others": others,
            "noise": self._noise.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the `state` that `state_dict` returned, bit for bit.

        On another kind of device the latents are drawn anew, from a seed that follows from `config.seed` and the step.

        Raises:
            ValueError: naming the setting that differs.
        """
        for name, value in self.config.to_dict().items():
            if name not in _FREE and state["config"].get(name) != value:
                raise ValueError(
                    f"train: expected `{name}` to be {state['config'].get(name)!r}, as in the checkpoint, got {value!r}"
                )
        self._update.load_state_dict(state["networks"])
        seed = derive(self.config.seed, Purpose.RESUMED_NOISE, state["step"])
        if not randomness.restore_generator(self._noise, state["noise"], seed):
            self._notes.append(f"train: resumed on another kind of device: {self.device} draws latents of its own")
        seed = derive(self.config.seed, Purpose.RESUMED_PROCESS, state["step"])
        randomness.restore_process([state["random"], *state["random_others"]], seed)
        self.global_step = state["step"]

    def save(self, out: Path) -> Path:
        """Write a checkpoint and weights.safetensors into the run folder `out`; returns the former.

        Several processes call it together, and the first one writes.
        """
        state = self.state_dict()

        def write() -> Path:
            path = checkpoint.save(state, out / "checkpoints", self.global_step, self.config.keep)
            self.save_weights(out)
            return path

        return distributed.run_on_rank_zero(write)

    def save_weights(self, out: Path, name: str = "weights.safetensors") -> None:
        """Write all networks' weights into the run folder `out`, to a file `name`."""
        about = {
            "step": self.global_step,
            "size": dataclasses.asdict(self.size),
            "units": self.data.units.to_dict(),
        }
        weights = {"generator": self.generator, "discriminator": self.discriminator, "ema": self.ema}
        run_folder.save_weights(out / name, weights, about)

    def _train(self, out: Path, monitor: Monitor, stop: StopSignals) -> None:
        config = self.config
        if self.global_step >= config.steps:
            distributed.run_on_rank_zero(lambda: self.save_weights(out))
        vote = distributed.StopVote()
        alarms = AlarmMonitor(config, self.data.samples, monitor.alarm)
        grid = self._grid_inputs()
        while self.global_step < config.steps:
            self.step()
            monitor.advance()
            self._tell(monitor)
            for callback in self.callbacks:
                callback.on_step(self)
            step, last = self.global_step, self.global_step == config.steps
            caught = vote(stop.caught)
            saves = caught is not None or last or step % config.checkpoint_every == 0
            if saves or step % config.log_every == 0 or (config.eval_every and step % config.eval_every == 0):
                statistics = self.statistics()
                self._check_finite(statistics, out, thorough=saves)
                for callback in self.callbacks:
                    callback.on_log(self, statistics)
                monitor.log(step, statistics)
                alarms.statistics(step, statistics)
            if last or step % config.sample_every == 0:
                monitor.sample(step, self.ema)
                alarms.samples(step, lambda: self.ema(*grid))
            if alarms.stopping is not None and not saves:
                self._check_finite({}, out, thorough=True)
                saves = True
            if saves:
                path = self.save(out)
                for callback in self.callbacks:
                    callback.on_checkpoint(self, path)
                if caught is not None:
                    raise TrainingInterrupted(caught, path)
                if alarms.stopping is not None:
                    raise TrainingAlarmError(alarms.stopping, path)
        vote.count()

    def _tell(self, monitor: Monitor) -> None:
        while self._notes:
            monitor.say(self._notes.pop(0))

    def _check_finite(self, statistics: dict[str, float], out: Path, thorough: bool) -> None:
        bad = [name for name, value in statistics.items() if not math.isfinite(value)]
        if not bad and thorough and not self._update.is_finite():
            bad = ["a weight"]
        if bad:
            raise TrainingDivergedError.at(self.global_step, bad[0], checkpoint.listing(out / "checkpoints"))

    def _resume(self, out: Path) -> None:
        notes = self._notes
        found = distributed.run_on_rank_zero(lambda: checkpoint.load_newest(out / "checkpoints", notes.append))
        if found is None:
            notes.append(f"train: no whole checkpoint in {out / 'checkpoints'}: starting at step 0")
        else:
            self.load_state_dict(found[1])
            notes.append(f"train: resumed from {found[0]}")

    def _grid_inputs(self) -> tuple[Tensor, ...]:
        """The fixed latents of the sample grids, and labels in turn where there are classes."""
        latents = self._latents(_GRID_SAMPLES, self._generator(Purpose.GRID))
        if self.size.classes == 0:
            return (latents,)
        return latents, torch.arange(_GRID_SAMPLES, device=self.device) % self.size.classes

    def _generator(self, purpose: Purpose) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(derive(self.config.seed, purpose))

    def _latents(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randn(count, self.config.latent_dim, device=self.device, generator=generator)
