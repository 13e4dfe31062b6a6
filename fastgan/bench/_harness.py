"""The harness: the same work done in several ways, timed in turn.

A case is the same work done in several ways: by fastgan, by eager PyTorch, by ``torch.compile``, and by a copy of the
same bytes, which is the floor. The ways are timed in turn, round after round, so that the machine's drift meets all of
them, and what is reported is the median of the rounds' ratios. fastgan is timed twice in each round: how far the ratio
of the two may be from 1 is the noise, and a result that lies within the noise of its target is refused rather than
passed or failed, as is a ratio within the noise of 1.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.utils.benchmark import Timer
from torch.utils.benchmark import timer as now
from torch.utils.benchmark.utils.common import set_torch_threads

from fastgan.bench._host import free_memory, give_back_memory
from fastgan.bench._results import AGAIN, Case, Result, Work, judged, line

Clock = Callable[[Any, int, int], float]
LARGE = 1 << 32  # bytes of a case from which memory that earlier ones left is given back
LONG = 5  # works of at least this many times the wanted seconds run once a round, without a warm-up


def time_runs(work: Work, runs: int, threads: int) -> float:
    """Seconds a run, by torch's own timer (which synchronises CUDA); a single run is timed without its warm-up."""
    if runs > 1:
        return float(Timer("work()", globals={"work": work}, num_threads=threads).timeit(runs).mean)
    with set_torch_threads(threads):
        start = now()
        work()
        return float(now() - start)


def _runs_for(work: Work, threads: int, seconds: float, clock: Clock) -> tuple[int, float]:
    """How many runs fill about ``seconds``, and the seconds that such a round then takes, after a warm-up."""
    clock(work, 1, threads)
    once = clock(work, 1, threads)
    if once >= LONG * seconds:
        return 1, once
    if once < seconds / 20:
        once = clock(work, 10, threads)
    runs = max(2, min(100_000, int(seconds / max(once, 1e-9))))
    return runs, once * (runs + max(2, runs // 100))  # Timer warms up


def measure(
    case: Case,
    device: str = "cpu",
    *,
    rounds: int = 15,
    seconds: float = 0.02,
    limit: float = math.inf,
    clock: Clock = time_runs,
) -> Result:
    """Time a case's ways in turn for ``rounds`` rounds of about ``seconds`` a way.

    Fewer rounds, but never fewer than 3, where the rounds would take more than ``limit`` seconds. A peer that raises (a
    compiler that is missing, say) is left out, with its reason in ``skipped``; fastgan's own errors are raised.

    Args:
        case: the work, and the ways to do it.
        device: "cpu" or "cuda".
        rounds: in which each way is timed once, and fastgan twice.
        seconds: of one way in one round.
        limit: seconds that all rounds may take.
        clock: (work, runs, threads) to seconds a run.
    """
    ways = case.make(device)
    threads = {name: case.way_threads.get(name, case.threads) for name in ways}
    runs, skipped, round_seconds = {}, {}, 0.0
    for name, work in list(ways.items()):
        try:
            runs[name], took = _runs_for(work, threads[name], seconds, clock)
        except Exception as error:
            if name == "fastgan":
                raise
            skipped[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            del ways[name]
            continue
        round_seconds += took * (1 + (name == "fastgan"))
    ways[AGAIN], runs[AGAIN], threads[AGAIN] = ways["fastgan"], runs["fastgan"], threads["fastgan"]
    if rounds > 3 and rounds * round_seconds > limit:
        rounds = max(3, int(limit / round_seconds))
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        order = list(ways) if turn % 2 == 0 else list(reversed(ways))
        for name in order:
            times[name].append(clock(ways[name], runs[name], threads[name]))
    counted = ways if device == "cuda" else {}
    launches = {name: count_launches(work) for name, work in counted.items() if name != AGAIN}
    return judged(case, times, launches, rounds, skipped)


def count_launches(work: Work) -> int:
    """CUDA kernels that ``work`` launches, by torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        work()
        torch.cuda.synchronize()
    return sum(event.name.startswith(("cudaLaunch", "cuLaunch")) for event in profiler.events() or ())


def copy_bandwidth(
    device: str, threads: int, *, elements: int = 1 << 26, rounds: int = 9, clock: Clock = time_runs
) -> float:
    """GB/s, read and written, of a copy too large for the caches, by PyTorch's ``copy_``.

    Args:
        device: "cpu" or "cuda".
        threads: that copy.
        elements: of float32.
        rounds: whose median is taken.
        clock: as :func:`measure`'s.
    """
    source = torch.zeros(elements, device=device)
    target = torch.zeros_like(source)  # zeros and not empty: the pages are there
    clock(lambda: target.copy_(source), 1, threads)
    times = [clock(lambda: target.copy_(source), 2, threads) for _ in range(rounds)]
    return 2 * source.nbytes / statistics.median(times) / 1e9


def measure_cases(
    cases: Iterable[Case],
    device: str,
    *,
    show: Callable[[Result], object] | None = None,
    copies: Mapping[int, float] | None = None,
    deadline: float = math.inf,
    skipped: dict[str, str] | None = None,
    **settings: Any,
) -> list[Result]:
    """Measure cases one after the other.

    Args:
        cases: what to measure; one that needs more memory than there is is left out.
        device: "cpu" or "cuda".
        show: called with each result as it is done; None prints it as a line of text.
        copies: the machine's copy bandwidth by threads, which gives results their share of it.
        deadline: of ``time.monotonic``; cases that would begin after it are left out.
        skipped: takes the reasons of those left out.
        **settings: as :func:`measure`'s.
    """
    results, left_out = [], {} if skipped is None else skipped
    for case in cases:
        if case.memory > LARGE:
            give_back_memory()
        if time.monotonic() > deadline:
            left_out[f"{case.name}, {case.threads} threads"] = "no time left"
        elif case.memory > 0.9 * free_memory(device):
            left_out[f"{case.name}, {case.threads} threads"] = f"needs {case.memory / 2**30:.1f} GiB of memory"
        else:
            result = measure(case, device, **settings)
            if copies and case.threads in copies and case.bytes:
                result.share_of_copy = result.gigabytes_per_second / copies[case.threads]
            results.append(result)
            if show is None:
                print(line(result), flush=True)
            else:
                show(result)
    return results
