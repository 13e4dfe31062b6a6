"""A run's quality: every metric that its data allows, beside real data's own."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Protocol

import torch
from torch import Tensor

from fastgan.data import MIXTURES, Data, Units
from fastgan.metrics import utility
from fastgan.metrics.evaluator import FIDEvaluator, Sampler
from fastgan.metrics.features import Extractor, Features, extract
from fastgan.metrics.mixtures import mixture_quality
from fastgan.metrics.novelty import memorisation
from fastgan.metrics.precision_recall import prdc

__all__ = ["Run", "Scores", "evaluate", "summary", "table"]

_MOST_PAIRS = 5_000  # where memory grows with the product, and for SVC, whose time does
_HELD_OUT = 0.3  # of the real data, for TSTR, where the run held out nothing
_ROUNDED = 1e-12

Scores = dict[str, float | None]


class Run(Sampler, Protocol):
    """A trained run as `fastgan.train.load_run` reads it: what `evaluate` asks of it."""

    @property
    def data(self) -> str:
        """The name of the data that the run was trained on."""

    @property
    def units(self) -> Units:
        """The way from the network's range to the data's own units."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""

    @property
    def step(self) -> int:
        """Updates that the weights have seen."""

    def labels(self, count: int) -> Tensor:
        """The classes (count,) that `sample` draws by default."""


def evaluate(
    run: Run, data: Data, held_out: Data | None, n: int, seed: int, extractor: Extractor | None = None
) -> tuple[Scores, Scores, list[str]]:
    """All metrics of `n` samples of a run, the same of real data where that means something, and remarks.

    FID and KID are over learned features, everything else over the samples as they are; with an extractor, all
    are over its features, but those of mixtures and TSTR.

    Raises:
        ValueError: for fewer than 6 samples, data or features that do not fit, or NaN among the samples.
    """
    if n < 6:
        raise ValueError(f"eval: expected --n to be at least 6, got {n}")
    if tuple(data.samples.shape[1:]) != run.sample_shape:
        raise ValueError(
            f"eval: expected samples of shape {list(run.sample_shape)} in '{run.data}', as the run's, "
            f"got {list(data.samples.shape[1:])}"
        )
    notes: list[str] = []
    evaluator = FIDEvaluator(data, held_out, extractor)
    samples = run.sample(n, seed, _labels_like(data, n) if run.classes else None)
    if not bool(samples.isfinite().all()):
        raise ValueError("eval: expected finite samples, got NaN or infinity from the run's generator")
    ours: Scores = {}
    real: Scores = {"fid": evaluator.floor, "kid": evaluator.kid_floor}
    ours["fid"], ours["kid"] = evaluator(evaluator.draw(run, seed))
    if ours["fid"] is None:
        notes.append("fid: too few samples for a covariance of these features; kid takes them")
    seen, generated = data.samples, samples
    if extractor is not None:
        seen, generated = extract(extractor, seen), extract(extractor, generated)
    few = Data(seen).some(_MOST_PAIRS).samples
    ours |= dataclasses.asdict(prdc(few, generated[:_MOST_PAIRS]))
    if run.data in MIXTURES:
        centres, sigma = MIXTURES[run.data]
        for scores, points in ((ours, samples), (real, data.samples)):
            plane = torch.from_numpy(run.units.restore(points))
            scores |= dataclasses.asdict(mixture_quality(plane, torch.tensor(centres), sigma))
    fresh = None
    if held_out is not None:
        fresh = held_out.samples if extractor is None else extract(extractor, held_out.samples)
    ours |= _prefixed("memory_", memorisation(generated[:_MOST_PAIRS], seen, fresh))
    real |= {"memory_share_nearer": 0.5, "memory_z": 0.0, "memory_median_ratio": 1.0}
    if run.classes:
        ours["tstr"], real["tstr"] = _tstr(run, data, held_out, n, seed, notes)
    return _finite(ours), _finite(real), notes


def summary(run: Run, data: Data, held_out: Data | None) -> str:
    """A line: FID of the run's samples on learned features, beside the floor that real data make."""
    evaluator = FIDEvaluator(data, held_out)
    fid = evaluator.fid(evaluator.draw(run, 0))
    if fid is None or evaluator.floor is None:
        return f"FID: too few samples in the data for a covariance, {len(data.samples)}"
    what = "learned from the data" if isinstance(evaluator.extractor, Features) else "that are the data's own numbers"
    return (
        f"FID on features {what}: {fid:.3f} (real against real: {evaluator.floor:.3f}; "
        f"{evaluator.count} samples, step {run.step})"
    )


def _tstr(run: Run, data: Data, held_out: Data | None, n: int, seed: int, notes: list[str]) -> tuple[float, float]:
    """Accuracy of SVC() trained on the run's samples, of classes in turn, and trained on real ones."""
    if held_out is None:
        notes.append("tstr: tested on real data that the run has trained on; train --holdout 0.3 keeps some back")
        data, held_out = data.split(_HELD_OUT)
    train, test = data.some(_MOST_PAIRS), held_out.some(_MOST_PAIRS)
    assert train.labels is not None  # a run with classes was trained on labelled data
    assert test.labels is not None
    count = min(n, _MOST_PAIRS)
    made = run.sample(count, seed + 1), run.labels(count)
    result = utility.tstr(made, (train.samples, train.labels), (test.samples, test.labels))
    return result.accuracy, result.real_accuracy


def _labels_like(data: Data, count: int) -> Tensor | None:
    """Classes (count,) in the proportions that the data have them, in a fixed random order."""
    if data.labels is None:
        return None
    order = torch.randperm(len(data.labels), generator=torch.Generator().manual_seed(0))
    return data.labels[order[torch.arange(count) % len(order)]]


def _prefixed(prefix: str, scores: Any) -> Scores:
    return {prefix + name: value for name, value in dataclasses.asdict(scores).items()}


def _finite(scores: Scores) -> Scores:
    """Infinities as None: JSON has none."""
    return {name: value if value is not None and math.isfinite(value) else None for name, value in scores.items()}


def table(ours: Scores, real: Scores) -> str:
    """The scores as text: a line for each, real data's in a second column."""
    lines = [f"{'':<20} {'samples':>10} {'real data':>10}"]
    for name, value in ours.items():
        cells = [_cell(value), _cell(real[name]) if name in real else ""]
        lines.append(f"{name:<20} {cells[0]:>10} {cells[1]:>10}".rstrip())
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{0.0 if abs(value) < _ROUNDED else value:.4f}"
