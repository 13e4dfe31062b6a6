"""The quality of translations: how far they are from their targets, and how like real images they are."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fastgan.data import Data
from fastgan.data.inputs import as_channels
from fastgan.metrics.evaluator import FIDEvaluator
from fastgan.metrics.features import Extractor

__all__ = ["Translations", "Translator", "evaluate_translations", "l1", "lpips", "translations"]

_PART = 64  # images that are read or compared together


class Translator(Protocol):
    """What these metrics need of a trained generator; `fastgan.train.load_run` returns one."""

    @property
    def data(self) -> str:
        """The name of the data that the run was trained on."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape (C, H, W) of an input."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape (C, H, W) of a translation."""

    def translate(self, images: Tensor, seed: int | None = 0) -> Tensor:
        """Translate `images` (N, C, H, W), with noise from the `seed`."""


@dataclass(frozen=True)
class Translations:
    """Inputs, their translations and their targets, in the network's range, float32, on the CPU.

    Attributes:
        inputs: (N, C', H, W).
        outputs: (N, C, H, W).
        targets: (N, C, H, W).
    """

    inputs: Tensor
    outputs: Tensor
    targets: Tensor


def translations(run: Translator, data: Data, seed: int) -> Translations:
    """Translate all inputs of data.

    Args:
        run: the trained run.
        data: with inputs.
        seed: of the noise, and of holes.

    Raises:
        ValueError: for data without inputs or of other shapes than the run's, or NaN or infinity in a translation.
    """
    if data.input_shape != run.input_shape or data.sample_shape != run.sample_shape:
        found = f"{list(data.input_shape)} and {list(data.sample_shape)}" if data.inputs else "data without inputs"
        raise ValueError(
            f"eval: expected inputs and targets of shape {list(run.input_shape)} and {list(run.sample_shape)} in "
            f"'{run.data}', as the run's, got {found}"
        )
    parts = []
    for indices in torch.arange(len(data)).split(_PART):
        targets, inputs = data.pair_batch(indices, seed)
        parts.append((inputs.cpu(), run.translate(inputs, seed), targets.cpu()))
    inputs, outputs, targets = (torch.cat(some) for some in zip(*parts, strict=True))
    if not bool(outputs.isfinite().all()):
        raise ValueError("eval: expected finite translations, got NaN or infinity from the run's generator")
    return Translations(inputs, outputs, targets)


def l1(images: Tensor, targets: Tensor) -> float:
    """The mean absolute difference of images from their targets, in units of the range: 1 is black against white.

    Args:
        images: (N, C, H, W) in [-1, 1].
        targets: of the same shape.

    Example:
        >>> l1(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4))
        0.5
    """
    return float((images - targets).abs().double().mean()) / 2


@torch.no_grad()
def lpips(images: Tensor, targets: Tensor) -> float:
    """The mean LPIPS distance (Zhang et al., 2018), by the package lpips with its AlexNet.

    Args:
        images: (N, C, H, W) in [-1, 1], C of 1 or 3.
        targets: of the same shape.

    Raises:
        ImportError: without the package lpips.
        OSError: if its network's weights are not there and cannot be loaded.
    """
    network = importlib.import_module("lpips").LPIPS(net="alex", verbose=False)
    total = 0.0
    for some, others in zip(images.split(_PART), targets.split(_PART), strict=True):
        total += float(network(*(x.expand(-1, 3, -1, -1) for x in (some, others))).double().sum())
    return total / len(images)


def evaluate_translations(
    run: Translator,
    data: Data,
    held_out: Data | None,
    n: int,
    seed: int,
    extractor: Extractor | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, float | None], dict[str, float | None], list[str]]:
    """L1, FID, KID and, where the package lpips is installed, LPIPS of a run's translations of held-out inputs.

    Args:
        run: the trained run.
        data: what it was trained on, with inputs.
        held_out: images with inputs that it was not trained on, or None.
        n: number of translations, at most.
        seed: of the noise.
        extractor: maps images to features for FID and KID; None takes `fastgan.metrics.features.fit_features`.
        say: called with what is done next.

    Returns:
        The scores of the translations and of real images by name, and notes on what was not possible. `l1_of_inputs`
        is the L1 of the inputs themselves, which a translation should be well below.

    Raises:
        ValueError: as `translations`.
    """
    notes = [] if held_out else ["l1: of inputs that the run has trained on; train --holdout 0.1 keeps some back"]
    say(f"{'learning' if extractor is None else 'computing'} features of {len(data):,} real images")
    evaluator = FIDEvaluator(data, held_out.subsample(n) if held_out else None, extractor)
    say(f"translating {evaluator.count:,} images")
    made = translations(run, evaluator.other, seed)
    shown = as_channels(made.inputs, made.targets.shape[1])
    ours: dict[str, float | None] = {"l1": l1(made.outputs, made.targets), "l1_of_inputs": l1(shown, made.targets)}
    ours["fid"], ours["kid"] = evaluator(made.outputs)
    if ours["fid"] is None:
        notes.append("fid: too few images for a covariance of these features; kid takes them")
    try:
        ours["lpips"] = lpips(made.outputs, made.targets)
    except ImportError:
        notes.append("lpips: needs the package lpips, which is not installed")
    except (OSError, RuntimeError) as error:
        notes.append(f"lpips: its network cannot be loaded: {error}")
    return ours, {"fid": evaluator.floor, "kid": evaluator.kid_floor}, notes
