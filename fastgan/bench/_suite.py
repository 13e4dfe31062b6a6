"""The whole suite of benchmarks: `run_benchmarks` measures, prints, writes and compares."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fastgan._support import extras
from fastgan.bench import _files, _plots, _tables, _worker
from fastgan.bench._cases import KEPT, MIDDLE, target_cases
from fastgan.bench._harness import copy_bandwidth, measure, measure_cases
from fastgan.bench._host import cores, keep_freed_memory, machine
from fastgan.bench._results import Case, Result, duration, write_json
from fastgan.bench._sweep import sweep_cases


@dataclass(frozen=True)
class Options:
    """The options of `fastgan bench`.

    Attributes:
        quick: fewer cases and rounds, without `torch.compile`.
        device: "cpu" or "cuda".
        threads: CPU threads of the cases that use several; 0 takes all processors.
        only: measure only the cases whose name contains this.
        json: a file to write, with the machine and the results.
        plot: a folder to draw into; None draws nothing.
        compare: an earlier file, with which the results are compared.
        threshold: the slowdown against that file, beyond noise, that is a regression.
    """

    quick: bool = False
    device: str = "cpu"
    threads: int = 0
    only: str = ""
    json: Path | None = None
    plot: Path | None = None
    compare: Path | None = None
    threshold: float = 0.1

    def check(self) -> None:
        """Refuse options that cannot be served, before anything is measured; makes the folder `plot`.

        Raises:
            ValueError: for a device that is missing, or a number out of its range.
            FileNotFoundError: for a file `json` in a folder that does not exist.
            MissingExtraError: without matplotlib, for `plot`.
        """
        if self.device not in ("cpu", "cuda"):
            raise ValueError(f"bench: expected `device` to be cpu or cuda, got '{self.device}'")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("bench: expected a GPU for `device` cuda, found none")
        if not 0 <= self.threads <= cores():
            raise ValueError(f"bench: expected `threads` in [1, {cores()}], or 0 for all, got {self.threads}")
        if not self.threshold >= 0:
            raise ValueError(f"bench: expected `threshold` to be at least 0, got {self.threshold}")
        if self.json and not self.json.absolute().parent.is_dir():
            raise FileNotFoundError(f"bench: expected the folder {self.json.parent} of `json` to exist")
        if self.json and self.json.is_dir():
            raise ValueError(f"bench: expected `json` to be a file, got the folder {self.json}")
        if self.plot:
            extras.check(["matplotlib"], "bench")
            self.plot.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class Pace:
    """How long is measured.

    Attributes:
        rounds: of each case.
        seconds: of one implementation in one round.
        case: the most seconds of a case.
        total: the most seconds of all cases; those without targets that would begin later are left out.
    """

    rounds: int
    seconds: float
    case: float
    total: float


QUICK = Pace(rounds=5, seconds=0.01, case=1.0, total=40.0)
FULL = Pace(rounds=15, seconds=0.02, case=3.0, total=780.0)


def run_benchmarks(options: Options) -> int:
    """Measure the cases, print the results, write and draw them, compare them with an earlier file.

    Args:
        options: what to measure, and what to do with the results.

    Returns:
        The exit code: 1 after a regression, else 0.

    Raises:
        ValueError: before anything is measured, for a device that is missing, an earlier file that is no file of
            results or is of another machine, a name that no case has.
        FileNotFoundError: for a file or folder that does not exist.
        OSError: naming a file that cannot be written; an earlier one is untouched.
        MissingExtraError: without matplotlib, for `options.plot`.
    """
    options.check()
    old = _files.read(options.compare) if options.compare else None
    about = machine(options.device)
    if old and (other := old.machine.get("device")) != about["device"]:
        raise ValueError(f"bench: expected `compare` to be of a machine with {about['device']}, got one with {other}")
    threads = (options.threads or cores()) if options.device == "cpu" else 1
    cases = [
        *target_cases(threads, options.device, not options.quick),
        *sweep_cases(threads, options.quick, options.device),
    ]
    cases = [case for case in cases if options.only in case.name]
    by_capability = options.device == "cpu" and options.only in f"{KEPT}, AVX2 path"
    if not cases and not by_capability:
        raise ValueError(f"bench: expected `only` to be a part of a case's name, got '{options.only}'")
    torch.manual_seed(0)
    keep_freed_memory()
    for text in caption(about, threads):
        print(text)
    results, extra = _measure(cases, options, threads, by_capability)
    extra["machine"] = about  # before the benchmarks themselves put load on it
    _tables.show_results(results)
    _show_extra(extra, results)
    if options.json:
        write_json(options.json, options.device, results, extra)
        print(f"written to {options.json}")
    if options.plot:
        _plot(options.plot, about, results, extra)
    return _compare(old, results, options.threshold) if old else 0


def _measure(
    cases: list[Case], options: Options, threads: int, by_capability: bool
) -> tuple[list[Result], dict[str, Any]]:
    """All results; and settings, the machine's copy bandwidth and the cases left out, for the JSON."""
    pace = QUICK if options.quick else FULL
    start = time.monotonic()
    deadline = start + pace.total
    settings: dict[str, Any] = {"rounds": pace.rounds, "seconds": pace.seconds, "limit": pace.case}
    copies = {
        number: copy_bandwidth(options.device, number) for number in sorted({1, threads}) if options.device == "cpu"
    } or {1: copy_bandwidth(options.device, 1, elements=1 << 28)}
    skipped: dict[str, str] = {}
    results: list[Result] = []

    def progress(result: Result) -> None:
        results.append(result)
        text = f"{len(results)}/{len(cases) + by_capability} {result.name}: {duration(result.seconds['fastgan'])}"
        print(f"\r\033[K{text}" if sys.stderr.isatty() else text, end="", file=sys.stderr, flush=True)
        print(end="" if sys.stderr.isatty() else "\n", file=sys.stderr)

    with_targets = [case for case in cases if case.labels["group"] == "target"]
    common: dict[str, Any] = {"show": progress, "copies": copies, "skipped": skipped, **settings}
    measure_cases(with_targets, options.device, **common)
    if by_capability:
        capabilities = ("avx512", "avx2") if options.quick else ("avx512", "avx2", "default")
        with _worker.capability_case(KEPT, MIDDLE, capabilities) as case:
            if case is None:
                skipped[f"{KEPT}, AVX2 path"] = "needs a processor with more than one instruction set"
            else:
                results.append(measure(case, clock=_worker.clock, **settings))
    measure_cases(
        [case for case in cases if case.labels["group"] != "target"], options.device, deadline=deadline, **common
    )
    print(end="\r\033[K" if sys.stderr.isatty() else "", file=sys.stderr, flush=True)
    return results, {
        "suite": "quick" if options.quick else "full",
        "settings": {**settings, "threads": threads},
        "copy_gigabytes_per_second": {str(number): speed for number, speed in copies.items()},
        "skipped": skipped,
        "took_seconds": round(time.monotonic() - start, 1),
    }


def caption(about: dict[str, Any], threads: int) -> list[str]:
    """The lines that name the machine and the versions."""
    lines = [
        f"{about['device']}, {about['cores']} cores, {threads} thread{'s' * (threads > 1)} where not said otherwise; "
        f"torch {about['torch']}, {about['fastgan']['compiler']}, {about['fastgan']['cpu_capability']}; "
        f"commit {about['commit'] or 'unknown'}, {about['date']}"
    ]
    if about["device"] == about["processor"]:
        how = "one number after the other" if about["serial_dropout"] else "with MKL, on all threads"
        lines.append(f"Here PyTorch draws dropout {how}; where it does otherwise, ratios of dropout differ.")
    if about["load"] > 0.5:
        lines.append(f"The machine is busy (load {about['load']}): expect noise.")
    return lines


def _show_extra(extra: dict[str, Any], results: list[Result]) -> None:
    copies = ", ".join(
        f"{speed:.1f} GB/s on {number} thread{'s' * (number != '1')}"
        for number, speed in extra["copy_gigabytes_per_second"].items()
    )
    print(f"The machine's copy, read and written: {copies}.")
    for reason in dict.fromkeys(extra["skipped"].values()):
        names = [name for name, own in extra["skipped"].items() if own == reason]
        print(f"left out, {reason}: {len(names)} cases: {'; '.join(names)}")
    reasons = {f"{peer}: {reason}" for result in results for peer, reason in result.skipped.items()}
    for text in sorted(reasons):
        print(f"peer left out: {text}")
    counts = _tables.tally(results)
    others = sum(len(result.verdicts) for result in results) - sum(counts.values())
    told = ", ".join(f"{number} {word}" for word, number in counts.items())
    print(f"Targets: {told}, {others} not held or not measured; {extra['took_seconds']} s in all.")


def _plot(folder: Path, about: dict[str, Any], results: list[Result], extra: dict[str, Any]) -> None:
    title = caption(about, extra["settings"]["threads"])[0].replace("; torch", "\ntorch")
    with_targets = [result for result in results if result.labels.get("group") == "target"]
    centre = [result for result in results if result.labels.get("varied") == "centre"]
    copies = {int(number): speed for number, speed in extra["copy_gigabytes_per_second"].items()}
    drawn = [
        ("targets.png", _plots.bars(with_targets, folder / "targets.png", title)),
        ("works.png", _plots.bars(centre, folder / "works.png", title)),
        ("roofline.png", _plots.roofline(results, copies, folder / "roofline.png", title)),
    ]
    print(f"drawn in {folder}: {', '.join(name for name, done in drawn if done) or 'nothing'}")


def _compare(old: _files.Document, results: list[Result], threshold: float) -> int:
    changes = _files.compare(old.results, results, threshold)
    before = f"{old.machine.get('commit') or 'unknown commit'}, {old.machine.get('date')}"
    _tables.show(f"Compared with {old.path} ({before})", _tables.CHANGE_HEADER, _tables.change_rows(changes))
    regressed = [change for change in changes if change.regressed]
    print(f"{len(changes)} cases compared, {len(regressed)} regressed by more than {threshold:.0%} beyond noise")
    return 1 if regressed else 0
