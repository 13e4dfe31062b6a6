"""Alarms: signs that a run is going nowhere, read off its statistics and a fixed batch of its samples.

Each is made so that a healthy run does not raise it; the limits carry what healthy runs were seen to have.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fastgan._support.random import derive
from fastgan.train import distributed
from fastgan.train.config import TrainConfig
from fastgan.train.randomness import Purpose

__all__ = ["Alarm", "AlarmMonitor", "SampleAlarms", "StatisticsAlarms", "TrainingAlarmError"]

_SAMPLES = 100  # that a check of the samples looks at
_CHECKS = 2  # of the samples in a row that must agree
_WORK = 200_000_000  # numbers of the training set, at most, that samples are compared with

# Losses that change by less than this share over all readings are not the means of different batches.
_CONSTANT = 1e-6
# Mean probabilities beyond which D's gradient has vanished: BCE's is less than a hundredth of its start's.
_SATURATED = 0.01
_COLLAPSED = 0.2
_MEMORISED = 0.2


@dataclass(frozen=True)
class Alarm:
    """A sign of trouble.

    Attributes:
        name: "dead", "saturated", "collapsed" or "memorised".
        message: what was seen.
    """

    name: str
    message: str


class TrainingAlarmError(RuntimeError):
    """An alarm stopped the training; `GANTrainer.fit` raises it with `on_alarm="stop"`.

    Attributes:
        alarm: the alarm's name.
        checkpoint: saved then.
    """

    def __init__(self, alarm: Alarm, path: Path) -> None:
        super().__init__(f"train: {alarm.message}; stopped, as `on_alarm` says, and saved {path}")
        self.alarm, self.checkpoint = alarm.name, path


class AlarmMonitor:
    """Both kinds of alarms over one run, each told once until it has passed.

    Args:
        config: the run's.
        samples: the training set (N, ...).
        tell: called with the step and a new alarm.

    Attributes:
        stopping: the alarm that is to end the run, or None.
    """

    def __init__(self, config: TrainConfig, samples: Tensor, tell: Callable[[int, Alarm], None]) -> None:
        self._policy, self._tell = config.on_alarm, tell
        self._statistics = StatisticsAlarms(config)
        self._samples = SampleAlarms(samples, config) if self._policy != "off" else None
        self._told: dict[str, set[str]] = {"statistics": set(), "samples": set()}
        self.stopping: Alarm | None = None

    def statistics(self, step: int, statistics: dict[str, float]) -> None:
        """Take a reading, the same in all processes."""
        if self._policy != "off":
            self._raise("statistics", step, self._statistics(statistics))

    def samples(self, step: int, draw: Callable[[], Tensor]) -> None:
        """Look at the moving average's samples, which process 0 draws and judges."""
        watch = self._samples
        if watch is not None:
            self._raise("samples", step, distributed.run_on_rank_zero(lambda: watch(step, draw())))

    def _raise(self, kind: str, step: int, alarms: list[Alarm]) -> None:
        for alarm in alarms:
            if alarm.name not in self._told[kind]:
                self._tell(step, alarm)
            if self._policy == "stop":
                self.stopping = self.stopping or alarm
        self._told[kind] = {alarm.name for alarm in alarms}


class StatisticsAlarms:
    """Watches the statistics of a run, reading after reading, for a dead loss and a saturated D.

    - dead: both losses and D's probabilities have been the same over `alarm_readings` readings, whatever the samples:
      no gradient comes through D.
    - saturated: over as many readings D was sure of real and fake alike, mean probabilities above 0.99 and below 0.01,
      so that its loss teaches neither network. A Wasserstein critic's values are no probabilities: not looked at.

    Args:
        config: `loss` and `alarm_readings`.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._bounded = config.loss != "wasserstein"
        self._readings: deque[dict[str, float]] = deque(maxlen=config.alarm_readings)

    def __call__(self, statistics: dict[str, float]) -> list[Alarm]:
        """The alarms that a reading, after those before it, raises."""
        self._readings.append(statistics)
        count = len(self._readings)
        if count < (self._readings.maxlen or 0):
            return []
        alarms = []
        if all(self._constant(name) for name in ("loss_d", "loss_g", "p_real", "p_fake")):
            alarms.append(Alarm("dead", f"both losses have been constant for {count} readings: nothing is learnt"))
        certain = all(r["p_real"] > 1 - _SATURATED and r["p_fake"] < _SATURATED for r in self._readings)
        if self._bounded and certain:
            last = f"p(real) {statistics['p_real']:.4f}, p(fake) {statistics['p_fake']:.4f}"
            alarms.append(Alarm("saturated", f"D has been certain for {count} readings ({last}): G learns nothing"))
        return alarms

    def _constant(self, name: str) -> bool:
        values = [reading[name] for reading in self._readings]
        return max(values) - min(values) <= _CONSTANT * max(map(abs, values))


class SampleAlarms:
    """Watches G's samples of fixed latents, check after check, for a mode collapse and for memorisation.

    - collapsed: the samples' mean distance from each other is below 0.2 of that of as many real samples.
    - memorised: half of the samples lie nearer to a training sample than 0.2 of the distance that a training sample
      typically (in the median) has from its nearest other. With a training set of more than 200 million numbers, only
      a part is compared.

    Distances are Euclidean in the data's own space. An alarm takes two checks in a row, and none comes before the
    moving average has left its start behind, 2 / (1 - ema_decay) steps.

    Args:
        samples: the training set (N, ...).
        config: `seed` and `ema_decay`.
    """

    def __init__(self, samples: Tensor, config: TrainConfig) -> None:
        count = min(len(samples), max(1000, _WORK // max(1, samples[0].numel())))
        generator = torch.Generator().manual_seed(derive(config.seed, Purpose.ALARM))
        chosen = torch.randperm(len(samples), generator=generator)[:count].to(samples.device)
        self._train = samples if count == len(samples) else samples[chosen]
        some = samples[chosen[:_SAMPLES]]
        self._spread = _spread(some)
        nearest = _distances(some, self._train).topk(min(2, count), largest=False).values
        self._typical = float(nearest[:, -1].median())  # the nearest is the sample itself
        self._patience = 2.0 / max(1.0 - config.ema_decay, 1e-12)
        self._in_a_row = {"collapsed": 0, "memorised": 0}
        self.spread = self.nearness = float("nan")

    @torch.no_grad()
    def __call__(self, step: int, samples: Tensor) -> list[Alarm]:
        """The alarms that samples (N, ...) of the moving average, after those before them, raise."""
        samples = samples[:_SAMPLES].to(self._train.device)
        self.spread = _spread(samples) / self._spread if self._spread else 1.0
        nearest = _distances(samples, self._train).min(1).values
        self.nearness = float(nearest.median()) / self._typical if self._typical else 1.0
        if step < self._patience:
            return []
        found = {
            "collapsed": (
                self.spread < _COLLAPSED,
                f"mode collapse: samples lie {self.spread:.2f} times as far from each other as real ones",
            ),
            "memorised": (
                self.nearness < _MEMORISED and self.spread >= _COLLAPSED,
                f"memorisation: samples lie {self.nearness:.2f} times as far from training samples as those from each "
                "other",
            ),
        }
        alarms = []
        for name, (seen, message) in found.items():
            self._in_a_row[name] = self._in_a_row[name] + 1 if seen else 0
            if self._in_a_row[name] >= _CHECKS:
                alarms.append(Alarm(name, message))
        return alarms


def _spread(x: Tensor) -> float:
    """The mean distance of two samples of (N, ...)."""
    x = x.flatten(1).float()
    return float(torch.pdist(x).mean()) if len(x) > 1 else 0.0


def _distances(some: Tensor, all: Tensor) -> Tensor:
    """Distances (M, N) of the samples (M, ...) from the samples (N, ...)."""
    some = some.flatten(1).float()
    # Matrix products lose small distances, which are what matters in few dimensions; in many, they are far faster.
    mode = f"{'donot_' if some.shape[1] <= 64 else ''}use_mm_for_euclid_dist"
    return torch.cat([torch.cdist(some, part.flatten(1).float(), compute_mode=mode) for part in all.split(4096)], 1)
