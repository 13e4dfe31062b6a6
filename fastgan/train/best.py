"""FID during the training, and the checkpoint with the lowest."""

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
from fastgan.train.randomness import Purpose, drawn, preserved_random_state
from fastgan.train.setup import usual_conditions
from fastgan.train.translate import translate_data

__all__ = ["BestCheckpoint"]


class BestCheckpoint(Callback):
    """Measures the moving average's FID every `config.eval_every` steps and at the end, and keeps the best checkpoint.

    The FID is taken over features learned from the data, and always from the same latents, or of the translations of
    inputs that are held out. It is recorded as `fid` in metrics.jsonl and TensorBoard. The checkpoint with the lowest
    FID is checkpoints/best.pt, and its weights are best.safetensors. best.json holds its step, its FID and the FID
    between two halves of the real data. A resumed run keeps them until it finds a lower FID. Measuring does not change
    the training. Process 0 alone measures and writes.

    Attributes:
        evaluator: computes the FID; None before `on_start` and in processes other than 0.
    """

    def __init__(self) -> None:
        self.evaluator: FIDEvaluator | None = None
        self._out = Path()
        self._lowest = math.inf

    def on_start(self, trainer: Trainer, out: Path) -> None:
        """Learn the features, and read the lowest FID so far from the run folder.

        Args:
            trainer: its data are the real samples.
            out: the run folder.

        Raises:
            ValueError: if half the data has no more samples than there are features.
        """
        self._out = out
        self._lowest = distributed.run_on_rank_zero(lambda: self._prepare(trainer))

    def _prepare(self, trainer: Trainer) -> float:
        with preserved_random_state():  # a Dataset may draw from the global generators
            held_out = trainer.held_out if trainer.data.inputs else None
            self.evaluator = FIDEvaluator(trainer.data, held_out)
        if self.evaluator.floor is None:
            count = self.evaluator.count
            raise ValueError(
                f"train: expected more samples than features for `eval_every`, got {count} in half the data"
            )
        return _read_lowest(self._out / "best.json")

    def on_log(self, trainer: Trainer, statistics: dict[str, float]) -> None:
        """Measure the FID if that is due, and save the checkpoint if it is the best.

        Args:
            trainer: its moving average is measured.
            statistics: gets the entry `fid`.
        """
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

    def _measure(self, trainer: Trainer) -> float | None:
        """The FID, or None if samples are not finite; the check of the weights then stops the training."""
        assert self.evaluator is not None  # on_start was called before
        seed = derive(trainer.config.seed, Purpose.EVALUATION)
        if trainer.data.inputs is not None:
            samples = translate_data(trainer.ema, self.evaluator.other, seed)
            return self.evaluator.fid(samples) if bool(samples.isfinite().all()) else None
        generator = torch.Generator().manual_seed(seed)
        count, labels = self.evaluator.count, self.evaluator.labels
        latents = torch.randn(count, trainer.config.latent_dim, generator=generator)
        inputs: list[Tensor] = [latents]
        if trainer.size.classes and labels is not None:
            inputs.append(labels)
        if (conditions := usual_conditions(trainer.data, trainer.size, count, generator)) is not None:
            inputs.append(conditions)
        chunks = zip(*(x.to(trainer.device).split(trainer.config.batch_size) for x in inputs), strict=True)
        ema = trainer.ema
        made = (drawn(ema, derive(trainer.config.seed, Purpose.SAMPLING, i), *chunk) for i, chunk in enumerate(chunks))
        samples = torch.cat([samples.float().cpu() for samples in made])
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
        return math.inf  # missing or damaged: the next FID counts as the lowest
    return lowest if math.isfinite(lowest) else math.inf
