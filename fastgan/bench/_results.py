"""Cases, their results, and how results are judged, written as a line, and as JSON."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fastgan.bench._host import machine

Work = Callable[[], object]

SCHEMA = 2  # of the JSON; 1 had no version, no labels and fewer columns


@dataclass(frozen=True)
class Target:
    """A promise about a case: the ratio of ``peer``'s time to fastgan's is at least ``ratio``.

    ``where``, two ways: the promise is held only on machines on which the second takes ``ratio`` times the first.
    """

    peer: str
    ratio: float
    where: tuple[str, str] | None = None


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes:
        name: what the line says.
        make: of a device, returns the ways to do the work, by name; ``fastgan`` is one of them.
        threads: that the ways run on.
        bytes: the traffic that the work cannot do without, 0 where that says nothing.
        targets: promises about the ratios of times.
        memory: bytes that the slowest way needs.
        way_threads: ways that run on another number of threads.
        saved: returns bytes an element kept for the backward, by way.
        most_saved: of which fastgan promises at most so many.
        most_launches: of fastgan's kernels on CUDA.
        labels: what tables and plots sort by.
    """

    name: str
    make: Callable[[str], dict[str, Any]]
    threads: int = 1
    bytes: int = 0
    targets: Sequence[Target] = ()
    memory: int = 0
    way_threads: Mapping[str, int] = field(default_factory=dict)
    saved: Callable[[], dict[str, float]] | None = None
    most_saved: float | None = None
    most_launches: int | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Result:
    """What was measured of a case.

    Attributes:
        name: the case's.
        threads: the case's.
        seconds: the median time of each way.
        quartiles: of each way's times.
        ratios: of each peer, the median of its time over fastgan's.
        noise: how far from 1 the ratio of equal times may come out.
        gigabytes_per_second: the case's traffic over fastgan's time.
        verdicts: how each promise fared.
        share_of_copy: that traffic over a copy's.
        bytes_saved: an element, for the backward, by way.
        launches: of CUDA kernels, by way.
        rounds: that were timed.
        labels: the case's.
        skipped: why a peer has no time.
    """

    name: str
    threads: int
    seconds: dict[str, float]
    quartiles: dict[str, tuple[float, float]]
    ratios: dict[str, float]
    noise: float
    gigabytes_per_second: float
    verdicts: dict[str, str] = field(default_factory=dict)
    share_of_copy: float | None = None
    bytes_saved: dict[str, float] = field(default_factory=dict)
    launches: dict[str, int] = field(default_factory=dict)
    rounds: int = 0
    labels: dict[str, Any] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def within_noise(self, peer: str) -> bool:
        """Whether ``peer`` and fastgan cannot be told apart."""
        return abs(self.ratios[peer] - 1) <= self.noise


AGAIN = "fastgan again"


def judged(
    case: Case, times: dict[str, list[float]], launches: dict[str, int], rounds: int, skipped: dict[str, str]
) -> Result:
    """Medians, ratios, noise and verdicts of a case's times."""
    by_round = {
        name: [peer / own for peer, own in zip(values, times["fastgan"], strict=True)]
        for name, values in times.items()
        if name != "fastgan"
    }
    noise = _noise(by_round.pop(AGAIN))
    del times[AGAIN]
    ratios = {name: statistics.median(values) for name, values in by_round.items()}
    medians = {name: statistics.median(values) for name, values in times.items()}
    result = Result(
        case.name,
        case.threads,
        medians,
        {name: _quartiles(values) for name, values in times.items()},
        ratios,
        noise,
        case.bytes / medians["fastgan"] / 1e9,
        bytes_saved=case.saved() if case.saved else {},
        launches=launches,
        rounds=rounds,
        labels=dict(case.labels),
        skipped=skipped,
    )
    for target in case.targets:
        result.verdicts[_describe(target)] = _verdict(target, result)
    if case.most_saved is not None:
        held = result.bytes_saved["fastgan"] <= case.most_saved
        result.verdicts[f"at most {case.most_saved:g} bytes saved an element"] = "pass" if held else "FAIL"
    if case.most_launches is not None and launches:
        held = launches["fastgan"] <= case.most_launches
        result.verdicts[f"at most {case.most_launches} kernel launches"] = "pass" if held else "FAIL"
    return result


def _noise(ratios: list[float]) -> float:
    """How far from 1 the ratio of equal times may come out.

    The median's own distance, or where that is less the half-width of the median's 95% interval, 1.57 times the
    quartiles' distance over the root of the rounds (McGill, Tukey and Larsen, "Variations of box plots", 1978).
    """
    low, high = _quartiles(ratios)
    return max(abs(statistics.median(ratios) - 1), 1.57 * (high - low) / math.sqrt(len(ratios)))


def _quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def _describe(target: Target) -> str:
    if target.ratio < 1:
        return f"at most {1 / target.ratio:.3g} x {target.peer}"
    return f"{target.ratio:g} x faster than {target.peer}"


def _verdict(target: Target, result: Result) -> str:
    if target.peer not in result.ratios:
        return "not measured"
    if target.where:
        fast, slow = (result.seconds[name] for name in target.where)
        if slow / fast < target.ratio:
            return f"not held here: {target.where[0]} reaches {slow / fast:.2f} x"
    ratio = result.ratios[target.peer]
    if abs(ratio / target.ratio - 1) <= result.noise:
        return "within noise"
    return "pass" if ratio >= target.ratio else "FAIL"


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them, with three digits."""
    for scale, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def line(result: Result) -> str:
    """One ``result`` as text: times, ratios, noise, and how its targets fared."""
    peers = ", ".join(
        f"{name} {duration(result.seconds[name])} ({ratio:.2f}x{', within noise' * result.within_noise(name)})"
        for name, ratio in result.ratios.items()
    )
    traffic = f", {result.gigabytes_per_second:.1f} GB/s" if result.gigabytes_per_second else ""
    verdicts = "".join(f"\n    {promise}: {verdict}" for promise, verdict in result.verdicts.items())
    return (
        f"{result.name}, {result.threads} thread{'s'[: result.threads > 1]}: fastgan"
        f" {duration(result.seconds['fastgan'])}{traffic}; {peers}; noise {result.noise:.1%}{verdicts}"
    )


def write_json(path: Path, device: str, results: list[Result], extra: dict[str, Any] | None = None) -> None:
    """Write the ``device``'s machine, ``results`` and ``extra`` (what else was measured) as JSON to ``path``."""
    content = {
        "schema": SCHEMA,
        "machine": machine(device),
        "results": [asdict(result) for result in results],
        **(extra or {}),
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
