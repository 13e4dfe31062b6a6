"""Cases, targets and results; results as a line of text and as JSON."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fastgan._support.files import write_atomic
from fastgan.bench._host import machine

Work = Callable[[], object]

SCHEMA = 2  # of the JSON; files of schema 1 have no number, no labels and fewer columns


@dataclass(frozen=True)
class Target:
    """A target of a case: the ratio of a peer's time to fastgan's is at least so large.

    Attributes:
        peer: the implementation that fastgan is compared with.
        ratio: the least ratio; one below 1 says how much slower than the peer fastgan may be.
        where: two implementations; the target counts only on machines where the second takes at least `ratio` times
            as long as the first. None: it counts everywhere.
    """

    peer: str
    ratio: float
    where: tuple[str, str] | None = None


@dataclass(frozen=True)
class Case:
    """A work and its implementations: a row of the tables.

    Attributes:
        name: of the row.
        make: a function of a device that returns the implementations by name, each a function without arguments that
            does the work once; one of them is named fastgan.
        threads: CPU threads of the implementations.
        bytes: memory traffic that no implementation can do without; 0 where memory is not the limit.
        targets: for the ratios of times.
        memory: bytes that the implementations need.
        threads_of: the threads of implementations that run on another number of them, by name.
        saved: a function that returns the bytes an element kept for the backward, by implementation.
        most_saved: the target for fastgan's bytes among these.
        most_launches: the target for fastgan's kernel launches on CUDA.
        labels: what tables and plots group by.
    """

    name: str
    make: Callable[[str], dict[str, Any]]
    threads: int = 1
    bytes: int = 0
    targets: Sequence[Target] = ()
    memory: int = 0
    threads_of: Mapping[str, int] = field(default_factory=dict)
    saved: Callable[[], dict[str, float]] | None = None
    most_saved: float | None = None
    most_launches: int | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Result:
    """What was measured of a case.

    Attributes:
        name: of the case.
        threads: of the case.
        seconds: median time of each implementation.
        quartiles: first and third quartile of these times.
        ratios: for each peer, the median of its time over fastgan's.
        noise: how far from 1 the ratio of two equal times may come out.
        gigabytes_per_second: the case's traffic over fastgan's time.
        verdicts: for each target: pass, FAIL, within noise, or why it does not count.
        share_of_copy: `gigabytes_per_second` over that of a copy.
        bytes_saved: bytes an element kept for the backward, by implementation.
        launches: CUDA kernels launched, by implementation.
        rounds: number of rounds timed.
        labels: of the case.
        skipped: why a peer was not timed, by peer.
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
        """Whether the times of `peer` and fastgan cannot be told apart."""
        return abs(self.ratios[peer] - 1) <= self.noise


AGAIN = "fastgan again"


def judge(
    case: Case, times: dict[str, list[float]], launches: dict[str, int], rounds: int, skipped: dict[str, str]
) -> Result:
    """The result of a case: medians, ratios, noise and verdicts, from the times of all rounds."""
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
    """How far from 1 the ratio of two equal times may come out.

    The distance of the median from 1 or, if that is larger, half the width of the median's 95% interval: 1.57 times
    the distance of the quartiles over the root of the rounds (McGill, Tukey and Larsen, "Variations of box plots",
    1978).
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
    """Seconds as text: three digits, in s, ms, us or ns."""
    for scale, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def line(result: Result) -> str:
    """A result as text: times, ratios, noise, and the verdict on each target."""
    peers = ", ".join(
        f"{name} {duration(result.seconds[name])} ({ratio:.2f}x{', within noise' * result.within_noise(name)})"
        for name, ratio in result.ratios.items()
    )
    traffic = f", {result.gigabytes_per_second:.1f} GB/s" if result.gigabytes_per_second else ""
    verdicts = "".join(f"\n    {target}: {verdict}" for target, verdict in result.verdicts.items())
    return (
        f"{result.name}, {result.threads} thread{'s'[: result.threads > 1]}: fastgan"
        f" {duration(result.seconds['fastgan'])}{traffic}; {peers}; noise {result.noise:.1%}{verdicts}"
    )


def write_json(path: Path, device: str, results: list[Result], extra: dict[str, Any] | None = None) -> None:
    """Write results to a JSON file.

    Args:
        path: the file.
        device: "cpu" or "cuda", for the description of the machine.
        results: what was measured.
        extra: other entries of the JSON, which may replace `machine`.
    """
    content = {
        "schema": SCHEMA,
        "machine": machine(device),
        "results": [asdict(result) for result in results],
        **(extra or {}),
    }
    write_atomic(path, (json.dumps(content, indent=1) + "\n").encode())
