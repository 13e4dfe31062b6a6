"""How a training step scales over processes: measured for 1 and 2, compared with a cost model, estimated for more.

The model: a step of n processes takes the compute time of one n-th of the batch, and for each network a ring all-reduce
of its gradients. There every process sends 2 (n - 1) / n times the gradients' bytes (Patarasuk and Yuan, 2009), after a
latency. Compute, bandwidth and latency are measured separately, and their sum is compared with the measured step of two
processes. For more processes the model gives an estimate, which is printed as one.
"""

from __future__ import annotations

import math
import os
import socket
import statistics
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import multiprocessing

import _steps
from _steps import Problem
from fastgan.bench._harness import time_runs
from fastgan.bench._results import Work

__all__ = ["estimate", "measure", "report", "ring_seconds"]

_PROBLEM = replace(_steps.MLP, name="MLP GAN, batch 512", batch_size=512)
_ROUNDS, _STEPS = 7, 20

# The cluster that the estimate assumes: eight GPUs in a machine, connected by NVLink, and a 400 Gb/s link for each GPU
# between machines.
_NVLINK, _NETWORK = 150e9, 50e9  # bytes a second of an all-reduce that a GPU sustains
_HOP = 15e-6  # seconds of latency for each doubling of the number of GPUs
_GPU_COMPUTE = 5e-3  # seconds a step of 128 images, assumed


def ring_seconds(processes: int, size: float, bandwidth: float, latency: float) -> float:
    """Seconds of an all-reduce of `size` bytes; 0 for one process."""
    return 0.0 if processes == 1 else latency + 2 * (processes - 1) / processes * size / bandwidth


def measure(problem: Problem = _PROBLEM, rounds: int = _ROUNDS, steps: int = _STEPS) -> dict[str, Any]:
    """Time one process with the whole batch and with half of it, and two processes; all with one thread each."""
    half = replace(problem, batch_size=problem.batch_size // 2)
    whole, share = (_alone(p, rounds, steps) for p in (problem, half))
    together = _in_processes(2, problem, rounds, steps)
    sizes = [4 * sum(p.numel() for p in network.parameters()) for network in problem.networks()]
    communication = [ring_seconds(2, size, together["bandwidth"], together["latency"]) for size in sizes]
    return {
        "problem": problem.name,
        "gradient_bytes": sizes,
        "seconds": {"1 process": whole, "1 process, half the batch": share, "2 processes": together["step"]},
        "all_reduce_bytes_per_second": together["bandwidth"],
        "all_reduce_latency": together["latency"],
        "predicted_2_processes": share + sum(communication),
    }


def report(found: dict[str, Any]) -> Iterator[str]:
    """The lines of text of the measured part, then of the estimate."""
    seconds, predicted = found["seconds"], found["predicted_2_processes"]
    yield f"scaling, {found['problem']}, one thread a process, gloo:"
    for name, took in seconds.items():
        yield f"  {name:28}{took * 1e3:8.2f} ms a step"
    gradients = " and ".join(f"{size / 1e6:.1f} MB" for size in found["gradient_bytes"])
    yield (
        f"  cost model for 2 processes  {predicted * 1e3:8.2f} ms: half the batch, and all-reduces of {gradients} at "
        f"{found['all_reduce_bytes_per_second'] / 1e9:.2f} GB/s"
    )
    yield f"  model over measurement: {predicted / seconds['2 processes']:.2f}"
    yield f"  speed-up of 2 processes: {seconds['1 process'] / seconds['2 processes']:.2f}"
    yield "estimate, not measured: DCGAN-64, 128 images on each GPU, share of the ideal images a second"
    yield (
        f"  assumed: {_GPU_COMPUTE * 1e3:g} ms of compute, all-reduce at {_NVLINK / 1e9:g} GB/s in a machine of 8 and "
        f"{_NETWORK / 1e9:g} GB/s between machines, {_HOP * 1e6:g} us of latency a doubling"
    )
    for count, efficiency in estimate().items():
        yield f"  {count:5} GPUs  {efficiency:6.1%}"


def estimate() -> dict[int, float]:
    """The share of the ideal rate that a DCGAN-64 with a fixed batch a GPU keeps by the model, by number of GPUs."""
    sizes = [4 * sum(p.numel() for p in network.parameters()) for network in _steps.DCGAN_64.networks()]
    shares = {}
    for count in (8, 16, 64, 256, 1024):
        bandwidth, latency = _NVLINK if count <= 8 else _NETWORK, _HOP * math.log2(count)
        communication = sum(ring_seconds(count, size, bandwidth, latency) for size in sizes)
        shares[count] = _GPU_COMPUTE / (_GPU_COMPUTE + communication)
    return shares


def _alone(problem: Problem, rounds: int, steps: int) -> float:
    return float(_in_processes(1, problem, rounds, steps)["step"])


def _in_processes(count: int, problem: Problem, rounds: int, steps: int) -> dict[str, float]:
    """What process 0 of `count` measures."""
    context = multiprocessing.get_context("spawn")
    found = context.SimpleQueue()
    multiprocessing.spawn(  # type: ignore[attr-defined, no-untyped-call]
        _process, (count, _free_port(), problem.batch_size, rounds, steps, found), nprocs=count
    )
    return dict(found.get())


def _process(rank: int, count: int, port: int, batch_size: int, rounds: int, steps: int, found: Any) -> None:
    from fastgan.train import distributed

    os.environ.update(RANK=str(rank), WORLD_SIZE=str(count), LOCAL_RANK=str(rank))
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    with distributed.process_group():
        problem = replace(_PROBLEM, batch_size=batch_size)
        step = _steps.fast_step(problem, "cpu")
        result = {"step": _median_seconds(step, rounds, steps)}
        if count > 1:
            large, small = torch.zeros(2**20), torch.zeros(1)
            result["latency"] = _median_seconds(lambda: distributed.average_([small]), rounds, steps)
            took = _median_seconds(lambda: distributed.average_([large]), rounds, steps)
            result["bandwidth"] = large.nbytes / max(took - result["latency"], 1e-9)
    if rank == 0:
        found.put(result)


def _median_seconds(work: Work, rounds: int, steps: int) -> float:
    return statistics.median(time_runs(work, steps, 1) for _ in range(rounds))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
