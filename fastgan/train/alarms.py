"""Alarms: signs that a training run has failed, seen in its statistics or in samples of fixed latents.

The limits are set so that healthy runs raise no alarm.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fastgan._support.random import derive
from fastgan.data import Data
from fastgan.data.source import MemorySource, is_resident
from fastgan.train import distributed
from fastgan.train.config import TrainConfig
from fastgan.train.randomness import Purpose, preserved_random_state

__all__ = ["Alarm", "AlarmMonitor", "SampleAlarms", "StatisticsAlarms", "TrainingAlarmError"]

_SAMPLES = 100  # generated samples in a check
_CHECKS = 2  # consecutive checks of samples that must agree
_MAX_COMPARED = 200_000_000  # numbers of the training set, at most, with which samples are compared
_MAX_AT_ONCE = 2**24  # numbers of them that are converted at a time
_MAX_READ = 2000  # the same in samples, where they must be read, and perhaps decoded, first

# A loss counts as constant if its readings differ by less, relatively; means over different batches differ by more.
_CONSTANT = 1e-6
# D is saturated beyond these mean probabilities: BCE's gradient is then less than a hundredth of its first value.
_SATURATED = 0.01
_COLLAPSED = 0.2
_MEMORISED = 0.2


@dataclass(frozen=True)
class Alarm:
    """A sign that the training has failed.

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
        checkpoint: the path of the checkpoint that was saved before stopping.
    """

    def __init__(self, alarm: Alarm, path: Path) -> None:
        super().__init__(f"train: {alarm.message}; stopped, as `on_alarm` says, and saved {path}")
        self.alarm, self.checkpoint = alarm.name, path


class AlarmMonitor:
    """Raises the alarms of a run, each once until its cause has passed.

    Args:
        config: the run's settings.
        data: the training data.
        report: called with the step and the alarm when an alarm is raised.

    Attributes:
        stopping: the alarm that ends the run, or None; set if `config.on_alarm` is "stop".
    """

    def __init__(self, config: TrainConfig, data: Data, report: Callable[[int, Alarm], None]) -> None:
        self._policy, self._report = config.on_alarm, report
        self._statistics = StatisticsAlarms(config)
        wanted = self._policy != "off" and distributed.rank() == 0
        with preserved_random_state():  # a Dataset may draw from the global generators
            self._samples = SampleAlarms(data, config) if wanted else None
        self._raised: dict[str, set[str]] = {"statistics": set(), "samples": set()}
        self.stopping: Alarm | None = None

    def statistics(self, step: int, statistics: dict[str, float]) -> None:
        """Check the `statistics` of a `step`, which must be the same in all processes."""
        if self._policy != "off":
            self._raise("statistics", step, self._statistics(statistics))

    def samples(self, step: int, draw: Callable[[], Tensor]) -> None:
        """Check the moving average's samples at a `step`; `draw` returns them and is called in process 0 alone."""
        if self._policy != "off":
            self._raise("samples", step, distributed.run_on_rank_zero(lambda: self._check(step, draw())))

    def _check(self, step: int, samples: Tensor) -> list[Alarm]:
        assert self._samples is not None  # in process 0
        return self._samples(step, samples)

    def _raise(self, kind: str, step: int, alarms: list[Alarm]) -> None:
        for alarm in alarms:
            if alarm.name not in self._raised[kind]:
                self._report(step, alarm)
            if self._policy == "stop":
                self.stopping = self.stopping or alarm
        self._raised[kind] = {alarm.name for alarm in alarms}


class StatisticsAlarms:
    """Checks the statistics of a run for a dead loss and a saturated D.

    - dead: both losses and D's probabilities were constant for `alarm_readings` readings, whatever the samples. So no
      gradient passes through D.
    - saturated: for `alarm_readings` readings, D's mean probability was above 0.99 for real samples and below 0.01 for
      generated ones. Its loss then has almost no gradient for either network. Not checked with the Wasserstein loss,
      whose critic has no probabilities.

    Args:
        config: `loss` and `alarm_readings`.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._has_probabilities = config.loss != "wasserstein"
        self._readings: deque[dict[str, float]] = deque(maxlen=config.alarm_readings)

    def __call__(self, statistics: dict[str, float]) -> list[Alarm]:
        """The alarms for a new reading, the `statistics`, together with the readings before it."""
        self._readings.append(statistics)
        count = len(self._readings)
        if count < (self._readings.maxlen or 0):
            return []
        alarms = []
        if all(self._is_constant(name) for name in ("loss_d", "loss_g", "p_real", "p_fake")):
            alarms.append(Alarm("dead", f"both losses have been constant for {count} readings: nothing is learnt"))
        certain = all(r["p_real"] > 1 - _SATURATED and r["p_fake"] < _SATURATED for r in self._readings)
        if self._has_probabilities and certain:
            last = f"p(real) {statistics['p_real']:.4f}, p(fake) {statistics['p_fake']:.4f}"
            alarms.append(Alarm("saturated", f"D has been certain for {count} readings ({last}): G learns nothing"))
        return alarms

    def _is_constant(self, name: str) -> bool:
        values = [reading[name] for reading in self._readings]
        return max(values) - min(values) <= _CONSTANT * max(map(abs, values))


class SampleAlarms:
    """Checks G's samples of fixed latents for mode collapse and memorisation.

    - collapsed: the mean distance between generated samples is below 0.2 of that between real samples.
    - memorised: the median distance from a generated sample to the nearest training sample is below 0.2 of the median
      distance from a training sample to its nearest other. Of a large training set only a part is compared: 200 million
      numbers or 1,000 samples, and of data that do not lie in memory 2,000 samples.

    Distances are Euclidean, between samples as the networks see them. An alarm needs two consecutive checks that agree.
    There is none in the first 2 / (1 - ema_decay) steps, in which the moving average still depends on the
    initial weights. Translations of images are not checked for memorisation, as a good one is near its target.

    Args:
        data: the training data.
        config: `seed` and `ema_decay`.

    Attributes:
        spread: mean distance between the samples of the last check, relative to that between real samples.
        nearness: median distance from these samples to the nearest training sample, relative to that of real samples.
    """

    def __init__(self, data: Data, config: TrainConfig) -> None:
        resident = is_resident(data.source)
        most = max(1000, _MAX_COMPARED // math.prod(data.sample_shape)) if resident else _MAX_READ
        count = min(len(data), most)
        generator = torch.Generator().manual_seed(derive(config.seed, Purpose.ALARM))
        chosen = torch.randperm(len(data), generator=generator)[:count]
        real = data.batch(chosen[:_SAMPLES])
        self._train = data if count == len(data) and resident else data.take(chosen)
        if not resident:  # kept as raw samples, which are bytes where the data's are
            self._train = Data(
                MemorySource(self._train.source.read(torch.arange(count))), units=data.units, inputs=data.inputs
            )
        self._real_spread = _mean_distance(real)
        nearest = _distances(real, self._train).topk(min(2, count), largest=False).values
        self._real_nearness = float(nearest[:, -1].median())  # the nearest is the sample itself
        self._first_step = 2.0 / max(1.0 - config.ema_decay, 1e-12)
        self._consecutive = {"collapsed": 0, "memorised": 0}
        self._translates = data.inputs is not None
        self._device = real.device
        self.spread = self.nearness = float("nan")

    @torch.no_grad()
    def __call__(self, step: int, samples: Tensor) -> list[Alarm]:
        """The alarms for the moving average's `samples` (N, ...) at a `step`, together with the checks before."""
        samples = samples[:_SAMPLES].to(self._device)
        self.spread = _mean_distance(samples) / self._real_spread if self._real_spread else 1.0
        nearest = _distances(samples, self._train).min(1).values
        self.nearness = float(nearest.median()) / self._real_nearness if self._real_nearness else 1.0
        if step < self._first_step:
            return []
        found = {
            "collapsed": (
                self.spread < _COLLAPSED,
                f"mode collapse: samples lie {self.spread:.2f} times as far from each other as real ones",
            ),
            "memorised": (
                self.nearness < _MEMORISED and self.spread >= _COLLAPSED and not self._translates,
                f"memorisation: samples lie {self.nearness:.2f} times as far from training samples as those from each "
                "other",
            ),
        }
        alarms = []
        for name, (seen, message) in found.items():
            self._consecutive[name] = self._consecutive[name] + 1 if seen else 0
            if self._consecutive[name] >= _CHECKS:
                alarms.append(Alarm(name, message))
        return alarms


def _mean_distance(x: Tensor) -> float:
    """The mean distance between two samples of `x` (N, ...)."""
    x = x.flatten(1).float()
    return float(torch.pdist(x).mean()) if len(x) > 1 else 0.0


def _distances(x: Tensor, data: Data) -> Tensor:
    """The distances (M, N) between the samples of `x` (M, ...) and those of `data`."""
    x = x.flatten(1).float()
    # Matrix products are far faster in many dimensions. They lose small distances, which matter in few dimensions.
    mode = f"{'donot_' if x.shape[1] <= 64 else ''}use_mm_for_euclid_dist"
    size = max(64, min(4096, _MAX_AT_ONCE // x.shape[1]))
    return torch.cat([torch.cdist(x, part.flatten(1), compute_mode=mode) for part in data.batches(size)], 1)
