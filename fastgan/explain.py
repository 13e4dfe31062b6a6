"""Attributions of a discriminator's output to its inputs, by Captum, as arrays and heat maps."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fastgan._support.extras import require
from fastgan._support.random import derive
from fastgan.convert import revert
from fastgan.train.augment import pack
from fastgan.train.pictures import is_image, save_figure

__all__ = ["METHODS", "PackedDiscriminator", "attribute", "feature_mask", "heat_maps"]

METHODS = ("integrated_gradients", "lime", "kernel_shap")
_CELLS = 8  # LIME and SHAP perturb images in at most 8 x 8 cells
_COLOURS = "RdBu_r"  # of a heat map: red above 0, blue below
_STEPS = 64  # of the sum that approximates the integral


def attribute(
    discriminator: nn.Module,
    samples: Tensor,
    labels: Tensor | None = None,
    *,
    methods: Sequence[str] = METHODS,
    baseline: float = 0.0,
    perturbations: int = 1000,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Tensor]:
    """How much each value of a sample moves D's logit away from the logit of `baseline`.

    Integrated gradients (Sundararajan et al., 2017) give each value its own attribution. LIME (Ribeiro et al., 2016)
    and kernel SHAP (Lundberg and Lee, 2017) do so for tables; for images they give one to each cell of `feature_mask`,
    and all values of a cell carry it. The same arguments give the same result; torch's random generators keep their
    states.

    Args:
        discriminator: maps samples, or samples and labels, to logits (N, 1) or (N,). Captum gets a copy in eval mode
            with torch's own layers (`fastgan.revert`).
        samples: (N, ...) floating.
        labels: (N,) int64, for a conditional discriminator.
        methods: names from `METHODS`.
        baseline: the value of an input that counts as absent.
        perturbations: number of perturbed copies of each sample that LIME and kernel SHAP evaluate.
        seed: of the perturbations.
        progress: called with a number of samples that one of the methods is done with.

    Returns:
        For each method a tensor of the samples' shape.

    Raises:
        MissingExtraError: where Captum is not installed.
        ValueError: for an unknown method, fewer than 2 perturbations, or a baseline that is not finite.

    Example:
        >>> discriminator = nn.Linear(3, 1)
        >>> weights = torch.tensor([[1.0, 0.0, -2.0]])
        >>> _ = discriminator.load_state_dict({"weight": weights, "bias": torch.zeros(1)})
        >>> attribute(discriminator, torch.ones(1, 3), methods=["integrated_gradients"])["integrated_gradients"]
        tensor([[ 1.,  0., -2.]])
    """
    for method in methods:
        if method not in METHODS:
            raise ValueError(f"explain: expected methods of {', '.join(METHODS)}; got '{method}'")
    if not methods:
        raise ValueError(f"explain: expected at least one method of {', '.join(METHODS)}, got none")
    if perturbations < 2:
        raise ValueError(f"explain: expected at least 2 perturbations, got {perturbations}")
    if not math.isfinite(baseline):
        raise ValueError(f"explain: expected a finite baseline, got {baseline}")
    captum = require("captum.attr", "explain")
    # Ridge, as in LIME's paper, not Captum's lasso: only a ridge's coefficients scale with the logit.
    ridge = require("captum._utils.models.linear_model", "explain").SkLearnRidge
    network = revert(copy.deepcopy(discriminator)).eval().requires_grad_(False)

    def logit(x: Tensor, *given: Tensor) -> Tensor:
        logits: Tensor = network(x, *given)
        return logits.flatten()

    perturbed: dict[str, Any] = {
        "n_samples": perturbations,
        "perturbations_per_eval": 64,
        "feature_mask": feature_mask(samples.shape[1:]).to(samples.device),
    }
    found: dict[str, Tensor] = {}
    with torch.random.fork_rng([samples.device] if samples.is_cuda else []):
        for method in methods:
            torch.manual_seed(derive(seed, METHODS.index(method)))
            extra, size = perturbed, 1  # a surrogate model for each sample
            if method == "integrated_gradients":
                how, extra = captum.IntegratedGradients(logit), {"n_steps": _STEPS, "internal_batch_size": 1024}
                size = 1024
            else:
                how = captum.Lime(logit, ridge(alpha=1.0)) if method == "lime" else captum.KernelShap(logit)
            parts = []
            for start in range(0, len(samples), size):
                part = samples[start : start + size]
                given = None if labels is None else (labels[start : start + size],)
                parts.append(how.attribute(part, baselines=baseline, additional_forward_args=given, **extra).detach())
                progress(len(part))
            found[method] = torch.cat(parts).to(samples.dtype)
    return found


def feature_mask(shape: tuple[int, ...]) -> Tensor:
    """The group (1, *shape) of each value, for Captum: values of one group are perturbed together.

    An image has at most 8 x 8 groups, square cells of all channels; other samples have a group for each value.

    Args:
        shape: of one sample.
    """
    if not is_image(tuple(shape)):
        return torch.arange(math.prod(shape)).reshape(1, *shape)
    _, height, width = shape
    side = math.ceil(max(height, width) / _CELLS)
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    numbers = rows[:, None] * (int(columns[-1]) + 1) + columns
    return numbers.expand(1, *shape).clone()


def heat_maps(
    samples: Tensor, attributions: dict[str, Tensor], titles: Sequence[str], path: Path, names: Sequence[str] = ()
) -> None:
    """Draw samples beside their attributions. Red raises D's logit (real), blue lowers it (fake), as a legend says.

    Each image has a row of panels, with its attributions summed over the channels. The samples of a table are the rows
    of one panel.

    Args:
        samples: (N, ...), images in [-1, 1].
        attributions: tensors of the samples' shape, as `attribute` returns them.
        titles: one for each image.
        path: the picture's file; its suffix gives the format.
        names: of a table's columns, for the axis; () writes none.

    Raises:
        MissingExtraError: where Matplotlib is not installed.
        OSError: if the file cannot be written; an earlier one is untouched.
    """
    figures = require("matplotlib.figure", "explain")
    images = is_image(tuple(samples.shape[1:]))
    count = len(samples) if images else 1
    columns = 1 + len(attributions)
    figure = figures.Figure(figsize=(2.2 * columns, 2.2 * count if images else 4), layout="constrained")
    panels = figure.subplots(count, columns, squeeze=False)
    for i in range(count):
        shown = samples[i].detach().cpu() if images else samples.detach().cpu().flatten(1)
        if images:
            picture = shown.add(1).div(2).clamp(0, 1).permute(1, 2, 0).squeeze(2).numpy()
            panels[i, 0].imshow(picture, cmap="gray", vmin=0, vmax=1)
        else:
            _map(panels[i, 0], shown.numpy(), "PuOr_r")
            panels[i, 0].set_title("sample", fontsize=9)
        panels[i, 0].set_ylabel(titles[i] if images else "sample", fontsize=8)
        for panel, (name, values) in zip(panels[i, 1:], attributions.items(), strict=True):
            _map(panel, (values[i].sum(0) if images else values.flatten(1)).cpu().numpy())
            if i == 0:
                panel.set_title(name.replace("_", " "), fontsize=9)
        for panel in panels[i]:
            panel.set(xticks=[], yticks=[])
            if names and not images:
                panel.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    shades = require("matplotlib.cm", "explain").ScalarMappable(cmap=_COLOURS)
    legend = figure.colorbar(shades, ax=panels, location="bottom", fraction=0.05, aspect=40, shrink=0.8)
    legend.set_ticks([0, 0.5, 1], labels=["lowers D's logit: generated", "none", "raises it: real"], fontsize=8)
    save_figure(figure, path)


def _map(panel: Any, values: Any, colours: str = _COLOURS) -> None:
    limit = float(np.abs(values).max()) or 1.0
    panel.imshow(values, cmap=colours, vmin=-limit, vmax=limit, aspect="equal" if len(values) > 20 else "auto")


class PackedDiscriminator(nn.Module):
    """Wraps a discriminator of packed samples (PacGAN) so that it takes single samples.

    Each sample is repeated to fill a pack.

    Args:
        discriminator: maps packs, as `fastgan.train.augment.pack` makes them, to logits.
        count: samples in a pack.
    """

    def __init__(self, discriminator: nn.Module, count: int) -> None:
        super().__init__()
        self.discriminator, self.count = discriminator, count

    def forward(self, samples: Tensor) -> Tensor:
        """Map `samples` (N, ...) to logits (N, 1)."""
        logits: Tensor = self.discriminator(pack(samples.repeat_interleave(self.count, 0), self.count))
        return logits
