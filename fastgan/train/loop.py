"""`GANTrainer`: a training run, from the configuration to the trained weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastgan._support.extras import check
from fastgan._support.memory import available_memory
from fastgan._support.process import StopSignals, pick_device, threads
from fastgan._support.random import derive
from fastgan.models.products import divides_products
from fastgan.train import checkpoint, checks, distributed, randomness, run_folder, setup
from fastgan.train.alarms import AlarmMonitor
from fastgan.train.average import calibrate_average
from fastgan.train.best import BestCheckpoint
from fastgan.train.callbacks import Callback
from fastgan.train.config import TrainConfig
from fastgan.train.grid import SampleGrid, TranslationGrid, grid_samples
from fastgan.train.monitor import open_monitor
from fastgan.train.precision import notes_on_precision
from fastgan.train.randomness import Purpose, random_state, seed_all, seed_rank
from fastgan.train.record import RunRecord
from fastgan.train.sampling import class_weights
from fastgan.train.session import Session
from fastgan.train.sizes import RunSizes
from fastgan.train.spread import joined
from fastgan.train.step import GANStep

__all__ = ["GANTrainer"]


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
        config: the settings, fitted to the samples' size and number.
        data: the training data.
        held_out: the share `config.holdout` of the data of the settings that is kept from the training, or None.
        device: the training device.
        size: shapes and sizes of the networks.
        precision: fp32, bf16 or fp16.
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
        self._said: set[str] = set()
        self.global_step, self._calibrated = 0, -1
        self.callbacks = [*([BestCheckpoint()] if config.eval_every else []), *callbacks]
        self.device = pick_device("train", config.device, distributed.world_size(), distributed.local_rank())
        seed_all(config.seed)
        own_networks = not (generator is None and discriminator is None)
        own, self.held_out = setup.as_data(data, config)
        self.data, share, self._notes = joined(own, config.spread)
        self.config = config = config.fit_to(self.data.sample_shape, share.samples, own_networks)
        self._notes += setup.notes_on_fit(config)
        self._record = RunRecord.of(config, self.data, data, generator, discriminator, share.parts)
        self._batches = setup.make_batches(self.data, config, self.device, share)
        self.size = setup.network_size(self.data, config)
        networks = setup.make_networks(generator, discriminator, self.size, config, self.device)
        self._noise = torch.Generator(self.device).manual_seed(derive(config.seed, Purpose.NOISE))
        probe_batch = setup.probe_batch(self.data, self.size, config, self.device)
        self._notes += checks.check_networks(*networks, *probe_batch, config)
        self.precision = setup.precision_for(config, self.size, networks, self.device)
        self._notes += notes_on_precision(config.precision, self.precision, self.device)
        self._update = GANStep(config, *networks, self.precision, self._notes.append)
        self._update.joint = self._update.joint and not setup.mixes_samples(networks[1], *probe_batch, config)
        if config.balance == "weights" and self.data.labels is not None:
            self._update.class_weights = class_weights(self.data.labels, len(self.data.class_names)).to(self.device)
        self._notes += setup.notes_on_classes(self.data)
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
        if self._calibrated != self.global_step:
            calibrate_average(self._update.ema, self._batches.order, self.config)
            self._calibrated = self.global_step
        return self._update.ema

    @property
    def sizes(self) -> RunSizes:
        """The memory and the files that the run takes."""
        return RunSizes.of(self.generator, self.discriminator, self.config, self.size.sample_shape)

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
            ValueError: if the checkpoint to resume was made with other settings, data or networks, or if the sample
                grids do not fit into memory.
            CheckpointError: if a checkpoint cannot be written, or none of those to resume is whole; all are untouched.
            TrainingDivergedError: if a loss or a weight is NaN or infinite.
            TrainingInterrupted: after SIGINT or SIGTERM, when the step is done and a checkpoint is saved.
            TrainingAlarmError: after an alarm (`fastgan.train.alarms`), if `config.on_alarm` is "stop".
            MissingExtraError: without the libraries of the extra `train`.
            LostProcessError: if another process died.
            FirstProcessError: if process 0 failed.
        """
        check(("matplotlib", "PIL", "safetensors", "tensorboard", "tqdm"))  # now, and not at the end of the run
        self.sizes.check(available_memory())
        config, record = self.config, self._record
        with (
            run_folder.open_run_folder(config, record.kind) as out,
            StopSignals() as stop,
            threads(config.threads, products_only=divides_products(self.generator)),
        ):
            self._notes += [*record.notes(out), *self.sizes.notes()]
            if config.resume:
                self._resume(out)
            if self.global_step <= config.steps:
                distributed.run_on_rank_zero(lambda: record.config.save(out / "config.toml", record.passed))
            monitor = open_monitor(out, self.global_step, config)
            try:
                for callback in self.callbacks:
                    callback.on_start(self, out)
                alarms = AlarmMonitor(config, self.data, monitor.alarm)
                Session(self, out, monitor, alarms, self._grid(), stop).run()
                for callback in self.callbacks:
                    callback.on_end(self, out)
            finally:
                monitor.close()
        return out

    @property
    def waited(self) -> float:
        """The seconds that all steps so far waited for data."""
        return self._batches.waited

    def is_finite(self) -> bool:
        """Whether all parameters are finite; waits for the device."""
        return self._update.is_finite()

    def take_notes(self) -> list[str]:
        """The messages since the last call: what was decided, and what goes on without something asked for."""
        of_data = [note for note in self.data.notes if note not in self._said]
        notes = [*self._notes, *(f"train: {note}" for note in of_data)]
        self._said.update(of_data)
        self._notes.clear()
        return notes

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on; all processes must call it together."""
        own, *others = distributed.all_gather(random_state())
        return {
            **self._record.state(),
            "step": self.global_step,
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
            ValueError: if a setting, the data or a network differs from that in the state; see
                `fastgan.train.record` for what may.
        """
        self._record.check(state)
        try:
            self._update.load_state_dict(state["networks"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise ValueError(f"train: expected networks of the shapes in the checkpoint: {error}") from error
        seed = derive(self.config.seed, Purpose.RESUMED_NOISE, state["step"])
        if not randomness.restore_generator(self._noise, state["noise"], seed):
            self._notes.append(f"train: resumed on another kind of device: {self.device} draws latents of its own")
        seed = derive(self.config.seed, Purpose.RESUMED_PROCESS, state["step"])
        randomness.restore_rank([state["random"], *state["random_others"]], seed)
        self.global_step, self._calibrated = state["step"], -1

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
            "class_names": list(self.data.class_names),
            "inputs": self.data.inputs.kind if self.data.inputs else "",
            "data": self._record.data,
        }
        weights = {"generator": self.generator, "discriminator": self.discriminator, "ema": self.ema}
        run_folder.save_weights(out / name, weights, about)

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

    def _grid(self) -> SampleGrid:
        """The fixed latents of the sample grids, and in a conditional run the classes in turn; or the fixed inputs."""
        seed = derive(self.config.seed, Purpose.GRID)
        if self.data.inputs is not None:
            return TranslationGrid(self.held_out or self.data, self.config.batch_size, seed, self.device)
        random = torch.Generator(self.device).manual_seed(seed)
        count = grid_samples(self.size.sample_shape)
        inputs = [self._latents(count, random)]
        if (conditions := setup.usual_conditions(self.data, self.size, count, random)) is not None:
            inputs.append(conditions)
        if self.size.classes:
            inputs.append(torch.arange(count, device=self.device) % self.size.classes)
        names = [self.data.class_names[label] for label in inputs[1].tolist()] if self.size.classes else []
        return SampleGrid(tuple(inputs), self.config.batch_size, self.size.sample_shape, names)

    def _latents(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randn(count, self.config.latent_dim, device=self.device, generator=generator)
