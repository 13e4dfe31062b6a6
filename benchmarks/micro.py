"""Time every fused op against eager PyTorch, torch.compile and a copy: python benchmarks/micro.py --help."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from fastgan import bench, bench_cases

KEPT = "leaky ReLU + dropout, forward in place, 4.2 M fp32"


def forward_by_capability(rounds):
    """Seconds of the forward on each instruction set that this processor has, each in a process of its own."""
    seconds = {}
    for capability in ("avx512", "avx2", "default"):
        command = [
            sys.executable,
            __file__,
            "--only",
            KEPT,
            "--rounds",
            str(rounds),
            "--json",
            os.devnull,
            "--print-seconds",
        ]
        process = subprocess.run(
            command, env={**os.environ, "FASTGAN_CPU_CAPABILITY": capability}, capture_output=True, text=True
        )
        if process.returncode == 0:
            seconds[capability] = json.loads(process.stdout.splitlines()[-1])
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the cases that use several")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--quick", action="store_true", help="5 rounds, without torch.compile")
    parser.add_argument("--json", type=Path, help="write machine and results to this file")
    parser.add_argument("--print-seconds", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    rounds = min(options.rounds, 5) if options.quick else options.rounds
    torch.manual_seed(0)
    bench.keep_freed_memory()
    settings = {"threads": options.threads, "compiled": not options.quick}
    cases = [*bench_cases.activation_cases(**settings), *bench_cases.loss_cases(**settings)]
    cases = [case for case in cases if options.only in case.name]
    if not cases:
        parser.error(f"--only: expected a part of a case's name, got {options.only!r}")
    results = bench.run(cases, options.device, rounds=rounds)
    extra = {}
    if options.device == "cpu" and not options.only:
        extra = {"bytes_saved": bench_cases.saved_for_backward(), "by_capability": forward_by_capability(rounds)}
        print("bytes saved for the backward, an element:", extra["bytes_saved"])
        print(f"{KEPT}, seconds by instruction set:", extra["by_capability"])
    if options.json:
        bench.write_json(options.json, options.device, results, extra)
    if options.print_seconds:
        print(results[0].seconds["fastgan"])


if __name__ == "__main__":
    main()
