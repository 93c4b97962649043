"""One process or many: ranks from torchrun's environment, gloo on CPU, nccl on GPUs.

The training code is the same either way; only the launcher changes:
``python -m torch.distributed.run --nproc_per_node 2 -m baselines.ccau train ...``
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import nn

from homage_sdk.errors import HomageError, TrainingError
from homage_sdk.progress import Harmless, Progress

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

T = TypeVar("T")
COLLECTIVE_TIMEOUT_S = 600.0
"""A rank that says nothing for so long is lost."""

_joins = itertools.count()
"""How often this process has joined; its ranks do so in step, since they run one command."""


@dataclass(frozen=True)
class World:
    """Which process this is."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0


@contextmanager
def join_world(device: str = "auto") -> Iterator[World]:
    """Join the processes torchrun started, or be alone; leaves the group at the end.

    A command may join any number of times. Raises TrainingError, in one line, where the ranks do
    not find each other or lose one another later.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    name = device
    if device == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        if not torch.cuda.is_available():
            raise TrainingError("no GPU here", hint="set run.device = 'cpu' or 'auto'")
        torch.cuda.set_device(local_rank)
        name = f"cuda:{local_rank}"
    here = torch.device(name)
    if size == 1 or dist.is_initialized():
        yield World(rank if dist.is_initialized() else 0, size, here)
        return
    backend = "nccl" if here.type == "cuda" else "gloo"
    timeout_s = float(os.environ.get("CCAU_COLLECTIVE_TIMEOUT_S", COLLECTIVE_TIMEOUT_S))
    timeout = timedelta(seconds=timeout_s)
    try:
        store = store_of(next(_joins), timeout)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
        yield World(rank, size, here)
    except RuntimeError as error:
        if not _is_lost_peer(error):
            raise
        raise TrainingError(
            f"rank {rank} lost another rank",
            found=str(error).splitlines()[0][:200],
            hint="that one was killed or says itself what stopped it; the same command goes on",
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def store_of(join: int, timeout: timedelta) -> Store:
    """The part of the ranks' store that belongs to one join.

    The store outlives each group: in a part that two shared, the second would find the first one's
    addresses, at which no process listens.
    """
    from torch.distributed.distributed_c10d import PrefixStore

    return PrefixStore(f"join-{join}", _store(timeout))


@functools.cache
def _store(timeout: timedelta) -> Store:
    """Where the ranks find each other: in torchrun's store, or in one of the first rank's.

    One for the whole process: a rank that is early for the next join must not reach a store that
    the first rank is about to close.
    """
    from torch.distributed.rendezvous import rendezvous

    try:
        store, _, _ = next(rendezvous("env://", timeout=timeout))
    except ValueError as error:
        raise TrainingError(
            "the launcher gave too little to find the other ranks by",
            found=str(error)[:200],
            hint="start with torchrun, or set MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE",
        ) from error
    return cast("Store", store)


def _is_lost_peer(error: RuntimeError) -> bool:
    """Whether a collective failed since a process or its machine is gone, or is silent.

    Gloo raises a bare RuntimeError then, nccl a DistBackendError; its store a DistNetworkError.
    """
    if isinstance(error, dist.DistError):
        return True
    lost = (
        "connection closed", "connection reset", "timed out waiting", "broken pipe",
        "connectfullmesh", "timed out connecting",
    )  # fmt: skip
    return "gloo" in str(error).lower() and any(text in str(error).lower() for text in lost)


def gather(world: World, value: Any) -> list[Any]:
    """The value of every rank, on every rank, in the order of ranks."""
    if world.size == 1:
        return [value]
    values: list[Any] = [None] * world.size
    dist.all_gather_object(values, value)
    return values


def broadcast(world: World, value: Any) -> Any:
    """The first rank's value on every rank."""
    if world.size == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def by_first(world: World, act: Callable[[], T]) -> T:
    """What ``act`` returns on the first rank, or the HomageError that it raises, on every rank."""
    done: tuple[T | None, HomageError | None] = (None, None)
    if world.is_first:
        try:
            done = (act(), None)
        except HomageError as error:
            done = (None, error)
    found, refusal = broadcast(world, done)
    if refusal is not None:
        raise refusal
    return cast(T, found)


def on_first(world: World, progress: Progress | None) -> Progress:
    """``progress`` on the first rank, where its failure costs no work; elsewhere nothing."""
    if progress is None or not world.is_first:
        return lambda _done, _total: None
    return functools.partial(Harmless("the progress display"), progress)


def share_buffers(world: World, module: nn.Module) -> None:
    """Give every rank the first one's buffers: the running statistics that a checkpoint holds.

    Each rank's BatchNorm sees its own clips, so between two steps the ranks differ in them.
    """
    if world.size > 1:
        for buffer in module.buffers():
            dist.broadcast(buffer, src=0)


def stop_together(world: World, fault: str | None) -> None:
    """Raise TrainingError on every rank when any rank has a fault; else return.

    One number crosses the wire on a good step. Call it where all ranks are at the same step and
    before gradients mix, so that a fault on one rank can be named instead of spreading.
    """
    if world.size == 1:
        if fault is not None:
            raise TrainingError(fault)
        return
    flag = torch.tensor([fault is not None], dtype=torch.int32, device=world.device)
    dist.all_reduce(flag, op=dist.ReduceOp.MAX)
    if not int(flag.item()):
        return
    faults = [text for text in gather(world, fault) if text is not None]
    raise TrainingError("; ".join(faults))


def average_gradients(world: World, module: nn.Module) -> None:
    """Give every rank the mean of all ranks' gradients, as DistributedDataParallel does.

    A parameter that no rank has a gradient of keeps none.
    """
    if world.size == 1:
        return
    learning = [p for p in module.parameters() if p.requires_grad]
    has = torch.tensor([p.grad is not None for p in learning], device=world.device).int()
    dist.all_reduce(has, op=dist.ReduceOp.MAX)
    for parameter, anywhere in zip(learning, has.tolist(), strict=True):
        if anywhere:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
            parameter.grad /= world.size


def mean_over_ranks(world: World, values: dict[str, float]) -> dict[str, float]:
    """The mean of each number over the ranks that have it, not NaN (the same keys on all)."""
    if world.size == 1:
        return values
    keys = sorted(values)
    numbers = torch.tensor([values[key] for key in keys], dtype=torch.float64, device=world.device)
    sums = torch.stack([numbers.nan_to_num(0.0), (~numbers.isnan()).double()])
    dist.all_reduce(sums)
    return dict(zip(keys, (sums[0] / sums[1]).tolist(), strict=True))
