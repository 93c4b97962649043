"""What training goes on from: weights, optimiser and counters, into a checkpoint and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from baselines.ccau.config.config import as_it_ran, from_dict
from baselines.ccau.distributed import World
from baselines.ccau.runs import checkpoint as checkpoints
from baselines.ccau.runs.build_task import columns_of, require_classes
from baselines.ccau.runs.checkpoint import Checkpoint, Identity
from baselines.ccau.runs.objective_version import require_same_objective
from baselines.ccau.tasks import Task
from baselines.ccau.training.training_state import State
from homage_sdk.errors import CheckpointError, ConfigError
from homage_sdk.shards import ShardSet


def save(
    folder: Path,
    task: Task,
    optimizer: torch.optim.Optimizer | None,
    state: State,
    identity: Identity,
) -> None:
    """Write a checkpoint; without ``optimizer`` it can be judged but not gone on from.

    Raises StorageError.
    """
    files = {"model": task.state_dict()}
    groups: list[dict[str, Any]] = []
    if optimizer is not None:
        files["optimizer"], groups = optimizer_tensors(optimizer, _names(task))
    checkpoints.save(
        folder,
        files=files,
        state={"training": asdict(state), "optimizer_groups": groups},
        identity=identity,
    )


def restore(
    checkpoint: Checkpoint,
    task: Task,
    optimizer: torch.optim.Optimizer,
    shards: ShardSet,
    world: World,
) -> State:
    """Put a checkpoint into ``task`` and ``optimizer``; the counters to go on with.

    Raises ConfigError (another number of ranks) and CheckpointError (other classes, another model,
    an older objective).
    """
    state = State.from_json(checkpoint.state["training"])
    if state.world_size != world.size:
        raise ConfigError(
            "this run was trained on another number of ranks",
            place=checkpoint.folder.parent,
            found=str(world.size),
            expected=str(state.world_size),
            hint="launch as many processes as before, or start again with --fresh",
        )
    config = from_dict(as_it_ran(checkpoint.manifest.config))
    require_same_objective(checkpoint, config)
    columns = columns_of(config, shards)
    require_classes(checkpoint, columns, shards=str(shards.path))
    checkpoints.load_into(task, checkpoint.tensors("model"), place=checkpoint.folder)
    load_optimizer(
        optimizer,
        _names(task),
        checkpoint.tensors("optimizer"),
        checkpoint.state["optimizer_groups"],
    )
    return state


def _names(task: Task) -> dict[Tensor, str]:
    return {p: name for name, p in task.named_parameters() if p.requires_grad}


def optimizer_tensors(
    optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str]
) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """The optimizer's state by parameter name, and its groups as JSON values."""
    state = optimizer.state_dict()
    ordered = _in_order(optimizer, names)
    tensors = {
        f"{ordered[position]}::{key}": torch.as_tensor(value)
        for position, entries in state["state"].items()
        for key, value in entries.items()
    }
    groups = [{k: v for k, v in g.items() if k != "params"} for g in state["param_groups"]]
    return tensors, groups


def load_optimizer(
    optimizer: torch.optim.Optimizer,
    names: Mapping[Tensor, str],
    tensors: Mapping[str, Tensor],
    groups: list[Mapping[str, Any]],
) -> None:
    """Undo ``optimizer_tensors``."""
    own = optimizer.state_dict()["param_groups"]
    if len(groups) != len(own):
        raise CheckpointError(
            "the optimizer has other parameter groups",
            found=str(len(groups)),
            expected=str(len(own)),
        )
    for group, saved in zip(own, groups, strict=True):
        group.update({key: value for key, value in saved.items() if key in group})
        group["betas"] = tuple(group["betas"])  # JSON gave a list
    positions = {name: position for position, name in enumerate(_in_order(optimizer, names))}
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, entry = key.rpartition("::")
        state.setdefault(positions[name], {})[entry] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": own})


def _in_order(optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str]) -> list[str]:
    """The names of the parameters as ``state_dict`` numbers them."""
    return [names[p] for group in optimizer.param_groups for p in group["params"]]
