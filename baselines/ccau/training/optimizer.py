"""The optimiser and what surrounds one step of it."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from baselines.ccau.config.config import Config
from baselines.ccau.tasks import Task
from homage_sdk.errors import ConfigError, TrainingError


def make_optimizer(task: Task, config: Config) -> torch.optim.Optimizer:
    """Adam as in the public code; uncertainty weights are in it and do not decay.

    Where torch has it, one pass over parameters, gradients and moments instead of a dozen.
    """
    fused = all(p.device.type in ("cpu", "cuda") for p in task.parameters())
    return torch.optim.Adam(
        task.parameter_groups(),
        lr=config.optim.lr,
        weight_decay=config.optim.weight_decay,
        fused=fused or None,
    )


def clip_gradients(optimizer: torch.optim.Optimizer, largest: float, step: int) -> dict[str, float]:
    """Gradient norm of each group, clipped one by one (0: not at all).

    After the backward pass every rank holds the same gradients, so all of them raise or none.
    """
    norms = {
        group["name"]: float(nn.utils.clip_grad_norm_(group["params"], largest or math.inf))
        for group in optimizer.param_groups
    }
    for name, norm in norms.items():
        if not math.isfinite(norm):
            raise TrainingError(
                f"the gradient of {name} is not finite at step {step}",
                hint="lower optim.lr, set optim.clip_norm, or train in fp32",
            )
    return norms


def require_compiler(device: torch.device) -> None:
    """Raise ConfigError where ``optim.compile`` could not work: on a CPU it writes C++."""
    name = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if device.type == "cpu" and shutil.which(name) is None:
        raise ConfigError(
            "optim.compile needs a C++ compiler on a CPU",
            found=f"no {name}",
            hint="install one, name yours in the environment's CXX, or set optim.compile = false",
        )


def memory_mb(device: torch.device) -> float:
    """Peak memory on a GPU, resident memory of the process on a CPU; MB. NaN if refused."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    import psutil

    try:
        return float(psutil.Process().memory_info().rss) / 1e6
    except (psutil.Error, OSError):
        return math.nan


def as_floats(losses: Mapping[str, Tensor]) -> dict[str, float]:
    """All losses in one transfer from the device."""
    stacked = torch.stack([value.detach().float().reshape(()) for value in losses.values()])
    return dict(zip(losses, stacked.tolist(), strict=True))
