"""Measuring while training, and keeping what was best."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fastgan.frechet import Frechet
from fastgan.train import checkpoint, distributed
from fastgan.train.callbacks import Callback
from fastgan.train.randomness import Purpose, derive

if TYPE_CHECKING:
    from fastgan.train.loop import GANTrainer


class KeepBest(Callback):
    """FID of the moving average every `config.eval_every` steps, and at the end; the lowest one's checkpoint stays.

    The figure is `fid` in metrics.jsonl and TensorBoard, over features learned from the data and always from the same
    latents. The checkpoint is checkpoints/best.pt, its weights are best.safetensors, and best.json says which step and
    how good it is, beside the floor of real data. A run that resumes goes on from there. Nothing here touches what the
    training depends on. Of several processes the first measures and writes.
    """

    def __init__(self) -> None:
        self._frechet: Frechet | None = None
        self._out = Path()
        self._lowest = math.inf

    def on_start(self, trainer: GANTrainer, out: Path) -> None:
        """Learn the features, and read how good the best one was."""
        self._out = out
        self._lowest = distributed.on_first(lambda: self._prepare(trainer))

    def _prepare(self, trainer: GANTrainer) -> float:
        self._frechet = Frechet(trainer.data)
        if self._frechet.floor is None:
            count = self._frechet.count
            raise ValueError(
                f"train: expected more samples than features for `eval_every`, got {count} in half the data"
            )
        return _read_lowest(self._out / "best.json")

    def on_log(self, trainer: GANTrainer, statistics: dict[str, float]) -> None:
        """Measure, if it is time, and save what is better than all before."""
        step, config = trainer.global_step, trainer.config
        if step % config.eval_every and step != config.steps:
            return
        fid = distributed.on_first(lambda: self._measure(trainer))
        if fid is None:
            return
        statistics["fid"] = fid
        if fid < self._lowest:
            self._lowest = fid
            self._save(trainer, fid)

    @torch.no_grad()
    def _measure(self, trainer: GANTrainer) -> float | None:
        """FID, or None of samples that are not finite, which ends the training by and by."""
        assert self._frechet is not None  # on_start came first
        generator = torch.Generator().manual_seed(derive(trainer.config.seed, Purpose.EVALUATION))
        count, labels = self._frechet.count, self._frechet.labels
        latents = torch.randn(count, trainer.config.latent_dim, generator=generator)
        inputs: list[Tensor] = [latents]
        if trainer.size.classes and labels is not None:
            inputs.append(labels)
        chunks = zip(*(x.to(trainer.device).split(1024) for x in inputs), strict=True)
        samples = torch.cat([trainer.ema(*chunk).float().cpu() for chunk in chunks])
        return self._frechet.fid(samples) if bool(samples.isfinite().all()) else None

    def _save(self, trainer: GANTrainer, fid: float) -> None:
        state = trainer.state_dict()

        def write() -> None:
            assert self._frechet is not None
            checkpoint.write(state, self._out / "checkpoints" / "best.pt")
            trainer.save_weights(self._out, "best.safetensors")
            about = {"step": trainer.global_step, "fid": fid, "real": self._frechet.floor}
            checkpoint.write_atomic(self._out / "best.json", (json.dumps(about, indent=2) + "\n").encode())

        distributed.on_first(write)


def _read_lowest(path: Path) -> float:
    try:
        lowest = float(json.loads(path.read_text(encoding="utf-8"))["fid"])
    except (OSError, ValueError, KeyError, TypeError):
        return math.inf  # none yet, or torn by another hand: the next measure is the best
    return lowest if math.isfinite(lowest) else math.inf
