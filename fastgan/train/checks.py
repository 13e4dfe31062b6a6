"""Checks of the networks before the training: what does not fit is named, with what to do about it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from fastgan.train.augment import pack
from fastgan.train.conditions import Condition, are_inputs, generate
from fastgan.train.config import TrainConfig

__all__ = ["check_networks"]

# Losses that take logits or a critic's score of any size: behind a sigmoid they cannot fall.
_UNBOUNDED = ("bce", "relativistic", "hinge", "wasserstein")
# What autograd calls the functions that only change a shape or a dtype.
_VIEWS = {"View", "UnsafeView", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Alias", "Clone", "ToCopy", "Transpose"}
_VIEWS |= {"Permute", "Expand", "Slice", "Select", "T"}
_SQUASHES = {"Sigmoid": "a sigmoid", "Softmax": "a softmax", "Hardsigmoid": "a hard sigmoid", "Tanh": "a tanh"}


@torch.enable_grad()
def check_networks(
    generator: nn.Module, discriminator: nn.Module, real: Tensor, condition: Condition, config: TrainConfig
) -> list[str]:
    """Refuse networks that do not fit the data or the loss; both are run once, in eval mode.

    Args:
        generator: a network; its training mode is kept.
        discriminator: a network; its training mode is kept.
        real: a few real samples; their number is a multiple of `config.pack`.
        condition: their labels or input images, or None.
        config: `latent_dim`, `loss` and `pack`.

    Returns:
        Notes on what trains but is likely a mistake, such as a generator whose range is not that of the data.

    Raises:
        ValueError: naming the network, what was expected and what came: another shape, a tuple, latents of four
            dimensions, a discriminator that ends in a sigmoid, an error of the network's own.
    """
    given = () if condition is None else (condition,)
    with _in_eval_mode(generator, discriminator), torch.random.fork_rng([real.device] if real.is_cuda else []):
        latents = real.new_zeros(len(real), config.latent_dim)
        try:
            fake = generate(generator, latents, condition)
        except Exception as error:
            if condition is not None and are_inputs(condition):
                raise ValueError(_failed("generator", f"inputs {list(condition.shape)}", (), error)) from error
            raise ValueError(_generator_failed(generator, latents, given, real, error)) from error
        call = f"generator({'inputs' if are_inputs(condition) else 'latents'})"
        fake = _tensor(fake, call, "samples")
        if fake.shape != real.shape:
            raise ValueError(f"train: expected {call} of shape {list(real.shape)}, got {list(fake.shape)}")
        packed = pack(real, config.pack)
        try:
            logits = discriminator(packed, *given)
        except Exception as error:
            raise ValueError(_failed("discriminator", f"samples {list(packed.shape)}", given, error)) from error
        logits = _tensor(logits, "discriminator(samples)", "logits")
        if logits.shape[:1] != packed.shape[:1]:
            raise ValueError(
                f"train: expected discriminator(samples) of shape [{len(packed)}, ...], got {list(logits.shape)}"
            )
    last = _last_function(logits)
    if last in _SQUASHES and config.loss in _UNBOUNDED:
        raise ValueError(
            f"train: expected discriminator(samples) to be logits for the loss '{config.loss}', got values behind "
            f"{_SQUASHES[last]}; leave that last layer out, as the loss has its own"
        )
    return _notes_on_range(fake, real)


@contextlib.contextmanager
def _in_eval_mode(*networks: nn.Module) -> Iterator[None]:
    """Put networks into eval mode in the block, each module back into its own mode after it."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    for network in networks:
        network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _tensor(output: Any, call: str, what: str) -> Tensor:
    """The output of a network, which must be a tensor."""
    if isinstance(output, Tensor):
        return output
    kind = f"a {type(output).__name__}"
    if isinstance(output, list | tuple):
        kind += f" of {len(output)}"
    raise ValueError(f"train: expected {call} to be a tensor of {what}, got {kind}; return the {what} alone")


def _generator_failed(
    generator: nn.Module, latents: Tensor, given: tuple[Tensor, ...], real: Tensor, error: Exception
) -> str:
    """The message for a generator that raises; it tells one that takes latents as images, of 1 x 1 pixel."""
    with contextlib.suppress(Exception):
        fake = generator(latents[:, :, None, None], *given)
        if isinstance(fake, Tensor) and fake.shape == real.shape:
            size = latents.shape[1]
            return (
                f"train: expected generator(latents) to take latents (N, {size}), got one that takes "
                f"(N, {size}, 1, 1); put nn.Unflatten(1, ({size}, 1, 1)) before it"
            )
    return _failed("generator", f"latents {list(latents.shape)}", given, error)


def _failed(name: str, inputs: str, given: tuple[Tensor, ...], error: Exception) -> str:
    more = f" and labels {list(given[0].shape)}, as the run is conditional," if given else ""
    if given and are_inputs(given[0]):
        more = f" and inputs {list(given[0].shape)}, as the run translates images,"
    return f"train: expected the {name} to take {inputs}{more} got {type(error).__name__} from it: {error}"


def _last_function(output: Tensor) -> str:
    """What autograd calls the last function behind `output` that is more than a change of shape; "" for none."""
    node = output.grad_fn
    while node is not None:
        name = node.name().split("Backward")[0].removeprefix("_").removeprefix("Safe")
        if name not in _VIEWS or not node.next_functions:
            return name
        node = node.next_functions[0][0]
    return ""


def _notes_on_range(fake: Tensor, real: Tensor) -> list[str]:
    """A note where the generator's last function cannot reach the data."""
    last = _last_function(fake)
    low, high = {"Sigmoid": (0.0, 1.0), "Hardsigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0)}.get(last, (-1e38, 1e38))
    least, most = float(real.min()), float(real.max())
    slack = 0.01 * (high - low)
    if low - slack <= least and most <= high + slack:
        return []
    return [
        f"train: the generator ends in {_SQUASHES[last]}, so that its samples lie in [{low:g}, {high:g}], but the data "
        f"reach from {least:.3g} to {most:.3g}"
    ]
