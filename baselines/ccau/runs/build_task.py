"""From a configuration and shards to a task: networks of the right sizes, teachers loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from baselines.ccau.config.config import Config, as_it_ran, from_dict
from baselines.ccau.config.model_config import ModelConfig
from baselines.ccau.data.partition import TEST_SPLITS, Parts
from baselines.ccau.data.sensor_channels import sensor_channels
from baselines.ccau.models.build_nets import ModalityNet, build_nets
from baselines.ccau.runs.checkpoint import Checkpoint, Identity, load_into
from baselines.ccau.runs.learned_from import learned_from, prior_of
from baselines.ccau.runs.objective_version import require_same_answer
from baselines.ccau.runs.run_folder import load_result
from baselines.ccau.tasks import Cooperative, CooperativeKD, Single, StaticKD, Task
from homage_sdk.errors import CheckpointError, ConfigError
from homage_sdk.media.spectrograms.jet import clip_columns
from homage_sdk.media.spectrograms.logmel import n_columns
from homage_sdk.shards import ShardSet
from homage_sdk.time import Frame


def class_names(shards: ShardSet) -> dict[str, tuple[str, ...]]:
    """Raw class names in column order."""
    return {kind: shards.taxonomy(kind).names for kind in ("activity", "atomic")}


def columns_of(config: Config, shards: ShardSet) -> dict[str, tuple[str, ...]]:
    """What the columns of the run's networks stand for: its classes, and channels of sensors."""
    sensors = "sensors" in config.task.modalities
    return class_names(shards) | ({"sensor": sensor_channels(config, shards)} if sensors else {})


def identity_of(config: Config, shards: ShardSet) -> Identity:
    """What a checkpoint of this run belongs to."""
    classes = columns_of(config, shards)
    return Identity(config=config.as_dict(), classes=classes, shards=shards.fingerprint)


def model_config(config: Config, shards: ShardSet) -> ModelConfig:
    """The model's configuration with the sizes that [data] and the shards decide.

    Raises ConfigError where [model] says another of these sizes.
    """
    data = config.data
    n_frames = data.blocks * data.block_frames * data.stride
    n_samples = round(Frame(1 + n_frames).seconds().value * shards.audio_rate)
    columns = n_columns(n_samples, data.n_fft, data.hop), "data.hop"
    if shards.manifest.packed.audio == "jet":
        columns = clip_columns(n_frames), "data.blocks"
        if "audio" in config.task.modalities and config.model.audio_channels != 3:
            raise ConfigError(
                "these shards hold coloured pictures of sound",
                place=shards.path,
                found=f"model.audio_channels {config.model.audio_channels}",
                hint="set model.audio_channels = 3 (preset official), or pack the sound itself",
            )
    derived = {
        "size": (data.size, "data.size"),
        "blocks": (data.blocks, "data.blocks"),
        "n_mels": (data.n_mels, "data.n_mels"),
        "audio_columns": columns,
        "n_objects": (max(len(shards.taxonomy("object")), 1), "the shards"),
        "n_predicates": (max(len(shards.taxonomy("relationship")), 1), "the shards"),
        "sensor_channels": (len(columns_of(config, shards).get("sensor", ())), "data.sensors"),
    }
    for name, (value, source) in derived.items():
        said = getattr(config.model, name)
        if said not in (value, getattr(ModelConfig(), name)):
            raise ConfigError(
                f"model.{name} follows {source}",
                found=f"{said} in the configuration",
                expected=str(value),
                hint=f"set {source} instead" if source.startswith("data") else "leave it out",
            )
    sizes: dict[str, Any] = {name: value for name, (value, _) in derived.items()}
    return replace(config.model, **sizes)


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


def load_nets(run: Path, shards: ShardSet) -> tuple[Checkpoint, Config, dict[str, ModalityNet]]:
    """The networks of a finished run, in evaluation mode, checked against these shards.

    Raises CheckpointError: no finished run, a file cut or changed, other class lists, or weights
    that an older forward pass trained.
    """
    checkpoint, config = load_trained(run, shards)
    require_same_answer(checkpoint, config.task.modalities)
    nets, tensors = make_nets(config, shards), checkpoint.tensors("model")
    for modality, net in nets.items():
        own = _tensors_of(modality, tensors, place=checkpoint.folder)
        load_into(net, own, place=checkpoint.folder)
        net.eval()
    return checkpoint, config, nets


def load_trained(run: Path, shards: ShardSet) -> tuple[Checkpoint, Config]:
    """What a finished run is judged by, checked against these shards."""
    checkpoint = load_result(run)
    config = from_dict(as_it_ran(checkpoint.manifest.config))
    require_classes(checkpoint, columns_of(config, shards), shards=str(shards.path))
    return checkpoint, config


def require_classes(
    checkpoint: Checkpoint, classes: Mapping[str, tuple[str, ...]], *, shards: Path | str
) -> None:
    """Refuse shards whose class lists differ from the checkpoint's, naming the first difference."""
    for kind, names in checkpoint.manifest.classes.items():
        what = "sensor channels" if kind == "sensor" else f"{kind} classes"
        pairs = zip_longest(names, classes.get(kind, ()))
        for column, (expected, found) in enumerate(pairs):
            if expected != found:
                raise CheckpointError(
                    f"the {what} of these shards differ from the checkpoint's at column {column}",
                    place=str(shards),
                    found=f"only {column}" if found is None else repr(found),
                    expected=f"{column}" if expected is None else repr(expected),
                    hint="pack the shards from a catalog with the class files (and the sensors) "
                    "the model was trained with",
                )


def build_task(
    config: Config, shards: ShardSet, device: torch.device, *, with_teachers: bool = True
) -> Task:
    """The task with initial weights, teachers with their trained ones, on ``device``."""
    nets = make_nets(config, shards)
    kind, composition = config.task.kind, config.composition
    task: Task
    if kind == "static_kd":
        for modality, run in config.task.teachers.items() if with_teachers else ():
            _load_teacher(nets, modality, Path(run), config, shards)
        task = StaticKD(nets, composition, config.distillation, students=config.task.students)
    elif kind == "cooperative_kd":
        task = CooperativeKD(nets, composition, config.distillation)
    elif kind == "cooperative":
        task = Cooperative(nets, composition, config.align, seed=config.run.seed)
    else:
        task = Single(nets, composition)
    return task.to(device).train()


def _load_teacher(
    nets: dict[str, ModalityNet], modality: str, run: Path, config: Config, shards: ShardSet
) -> None:
    if modality not in nets:
        raise ConfigError(f"task.teachers names {modality}, which is not among task.modalities")
    checkpoint, trained = load_trained(run, shards)
    require_same_answer(checkpoint, [modality])
    tensors = _tensors_of(modality, checkpoint.tensors("model"), place=checkpoint.folder)
    for key, own, theirs in _inputs_that_differ(config, trained, modality):
        raise ConfigError(
            f"the teacher of {modality} was trained with another {key}",
            place=run,
            found=str(theirs),
            expected=f"{own}, as this run has it",
            hint="train a teacher with the settings of this run",
        )
    tested = {s.sequence for s in shards.samples if s.split in TEST_SPLITS}
    if both := sorted(tested & learned_from(run)):
        raise ConfigError(
            f"the teacher of {modality} learned from sequences that are tested now",
            place=run,
            found=f"{len(both)}, the first {both[0]}",
            hint="train the teacher on these shards",
        )
    load_into(nets[modality], tensors, place=checkpoint.folder)


_OF_TRAINING = {"folded", "gru_dropout", "head_dropout", "audio_init"}
"""Fields of the model that say nothing of what trained weights answer."""
_OF_SOUND = {"audio_width", "audio_channels", "audio_pool", "audio_blocks", "audio_axes", "n_mels",
             "audio_columns", "n_fft", "hop"}  # fmt: skip
_OF_PICTURES = {"width", "depth", "size", "fit", "crop"}
_OF_SENSORS = {"sensors", "sensor_samples", "sensor_channels"}
_OF_OTHERS = {
    "audio": _OF_PICTURES | _OF_SENSORS,
    "sensors": _OF_PICTURES | _OF_SOUND,
}
_OF_INPUT = ("size", "fit", "crop", "blocks", "block_frames", "stride", "n_mels", "n_fft", "hop",
             "sensors", "sensor_samples", "novel_share", "novel_seed",
             "exclude_activities")  # fmt: skip


def _inputs_that_differ(
    a: Config, b: Config, modality: str
) -> Iterator[tuple[str, object, object]]:
    """What changes a network's answer or the classes it has seen: key and both values."""
    others = _OF_OTHERS.get(modality, _OF_SOUND | _OF_SENSORS)
    model = [f.name for f in fields(ModelConfig) if f.name not in _OF_TRAINING]
    for section, names in (("model", model), ("data", _OF_INPUT)):
        for name in names:
            one, other = (getattr(getattr(c, section), name) for c in (a, b))
            if name not in others and one != other:
                yield f"{section}.{name}", one, other


def _tensors_of(modality: str, tensors: Mapping[str, Tensor], *, place: Path) -> dict[str, Tensor]:
    prefix = f"nets.{modality}."
    own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    if not own:
        raise CheckpointError(
            f"this run trained no {modality}",
            place=place,
            found=", ".join(sorted({k.split(".")[1] for k in tensors if k.startswith("nets.")})),
            hint=f"name a run whose task.modalities hold {modality}",
        )
    return own


def describe(config: Config, shards: ShardSet, parts: Parts) -> dict[str, Any]:
    """What ``config.json`` of a run folder says."""
    return {
        "config": config.as_dict(),
        "shards": {"fingerprint": shards.fingerprint, "path": str(shards.path.absolute())},
        "classes": {kind: list(names) for kind, names in columns_of(config, shards).items()},
        "parts": {
            "train": list(parts.train),
            "validation": list(parts.validation),
            "validation_participants": list(parts.participants),
            "teachers": sorted(set().union(*map(learned_from, _teachers(config)))),
        },
        "prior": {k: v.tolist() for k, v in prior_of(shards, parts.train).items()},
    }


def _teachers(config: Config) -> list[Path]:
    is_taught = config.task.kind == "static_kd"
    return [Path(run) for run in config.task.teachers.values()] if is_taught else []
