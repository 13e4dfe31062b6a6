"""The step of pix2pix that step.py measures: with fused layers, with torch.nn's own, and as a plain PyTorch loop."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastgan.bench import Case
from fastgan.bench._results import Work
from fastgan.convert import revert
from fastgan.data import Data
from fastgan.models import NetworkSize, build
from fastgan.train import GANTrainer, TrainConfig

__all__ = ["PlainTranslation", "case", "networks", "pairs"]

SIDE, BATCH, L1 = 64, 4, 100.0


def pairs(count: int = 64) -> tuple[Tensor, Tensor]:
    """Random grey inputs and colour targets in [-1, 1]; their content does not change the time of a step."""
    return torch.rand(count, 1, SIDE, SIDE) * 2 - 1, torch.rand(count, 3, SIDE, SIDE) * 2 - 1


def networks() -> tuple[nn.Module, nn.Module]:
    """The recipe's networks for colouring images of 64 pixels, with torch.nn's layers in place of the fused ones."""
    shape = (SIDE, SIDE)
    made = build("pix2pix", NetworkSize((3, *shape), dropout=0.5, input_shape=(1, *shape)))
    for network in made:
        revert(network)
    return made


class PlainTranslation:
    """The update of pix2pix as tutorials write it: D on real pairs, D on generated ones, then G with its L1 loss."""

    def __init__(self, device: str) -> None:
        self._generator, self._discriminator = (network.to(device) for network in networks())
        self._inputs, self._targets = (x.to(device) for x in pairs())
        parameters = [network.parameters() for network in (self._generator, self._discriminator)]
        self._optimizer_g, self._optimizer_d = (torch.optim.Adam(p, 2e-4, (0.5, 0.999)) for p in parameters)

    def __call__(self) -> None:
        """One update of D, then one of G."""
        bce, discriminator = F.binary_cross_entropy_with_logits, self._discriminator
        chosen = torch.randint(len(self._inputs), (BATCH,), device=self._inputs.device)
        inputs, real = self._inputs[chosen], self._targets[chosen]
        fake = self._generator(inputs)
        self._optimizer_d.zero_grad()
        logits = discriminator(real, inputs)
        torch.autograd.backward(bce(logits, torch.ones_like(logits)))
        logits = discriminator(fake.detach(), inputs)
        torch.autograd.backward(bce(logits, torch.zeros_like(logits)))
        self._optimizer_d.step()
        self._optimizer_g.zero_grad()
        logits = discriminator(fake, inputs)
        torch.autograd.backward(bce(logits, torch.ones_like(logits)) + L1 * F.l1_loss(fake, real))
        self._optimizer_g.step()


def _step(device: str, *given: nn.Module) -> Work:
    """The trainer's step on the recipe's networks, or on those given as they are."""
    config = TrainConfig(
        recipe="pix2pix", batch_size=BATCH, reconstruction=L1, device=device, precision="fp32", convert=False
    )
    return GANTrainer(config, *given, data=Data.pairs(*pairs())).step


def case(threads: int) -> Case:
    """The row of the step table: the recipe, the same with torch.nn's layers in place of the fused ones, the loop."""

    def make(device: str) -> dict[str, Work]:
        return {
            "fastgan": _step(device),
            "torch.nn's layers": _step(device, *networks()),
            "plain loop": PlainTranslation(device),
        }

    return Case(f"pix2pix-{SIDE}, batch {BATCH}", make, threads)
