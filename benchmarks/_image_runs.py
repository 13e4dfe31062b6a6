"""The runs of `benchmarks/images.py`: training for a time, the scores of samples, the modes of Stacked MNIST."""

import math
import time

import torch
from torch import Tensor, nn

from fastgan import bench, metrics
from fastgan import nn as fnn
from fastgan._support.process import threads
from fastgan.data import Data
from fastgan.metrics.evaluator import FIDEvaluator
from fastgan.train import GANTrainer, TrainConfig

SCORED = 5_000  # samples for precision, recall, coverage and memorisation
STACKED = 26_000  # samples of Stacked MNIST, as in the published protocol
_WARM, _TIMED = 3, 0.03  # steps before the timing, and the share of the time that is spent on it
_BATCH = 500


def train(recipe: str, data: Data, seconds: float, cores: int, seed: int, settings: dict) -> tuple[GANTrainer, float]:
    """A trainer after about `seconds` of steps, schedules included, and the time that these took.

    The number of steps is foretold from some steps of another trainer. Where that was too high by a tenth, the run ends
    before its last step.
    """
    with threads(cores):
        steps = settings.get("steps") or _steps_in(
            seconds, GANTrainer(_config(recipe, seed, 10**9, settings), data=data)
        )
        trainer = GANTrainer(_config(recipe, seed, steps, settings), data=data)
        start = time.perf_counter()
        while trainer.global_step < steps:
            trainer.step()
            if time.perf_counter() - start > 1.1 * seconds and "steps" not in settings:
                break
        return trainer, time.perf_counter() - start


def _config(recipe: str, seed: int, steps: int, settings: dict) -> TrainConfig:
    return TrainConfig(**{"recipe": recipe, "seed": seed, "steps": steps, "device": "cpu", **settings})


def _steps_in(seconds: float, trainer: GANTrainer) -> int:
    """How many steps a trainer does in `seconds`."""
    for _ in range(_WARM):
        trainer.step()
    start, steps = time.perf_counter(), 0
    while steps < 4 or time.perf_counter() - start < _TIMED * seconds:
        trainer.step()
        steps += 1
    return max(1, int(seconds * steps / (time.perf_counter() - start)))


@torch.no_grad()
def sample(trainer: GANTrainer, count: int) -> Tensor:
    """Samples (count, C, H, W) of the moving average, of all classes in turn, in the range of the data's own."""
    latents = torch.randn(count, trainer.config.latent_dim, generator=torch.Generator().manual_seed(0))
    classes = trainer.size.classes
    parts = []
    for first in range(0, count, _BATCH):
        part = latents[first : first + _BATCH]
        labels = (torch.arange(first, first + len(part)) % classes,) if classes else ()
        parts.append(trainer.ema(part, *labels))
    return torch.cat(parts).clamp(-1, 1)


class Scorer:
    """The scores of samples of a set; features are learned once.

    Args:
        data: what was trained on.
        evaluator: of FID.
    """

    def __init__(self, data: Data) -> None:
        self._real = data.samples
        self.evaluator = FIDEvaluator(data)
        half = torch.randperm(len(data), generator=torch.Generator().manual_seed(1)).chunk(2)
        found = metrics.prdc(*(self._real[part[:SCORED]] for part in half))
        self.real = {"fid": self.evaluator.floor, "precision": found.precision, "recall": found.recall}
        self.real |= {"coverage": found.coverage, "memory_share": 0.5, "memory_ratio": 1.0}

    def __call__(self, samples: Tensor) -> dict[str, float]:
        """FID over learned features; the other scores in pixels, as `fastgan eval` has them."""
        found = metrics.prdc(self._real[:SCORED], samples[:SCORED])
        copied = metrics.memorisation(samples[:SCORED], self._real)
        scores = {"fid": self.evaluator.fid(samples), "precision": found.precision, "recall": found.recall}
        return scores | {
            "coverage": found.coverage,
            "memory_share": copied.share_nearer,
            "memory_ratio": copied.median_ratio,
            "memory_z": copied.z,
        }

    @property
    def count(self) -> int:
        """The number of samples that the scores take."""
        return max(SCORED, self.evaluator.count)


def speed(trainer: GANTrainer, seconds: float) -> dict[str, float | int | str]:
    """What a run did in its time."""
    images = trainer.global_step * trainer.config.n_critic * trainer.config.batch_size
    return {
        "steps": trainer.global_step,
        "planned": trainer.config.steps,
        "seconds": seconds,
        "images_per_second": images / seconds,
        "number_format": trainer.precision,
        "commit": bench.machine("cpu")["commit"],
    }


class DigitReader:
    """A classifier of single grey digits, which counts the modes of stacked ones.

    It learns nine tenths of the digits, each shifted by up to a twelfth of its sides; the others give its accuracy.

    Args:
        data: digits (N, 1, H, W) with labels from 0 to 9.
        steps: of training.

    Attributes:
        accuracy: on the digits that were held out.
    """

    def __init__(self, data: Data, steps: int = 1500) -> None:
        assert data.labels is not None
        torch.manual_seed(0)
        self._network = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), fnn.LeakyReLU(0.1), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), fnn.LeakyReLU(0.1), nn.AdaptiveMaxPool2d(4)),
            *(nn.Flatten(), fnn.Dropout(0.4), nn.Linear(64 * 16, 128), fnn.LeakyReLUDropout(0.1, 0.4)),
            nn.Linear(128, 10),
        )
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
        held_out, learned = order.split([len(data) // 10, len(data) - len(data) // 10])
        optimizer = torch.optim.AdamW(self._network.parameters(), 2e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        samples = data.samples
        for _ in range(steps):
            chosen = learned[torch.randint(len(learned), (64,))]
            reach = samples.shape[-1] // 12
            shift = [int(n) for n in torch.randint(-reach, reach + 1, (2,))]
            logits = self._network(samples[chosen].roll(shift, (2, 3)))
            loss = nn.functional.cross_entropy(logits, data.labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        self._network.eval()
        self.accuracy = float((self.read(samples[held_out]) == data.labels[held_out]).float().mean())

    @torch.no_grad()
    def read(self, digits: Tensor) -> Tensor:
        """The classes (N,) of digits (N, 1, H, W)."""
        return torch.cat([self._network(part).argmax(1) for part in digits.split(_BATCH)])

    def modes(self, stacked: Tensor) -> dict[str, float]:
        """The number of modes of samples (N, 3, H, W), and the KL divergence of their shares from equal ones."""
        read = self.read(stacked.flatten(0, 1)[:, None]).view(-1, 3)
        counts = torch.bincount(read @ torch.tensor([100, 10, 1]), minlength=1000)
        return {"modes": int((counts > 0).sum()), "reverse_kl": reverse_kl(counts)}


def reverse_kl(counts: Tensor) -> float:
    """The KL divergence, in nats, of the shares of `counts` (K,) from 1 / K each."""
    share = counts[counts > 0].double() / counts.sum()
    return max(0.0, float((share * (share * len(counts)).log()).sum()))


def expected_kl(samples: int, modes: int = 1000) -> float:
    """The reverse KL to expect of a perfect generator, as each mode has a Poisson number of samples.

    To first order it is (modes - 1) / (2 samples): 0.019 for 26,000 samples of 1,000 modes.
    """
    return (modes - 1) / (2 * samples) if samples else math.inf
