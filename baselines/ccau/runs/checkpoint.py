"""Checkpoints that are whole, verifiable and never run code.

A checkpoint is a folder: ``model.safetensors`` (weights and buffers), ``optimizer.safetensors``
(when training can go on from it), ``state.json`` (counters) and ``manifest.json``: sha256 and size
of each file, the configuration, the version of the code, the fingerprint of the shards and the
class lists. It is built under another name and renamed, so it is there whole or not at all.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from homage_sdk import __version__
from homage_sdk.errors import CheckpointError
from homage_sdk.storage import new_folder, sha256_file

SCHEMA = "ccau-checkpoint"
VERSION = 1
_PICKLE_HINT = (
    "pickles can run code and are never loaded; for the authors' files use `ccau import-official`"
)


@functools.cache
def code_version() -> str:
    """The package version and a hash over the sources of this package, without git."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"


@dataclass(frozen=True)
class Identity:
    """What a checkpoint belongs to."""

    config: Mapping[str, Any]
    classes: Mapping[str, tuple[str, ...]]
    """``activity`` and ``atomic``: raw names in column order."""
    shards: str
    """Fingerprint of the shards it was trained on."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files have been verified."""

    folder: Path
    manifest: Mapping[str, Any]
    state: Mapping[str, Any]

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration it was trained with."""
        config: Mapping[str, Any] = self.manifest["config"]
        return config

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """Raw class names by kind, in column order."""
        return {kind: tuple(names) for kind, names in self.manifest["classes"].items()}

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of ``model`` or ``optimizer``; raises CheckpointError when unreadable."""
        return read_tensors(self.folder / f"{name}.safetensors")


def save(
    folder: Path,
    *,
    files: Mapping[str, Mapping[str, Tensor]],
    state: Mapping[str, Any],
    identity: Identity,
) -> None:
    """Write a checkpoint; ``files`` maps ``model``/``optimizer`` to named tensors.

    Raises StorageError (disk full, no permission); then nothing of the old one is lost.
    """
    from safetensors.torch import save_file

    with new_folder(folder) as temporary:
        for name, tensors in files.items():
            save_file(_standalone(tensors), temporary / f"{name}.safetensors")
        (temporary / "state.json").write_text(json.dumps(state, indent=1))
        written = sorted(path for path in temporary.iterdir() if path.is_file())
        manifest = {
            "schema": SCHEMA,
            "version": VERSION,
            "code_version": code_version(),
            "torch": torch.__version__,
            "config": dict(identity.config),
            "classes": {kind: list(names) for kind, names in identity.classes.items()},
            "shards": identity.shards,
            "files": {
                path.name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
                for path in written
            },
        }
        (temporary / "manifest.json").write_text(json.dumps(manifest, indent=1))


def load(folder: Path) -> Checkpoint:
    """Open and verify a checkpoint; every refusal is a CheckpointError in one line."""
    _refuse_pickles(folder)
    manifest_file = folder / "manifest.json"
    if not folder.is_dir() or not manifest_file.is_file():
        raise CheckpointError(
            "no checkpoint here", place=folder, expected="a folder with manifest.json"
        )
    manifest = _read_json(manifest_file)
    if manifest.get("schema") != SCHEMA:
        raise CheckpointError(
            "not a CCAU checkpoint",
            place=manifest_file,
            found=repr(manifest.get("schema")),
            expected=repr(SCHEMA),
        )
    if manifest.get("version") != VERSION:
        raise CheckpointError(
            "a checkpoint of another version",
            place=manifest_file,
            found=str(manifest.get("version")),
            expected=str(VERSION),
            hint="use the homage_sdk that wrote it",
        )
    files = manifest.get("files")
    if not isinstance(files, dict) or not {"model.safetensors", "state.json"} <= files.keys():
        raise CheckpointError("the manifest lists no model", place=manifest_file)
    _require_sections(manifest, manifest_file)
    for name, entry in files.items():
        if Path(name).name != name:
            raise CheckpointError("a file outside the checkpoint", place=manifest_file, found=name)
        path = folder / name
        if not path.is_file():
            raise CheckpointError("a file of the checkpoint is missing", place=path)
        _refuse_pickles(path)
        if path.stat().st_size != entry["bytes"]:
            raise CheckpointError(
                "the checkpoint is cut",
                place=path,
                found=f"{path.stat().st_size} bytes",
                expected=f"{entry['bytes']}",
                hint="copy it again, or resume from an older checkpoint",
            )
        if sha256_file(path) != entry["sha256"]:
            raise CheckpointError(
                "the checkpoint was changed after it was written",
                place=path,
                found="another sha256 than its manifest's",
                hint="copy it again, or resume from an older checkpoint",
            )
    return Checkpoint(folder, manifest, _read_json(folder / "state.json"))


def _require_sections(manifest: Mapping[str, Any], place: Path) -> None:
    """Raise CheckpointError unless all that is read of a manifest later is there."""

    def refuse(what: str) -> CheckpointError:
        return CheckpointError(
            "the manifest is damaged", place=place, found=what, hint="copy the checkpoint again"
        )

    for name, entry in manifest["files"].items():
        known = isinstance(entry, dict) and isinstance(entry.get("bytes"), int)
        if not known or not isinstance(entry.get("sha256"), str):
            raise refuse(f"no size or no sha256 of {name}")
    if not isinstance(manifest.get("config"), dict):
        raise refuse("no configuration")
    classes = manifest.get("classes")
    lists = classes.values() if isinstance(classes, dict) else [None]
    if not all(isinstance(c, list) and all(isinstance(n, str) for n in c) for c in lists):
        raise refuse("no class lists")
    if "shards" not in manifest:
        raise refuse("nothing about the shards")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Named tensors of a safetensors file; raises CheckpointError, never unpickles."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    _refuse_pickles(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            "cannot read the tensors", place=path, found=str(error).splitlines()[0]
        ) from error


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], *, place: Path | str) -> None:
    """Put ``tensors`` into ``module``; raises CheckpointError when they are of another model."""
    own = module.state_dict()
    missing = [key for key in own if key not in tensors]
    unexpected = [key for key in tensors if key not in own]
    if missing or unexpected:
        parts = []
        if missing:
            parts.append(f"{len(missing)} tensors missing, first {missing[0]}")
        if unexpected:
            parts.append(f"{len(unexpected)} unknown, first {unexpected[0]}")
        raise CheckpointError(
            "a checkpoint of another model",
            place=str(place),
            found="; ".join(parts),
            hint="its own configuration is in its manifest.json",
        )
    for key, expected in own.items():
        tensor = tensors[key]
        if tensor.shape != expected.shape:
            raise CheckpointError(
                f"a checkpoint of another model: {key} has another shape",
                place=str(place),
                found=str(list(tensor.shape)),
                expected=str(list(expected.shape)),
                hint="its own configuration is in its manifest.json",
            )
    module.load_state_dict(dict(tensors))


def require_classes(
    checkpoint: Checkpoint, classes: Mapping[str, tuple[str, ...]], *, shards: Path | str
) -> None:
    """Refuse shards whose class lists differ from the checkpoint's, naming the first difference."""
    for kind, expected in checkpoint.classes.items():
        found = classes.get(kind, ())
        if found == expected:
            continue
        column = next(
            (i for i, pair in enumerate(zip(expected, found, strict=False)) if len({*pair}) > 1),
            min(len(expected), len(found)),
        )
        raise CheckpointError(
            f"the {kind} classes of these shards differ from the checkpoint's at column {column}",
            place=str(shards),
            found=repr(found[column]) if column < len(found) else f"only {len(found)} classes",
            expected=(
                repr(expected[column]) if column < len(expected) else f"{len(expected)} classes"
            ),
            hint="pack the shards from a catalog with the class files the model was trained with",
        )


def _standalone(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous CPU copies; safetensors refuses two names for one memory."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }


def _refuse_pickles(path: Path) -> None:
    if not path.is_file():
        return
    with path.open("rb") as file:
        head = file.read(9)
    # A pickle begins with protocol 2 to 5; torch.save writes a zip (or, long ago, a tar). The
    # length that begins a safetensors file may look the same, but a brace follows its 8 bytes.
    pickled = head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and head[8:] != b"{"
    if pickled or head[:4] == b"PK\x03\x04" or path.suffix in {".pkl", ".pickle"}:
        raise CheckpointError("this is a pickle", place=path, hint=_PICKLE_HINT)
    if path.suffix in {".pt", ".pth", ".tar"}:
        raise CheckpointError("not a safetensors checkpoint", place=path, hint=_PICKLE_HINT)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError("cannot be read as JSON", place=path, found=str(error)) from error
    if not isinstance(value, dict):
        raise CheckpointError("not a JSON object", place=path)
    return value
