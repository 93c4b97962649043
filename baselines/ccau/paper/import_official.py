"""The authors' checkpoints as files of ours: safetensors and JSON that every command here reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from baselines.ccau.config.config import Config, from_dict
from baselines.ccau.config.model_config import ModelConfig
from baselines.ccau.data.partition import carve
from baselines.ccau.evaluation.model_card import write_cards
from baselines.ccau.paper.authors_weights import Imported, import_official
from baselines.ccau.runs.build_task import class_names, describe, identity_of, model_config
from baselines.ccau.runs.checkpoint import IMPORTED, Identity, save
from baselines.ccau.runs.json_files import write_json
from baselines.ccau.runs.run_folder import LAST, finish
from baselines.ccau.training.training_state import State
from homage_sdk.errors import CheckpointError, ConfigError
from homage_sdk.loader.pictures.shown import require_lines
from homage_sdk.shards import ShardSet
from homage_sdk.storage.folder_swap import new_folder


def write_imported(
    files: Sequence[Path | str],
    out: Path,
    *,
    shards_folder: Path | None = None,
    settings: Iterable[str] = (),
) -> Imported:
    """Load ``.pth.tar`` files without running what they hold; write them without pickles.

    Their files (one a modality, see :func:`import_official`) hold numbers of classes, no names.
    With shards, whose class lists give the columns their names, ``out`` is a finished run, as
    ``ccau evaluate`` takes it; without, a checkpoint. ``settings`` are ``section.key=value`` where
    the authors' code was run with others.

    Raises:
        CheckpointError: a file is refused, or has other class counts than the shards.
        ConfigError: a bad setting, or ``out`` holds something.
        UsageError: the shards do not have the lines of the public code's frames.
        ShardError, StorageError: reading the shards, writing.

    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError("not empty", place=out, hint="choose another --out")
    base = {"name": "official", "preset": "official"}
    config = from_dict(base).replace(["run.selection=last", *settings])
    shards = None if shards_folder is None else ShardSet.open(shards_folder)
    found = import_official(files, config=_shape(config, shards))
    modalities = tuple(found.nets)
    kind = "cooperative" if len(modalities) > 1 else "single"
    config = config.replace([f"task.modalities={list(modalities)}", f"task.kind={kind}"])
    tensors = {
        f"nets.{modality}.{name}": tensor
        for modality, net in found.nets.items()
        for name, tensor in net.state_dict().items()
    }
    epochs = [epoch for epoch in found.epochs.values() if epoch is not None]
    training = asdict(State(epoch=max(epochs, default=0), ended=IMPORTED))
    state = {"training": training, "optimizer_groups": [], "epochs": found.epochs}
    if shards is None:
        identity = Identity(config=config.as_dict(), classes={}, shards="")
        save(out, files={"model": tensors}, state=state, identity=identity)
        return found
    require_lines(shards.manifest, config.data.fit, modalities)
    names = class_names(shards)
    counts = {"activity": found.n_activities, "atomic": found.n_atomic}
    for wanted, count in counts.items():
        if len(names[wanted]) != count:
            raise CheckpointError(
                f"the files were trained on another number of {wanted} classes",
                found=str(count),
                expected=f"{len(names[wanted])}, as in {shards.path}",
                hint="pack a catalog with the class files they were trained with, "
                "or leave out --shards",
            )
    with new_folder(out) as temporary:
        identity = identity_of(config, shards)
        save(temporary / LAST, files={"model": tensors}, state=state, identity=identity)
        parts = carve(shards, share=0.0, seed=config.run.seed)
        write_json(temporary / "config.json", describe(config, shards, parts))
        finish(temporary, training, LAST)
        write_cards(temporary)
    return found


def _shape(config: Config, shards: ShardSet | None) -> ModelConfig:
    """The networks' sizes: those of the shards, or those that the configuration names."""
    if shards is not None:
        return model_config(config, shards)
    data = config.data
    return replace(config.model, size=data.size, blocks=data.blocks, n_mels=data.n_mels)
