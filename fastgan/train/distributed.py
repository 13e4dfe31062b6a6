"""Training in several processes, one for each device, as `torchrun` starts them.

Every process holds both networks and takes its equal share of each batch of `batch_size` samples, which is cut, as the
latents are, from the one batch that a single process would see: results do not depend on the number of processes, up to
rounding. What is drawn inside the step (dropout's masks, noise) is each process's own.

The gradients of each network are averaged in one all-reduce of one flat buffer between backward and the optimizer's
step. torch's DistributedDataParallel hooks into the backward instead, and that does not fit a GAN's step: it supports
no `torch.autograd.grad`, which the gradient penalties are made of, wants one forward for each backward where D has
several, expects gradients of D's parameters in G's step, where they are frozen, and broadcasts buffers amid all that.
The mean of the shares' gradients is the whole batch's gradient for every loss that is a mean over samples, whatever
graph it came from; what DDP would gain, communication beside the backward, is little for networks of this size.

Buffers (running statistics of batch normalisation) are averaged after each step, so that all processes hold the same
weights and buffers, bit for bit, and the average of G needs no communication of its own.
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
    "StopVote",
    "average_",
    "average_gradients",
    "broadcast_parameters",
    "check_share",
    "gather",
    "launched",
    "local_rank",
    "mean",
    "processes",
    "rank",
    "run_on_rank_zero",
    "shard",
    "world_size",
]

T = TypeVar("T")

# A process that is silent for so long is given up. torchrun ends the others within 30 s of one's death; this is for a
# hanging one, or one whose machine is gone.
_PATIENCE = dt.timedelta(minutes=5)


class LostProcessError(RuntimeError):
    """Another process of the run died or fell silent."""


class FirstProcessError(RuntimeError):
    """Process 0, which says why itself, could not go on."""


def launched() -> bool:
    """Whether `torchrun` started this process as one of several."""
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def rank() -> int:
    """This process's number; 0 where there is one process."""
    return dist.get_rank() if _active() else 0


def world_size() -> int:
    """The number of processes."""
    return dist.get_world_size() if _active() else 1


def local_rank() -> int:
    """This process's number on its machine, which is its GPU's."""
    return int(os.environ.get("LOCAL_RANK", "0")) if launched() else 0


@contextlib.contextmanager
def processes() -> Iterator[None]:
    """Join the other processes that `torchrun` started, if it did, until the block ends.

    gloo connects CPUs, NCCL GPUs.

    Raises:
        LostProcessError: if the others do not come.
    """
    if not launched() or _active():
        yield
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    with _watched():
        store, number, count = next(iter(rendezvous("env://", timeout=_PATIENCE)))
        # torchrun keeps its store over a restart, and with it the addresses of processes that are no more.
        attempt = f"{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')} of {count}"
        store = dist.PrefixStore(f"fastgan attempt {attempt}", store)  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=store, rank=number, world_size=count, timeout=_PATIENCE)
    yield
    # After an error there is nobody to take leave of, and the process ends.
    with contextlib.suppress(LostProcessError), _watched():
        dist.barrier()
    dist.destroy_process_group()


def shard(batch: Tensor) -> Tensor:
    """This process's part of a tensor (N, ...), N a multiple of the number of processes."""
    if not _active():
        return batch
    size = len(batch) // world_size()
    return batch[rank() * size : (rank() + 1) * size]


def check_share(batch_size: int, pack: int = 1) -> None:
    """Refuse a batch that does not fall into equal shares.

    Raises:
        ValueError: naming `batch_size`.
    """
    count = world_size()
    if batch_size % (count * pack):
        together = f"{count} processes" + (f" times `pack` {pack}" if pack > 1 else "")
        raise ValueError(f"train: expected `batch_size` to be a multiple of {together}, got {batch_size}")


@torch.no_grad()
def average_(tensors: Iterable[Tensor]) -> None:
    """Replace floating tensors by their means over all processes, in one all-reduce for each dtype."""
    if not _active():
        return
    groups: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        if tensor.is_floating_point():
            groups.setdefault(tensor.dtype, []).append(tensor)
    for group in groups.values():
        flat = torch.cat([tensor.reshape(-1) for tensor in group])
        with _watched():
            dist.all_reduce(flat)
        flat /= world_size()
        parts = flat.split([tensor.numel() for tensor in group])
        torch._foreach_copy_(group, [part.view(tensor.shape) for part, tensor in zip(parts, group, strict=True)])


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace gradients by their means over all processes; the same parameters must have one everywhere."""
    average_(p.grad for p in parameters if p.grad is not None)


@torch.no_grad()
def broadcast_parameters(*networks: nn.Module) -> None:
    """Give every process the weights and buffers of process 0."""
    if not _active():
        return
    with _watched():
        for network in networks:
            for tensor in network.state_dict().values():
                dense = tensor.contiguous()
                dist.broadcast(dense, src=0)
                tensor.copy_(dense)


def run_on_rank_zero(function: Callable[[], T]) -> T:
    """What `function` returns in process 0, which alone calls it, in all of them.

    Raises:
        Exception: in process 0, what the function raises.
        FirstProcessError: in the others, then.
    """
    if not _active():
        return function()
    outcome: list[Any] = [None, None]
    try:
        if rank() == 0:
            outcome[0] = function()
    except BaseException as error:
        outcome[1] = str(error) or type(error).__name__
        raise
    finally:  # the others wait for it
        with _watched():
            dist.broadcast_object_list(outcome, src=0, device=torch.device("cpu"))
    if outcome[1] is not None:
        raise FirstProcessError(outcome[1])
    return cast(T, outcome[0])


def gather(value: T) -> list[T]:
    """Every process's value, by number."""
    if not _active():
        return [value]
    values: list[Any] = [None] * world_size()
    with _watched():
        dist.all_gather_object(values, value)
    return values


class StopVote:
    """Lets all processes stop after the same step when a signal reached one of them or all.

    The votes of one step are counted during the next, so that nobody waits.
    """

    def __init__(self) -> None:
        self._votes = torch.zeros(1, dtype=torch.int64)
        self._counting: Any = None

    def __call__(self, signal: int | None) -> int | None:
        """Vote, once a step; returns the signal at which all stop now, or None.

        Args:
            signal: that this process has caught, if any.
        """
        if not _active():
            return signal
        if self.count():
            return int(self._votes)
        self._votes.fill_(signal or 0)
        with _watched():
            self._counting = dist.all_reduce(self._votes, dist.ReduceOp.MAX, async_op=True)
        return None

    def count(self) -> bool:
        """Wait for the last votes; whether any was for stopping."""
        if self._counting is None:
            return False
        with _watched():
            self._counting.wait()
        self._counting = None
        return bool(self._votes)


class _Sum(torch.autograd.Function):
    """The sum over all processes, whose gradient is the sum of their gradients; differentiable again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        with _watched():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return cast(Tensor, _Sum.apply(gradient))  # type: ignore[no-untyped-call]


def mean(x: Tensor) -> Tensor:
    """The mean of a tensor over all processes, through which gradients flow to each of them, twice if need be."""
    return cast(Tensor, _Sum.apply(x)) / world_size() if _active() else x  # type: ignore[no-untyped-call]


def _active() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    """Turn what a backend raises when another process is gone into a message that says so."""
    try:
        yield
    except LostProcessError:
        raise
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise LostProcessError(
            f"train: process {os.environ.get('RANK', '0')} lost another one, which died or was silent for "
            f"{_PATIENCE.seconds} s: {reason}; --resume goes on from the last checkpoint"
        ) from error
