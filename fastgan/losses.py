"""Adversarial losses: what D and G minimise, given D's logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from fastgan import functional as FF

DiscriminatorLoss = Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor]]
GeneratorLoss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class AdversarialLoss:
    """A pair of losses.

    Attributes:
        discriminator: (real logits, fake logits, real target) to (loss, statistics), the latter a
            float32 tensor (4,): mean probability on real and on fake samples, share of real logits
            above 0, share of fake logits below 0.
        generator: fake logits to loss.
    """

    discriminator: DiscriminatorLoss
    generator: GeneratorLoss


def _bce_discriminator(real_logits: Tensor, fake_logits: Tensor, real_target: float) -> tuple[Tensor, Tensor]:
    return FF.discriminator_loss(real_logits, fake_logits, real_target=real_target)


def _bce_generator(fake_logits: Tensor) -> Tensor:
    """The non-saturating loss of Goodfellow et al. (2014), section 3."""
    return FF.generator_loss(fake_logits)


LOSSES: dict[str, AdversarialLoss] = {
    "bce": AdversarialLoss(_bce_discriminator, _bce_generator),
}
