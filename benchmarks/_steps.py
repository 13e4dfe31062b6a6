"""What step.py measures: whole training steps, by the trainer and by a plain PyTorch loop."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import _translation
from fastgan.bench import Case, Target
from fastgan.bench._results import Work
from fastgan.data import Data
from fastgan.models import NetworkSize, build
from fastgan.train import GANTrainer, TrainConfig

__all__ = [
    "DCGAN_32",
    "DCGAN_64",
    "MLP",
    "Networks",
    "PlainLoop",
    "Problem",
    "batch_sweep",
    "fast_step",
    "parameters",
    "recipe_case",
    "step_cases",
    "sweep_case",
    "width_sweep",
]

Networks = Callable[[], tuple[nn.Module, nn.Module]]

LATENT_DIM, SLOPE, P = 100, 0.2, 0.3


@dataclass(frozen=True)
class Problem:
    """A GAN to train; `networks` makes a new generator and discriminator of torch.nn's own layers."""

    name: str
    sample_shape: tuple[int, ...]
    batch_size: int
    networks: Networks

    def data(self) -> Tensor:
        """1,024 random samples in [-1, 1]; their content does not change the time of a step."""
        generator = torch.Generator().manual_seed(0)  # the same in each of several processes
        return torch.rand(1024, *self.sample_shape, generator=generator) * 2 - 1


def _mlp(width: int = 256) -> tuple[nn.Module, nn.Module]:
    """784 numbers a sample, as MNIST has; two hidden layers in each network, dropout in D."""
    small, wide = width, 2 * width
    generator = [nn.Linear(LATENT_DIM, small), nn.LeakyReLU(SLOPE, True)]
    generator += [nn.Linear(small, wide), nn.LeakyReLU(SLOPE, True), nn.Linear(wide, 784), nn.Tanh()]
    discriminator = [nn.Linear(784, wide), nn.LeakyReLU(SLOPE, True), nn.Dropout(P)]
    discriminator += [nn.Linear(wide, small), nn.LeakyReLU(SLOPE, True), nn.Dropout(P), nn.Linear(small, 1)]
    return nn.Sequential(*generator), nn.Sequential(*discriminator)


def _dcgan(side: int) -> tuple[nn.Module, nn.Module]:
    """The recipe's networks for RGB images, with torch.nn's layers in place of the fused ones."""
    from fastgan.convert import revert

    networks = build("dcgan", NetworkSize((3, side, side), LATENT_DIM, SLOPE, P))
    for network in networks:
        revert(network)
    return networks


MLP = Problem("MLP GAN, batch 64", (784,), 64, _mlp)
DCGAN_32 = Problem("DCGAN-32, batch 128", (3, 32, 32), 128, lambda: _dcgan(32))
DCGAN_64 = Problem("DCGAN-64, batch 128", (3, 64, 64), 128, lambda: _dcgan(64))


class PlainLoop:
    """The update of GAN tutorials: D on real samples, D on generated ones, then G; one Adam for each network."""

    def __init__(self, problem: Problem, device: str, precision: str = "fp32", compiled: bool = False) -> None:
        self._generator, self._discriminator = (network.to(device) for network in problem.networks())
        self._samples, self._batch = problem.data().to(device), problem.batch_size
        parameters = [network.parameters() for network in (self._generator, self._discriminator)]
        self._optimizers = [torch.optim.Adam(p, 2e-4, (0.5, 0.999)) for p in parameters]
        self._context: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
        if precision == "bf16":
            self._context = lambda: torch.autocast(device, torch.bfloat16)
        if compiled:
            torch._dynamo.reset()  # it compiles eight networks of a process at most, and runs others as they are
            self._generator, self._discriminator = (
                cast(nn.Module, torch.compile(network)) for network in (self._generator, self._discriminator)
            )

    def __call__(self) -> None:
        """One update of D, then one of G."""
        generator, discriminator, (optimizer_g, optimizer_d) = self._generator, self._discriminator, self._optimizers
        device, bce = self._samples.device, F.binary_cross_entropy_with_logits
        real = self._samples[torch.randint(len(self._samples), (self._batch,), device=device)]
        optimizer_d.zero_grad()
        with self._context():
            logits = discriminator(real)
            loss_real = bce(logits, torch.ones_like(logits))
        torch.autograd.backward(loss_real)
        with self._context():
            fake = generator(torch.randn(self._batch, LATENT_DIM, device=device))
            logits = discriminator(fake.detach())
            loss_fake = bce(logits, torch.zeros_like(logits))
        torch.autograd.backward(loss_fake)
        optimizer_d.step()
        optimizer_g.zero_grad()
        with self._context():
            logits = discriminator(fake)
            loss = bce(logits, torch.ones_like(logits))
        torch.autograd.backward(loss)
        optimizer_g.step()


def fast_step(problem: Problem, device: str, **settings: Any) -> Work:
    """The trainer's step on the same networks, which the trainer converts."""
    config = TrainConfig(
        batch_size=problem.batch_size, latent_dim=LATENT_DIM, device=device, lr_g=2e-4, lr_d=2e-4, **settings
    )
    trainer = GANTrainer(config, *problem.networks(), Data(problem.data()))
    return trainer.step


def _case(
    problem: Problem, what: str, threads: int, targets: Iterable[Target], plain: Any = None, **settings: Any
) -> Case:
    plain = plain or {"plain loop": {}}

    def make(device: str) -> dict[str, Work]:
        works: dict[str, Work] = {"fastgan": fast_step(problem, device, **settings)}
        return works | {name: PlainLoop(problem, device, **how) for name, how in plain.items()}

    return Case(f"{problem.name}{what}", make, threads, targets=tuple(targets))


def step_cases(device: str, threads: int, compiled: bool) -> list[Case]:
    """The cases of the step table, each with a target of the trainer."""
    if device == "cuda":
        half: dict[str, dict[str, Any]] = {"plain loop": {"precision": "bf16"}}
        if compiled:
            half["compiled loop"] = {"precision": "bf16", "compiled": True}
        return [
            _case(MLP, ", CUDA graph", threads, [Target("plain loop", 6)]),
            _case(
                DCGAN_64,
                ", bf16 both",
                threads,
                [Target("plain loop", 1.6), Target("compiled loop", 1.15)],
                half,
                precision="bf16",
            ),
        ]
    cases = [_case(MLP, "", threads, [Target("plain loop", 1.5)])]
    if compiled:
        cases.append(_case(MLP, ", --compile", threads, [Target("plain loop", 1.8)], compile=True))
    cases.append(_case(DCGAN_32, "", threads, [Target("plain loop", 1.3)]))
    cases.append(_case(DCGAN_32, ", --precision bf16", threads, [Target("plain loop", 2)], precision="bf16"))
    cases.append(_translation.case(threads))
    return cases


def batch_sweep() -> list[Problem]:
    """The MLP GAN at batch sizes that double."""
    return [replace(MLP, name=f"batch {size}", batch_size=size) for size in (16, 32, 64, 128, 256, 512)]


def width_sweep() -> list[Problem]:
    """The MLP GAN at widths that double, batch 64."""
    return [
        replace(MLP, name=f"width {width}", networks=partial(_mlp, width)) for width in (32, 64, 128, 256, 512, 1024)
    ]


def parameters(problem: Problem) -> int:
    """The number of parameters of both networks."""
    return sum(p.numel() for network in problem.networks() for p in network.parameters())


def sweep_case(problem: Problem, threads: int) -> Case:
    """The trainer and the plain loop on one problem of a sweep."""
    return _case(problem, "", threads, ())


def recipe_case(recipe: str, threads: int) -> tuple[Case, int]:
    """A recipe's step on the digits, and the number of real images that it takes; pix2pix draws them from edges."""
    config = TrainConfig(recipe=recipe, **({"image_size": 32, "from_": "edges"} if recipe == "pix2pix" else {}))

    def make(device: str) -> dict[str, Work]:
        return {"fastgan": GANTrainer(replace(config, device=device)).step}

    return Case(recipe, make, threads), config.batch_size * config.n_critic
