"""The same bits each time on a GPU, for those who ask for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

CUBLAS_WORKSPACE = ":4096:8"
"""What cuBLAS needs to give the same bits on every call; read when its first handle is made."""


@contextmanager
def repeatable(wanted: bool) -> Iterator[None]:
    """Allow only operations whose results do not depend on the order in which threads finish.

    torch raises where an operation has no such form. Everything is put back at the end, but for the
    environment variable of cuBLAS, which is read only once a process.
    """
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
    cudnn = torch.backends.cudnn
    before = (torch.are_deterministic_algorithms_enabled(), cudnn.deterministic, cudnn.benchmark)
    torch.use_deterministic_algorithms(True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        cudnn.deterministic, cudnn.benchmark = before[1:]
