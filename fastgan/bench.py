"""The benchmark harness and its cases; ``benchmarks/micro.py`` is its command line.

A case is the same work done in several ways: by fastgan, by eager PyTorch, by ``torch.compile``, and by a copy of the
same bytes, which is the floor. The ways are timed in turn, round after round, so that the machine's drift meets all of
them, and what is reported is the median of the rounds' ratios. fastgan is timed twice in each round: the ratio of the
two is the noise, and a result that lies within the noise of its target is refused rather than passed or failed.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from torch.utils.benchmark import Timer

Work = Callable[[], object]


@dataclass(frozen=True)
class Target:
    """A promise about a case: the ratio of ``peer``'s time to fastgan's is at least ``ratio``."""

    peer: str
    ratio: float


@dataclass(frozen=True)
class Case:
    """One line of the table.

    ``make`` returns the ways to do the work, by name; ``fastgan`` is one of them. ``bytes`` is the traffic that the
    work cannot do without, 0 where that says nothing.
    """

    name: str
    make: Callable[[str], dict[str, Work]]
    threads: int = 1
    bytes: int = 0
    targets: Sequence[Target] = ()


@dataclass
class Result:
    """Times in seconds; ``ratios`` are a peer's time over fastgan's."""

    name: str
    threads: int
    seconds: dict[str, float]
    quartiles: dict[str, tuple[float, float]]
    ratios: dict[str, float]
    noise: float
    gigabytes_per_second: float
    verdicts: dict[str, str] = field(default_factory=dict)


AGAIN = "fastgan again"
Clock = Callable[[Work, int, int], float]


def _time(work: Work, runs: int, threads: int) -> float:
    """Seconds a run, by torch's own timer (which synchronises CUDA)."""
    return float(Timer("work()", globals={"work": work}, num_threads=threads).timeit(runs).mean)


def _runs_for(work: Work, threads: int, seconds: float, clock: Clock) -> int:
    """How many runs fill about ``seconds``, after a warm-up."""
    clock(work, 2, threads)
    once = clock(work, 1, threads)
    if once < seconds / 20:
        once = clock(work, 10, threads)
    return max(1, min(100_000, int(seconds / max(once, 1e-9))))


def measure(
    case: Case, device: str = "cpu", *, rounds: int = 15, seconds: float = 0.02, clock: Clock = _time
) -> Result:
    """Time a case's ways in turn for ``rounds`` rounds of about ``seconds`` a way."""
    ways = case.make(device)
    ways[AGAIN] = ways["fastgan"]
    runs = {name: _runs_for(work, case.threads, seconds, clock) for name, work in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        order = list(ways) if turn % 2 == 0 else list(reversed(ways))
        for name in order:
            times[name].append(clock(ways[name], runs[name], case.threads))
    ratios = {
        name: statistics.median(peer / own for peer, own in zip(times[name], times["fastgan"], strict=True))
        for name in ways
        if name != "fastgan"
    }
    noise = abs(ratios.pop(AGAIN) - 1)
    del times[AGAIN]
    medians = {name: statistics.median(values) for name, values in times.items()}
    result = Result(
        case.name,
        case.threads,
        medians,
        {name: _quartiles(values) for name, values in times.items()},
        ratios,
        noise,
        case.bytes / medians["fastgan"] / 1e9,
    )
    for target in case.targets:
        if target.peer in ratios:
            result.verdicts[_describe(target)] = _verdict(ratios[target.peer], target.ratio, noise)
    return result


def _quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4)
    return low, high


def _describe(target: Target) -> str:
    if target.ratio < 1:
        return f"at most {1 / target.ratio:.3g} x {target.peer}"
    return f"{target.ratio:g} x faster than {target.peer}"


def _verdict(ratio: float, target: float, noise: float) -> str:
    if abs(ratio / target - 1) <= noise:
        return "within noise"
    return "pass" if ratio >= target else "FAIL"


def keep_freed_memory() -> bool:
    """Make glibc keep freed memory for the next tensor; False where there is no glibc.

    Else page faults, which every way of the work meets alike and which can cost many times the work, are measured.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    trim_threshold, mmap_threshold = -1, -3  # malloc.h
    return bool(mallopt(trim_threshold, 2**31 - 1) and mallopt(mmap_threshold, 2**30))


def machine(device: str) -> dict[str, Any]:
    """What a figure depends on: processor, threads, versions, commit, date."""
    import fastgan

    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        processor = names[0] if names else processor
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else processor,
        "processor": processor,
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "fastgan": fastgan.build_info(),
        "commit": os.environ.get("COMMIT", ""),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    }


def run(cases: Iterable[Case], device: str, **settings: Any) -> list[Result]:
    """Measure cases one after the other, showing each as it is done."""
    results = []
    for case in cases:
        results.append(measure(case, device, **settings))
        print(line(results[-1]), flush=True)
    return results


def _duration(seconds: float) -> str:
    for scale, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def line(result: Result) -> str:
    """One result as text: times, ratios, noise, and how its targets fared."""
    peers = ", ".join(
        f"{name} {_duration(result.seconds[name])} ({ratio:.2f}x)" for name, ratio in result.ratios.items()
    )
    traffic = f", {result.gigabytes_per_second:.1f} GB/s" if result.gigabytes_per_second else ""
    verdicts = "".join(f"\n    {promise}: {verdict}" for promise, verdict in result.verdicts.items())
    return (
        f"{result.name}, {result.threads} thread{'s'[: result.threads > 1]}: fastgan"
        f" {_duration(result.seconds['fastgan'])}{traffic}; {peers}; noise {result.noise:.1%}{verdicts}"
    )


def write_json(path: Path, device: str, results: list[Result], extra: dict[str, Any] | None = None) -> None:
    """Write machine, results and ``extra`` (bytes saved, say) as JSON."""
    content = {"machine": machine(device), "results": [asdict(result) for result in results], **(extra or {})}
    path.write_text(json.dumps(content, indent=1) + "\n")
