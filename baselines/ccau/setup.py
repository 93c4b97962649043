"""From a configuration and shards to a task: networks of the right sizes, teachers loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from baselines.ccau.checkpoint import Checkpoint, load, load_into, require_classes
from baselines.ccau.config import Config, from_dict
from baselines.ccau.data import Parts
from baselines.ccau.network import ModalityNet, ModelConfig, build_nets
from baselines.ccau.runs import result_checkpoint
from baselines.ccau.tasks import Cooperative, CooperativeKD, Single, StaticKD, Task
from homage_sdk.errors import CheckpointError, ConfigError
from homage_sdk.shards import ShardSet


def class_names(shards: ShardSet) -> dict[str, tuple[str, ...]]:
    """Raw class names in column order."""
    return {kind: shards.taxonomy(kind).names for kind in ("activity", "atomic")}


def model_config(config: Config, shards: ShardSet) -> ModelConfig:
    """The model's configuration with the sizes that [data] and the shards decide."""
    data = config.data
    clip_s = data.blocks * data.block_frames * data.stride / 30
    return replace(
        config.model,
        size=data.size,
        blocks=data.blocks,
        n_mels=data.n_mels,
        audio_columns=1 + round(clip_s * shards.audio_rate) // data.hop,
        n_objects=max(len(shards.taxonomy("object")), 1),
        n_predicates=max(len(shards.taxonomy("relationship")), 1),
    )


def make_nets(config: Config, shards: ShardSet) -> dict[str, ModalityNet]:
    """Networks with their initial weights; raises ConfigError when the shards hold no classes."""
    names = class_names(shards)
    for kind, wanted in (("activity", "atomic"), ("atomic", "activity")):
        if not names[kind] and config.composition.targets in (kind, "both"):
            raise ConfigError(
                f"these shards hold no {kind} classes",
                hint=f"set composition.targets = '{wanted}', or pack a catalog that has them",
            )
    return build_nets(
        model_config(config, shards),
        config.task.modalities,
        max(len(names["activity"]), 1),
        max(len(names["atomic"]), 1),
        config.run.seed,
    )


def load_nets(run: Path, shards: ShardSet) -> tuple[Config, dict[str, ModalityNet]]:
    """The networks of a finished run, in evaluation mode, checked against these shards.

    Raises CheckpointError: no finished run, a file cut or changed, other class lists.
    """
    checkpoint = load(result_checkpoint(run))
    require_classes(checkpoint, class_names(shards), shards=str(shards.path))
    config = from_dict(checkpoint.config)
    nets = make_nets(config, shards)
    for modality, net in nets.items():
        _load_net(net, modality, checkpoint)
        net.eval()
    return config, nets


def build_task(config: Config, shards: ShardSet, device: torch.device) -> Task:
    """The task with initial weights, teachers with their trained ones, on ``device``."""
    nets = make_nets(config, shards)
    kind, composition = config.task.kind, config.composition
    task: Task
    if kind == "static_kd":
        for modality, run in config.task.teachers.items():
            _load_teacher(nets, modality, Path(run), shards)
        task = StaticKD(nets, composition, config.distillation, students=config.task.students)
    elif kind == "cooperative_kd":
        task = CooperativeKD(nets, composition, config.distillation)
    elif kind == "cooperative":
        task = Cooperative(nets, composition, config.align, seed=config.run.seed)
    else:
        task = Single(nets, composition)
    return task.to(device).train()


def _load_teacher(nets: dict[str, ModalityNet], modality: str, run: Path, shards: ShardSet) -> None:
    if modality not in nets:
        raise ConfigError(f"task.teachers names {modality}, which is not among task.modalities")
    checkpoint = load(result_checkpoint(run))
    require_classes(checkpoint, class_names(shards), shards=str(shards.path))
    _load_net(nets[modality], modality, checkpoint)


def _load_net(net: ModalityNet, modality: str, checkpoint: Checkpoint) -> None:
    prefix = f"nets.{modality}."
    tensors = checkpoint.tensors("model")
    own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    if not own:
        raise CheckpointError(
            f"this run trained no {modality}",
            place=checkpoint.folder,
            found=", ".join(sorted({k.split(".")[1] for k in tensors if k.startswith("nets.")})),
            hint=f"name a run whose task.modalities hold {modality}",
        )
    load_into(net, own, place=checkpoint.folder)


def describe(config: Config, shards: ShardSet, parts: Parts) -> dict[str, Any]:
    """What ``config.json`` of a run folder says."""
    return {
        "config": config.as_dict(),
        "shards": {"fingerprint": shards.fingerprint},
        "classes": {kind: list(names) for kind, names in class_names(shards).items()},
        "parts": {
            "train": list(parts.train),
            "validation": list(parts.validation),
            "validation_participants": list(parts.participants),
        },
    }
