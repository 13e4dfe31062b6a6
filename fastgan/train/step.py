"""One training step: updates of both networks and of the moving average, without synchronising with the host."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fastgan._support.memory import keep_freed_memory
from fastgan.losses import LOSSES, with_decay
from fastgan.models import has_batch_statistics
from fastgan.train import distributed
from fastgan.train.augment import add_noise, augment, pack
from fastgan.train.batches import Batch
from fastgan.train.conditions import Condition, generate, judge, twice
from fastgan.train.config import TrainConfig
from fastgan.train.graph import GraphedBody, use_cuda_graph
from fastgan.train.optimizers import Schedules, make_optimizer, restore_optimizer
from fastgan.train.penalties import Penalties
from fastgan.train.precision import Scaler, autocast

__all__ = ["STATISTICS", "GANStep"]

STATISTICS = ("loss_d", "loss_g", "p_real", "p_fake", "accuracy_real", "accuracy_fake")


class GANStep:
    """Updates D, G and the moving average of G; trains the networks in place.

    It computes the same as a plain loop, but saves work: real and fake samples go through D in one batch if no layer of
    D mixes samples, G's update reuses the samples of D's last update, and D's parameters get no gradient in G's update.

    Args:
        config: learning rates, loss and the other settings.
        generator: maps latents (N, latent_dim), and labels if any, to samples (N, ...); or input images to images.
        discriminator: maps samples, and labels or input images if any, to logits.
        precision: fp32, bf16 or fp16.
        say: called with a message if the training goes on without something that was asked for.

    Attributes:
        ema: the moving average of G, in eval mode; its buffers are copies of G's.
        joint: whether real and fake samples go through D in one batch. False at first if D has batch normalisation;
            set it to False for a D that mixes samples by other means.
        optimizer_g: G's optimizer.
        optimizer_d: D's optimizer.
        class_weights: the weight (C,) of each class in D's loss, or None. With weights, every batch must have labels.
            In a conditional run generated samples have the labels of the real ones and are weighted, too.
        extra_loss_g: returns a scalar that is added to G's loss; at first the method `extra_loss` of G, or None.
        totals: float32 (6,), the sums of `STATISTICS` over the steps since the last `read_statistics`.
        sync_gradients: called with a network's parameters before its optimizer's step; averages the gradients of all
            processes.
        sync_buffers: called with both networks' buffers after the updates; averages those of all processes.

    Raises:
        ValueError: for `cuda_graph` on in a build without CUDA kernels.
    """

    def __init__(
        self,
        config: TrainConfig,
        generator: nn.Module,
        discriminator: nn.Module,
        precision: str = "fp32",
        say: Callable[[str], None] = print,
    ) -> None:
        self.config, self.precision = config, precision
        self.generator, self.discriminator = generator.train(), discriminator.train()
        self.ema = copy.deepcopy(generator).eval().requires_grad_(False)
        self.loss = LOSSES[config.loss]
        self.class_weights: Tensor | None = None
        self.extra_loss_g: Callable[[], Tensor] | None = getattr(generator, "extra_loss", None)
        self.joint = not has_batch_statistics(discriminator)
        self.optimizer_g = make_optimizer(config, generator, config.lr_g)
        self.optimizer_d = make_optimizer(config, discriminator, config.lr_d)
        self._trained_g: list[Tensor] = [p for p in generator.parameters() if p.requires_grad]
        self._trained_d: list[Tensor] = [p for p in discriminator.parameters() if p.requires_grad]
        self._parameters_ema: list[Tensor] = list(self.ema.parameters())
        self._parameters_g: list[Tensor] = list(generator.parameters())
        self._buffers_ema, self._buffers_g = list(self.ema.buffers()), list(generator.buffers())
        self._buffers = [*generator.buffers(), *discriminator.buffers()]
        device = self._parameters_g[0].device
        self._device_type = device.type
        if device.type == "cpu":
            keep_freed_memory()
        self.scaler_g, self.scaler_d = Scaler(precision, device.type), Scaler(precision, device.type)
        self.schedules = Schedules(config, ((self.optimizer_g, config.lr_g), (self.optimizer_d, config.lr_d)), device)
        self._penalties = Penalties(config, self.schedules, discriminator, self._input_of_d)
        self.sync_gradients: Callable[[Sequence[Tensor]], None] = distributed.average_gradients
        self.sync_buffers: Callable[[Sequence[Tensor]], None] = distributed.average_
        self.totals = torch.zeros(len(STATISTICS), device=device)
        self._steps = self._unread_steps = 0
        self._generate, self._loss_d, self._loss_g = self._forward_g, self._forward_d, self._forward_loss_g
        if config.compile:
            compiled = partial(torch.compile, dynamic=False)
            self._generate, self._loss_d = compiled(self._forward_g), compiled(self._forward_d)
            self._loss_g = compiled(self._forward_loss_g)
        self._run: Callable[[Sequence[Tensor], Any], None] = self._body
        if use_cuda_graph(config.cuda_graph, device, precision):
            self._run = GraphedBody(self._body, device, config.cuda_graph, say)

    def __call__(self, batches: Sequence[Batch], latents: Sequence[Tensor]) -> None:
        """Update D once for each batch, then G `g_steps` times, then the moving average.

        Args:
            batches: n_critic pairs of real samples (N, ...) and their labels (N,), inputs (N, C, H, W) or None;
                generated samples get the same.
            latents: n_critic + g_steps - 1 tensors (N, latent_dim).
        """
        beta2 = self.schedules.beta2
        self.schedules.set(self._steps)
        if self.schedules.beta2 != beta2 and isinstance(self._run, GraphedBody):
            self._run.reset()
        first, interval = self._steps * len(batches), self.config.r1_interval
        penalised = tuple((first + i) % interval == 0 for i in range(len(batches)))
        conditioned = batches[0][1] is not None
        inputs = [real for real, _ in batches]
        inputs += [condition for _, condition in batches if condition is not None]
        self._run([*inputs, *latents], (penalised, conditioned))
        self._steps += 1
        self._unread_steps += 1

    def read_statistics(self) -> dict[str, float]:
        """The mean of each statistic over all processes and the steps since the last call; waits for the device.

        All processes must call it together.
        """
        distributed.average_([self.totals])
        means = (self.totals / max(1, self._unread_steps)).tolist()
        self.totals.zero_()
        self._unread_steps = 0
        return dict(zip(STATISTICS, means, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """The states of networks, optimizers and loss scales, and the number of steps."""
        parts = {name: module.state_dict() for name, module in self._components().items()}
        return {**parts, "updates": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state` that `state_dict` returned; the statistics start again."""
        for name, part in self._components().items():
            if isinstance(part, torch.optim.Optimizer):
                restore_optimizer(part, state[name])
            else:
                part.load_state_dict(state[name])
        self._steps, self._unread_steps = state["updates"], 0
        self.totals.zero_()
        if isinstance(self._run, GraphedBody):  # the optimizers' states are new tensors
            self._run.reset()

    def is_finite(self) -> bool:
        """Whether all parameters are finite; waits for the device."""
        parameters = [*self.generator.parameters(), *self.discriminator.parameters()]
        norms = torch._foreach_norm([p.detach() for p in parameters])
        return bool(torch.stack([n.float() for n in norms]).isfinite().all())

    def _components(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "ema": self.ema,
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
            "scaler_g": self.scaler_g,
            "scaler_d": self.scaler_d,
        }

    def _body(self, inputs: Sequence[Tensor], key: tuple[tuple[bool, ...], bool]) -> None:
        """The device's part of a step. `inputs`: the real batches, their conditions if any, and the latents."""
        penalised, conditioned = key
        count = len(penalised)
        reals, latents = inputs[:count], inputs[count * (1 + conditioned) :]
        conditions: Sequence[Condition] = inputs[count : 2 * count] if conditioned else [None] * count
        weights: list[Tensor | None] = [None] * count
        if self.class_weights is not None:
            weights = [self.class_weights[classes] for classes in conditions]
            conditions = conditions if self.config.conditional else [None] * count
        for i in range(count - 1):
            with torch.no_grad():
                fake = self._generate(latents[i], conditions[i])
            self._update_discriminator(reals[i], fake, conditions[i], penalised[i], weights[i])
        real, last_condition = reals[-1], conditions[-1]
        fake = self._generate(latents[count - 1], last_condition)
        loss_d, statistics = self._update_discriminator(real, fake.detach(), last_condition, penalised[-1], weights[-1])
        loss_g = self._update_generator(fake, real, last_condition)
        for more_latents in latents[count:]:
            loss_g = self._update_generator(self._generate(more_latents, last_condition), real, last_condition)
        self.sync_buffers(self._buffers)
        self._update_average()
        with torch.no_grad():
            losses = torch.stack((loss_d.detach(), loss_g.detach())).float()
            self.totals += torch.cat((losses, statistics))

    def _update_discriminator(
        self, real: Tensor, fake: Tensor, condition: Condition, penalised: bool, weights: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        loss, statistics = self._loss_d(real, fake, condition, weights)
        loss = self._with_penalties(loss, real, fake, condition, penalised)
        self._optimize(loss, self.optimizer_d, self.scaler_d, self._trained_d)
        if self.config.weight_clip > 0:
            with torch.no_grad():
                torch._foreach_clamp_min_(self._trained_d, -self.config.weight_clip)
                torch._foreach_clamp_max_(self._trained_d, self.config.weight_clip)
        return loss, statistics

    def _update_generator(self, fake: Tensor, real: Tensor, condition: Condition) -> Tensor:
        for parameter in self._trained_d:
            parameter.requires_grad_(False)
        try:
            loss = self._loss_g(fake, real, condition)
            if self.config.reconstruction > 0:
                loss = loss + self.config.reconstruction * nn.functional.l1_loss(fake.to(real.dtype), real)
            if self.extra_loss_g is not None:
                loss = loss + self.extra_loss_g()
            loss = with_decay(loss, self._trained_g, self.config.l1, self.config.l2)
            self._optimize(loss, self.optimizer_g, self.scaler_g, self._trained_g)
        finally:
            for parameter in self._trained_d:
                parameter.requires_grad_(True)
        return loss

    def _optimize(self, loss: Tensor, optimizer: torch.optim.Optimizer, scaler: Scaler, trained: list[Tensor]) -> None:
        optimizer.zero_grad()
        scaler.backward(loss)
        self.sync_gradients(trained)
        if self.config.grad_clip > 0:
            scaler.unscale(optimizer)
            nn.utils.clip_grad_norm_(trained, self.config.grad_clip, foreach=True)
        scaler.step(optimizer)

    def _forward_g(self, latents: Tensor, condition: Condition) -> Tensor:
        with autocast(self.precision, self._device_type):
            return generate(self.generator, latents, condition)

    def _forward_d(
        self, real: Tensor, fake: Tensor, condition: Condition, weights: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """D's loss and statistics."""
        targets = self.config.real_target, self.config.fake_target
        with autocast(self.precision, self._device_type):
            real_logits, fake_logits = self._logits(real, fake, condition)
            if weights is None or self.loss.weighted is None:
                return self.loss.discriminator(real_logits, fake_logits, *targets)
            weights_of_fake = None if condition is None else weights
            return self.loss.weighted(real_logits, fake_logits, *targets, weights, weights_of_fake)

    def _forward_loss_g(self, fake: Tensor, real: Tensor, condition: Condition) -> Tensor:
        with autocast(self.precision, self._device_type):
            if not self.loss.paired:
                return self.loss.generator(judge(self.discriminator, self._input_of_d(fake), condition), None)
            # Not in one batch with the fake samples: logits of real samples do not depend on G and need no backward.
            with torch.no_grad():
                real_logits = judge(self.discriminator, self._input_of_d(real), condition)
            return self.loss.generator(judge(self.discriminator, self._input_of_d(fake), condition), real_logits)

    def _logits(self, real: Tensor, fake: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """D's logits of real and fake samples, computed in one batch if `joint`."""
        if not self.joint:
            real, fake = self._input_of_d(real), self._input_of_d(fake)
            return judge(self.discriminator, real, condition), judge(self.discriminator, fake, condition)
        logits = judge(self.discriminator, self._input_of_d(torch.cat((real, fake))), twice(condition))
        real_logits, fake_logits = torch.chunk(logits, 2)
        return real_logits, fake_logits

    def _input_of_d(self, x: Tensor) -> Tensor:
        """Augment and pack samples, and add instance noise."""
        config = self.config
        x = augment(x, config.augment)
        if config.instance_noise > 0:
            x = add_noise(x, self.schedules.noise)
        return pack(x, config.pack)

    def _with_penalties(self, loss: Tensor, real: Tensor, fake: Tensor, condition: Condition, due: bool) -> Tensor:
        """Add D's penalties. Under fp16 they are computed in float32: their squares exceed the range of float16."""
        loss = with_decay(loss, self._trained_d, self.config.l1, self.config.l2)
        with autocast("fp32" if self.precision == "fp16" else self.precision, self._device_type):
            for penalty in self._penalties(real, fake.detach(), condition, due, self.joint):
                loss = loss + penalty
        return loss

    @torch.no_grad()
    def _update_average(self) -> None:
        weight: Any = 1 - self.config.ema_decay
        if self.config.ema_schedule != "constant":
            weight = [self.schedules.ema_weight] * len(self._parameters_ema)
        torch._foreach_lerp_(self._parameters_ema, self._parameters_g, weight)
        for buffer, source in zip(self._buffers_ema, self._buffers_g, strict=True):
            buffer.copy_(source)
