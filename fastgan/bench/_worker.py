"""The forward on each instruction set: a process chooses one when it starts, so each has a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fastgan.bench._results import Case, Target

NAMES = {"avx512": "AVX-512 path", "avx2": "AVX2 path", "default": "portable path"}


class Worker:
    """A process with FASTGAN_CPU_CAPABILITY set, which times the forward in place of `elements` elements on request."""

    def __init__(self, capability: str, elements: int) -> None:
        # With the parent's sys.path both import the same fastgan, wherever they were started.
        code = f"import sys; sys.path[:] = {sys.path!r}; from fastgan.bench import _worker; _worker.serve({elements})"
        self.capability = capability
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "FASTGAN_CPU_CAPABILITY": capability},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ready(self) -> bool:
        """Wait until it has started; returns False where the processor or the build lacks the instruction set."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip() == self.capability

    def time(self, runs: int, threads: int) -> float:
        """Seconds of one run, the mean of `runs`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{runs} {threads}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"bench: the process of the {NAMES[self.capability]} ended")
        return float(answer)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def serve(elements: int) -> None:
    """The loop of a worker's process: reads lines of runs and threads, prints seconds a run, until the input ends."""
    import fastgan
    from fastgan.bench._cases import forward_in_place
    from fastgan.bench._harness import time_runs
    from fastgan.bench._host import keep_freed_memory

    keep_freed_memory()
    work = forward_in_place(elements)[0]
    print(fastgan.build_info()["cpu_capability"], flush=True)
    for request in sys.stdin:
        runs, threads = map(int, request.split())
        print(time_runs(work, runs, threads), flush=True)


def clock(worker: Worker, runs: int, threads: int) -> float:
    """The clock of `measure` for workers."""
    return worker.time(runs, threads)


@contextmanager
def capability_case(name: str, elements: int, capabilities: Sequence[str]) -> Iterator[Case | None]:
    """A case of AVX2 against the machine's other instruction sets, to be measured with `clock`.

    None where the machine lacks AVX2 or has no other.
    """
    workers = [Worker(capability, elements) for capability in capabilities]
    try:
        ready = {worker.capability: worker for worker in workers if worker.ready()}
        works: dict[str, Any] = {NAMES[capability]: worker for capability, worker in ready.items()}
        if NAMES["avx2"] not in works or len(works) == 1:
            yield None
            return
        works = {"fastgan": works.pop(NAMES["avx2"]), **works}
        targets = [Target(NAMES["avx512"], 1 / 2.2)] if NAMES["avx512"] in works else []
        nbytes = 8 * elements
        yield Case(f"{name}, AVX2 path", lambda device: works, 1, nbytes, targets, labels={"group": "target"})
    finally:
        for worker in workers:
            worker.stop()
