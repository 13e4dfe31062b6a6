"""`GANTrainer`: a training run, from the configuration to the trained weights."""

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
from fastgan.train import checkpoint, distributed, randomness, run_folder, setup
from fastgan.train.alarms import AlarmMonitor, TrainingAlarmError
from fastgan.train.best import BestCheckpoint
from fastgan.train.callbacks import Callback
from fastgan.train.config import CHANGEABLE, TrainConfig
from fastgan.train.monitor import Monitor, open_monitor
from fastgan.train.precision import pick_precision
from fastgan.train.randomness import Purpose, random_state, seed_all, seed_rank
from fastgan.train.sampling import class_weights
from fastgan.train.step import GANStep

__all__ = ["GANTrainer"]

_GRID_SAMPLES = 100


class GANTrainer:
    """Trains a generator against a discriminator.

    The constructor seeds the global generators of torch, NumPy and Python with `config.seed`, and writes no file. In a
    run of several processes (`fastgan.train.distributed`) all make the same calls. Each trains on its shard of every
    batch, and process 0 alone writes files.

    Args:
        config: the settings.
        generator: a module that maps latents (N, config.latent_dim) to samples; None makes that of `config.network`.
            If `config.convert` is on, `fastgan.convert` puts fused layers into networks that are given.
        discriminator: a module that maps samples to logits; None makes that of `config.network`. With `config.pack` it
            gets packs of that many samples, joined along their first dimension.
        data: samples (N, ...), used as they are (images in [-1, 1], or of bytes), a `Data`, a map-style `Dataset` of
            samples or of tuples of a sample and a label, or None for `config.data`. With `config.conditional` the data
            must have labels, and both networks get them as their second argument.
        callbacks: their hooks are called by `fit`.

    Attributes:
        config: the settings.
        data: the training data.
        device: the training device.
        size: shapes and sizes of the networks.
        callbacks: those given, after the one that `config.eval_every` adds.
        global_step: number of steps done.

    Raises:
        ValueError: for data that cannot be trained on, a batch larger than the data, or networks that do not fit it.
        TypeError: for a `Dataset` whose samples are not tensors, a `DataLoader`, or samples that are neither of a
            floating dtype nor images of bytes.

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
        data: setup.DataLike = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self._notes: list[str] = []
        self._said: set[str] = set()
        self.config, self.global_step = config, 0
        self.callbacks = [*([BestCheckpoint()] if config.eval_every else []), *callbacks]
        self.device = pick_device(config.device, distributed.world_size(), distributed.local_rank())
        seed_all(config.seed)
        self.data = setup.as_data(data, config)
        self._batches = setup.make_batches(self.data, config, self.device)
        self.size = setup.network_size(self.data, config)
        networks = setup.make_networks(generator, discriminator, self.size, config, self.device)
        self._noise = self._random_generator(Purpose.NOISE)
        probe_batch = setup.probe_batch(self.data, config, self.device)
        setup.check_shapes(*networks, *probe_batch, config)
        precision = pick_precision(config.precision, self.device, images=len(self.size.sample_shape) == 3)
        self._update = GANStep(config, *networks, precision, self._notes.append)
        self._update.joint = self._update.joint and not setup.mixes_samples(networks[1], *probe_batch, config)
        if config.balance == "weights" and self.data.labels is not None:
            self._update.class_weights = class_weights(self.data.labels).to(self.device)
        seed_rank(config.seed)

    @property
    def generator(self) -> nn.Module:
        """The generator."""
        return self._update.generator

    @property
    def discriminator(self) -> nn.Module:
        """The discriminator."""
        return self._update.discriminator

    @property
    def ema(self) -> nn.Module:
        """The moving average of the generator, in eval mode."""
        return self._update.ema

    def step(self) -> None:
        """Do one step: update D `n_critic` times, then G `g_steps` times, then the moving average."""
        config = self.config
        first = self.global_step * config.n_critic
        batches = [self._batches[first + i] for i in range(config.n_critic)]
        count = config.n_critic + config.g_steps - 1
        latents = [distributed.shard(self._latents(config.batch_size, self._noise)) for _ in range(count)]
        self._update(batches, latents)
        self.global_step += 1

    def statistics(self) -> dict[str, float]:
        """The means of both losses and of D's statistics since the last call; waits for the device."""
        return self._update.read_statistics()

    def fit(self) -> Path:
        """Train up to `config.steps`, with progress bar, records and checkpoints; returns the run folder.

        Raises:
            RunFolderError: if the folder is in use, or has checkpoints and `config.resume` is not set.
            ValueError: if the checkpoint to resume was made with other settings.
            CheckpointError: if a checkpoint cannot be written, or none of those to resume is whole; all are untouched.
            TrainingDivergedError: if a loss or a weight is NaN or infinite.
            TrainingInterrupted: after SIGINT or SIGTERM, when the step is done and a checkpoint is saved.
            TrainingAlarmError: after an alarm (`fastgan.train.alarms`), if `config.on_alarm` is "stop".
            MissingExtraError: without the libraries of the extra `train`.
            LostProcessError: if another process died.
            FirstProcessError: if process 0 failed.
        """
        check(("matplotlib", "PIL", "safetensors", "tensorboard", "tqdm"))  # now, and not at the end of the run
        config = self.config
        with run_folder.open_run_folder(config) as out, StopSignals() as stop, threads(config.threads):
            if config.resume:
                self._resume(out)
            if self.global_step <= config.steps:
                distributed.run_on_rank_zero(lambda: config.save(out / "config.toml"))
            monitor = open_monitor(out, self.global_step, config, self._grid_inputs())
            try:
                for callback in self.callbacks:
                    callback.on_start(self, out)
                self._note_data()
                self._say_notes(monitor)
                self._train(out, monitor, stop)
                for callback in self.callbacks:
                    callback.on_end(self, out)
            finally:
                monitor.close()
        return out

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on; all processes must call it together."""
        own, *others = distributed.all_gather(random_state())
        return {
            "step": self.global_step,
            "config": self.config.to_dict(),
            "networks": self._update.state_dict(),
            "random": own,
            "random_others": others,
            "noise": self._noise.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state` that `state_dict` returned; the run then continues bit for bit.

        On another kind of device than before, the latents are drawn from a new seed, derived from `config.seed` and the
        step.

        Raises:
            ValueError: if a setting differs from the one in the state.
        """
        for name, value in self.config.to_dict().items():
            if name not in CHANGEABLE and state["config"].get(name) != value:
                raise ValueError(
                    f"train: expected `{name}` to be {state['config'].get(name)!r}, as in the checkpoint, got {value!r}"
                )
        self._update.load_state_dict(state["networks"])
        seed = derive(self.config.seed, Purpose.RESUMED_NOISE, state["step"])
        if not randomness.restore_generator(self._noise, state["noise"], seed):
            self._notes.append(f"train: resumed on another kind of device: {self.device} draws latents of its own")
        seed = derive(self.config.seed, Purpose.RESUMED_PROCESS, state["step"])
        randomness.restore_rank([state["random"], *state["random_others"]], seed)
        self.global_step = state["step"]

    def save(self, out: Path) -> Path:
        """Write a checkpoint and weights.safetensors into the run folder `out`; returns the checkpoint's path.

        All processes must call it together; process 0 writes.

        Raises:
            CheckpointError: if a file cannot be written; earlier checkpoints are untouched.
        """
        state = self.state_dict()

        def write() -> Path:
            path = checkpoint.save(state, out / "checkpoints", self.global_step, self.config.keep)
            self.save_weights(out)
            return path

        return distributed.run_on_rank_zero(write)

    def save_weights(self, out: Path, name: str = "weights.safetensors") -> None:
        """Write the weights of all networks to a file `name` in the run folder `out`.

        Raises:
            CheckpointError: if the file cannot be written.
        """
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
        consensus = distributed.StopConsensus()
        alarms = AlarmMonitor(config, self.data, monitor.alarm)
        grid = self._grid_inputs()
        while self.global_step < config.steps:
            self.step()
            monitor.advance()
            self._say_notes(monitor)
            for callback in self.callbacks:
                callback.on_step(self)
            step, last = self.global_step, self.global_step == config.steps
            caught = consensus(stop.caught)
            saves = caught is not None or last or step % config.checkpoint_every == 0
            if saves or step % config.log_every == 0 or (config.eval_every and step % config.eval_every == 0):
                statistics = self.statistics()
                self._check_finite(statistics, out, thorough=saves)
                for callback in self.callbacks:
                    callback.on_log(self, statistics)
                self._note_data()
                monitor.log(step, statistics, self._batches.waited)
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
        consensus.wait()

    def _note_data(self) -> None:
        """Take over what the data have to say, such as that an image was skipped, once."""
        self._notes += [f"train: {note}" for note in self.data.notes if note not in self._said]
        self._said |= set(self.data.notes)

    def _say_notes(self, monitor: Monitor) -> None:
        while self._notes:
            monitor.say(self._notes.pop(0))

    def _check_finite(self, statistics: dict[str, float], out: Path, thorough: bool) -> None:
        """Check the statistics, and if `thorough` the weights."""
        not_finite = [name for name, value in statistics.items() if not math.isfinite(value)]
        if not not_finite and thorough and not self._update.is_finite():
            not_finite = ["a weight"]
        if not_finite:
            raise TrainingDivergedError.at(self.global_step, not_finite[0], checkpoint.listing(out / "checkpoints"))

    def _resume(self, out: Path) -> None:
        notes = self._notes
        found = distributed.run_on_rank_zero(lambda: checkpoint.load_newest(out / "checkpoints", notes.append))
        if found is None:
            notes.append(f"train: no checkpoint in {out / 'checkpoints'}: starting at step 0")
        else:
            self.load_state_dict(found[1])
            steps = self.config.steps
            past = f"; past `steps`, {steps}: nothing to train" if self.global_step > steps else ""
            notes.append(f"train: resumed from {found[0]}{past}")

    def _grid_inputs(self) -> tuple[Tensor, ...]:
        """The fixed latents of the sample grids, and in a conditional run the classes in turn."""
        latents = self._latents(_GRID_SAMPLES, self._random_generator(Purpose.GRID))
        if self.size.classes == 0:
            return (latents,)
        return latents, torch.arange(_GRID_SAMPLES, device=self.device) % self.size.classes

    def _random_generator(self, purpose: Purpose) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(derive(self.config.seed, purpose))

    def _latents(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randn(count, self.config.latent_dim, device=self.device, generator=generator)
