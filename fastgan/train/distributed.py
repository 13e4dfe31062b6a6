"""Training in several processes, one for each device, as `torchrun` starts them.

Every process holds both networks and trains on its shard of each batch. Batches of `batch_size` samples and of latents
are drawn as in a single process and then cut into equal shards, so results do not depend on the number of processes, up
to rounding. Random numbers drawn inside the step (dropout's masks, noise) differ between processes.

The gradients of each network are averaged in one all-reduce of a flat buffer, between the backward and the optimizer's
step. torch's DistributedDataParallel does not fit a GAN's step. It does not support `torch.autograd.grad`, which the
gradient penalties use. It expects one forward for each backward, and D has several. It expects gradients of D's
parameters in G's step, where they are frozen. It broadcasts buffers during the forward. It overlaps communication with
the backward, but that gains little for networks of this size. The mean of the shards' gradients is the gradient of
the whole batch for every loss that is a mean over samples.

Buffers (running statistics of batch normalisation) are averaged after each step. So all processes hold the same weights
and buffers, bit for bit, and the moving average of G needs no communication.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

__all__ = [
    "FirstProcessError",
    "LostProcessError",
    "StopConsensus",
    "all_gather",
    "all_reduce_mean",
    "average_",
    "average_gradients",
    "broadcast_parameters",
    "check_batch_size",
    "launched",
    "local_rank",
    "process_group",
    "rank",
    "run_on_rank_zero",
    "shard",
    "world_size",
]

T = TypeVar("T")

# Collectives fail after waiting this long for a process. When a process dies, torchrun ends the others within 30 s; the
# timeout is for a process that hangs or whose machine is gone.
_TIMEOUT = dt.timedelta(minutes=5)


class LostProcessError(RuntimeError):
    """Another process of the run died or did not answer in time."""


class FirstProcessError(RuntimeError):
    """Process 0 failed, and reports the reason itself; raised in the other processes."""


def launched() -> bool:
    """Whether `torchrun` started this process as one of several."""
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def rank() -> int:
    """This process's number; 0 where there is one process."""
    return dist.get_rank() if _is_distributed() else 0


def world_size() -> int:
    """The number of processes."""
    return dist.get_world_size() if _is_distributed() else 1


def local_rank() -> int:
    """This process's number on its machine, which is also the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if launched() else 0


@contextlib.contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that `torchrun` started until the block ends; does nothing without `torchrun`.

    CPUs communicate by gloo, GPUs by NCCL.

    Raises:
        LostProcessError: if the other processes do not join in time.
    """
    if not launched() or _is_distributed():
        yield
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    with _lost_process_errors():
        store, number, count = next(iter(rendezvous("env://", timeout=_TIMEOUT)))
        # After a restart torchrun's store still holds the addresses of the processes that died.
        attempt = f"{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')} of {count}"
        store = dist.PrefixStore(f"fastgan attempt {attempt}", store)  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=store, rank=number, world_size=count, timeout=_TIMEOUT)
    yield
    # Not reached after an error: the process then ends without waiting for the others.
    with contextlib.suppress(LostProcessError), _lost_process_errors():
        dist.barrier()
    dist.destroy_process_group()


def shard(batch: Tensor) -> Tensor:
    """This process's part of `batch` (N, ...), where N is a multiple of the number of processes."""
    if not _is_distributed():
        return batch
    size = len(batch) // world_size()
    return batch[rank() * size : (rank() + 1) * size]


def check_batch_size(batch_size: int, pack: int = 1) -> None:
    """Refuse a `batch_size` that cannot be cut into equal shards of whole packs of `pack` samples.

    Raises:
        ValueError: if it is not a multiple of the number of processes times `pack`.
    """
    count = world_size()
    if batch_size % (count * pack):
        together = f"{count} processes" + (f" times `pack` {pack}" if pack > 1 else "")
        raise ValueError(f"train: expected `batch_size` to be a multiple of {together}, got {batch_size}")


@torch.no_grad()
def average_(tensors: Iterable[Tensor]) -> None:
    """Replace the floating-point `tensors` by their means over all processes, with one all-reduce for each dtype.

    Raises:
        LostProcessError: if another process is gone.
    """
    if not _is_distributed():
        return
    groups: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        if tensor.is_floating_point():
            groups.setdefault(tensor.dtype, []).append(tensor)
    for group in groups.values():
        flat = torch.cat([tensor.reshape(-1) for tensor in group])
        with _lost_process_errors():
            dist.all_reduce(flat)
        flat /= world_size()
        parts = flat.split([tensor.numel() for tensor in group])
        torch._foreach_copy_(group, [part.view(tensor.shape) for part, tensor in zip(parts, group, strict=True)])


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace the gradients of `parameters` by their means over all processes.

    The same parameters must have a gradient in every process. Raises as :func:`average_`.
    """
    average_(p.grad for p in parameters if p.grad is not None)


@torch.no_grad()
def broadcast_parameters(*networks: nn.Module) -> None:
    """Copy the weights and buffers of process 0's `networks` into those of every process.

    Raises:
        LostProcessError: if another process is gone.
    """
    if not _is_distributed():
        return
    with _lost_process_errors():
        for network in networks:
            for tensor in network.state_dict().values():
                dense = tensor.contiguous()
                dist.broadcast(dense, src=0)
                tensor.copy_(dense)


def run_on_rank_zero(function: Callable[[], T]) -> T:
    """Call `function` in process 0 alone and return its result in all processes.

    Raises:
        Exception: in process 0, the error that the function raises.
        FirstProcessError: in the other processes, if the function raised an error in process 0.
        LostProcessError: if another process is gone.
    """
    if not _is_distributed():
        return function()
    outcome: list[Any] = [None, None]
    try:
        if rank() == 0:
            outcome[0] = function()
    except BaseException as error:
        outcome[1] = str(error) or type(error).__name__
        raise
    finally:  # after an error, too: the other processes wait for the outcome
        with _lost_process_errors():
            dist.broadcast_object_list(outcome, src=0, device=torch.device("cpu"))
    if outcome[1] is not None:
        raise FirstProcessError(outcome[1])
    return cast(T, outcome[0])


def all_gather(value: T) -> list[T]:
    """The `value` of every process, in the order of their ranks.

    Raises:
        LostProcessError: if another process is gone.
    """
    if not _is_distributed():
        return [value]
    values: list[Any] = [None] * world_size()
    with _lost_process_errors():
        dist.all_gather_object(values, value)
    return values


class StopConsensus:
    """Lets all processes stop after the same step, whichever of them caught a signal.

    The all-reduce of one step is awaited in the next step, so no process waits for it.
    """

    def __init__(self) -> None:
        self._signal = torch.zeros(1, dtype=torch.int64)
        self._pending: Any = None

    def __call__(self, signal: int | None) -> int | None:
        """Report the `signal` that this process has caught, or None, once a step.

        Returns:
            The signal at which all processes stop now, or None.

        Raises:
            LostProcessError: if another process is gone.
        """
        if not _is_distributed():
            return signal
        if self.wait():
            return int(self._signal)
        self._signal.fill_(signal or 0)
        with _lost_process_errors():
            self._pending = dist.all_reduce(self._signal, dist.ReduceOp.MAX, async_op=True)
        return None

    def wait(self) -> bool:
        """Wait for the last step's all-reduce; returns whether any process had caught a signal.

        Raises:
            LostProcessError: if another process is gone.
        """
        if self._pending is None:
            return False
        with _lost_process_errors():
            self._pending.wait()
        self._pending = None
        return bool(self._signal)


class _AllReduceSum(torch.autograd.Function):
    """The sum over all processes. Its gradient is the sum of their gradients, and is differentiable itself."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        with _lost_process_errors():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return cast(Tensor, _AllReduceSum.apply(gradient))  # type: ignore[no-untyped-call]


def all_reduce_mean(x: Tensor) -> Tensor:
    """The mean of `x` over all processes, differentiable by each process's `x` any number of times.

    Raises:
        LostProcessError: if another process is gone.
    """
    return cast(Tensor, _AllReduceSum.apply(x)) / world_size() if _is_distributed() else x  # type: ignore[no-untyped-call]


def _is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


@contextlib.contextmanager
def _lost_process_errors() -> Iterator[None]:
    """Turn a backend's error about another process that is gone into a `LostProcessError`."""
    try:
        yield
    except LostProcessError:
        raise
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise LostProcessError(
            f"train: process {os.environ.get('RANK', '0')} lost another one, which died or was silent for "
            f"{_TIMEOUT.seconds} s: {reason}; --resume goes on from the last checkpoint"
        ) from error
