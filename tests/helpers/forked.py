"""Starts processes quickly, and groups of processes that train together as under torchrun."""

import datetime as dt
import multiprocessing
import os
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

import fastgan.cli
import fastgan.metrics.report
from fastgan.train import distributed

# The children are forked from a server that has imported the libraries, and start to train within 0.1 s.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "fastgan.train",
        "fastgan.cli",
        "sklearn.datasets",
        "torch.utils.tensorboard",
        "matplotlib.figure",
        "torch._dynamo",
        "forked",
    ]
)


def command(arguments: list[str]) -> None:
    """Run the command line with a short timeout, and without the quality report, which takes longer than the rest."""
    distributed._TIMEOUT = dt.timedelta(seconds=40)
    fastgan.metrics.report.summary = lambda *_: "quality"  # type: ignore[assignment]
    fastgan.cli.main(arguments)


@contextmanager
def team(function: Callable[..., None], *arguments: Any, count: int = 2, folder: Any = None):
    """Start processes that call `function(*arguments)` in torchrun's environment; kill them at the end of the block."""
    # The parent holds the store of the process group, as torchrun does.
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    processes = []
    for rank in range(count):
        environment = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(store.port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
        }
        output = None if folder is None else str(folder / f"said-{rank}.txt")
        processes.append(SERVER.Process(target=_member, args=(environment, output, function, arguments)))
        processes[-1].start()
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join()


def together(function: Callable[..., None], *arguments: Any, count: int = 2) -> None:
    """Run `function(*arguments)` in `count` processes of one group, or in this process; all must succeed."""
    if count == 1:
        function(*arguments)
        return
    with team(_in_group, function, arguments, count=count) as processes:
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0] * count


def _in_group(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    with distributed.process_group():
        function(*arguments)


def _member(environment: dict[str, str], output: str | None, function: Callable[..., None], arguments: Any) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    if output is not None:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, sys.stdout.fileno())
        os.dup2(descriptor, sys.stderr.fileno())
    function(*arguments)
