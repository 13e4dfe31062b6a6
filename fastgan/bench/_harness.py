"""The harness: times fastgan and its peers in turn.

A case is one work with several implementations: fastgan, eager PyTorch, `torch.compile`, and a copy of the same bytes,
which is the floor. They are timed in turn, round after round, so that a drift of the machine affects all of them, and
the result is the median of the rounds' ratios. fastgan is timed twice in each round: the noise is how far the ratio of
these two may be from 1. A result within the noise of its target neither passes nor fails, and a ratio within the noise
of 1 is not shown.
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
from fastgan.bench._results import AGAIN, Case, Result, Work, judge, line

Clock = Callable[[Any, int, int], float]
LARGE = 1 << 32  # bytes: before a case that needs more, freed memory is given back to the system
LONG = 5  # a work that takes this many times the wanted seconds runs once a round, without a warm-up


def time_runs(work: Work, runs: int, threads: int) -> float:
    """Seconds of one run, by torch's timer, which synchronises CUDA; a single run has no warm-up."""
    if runs > 1:
        return float(Timer("work()", globals={"work": work}, num_threads=threads).timeit(runs).mean)
    with set_torch_threads(threads):
        start = now()
        work()
        return float(now() - start)


def _runs_for(work: Work, threads: int, seconds: float, clock: Clock) -> tuple[int, float]:
    """How many runs fill about `seconds`, and the seconds that a round of so many takes, its warm-up included."""
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
    """Time a case's implementations in turn.

    A peer that raises an error, for lack of a compiler say, is left out, and the result's `skipped` has its reason.
    fastgan's own errors are raised.

    Args:
        case: the work and its implementations.
        device: "cpu" or "cuda".
        rounds: in each of which every peer is timed once, and fastgan twice.
        seconds: of one implementation in one round, about.
        limit: seconds of all rounds; there are fewer rounds where they would take longer, but at least 3.
        clock: a function of (work, runs, threads) that returns the seconds of one run.
    """
    works = case.make(device)
    threads = {name: case.threads_of.get(name, case.threads) for name in works}
    runs, skipped, round_seconds = {}, {}, 0.0
    for name, work in list(works.items()):
        try:
            runs[name], took = _runs_for(work, threads[name], seconds, clock)
        except Exception as error:
            if name == "fastgan":
                raise
            skipped[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            del works[name]
            continue
        round_seconds += took * (1 + (name == "fastgan"))
    works[AGAIN], runs[AGAIN], threads[AGAIN] = works["fastgan"], runs["fastgan"], threads["fastgan"]
    if rounds > 3 and rounds * round_seconds > limit:
        rounds = max(3, int(limit / round_seconds))
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds):
        order = list(works) if turn % 2 == 0 else list(reversed(works))
        for name in order:
            times[name].append(clock(works[name], runs[name], threads[name]))
    counted = works if device == "cuda" else {}
    launches = {name: count_launches(work) for name, work in counted.items() if name != AGAIN}
    return judge(case, times, launches, rounds, skipped)


def count_launches(work: Work) -> int:
    """The CUDA kernels that `work` launches, counted by torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        work()
        torch.cuda.synchronize()
    return sum(event.name.startswith(("cudaLaunch", "cuLaunch")) for event in profiler.events() or ())


def copy_bandwidth(
    device: str, threads: int, *, elements: int = 1 << 26, rounds: int = 9, clock: Clock = time_runs
) -> float:
    """GB/s, reads and writes added, of PyTorch's `copy_` of `elements` float32, which are too many for the caches.

    The median of `rounds` on so many `threads`; `clock` is that of `measure`.
    """
    source = torch.zeros(elements, device=device)
    target = torch.zeros_like(source)  # zeros and not empty, so that the pages are mapped
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
        cases: what to measure; a case that needs more memory than there is, is left out.
        device: "cpu" or "cuda".
        show: called with each result when it is there; None prints it as a line of text.
        copies: the machine's copy bandwidth in GB/s by number of threads, for the results' `share_of_copy`.
        deadline: a time of `time.monotonic`; cases that would begin later are left out.
        skipped: a dict that takes the reason for each case that is left out, by its name and threads.
        **settings: the arguments `rounds`, `seconds`, `limit` and `clock` of :func:`measure`.

    Returns:
        A result for each case that was measured.
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
