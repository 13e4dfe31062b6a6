"""What D looks at: attributions by Captum, as arrays and heat maps."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fastgan._support.extras import require
from fastgan._support.random import derive
from fastgan.convert import revert
from fastgan.train.augment import pack
from fastgan.train.pictures import is_image

__all__ = ["METHODS", "attribute", "heat_maps"]

METHODS = ("integrated_gradients", "lime", "kernel_shap")
_CELLS = 8  # LIME and SHAP switch images on and off in at most 8 x 8 cells
_STEPS = 64  # of integrated gradients' sum


def attribute(
    discriminator: nn.Module,
    samples: Tensor,
    labels: Tensor | None = None,
    *,
    methods: Sequence[str] = METHODS,
    baseline: float = 0.0,
    perturbations: int = 1000,
    seed: int = 0,
) -> dict[str, Tensor]:
    """How much each value of a sample moves D's logit away from the logit of `baseline`.

    Integrated gradients (Sundararajan et al., 2017) attribute to each value; LIME (Ribeiro et al., 2016) and kernel
    SHAP (Lundberg and Lee, 2017) to each value of a table and to each cell of an image, whose values all carry the
    cell's number. The same arguments give the
    same result; torch's generators are left as they were.

    Args:
        discriminator: (samples) or (samples, labels) to logits (N, 1) or (N,). A copy of it, in eval mode and with
            torch's own layers (`fastgan.revert`), is what Captum sees.
        samples: (N, ...) floating.
        labels: (N,) int64, for a conditional discriminator.
        methods: of `METHODS`.
        baseline: the value that stands for "not there".
        perturbations: of each sample by LIME and kernel SHAP.
        seed: of the perturbations.

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
    # Ridge, as LIME's authors have it: what it finds scales with the logit, where a lasso's threshold does not.
    ridge = require("captum._utils.models.linear_model", "explain").SkLearnRidge
    network = revert(copy.deepcopy(discriminator)).eval().requires_grad_(False)

    def logit(x: Tensor, *given: Tensor) -> Tensor:
        logits: Tensor = network(x, *given)
        return logits.flatten()

    arguments: dict[str, Any] = {
        "baselines": baseline,
        "additional_forward_args": None if labels is None else (labels,),
    }
    perturbed: dict[str, Any] = {
        "n_samples": perturbations,
        "perturbations_per_eval": 64,
        "feature_mask": cells(samples.shape[1:]).to(samples.device),
    }
    found: dict[str, Tensor] = {}
    with torch.random.fork_rng([samples.device] if samples.is_cuda else []), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are providing multiple inputs")  # one model a sample is what is wanted
        for method in methods:
            torch.manual_seed(derive(seed, METHODS.index(method)))
            extra = perturbed
            if method == "integrated_gradients":
                how, extra = captum.IntegratedGradients(logit), {"n_steps": _STEPS, "internal_batch_size": 1024}
            else:
                how = captum.Lime(logit, ridge(alpha=1.0)) if method == "lime" else captum.KernelShap(logit)
            found[method] = how.attribute(samples, **arguments, **extra).detach().to(samples.dtype)
    return found


def cells(shape: tuple[int, ...]) -> Tensor:
    """The number (1, *shape) of each value's cell: an image's squares, all channels together; else the value's own."""
    if not is_image(tuple(shape)):
        return torch.arange(math.prod(shape)).reshape(1, *shape)
    _, height, width = shape
    side = math.ceil(max(height, width) / _CELLS)
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    numbers = rows[:, None] * (int(columns[-1]) + 1) + columns
    return numbers.expand(1, *shape).clone()


def heat_maps(samples: Tensor, attributions: dict[str, Tensor], titles: Sequence[str], path: Path) -> None:
    """Draw samples beside their attributions: red speaks for real, blue for fake; channels are summed.

    Images have a row each; of a table's samples each is a row of one map.

    Args:
        samples: (N, ...), images in [-1, 1].
        attributions: of the samples' shape, as `attribute` returns them.
        titles: one for each image.
        path: of the picture, whose ending says the format.

    Raises:
        MissingExtraError: where Matplotlib is not installed.
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
            _map(panels[i, 0], shown.numpy())
        panels[i, 0].set_ylabel(titles[i] if images else "sample", fontsize=8)
        for panel, (name, values) in zip(panels[i, 1:], attributions.items(), strict=True):
            _map(panel, (values[i].sum(0) if images else values.flatten(1)).cpu().numpy())
            if i == 0:
                panel.set_title(name.replace("_", " "), fontsize=9)
        for panel in panels[i]:
            panel.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=100)


def _map(panel: Any, values: Any) -> None:
    limit = float(np.abs(values).max()) or 1.0
    panel.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="equal" if len(values) > 20 else "auto")


class PackedDiscriminator(nn.Module):
    """A discriminator of packs, shown packs of one sample."""

    def __init__(self, discriminator: nn.Module, count: int) -> None:
        super().__init__()
        self.discriminator, self.count = discriminator, count

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (N, ...) to logits (N, 1)."""
        logits: Tensor = self.discriminator(pack(samples.repeat_interleave(self.count, 0), self.count))
        return logits
