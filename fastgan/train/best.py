"""Measuring while training, and keeping what was best."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import Tensor

from fastgan._support.files import write_atomic
from fastgan._support.random import derive
from fastgan.metrics.evaluator import FIDEvaluator
from fastgan.train import checkpoint, distributed
from fastgan.train.callbacks import Callback, Trainer
from fastgan.train.randomness import Purpose

__all__ = ["BestCheckpoint"]


class BestCheckpoint(Callback):
    """FID of the moving average every `config.eval_every` steps, and at the end; the lowest one's checkpoint stays.

    The figure is `fid` in metrics.jsonl and TensorBoard, over features learned from the data and always from the same
    latents. The checkpoint is checkpoints/best.pt, its weights are best.safetensors, and best.json says which step and
    how good it is, beside the floor of real data. A run that resumes goes on from there. Nothing here touches what the
    training depends on. Of several processes the first measures and writes.
    """

    def __init__(self) -> None:
        self.evaluator: FIDEvaluator | None = None
        self._out = Path()
        self._lowest = math.inf

    def on_start(self, trainer: Trainer, out: Path) -> None:
        """Learn the features, and read how good the best one was."""
        self._out = out
        self._lowest = distributed.run_on_rank_zero(lambda: self._prepare(trainer))

    def _prepare(self, trainer: Trainer) -> float:
        self.evaluator = FIDEvaluator(trainer.data)
        if self.evaluator.floor is None:
            count = self.evaluator.count
            raise ValueError(
                f"train: expected more samples than features for `eval_every`, got {count} in half the data"
            )
        return _read_lowest(self._out / "best.json")

    def on_log(self, trainer: Trainer, statistics: dict[str, float]) -> None:
        """Measure, if it is time, and save what is better than all before."""
        step, config = trainer.global_step, trainer.config
        if step % config.eval_every and step != config.steps:
            return
        fid = distributed.run_on_rank_zero(lambda: self._measure(trainer))
        if fid is None:
            return
        statistics["fid"] = fid
        if fid < self._lowest:
            self._lowest = fid
            self._save(trainer, fid)

    @torch.no_grad()
    def _measure(self, trainer: Trainer) -> float | None:
        """FID, or None of samples that are not finite, which ends the training by and by."""
        assert self.evaluator is not None  # on_start came first
        generator = torch.Generator().manual_seed(derive(trainer.config.seed, Purpose.EVALUATION))
        count, labels = self.evaluator.count, self.evaluator.labels
        latents = torch.randn(count, trainer.config.latent_dim, generator=generator)
        inputs: list[Tensor] = [latents]
        if trainer.size.classes and labels is not None:
            inputs.append(labels)
        chunks = zip(*(x.to(trainer.device).split(1024) for x in inputs), strict=True)
        samples = torch.cat([trainer.ema(*chunk).float().cpu() for chunk in chunks])
        return self.evaluator.fid(samples) if bool(samples.isfinite().all()) else None

    def _save(self, trainer: Trainer, fid: float) -> None:
        state = trainer.state_dict()

        def write() -> None:
            assert self.evaluator is not None
            checkpoint.write(state, self._out / "checkpoints" / "best.pt")
            trainer.save_weights(self._out, "best.safetensors")
            about = {"step": trainer.global_step, "fid": fid, "real": self.evaluator.floor}
            write_atomic(self._out / "best.json", (json.dumps(about, indent=2) + "\n").encode())

        distributed.run_on_rank_zero(write)


def _read_lowest(path: Path) -> float:
    try:
        lowest = float(json.loads(path.read_text(encoding="utf-8"))["fid"])
    except (OSError, ValueError, KeyError, TypeError):
        return math.inf  # none yet, or torn by another hand: the next measure is the best
    return lowest if math.isfinite(lowest) else math.inf
