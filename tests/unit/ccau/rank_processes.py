"""Several gloo ranks, forked from one process that has loaded torch: each would load it anew."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch.multiprocessing as mp


def run_ranks(work: Callable[..., None], n_ranks: int, *arguments: object) -> None:
    """``work(rank, *arguments)`` in ``n_ranks`` processes; an error of one is raised here."""
    mp.spawn(_fork, (work, n_ranks, arguments), nprocs=1)


def _fork(_: int, work: Callable[..., None], n_ranks: int, arguments: tuple[object, ...]) -> None:
    importlib.import_module("torch._dynamo")  # DistributedDataParallel loads it; no thread starts
    mp.start_processes(work, arguments, nprocs=n_ranks, start_method="fork")
