"""The quality of a trained run: all metrics that its data allow, with those of real data for comparison."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from fastgan.data import MIXTURES, Data, Units
from fastgan.data.table.units import EncodedUnits
from fastgan.metrics import utility
from fastgan.metrics.evaluator import FIDEvaluator
from fastgan.metrics.features import Extractor, FeatureNetwork, extract
from fastgan.metrics.mixtures import mixture_quality
from fastgan.metrics.novelty import memorisation
from fastgan.metrics.precision_recall import prdc
from fastgan.metrics.table_scores import table_scores
from fastgan.metrics.translation import evaluate_translations, l1, translations

__all__ = ["Scores", "TrainedRun", "evaluate", "summary", "table"]

_MAX_SAMPLES = 5_000  # for metrics whose memory or time grows with the square of the samples
_MAX_NUMBERS = 50_000_000  # of the training data, at most, with which samples are compared for memorisation
_HELD_OUT = 0.3  # share of the real data that TSTR is tested on, for a run without held-out data
_ROUNDING = 1e-12  # smaller values are shown as 0

Scores = dict[str, float | None]


class TrainedRun(Protocol):
    """What `evaluate` and `summary` need of a trained generator; `fastgan.train.load_run` returns one."""

    @property
    def data(self) -> str:
        """The name of the data that the run was trained on."""

    @property
    def units(self) -> Units:
        """The conversion from the network's range to the data's own units."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""

    @property
    def step(self) -> int:
        """The number of training steps behind the weights."""

    @property
    def classes(self) -> int:
        """The number of classes of a conditional generator; 0 for an unconditional one."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of the images that the generator translates; () for one that draws from latents."""

    def translate(self, images: Tensor, seed: int | None = 0) -> Tensor:
        """Translate `images` (N, C, H, W), with noise from the `seed`."""

    def labels(self, count: int) -> Tensor:
        """The classes (`count`,) of samples for which none are given."""

    def sample(self, count: int, seed: int, labels: Tensor | None = None) -> Tensor:
        """Generate samples (count, ...) in the network's range.

        Args:
            count: how many.
            seed: of the latents.
            labels: the samples' classes (count,); None takes those of the method `labels`.
        """


def evaluate(
    run: TrainedRun,
    data: Data,
    held_out: Data | None,
    n: int,
    seed: int,
    extractor: Extractor | None = None,
    say: Callable[[str], None] = lambda _: None,
    target: str | None = None,
) -> tuple[Scores, Scores, list[str]]:
    """Compute all metrics of a run's samples, those of real data for comparison, and notes on what was not possible.

    A run that translates images is measured by `fastgan.metrics.translation.evaluate_translations`. Of all others FID
    and KID are computed from learned features, all other metrics from the samples themselves. With an extractor,
    all metrics but those of mixtures and TSTR are computed from its features.

    Args:
        run: the trained run.
        data: what it was trained on.
        held_out: real samples that it was not trained on, or None.
        n: number of samples to generate.
        seed: of the samples.
        extractor: maps samples to features; None takes `fastgan.metrics.features.fit_features`.
        say: called with what is done next.
        target: the column of a table that a model is to predict; see `fastgan.metrics.table_scores`.

    Returns:
        The scores of the samples and of real data by name, and the notes. A score is None where it is infinite or
        there are too few samples. Real data have no score where it would say nothing.

    Raises:
        ValueError: for fewer than 6 samples, generated or real, data or features of another shape, NaN or infinity in
            the samples, or a target that is no column.
    """
    if run.input_shape:
        return evaluate_translations(run, data, held_out, n, seed, extractor, say)
    if n < 6:
        raise ValueError(f"eval: expected --n to be at least 6, got {n}")
    if len(data) < 6:
        raise ValueError(
            f"eval: expected at least 6 real samples in '{run.data}', as precision and recall look at the 5 nearest "
            f"neighbours of each, got {len(data)}"
        )
    if data.sample_shape != run.sample_shape:
        raise ValueError(
            f"eval: expected samples of shape {list(run.sample_shape)} in '{run.data}', as the run's, "
            f"got {list(data.sample_shape)}"
        )
    notes: list[str] = []
    say(f"{'learning' if extractor is None else 'computing'} features of {len(data):,} real samples")
    evaluator = FIDEvaluator(data, held_out, extractor)
    say(f"drawing {n:,} samples")
    samples = run.sample(n, seed, _labels_like(data, n) if run.classes else None)
    if not bool(samples.isfinite().all()):
        raise ValueError("eval: expected finite samples, got NaN or infinity from the run's generator")
    ours: Scores = {}
    real: Scores = {"fid": evaluator.floor, "kid": evaluator.kid_floor}
    say("FID and KID")
    ours["fid"], ours["kid"] = evaluator(_samples_for(evaluator, run, seed))
    if ours["fid"] is None:
        notes.append("fid: too few samples for a covariance of these features; kid takes them")
    compared = data.subsample(max(_MAX_SAMPLES, _MAX_NUMBERS // math.prod(data.sample_shape)))
    if len(compared) < len(data):
        notes.append(f"memory: samples are compared with {len(compared):,} of the {len(data):,} training samples")
    seen = _features(compared, extractor)
    generated = samples if extractor is None else extract(extractor, samples)
    say("precision, recall, density, coverage")
    few = Data(seen).subsample(_MAX_SAMPLES).samples
    ours |= dataclasses.asdict(prdc(few, generated[:_MAX_SAMPLES]))
    if run.data in MIXTURES:
        centres, sigma = MIXTURES[run.data]
        for scores, points in ((ours, samples), (real, data.samples)):
            plane = torch.from_numpy(run.units.restore(points))
            scores |= dataclasses.asdict(mixture_quality(plane, torch.tensor(centres), sigma))
    fresh = None if held_out is None else _features(held_out.subsample(len(compared)), extractor)
    say("nearest training samples")
    ours |= _prefixed("memory_", memorisation(generated[:_MAX_SAMPLES], seen, fresh))
    real |= {"memory_share_nearer": 0.5, "memory_z": 0.0, "memory_median_ratio": 1.0}
    if run.classes:
        say("a classifier trained on samples")
        ours["tstr"], real["tstr"] = _tstr(run, data, held_out, n, seed, notes)
    if run.units.table is not None:
        say("columns, pairs of columns, a model trained on samples")
        of_table, of_real_table, remarks = table_scores(run.units, samples, data, held_out, target)
        ours, real, notes = {**of_table, **ours}, {**of_real_table, **real}, notes + remarks
    return _finite(ours), _finite(real), notes


def _features(data: Data, extractor: Extractor | None) -> Tensor:
    """The features of all samples of `data`, or without an extractor the samples themselves."""
    return data.samples if extractor is None else extract(extractor, data)


def summary(run: TrainedRun, data: Data, held_out: Data | None) -> str:
    """One line with the FID of a run's samples on learned features, or of an encoded table how alike rows are.

    Args:
        run: the trained run.
        data: what it was trained on.
        held_out: real samples that it was not trained on, or None.
    """
    if isinstance(run.units, EncodedUnits):
        count = min(len(data), _MAX_SAMPLES)
        ours, real, _ = table_scores(run.units, run.sample(count, 0), data, None, predict=False)
        return (
            f"columns alike {_cell(ours['marginals'])}, pairs of columns {_cell(ours['pairs'])} (halves of the real "
            f"rows: {_cell(real['marginals'])}, {_cell(real['pairs'])}; {count} rows, step {run.step})"
        )
    evaluator = FIDEvaluator(data, held_out)
    if run.input_shape:
        made = translations(run, evaluator.other, 0)
        score, floor = ("-" if x is None else f"{x:.3f}" for x in (evaluator.fid(made.outputs), evaluator.floor))
        return (
            f"L1 {l1(made.outputs, made.targets):.4f}, FID on features learned from the data: {score} (real against "
            f"real: {floor}; {evaluator.count} images{' held out' if held_out else ''}, step {run.step})"
        )
    fid = evaluator.fid(_samples_for(evaluator, run, 0))
    if fid is None or evaluator.floor is None:
        return f"FID: too few samples in the data for a covariance, {len(data)}"
    learned = isinstance(evaluator.extractor, FeatureNetwork)
    what = "learned from the data" if learned else "that are the data's own numbers"
    return (
        f"FID on features {what}: {fid:.3f} (real against real: {evaluator.floor:.3f}; "
        f"{evaluator.count} samples, step {run.step})"
    )


def _samples_for(evaluator: FIDEvaluator, run: TrainedRun, seed: int) -> Tensor:
    """As many samples of the run as the evaluator takes, of the classes of its real samples."""
    return run.sample(evaluator.count, seed, evaluator.labels if run.classes else None)


def _tstr(
    run: TrainedRun, data: Data, held_out: Data | None, n: int, seed: int, notes: list[str]
) -> tuple[float, float]:
    """Accuracy of SVC() trained on the run's samples, equally many of each class, and trained on real ones."""
    if held_out is None:
        notes.append("tstr: tested on real data that the run has trained on; train --holdout 0.3 keeps some back")
        data, held_out = data.split(_HELD_OUT)
    train, test = data.subsample(_MAX_SAMPLES), held_out.subsample(_MAX_SAMPLES)
    assert train.labels is not None  # a run with classes was trained on labelled data
    assert test.labels is not None
    count = min(n, _MAX_SAMPLES)
    generated = run.sample(count, seed + 1), run.labels(count)
    result = utility.tstr(generated, (train.samples, train.labels), (test.samples, test.labels))
    return result.accuracy, result.real_accuracy


def _labels_like(data: Data, count: int) -> Tensor | None:
    """Classes (count,) in the data's proportions, in a random order that is always the same."""
    if data.labels is None:
        return None
    order = torch.randperm(len(data.labels), generator=torch.Generator().manual_seed(0))
    return data.labels[order[torch.arange(count) % len(order)]]


def _prefixed(prefix: str, scores: Any) -> Scores:
    return {prefix + name: value for name, value in dataclasses.asdict(scores).items()}


def _finite(scores: Scores) -> Scores:
    """The scores with None for infinity, which JSON cannot hold."""
    return {name: value if value is not None and math.isfinite(value) else None for name, value in scores.items()}


def table(ours: Scores, real: Scores) -> str:
    """The scores as text, a line for each.

    Args:
        ours: of the samples, in the first column.
        real: of real data, in the second column; they may lack some.
    """
    lines = [f"{'':<20} {'samples':>10} {'real data':>10}"]
    for name, value in ours.items():
        cells = [_cell(value), _cell(real[name]) if name in real else ""]
        lines.append(f"{name:<20} {cells[0]:>10} {cells[1]:>10}".rstrip())
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{0.0 if abs(value) < _ROUNDING else value:.4f}"
