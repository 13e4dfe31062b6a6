"""One whole update of both networks, without a host synchronisation."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from fastgan.losses import LOSSES, gradient_penalty, r1_penalty
from fastgan.models import has_batch_statistics
from fastgan.train.config import TrainConfig

STATISTICS = ("loss_d", "loss_g", "p_real", "p_fake", "accuracy_real", "accuracy_fake")


Labels = Tensor | None
Batch = tuple[Tensor, Labels]


class GANStep:
    """D's updates, G's update and the moving average, on networks that it trains in place.

    Three savings against a plain loop, none of which changes the mathematics: real and fake samples
    go through D in one batch where no layer of D mixes samples; G's step reuses the samples that D's
    last update has seen; and D's parameters take no gradient in G's step.

    Args:
        config: learning rates, loss and so on.
        generator: (N, latent_dim), and labels if there are any, to samples (N, ...).
        discriminator: samples, and labels if there are any, to logits.

    Attributes:
        ema: the generator's moving average, in eval mode; buffers are copied, not averaged.
        optimizer_g, optimizer_d: the networks' optimizers.
        totals: float32 (6,), the sums of `STATISTICS` over the steps since `read`.
    """

    def __init__(self, config: TrainConfig, generator: nn.Module, discriminator: nn.Module) -> None:
        self.config = config
        self.generator, self.discriminator = generator.train(), discriminator.train()
        self.ema = copy.deepcopy(generator).eval().requires_grad_(False)
        self.loss = LOSSES[config.loss]
        self.joint = not has_batch_statistics(discriminator)
        self.optimizer_g = make_optimizer(config, generator, config.lr_g)
        self.optimizer_d = make_optimizer(config, discriminator, config.lr_d)
        self._trained_d: list[Tensor] = [p for p in discriminator.parameters() if p.requires_grad]
        self._critic_updates = 0
        self._average: list[Tensor] = list(self.ema.parameters())
        self._current: list[Tensor] = list(generator.parameters())
        self._copied = list(self.ema.buffers()), list(generator.buffers())
        self.totals = torch.zeros(len(STATISTICS), device=self._current[0].device)
        self._steps = 0

    def __call__(self, batches: Sequence[Batch], latents: Sequence[Tensor]) -> None:
        """Update D once a batch, then G and its average.

        Args:
            batches: n_critic pairs of real samples (N, ...) and their labels, or None; generated
                samples get the same labels.
            latents: as many tensors (N, latent_dim).
        """
        for (real, labels), latent in zip(batches[:-1], latents[:-1], strict=True):
            with torch.no_grad():
                fake = _apply(self.generator, latent, labels)
            self._update_discriminator(real, fake, labels)
        real, labels = batches[-1]
        fake = _apply(self.generator, latents[-1], labels)
        loss_d, statistics = self._update_discriminator(real, fake.detach(), labels)
        loss_g = self._update_generator(fake, real, labels)
        self._update_average()
        with torch.no_grad():
            losses = torch.stack((loss_d.detach(), loss_g.detach())).float()
            self.totals += torch.cat((losses, statistics))
        self._steps += 1

    def read(self) -> dict[str, float]:
        """The mean of each statistic over the steps since the last call; synchronises."""
        means = (self.totals / max(1, self._steps)).tolist()
        self.totals.zero_()
        self._steps = 0
        return dict(zip(STATISTICS, means, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimizers and the number of D's updates."""
        parts = {name: module.state_dict() for name, module in self._parts().items()}
        return {**parts, "critic_updates": self._critic_updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        for name, module in self._parts().items():
            module.load_state_dict(state[name])
        self._critic_updates = state["critic_updates"]

    def is_finite(self) -> bool:
        """Whether no parameter is NaN or infinite; synchronises."""
        parameters = [*self.generator.parameters(), *self.discriminator.parameters()]
        norms = torch._foreach_norm([p.detach() for p in parameters])
        return bool(torch.stack([n.float() for n in norms]).isfinite().all())

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "ema": self.ema,
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
        }

    def _update_discriminator(self, real: Tensor, fake: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
        real_logits, fake_logits = self._logits(real, fake, labels)
        loss, statistics = self.loss.discriminator(real_logits, fake_logits, self.config.real_target)
        loss = self._with_penalties(loss, real, fake, labels)
        self.optimizer_d.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer_d.step()
        self._critic_updates += 1
        if self.config.weight_clip > 0:
            with torch.no_grad():
                torch._foreach_clamp_min_(self._trained_d, -self.config.weight_clip)
                torch._foreach_clamp_max_(self._trained_d, self.config.weight_clip)
        return loss, statistics

    def _logits(self, real: Tensor, fake: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
        """D's logits of real and fake samples, in one batch where that is the same."""
        if not self.joint:
            return _apply(self.discriminator, real, labels), _apply(self.discriminator, fake, labels)
        both = None if labels is None else torch.cat((labels, labels))
        logits = _apply(self.discriminator, torch.cat((real, fake)), both)
        real_logits, fake_logits = torch.split(logits, [len(real), len(fake)])
        return real_logits, fake_logits

    def _with_penalties(self, loss: Tensor, real: Tensor, fake: Tensor, labels: Labels) -> Tensor:
        config, critic = self.config, partial(_apply, self.discriminator, labels=labels)
        if config.gp_weight > 0:
            loss = loss + config.gp_weight * gradient_penalty(critic, real, fake)
        if config.r1_gamma > 0 and self._critic_updates % config.r1_interval == 0:
            weight = config.r1_gamma * config.r1_interval
            loss = loss + weight * r1_penalty(critic, real)
        return loss

    def _update_generator(self, fake: Tensor, real: Tensor, labels: Labels) -> Tensor:
        for parameter in self._trained_d:
            parameter.requires_grad_(False)
        if self.loss.paired:
            real_logits, fake_logits = self._logits(real, fake, labels)
            loss = self.loss.generator(fake_logits, real_logits)
        else:
            loss = self.loss.generator(_apply(self.discriminator, fake, labels), None)
        self.optimizer_g.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer_g.step()
        for parameter in self._trained_d:
            parameter.requires_grad_(True)
        return loss

    @torch.no_grad()
    def _update_average(self) -> None:
        torch._foreach_lerp_(self._average, self._current, 1 - self.config.ema_decay)
        for buffer, source in zip(*self._copied, strict=True):
            buffer.copy_(source)


def _apply(network: nn.Module, x: Tensor, labels: Labels) -> Tensor:
    """The network's output, given labels where there are any."""
    return cast(Tensor, network(x) if labels is None else network(x, labels))


def make_optimizer(config: TrainConfig, module: nn.Module, lr: float) -> torch.optim.Optimizer:
    """The configured optimizer over a network's parameters, fused where torch has it so."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, lr, config.betas, fused=True)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr, config.betas, fused=True)
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr, fused=True)
    return torch.optim.RMSprop(parameters, lr)
