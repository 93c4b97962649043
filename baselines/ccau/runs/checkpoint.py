"""Checkpoints that are whole, verifiable and never run code.

A checkpoint is a folder: ``model.safetensors`` (weights and buffers), ``optimizer.safetensors``
(when training can go on from it), ``state.json`` (counters) and ``manifest.json``: sha256 and size
of each file, the configuration, the version of the code, the fingerprint of the shards and the
class lists. It is built under another name and renamed, so it is there whole or not at all.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn

from baselines.ccau.runs.card_file import CARD, has_card
from baselines.ccau.runs.json_files import parse_json, read_json, write_json
from homage_sdk.errors import CheckpointError
from homage_sdk.storage import explained, sha256_file
from homage_sdk.storage.folder_swap import new_folder
from homage_sdk.storage.trees import remove_owned
from homage_sdk.version import __version__

IMPORTED = "imported"
"""How training "ended" where the weights are the authors'."""
SCHEMA = "ccau-checkpoint"
VERSION = 1
OBJECTIVE = 1
"""Counted up where a loss or a forward pass changes; see ``objective_version``."""
MANIFEST, STATE = "manifest.json", "state.json"
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


class Identity(BaseModel):
    """What a checkpoint belongs to."""

    config: dict[str, Any]
    classes: dict[str, tuple[str, ...]]
    """``activity`` and ``atomic``: raw names in column order."""
    shards: str
    """Fingerprint of the shards it was trained on."""


class CheckpointFile(BaseModel):
    """Size and hash of one file of a checkpoint."""

    bytes: int
    sha256: str


class CheckpointManifest(Identity):
    """``manifest.json``: also how the checkpoint was written."""

    code_version: str
    torch: str
    objective: int = 0  # of a version before it was counted
    files: dict[str, CheckpointFile]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files have been verified."""

    folder: Path
    manifest: CheckpointManifest
    state: Mapping[str, Any]

    @property
    def model_sha256(self) -> str:
        """Which weights these are."""
        return self.manifest.files["model.safetensors"].sha256

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of ``model`` or ``optimizer``.

        The bytes are verified once more: since ``load`` another checkpoint may have taken the place
        of this one. Raises CheckpointError then, and when they cannot be read.
        """
        file = f"{name}.safetensors"
        try:
            data = _verified(self.folder, file, self.manifest)
        except CheckpointError:
            if is_checkpoint(self.folder) and read_manifest(self.folder) == self.manifest:
                raise
            raise CheckpointError(
                "another checkpoint took the place of this one while it was read",
                place=self.folder,
                hint="run the same command again",
            ) from None
        return parse_tensors(data, self.folder / file)


def save(
    folder: Path,
    *,
    files: Mapping[str, Mapping[str, Tensor]],
    state: Mapping[str, Any],
    identity: Identity,
) -> None:
    """Write a checkpoint; ``files`` maps ``model``/``optimizer`` to named tensors.

    Other files in the folder of an older one stay. Raises StorageError (disk full, no permission);
    then nothing of the old one is lost.
    """
    from safetensors.torch import save as to_bytes

    with new_folder(folder, files_of) as temporary:
        for name, tensors in files.items():
            # Not save_file: its errors are no OSErrors, and only the owner may read its files.
            (temporary / f"{name}.safetensors").write_bytes(to_bytes(_standalone(tensors)))
        write_json(temporary / STATE, state)
        manifest = CheckpointManifest(
            code_version=code_version(),
            torch=torch.__version__,
            objective=OBJECTIVE,
            **identity.model_dump(),
            files={
                path.name: CheckpointFile(bytes=path.stat().st_size, sha256=sha256_file(path))
                for path in sorted(temporary.iterdir())
            },
        )
        written = {"schema": SCHEMA, "version": VERSION, **manifest.model_dump()}
        write_json(temporary / MANIFEST, written)


def files_of(folder: Path) -> tuple[str, ...]:
    """The files of ours that a checkpoint can have, the one it is known by last."""
    card = (CARD,) if has_card(folder) else ()
    return ("model.safetensors", "optimizer.safetensors", STATE, *card, MANIFEST)


def is_checkpoint(folder: Path) -> bool:
    """Whether a checkpoint lies there; its files may still turn out damaged."""
    return (folder / MANIFEST).is_file()


def remove(folder: Path) -> None:
    """Remove a checkpoint, and its folder where nothing else lies in it; raises StorageError."""
    with explained(folder):
        (folder / MANIFEST).unlink(missing_ok=True)  # without it, the rest counts as nothing
        remove_owned(folder, files_of(folder))


def load(folder: Path) -> Checkpoint:
    """Open and verify a checkpoint; every refusal is a CheckpointError in one line."""
    if folder.is_file():
        with folder.open("rb") as file:
            _refuse_pickle(folder, file.read(9))
    while True:
        if not is_checkpoint(folder):
            raise CheckpointError(
                "no checkpoint here", place=folder, expected="a folder with manifest.json"
            )
        manifest, state = read_manifest(folder), b""
        try:
            for name in manifest.files:
                data = _verified(folder, name, manifest)
                state = data if name == STATE else state
        except CheckpointError:
            if is_checkpoint(folder) and read_manifest(folder) == manifest:
                raise
            continue  # another one took its place meanwhile
        return Checkpoint(folder, manifest, parse_json(state, folder / STATE))


def _verified(folder: Path, name: str, manifest: CheckpointManifest) -> bytes:
    """The bytes of a file; CheckpointError unless they are those that the manifest states."""
    path, entry = folder / name, manifest.files.get(name)
    if entry is None or not path.is_file():
        raise CheckpointError("a file of the checkpoint is missing", place=path)
    with explained(path), path.open("rb") as file:
        data = file.read(entry.bytes + 1)
    _refuse_pickle(path, data[:9])
    if len(data) != entry.bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
        size = path.stat().st_size if path.exists() else len(data)
        raise CheckpointError(
            "the checkpoint was cut or changed after it was written",
            place=path,
            found=f"{size} bytes" if size != entry.bytes else "another sha256",
            expected=f"{entry.bytes} bytes, sha256 {entry.sha256[:12]}...",
            hint="copy it again, or resume from an older checkpoint",
        )
    return data


def read_manifest(folder: Path) -> CheckpointManifest:
    """What a checkpoint states of itself; raises CheckpointError. The files are not verified."""
    place = folder / MANIFEST
    values = read_json(folder, MANIFEST)
    if values.get("schema") != SCHEMA:
        raise CheckpointError(
            "not a CCAU checkpoint",
            place=place,
            found=repr(values.get("schema")),
            expected=repr(SCHEMA),
        )
    if values.get("version") != VERSION:
        raise CheckpointError(
            "a checkpoint of another version",
            place=place,
            found=str(values.get("version")),
            expected=str(VERSION),
            hint="use the homage_sdk that wrote it",
        )
    try:
        manifest = CheckpointManifest.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise CheckpointError(
            "the manifest is damaged",
            place=place,
            found=f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}",
            hint="copy the checkpoint again",
        ) from error
    if not {"model.safetensors", STATE} <= manifest.files.keys():
        raise CheckpointError("the manifest lists no model", place=place)
    for name in manifest.files:
        if Path(name).name != name:
            raise CheckpointError("a file outside the checkpoint", place=place, found=name)
    return manifest


def parse_tensors(data: bytes, path: Path) -> dict[str, Tensor]:
    """Named tensors of a safetensors file; raises CheckpointError, never unpickles."""
    from safetensors import SafetensorError
    from safetensors.torch import load as tensors_of

    _refuse_pickle(path, data[:9])
    try:
        return tensors_of(data)
    except SafetensorError as error:
        raise CheckpointError(
            "cannot read the tensors", place=path, found=str(error).splitlines()[0]
        ) from error


def load_into(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    *,
    place: Path,
    hint: str = "its own configuration is in its manifest.json",
) -> None:
    """Put ``tensors`` into ``module``; raises CheckpointError when they are of another model."""
    own = module.state_dict()
    differences = [
        f"{what} {len(keys)} tensors, first {min(keys)}"
        for what, keys in (
            ("lacks", own.keys() - tensors.keys()),
            ("has unknown", tensors.keys() - own.keys()),
        )
        if keys
    ]
    shapes = {k: (list(tensors[k].shape), list(own[k].shape)) for k in own if k in tensors}
    differences += [
        f"{key} is {found} instead of {expected}"
        for key, (found, expected) in shapes.items()
        if found != expected
    ][:1]
    if differences:
        raise CheckpointError(
            "a checkpoint of another model", place=place, found="; ".join(differences), hint=hint
        )
    module.load_state_dict(dict(tensors))


def _standalone(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous CPU copies; safetensors refuses two names for one memory."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }


def _refuse_pickle(path: Path, head: bytes) -> None:
    # A pickle begins with protocol 2 to 5; torch.save writes a zip (or, long ago, a tar). The
    # length that begins a safetensors file may look the same, but a brace follows its 8 bytes.
    pickled = head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and head[8:] != b"{"
    if pickled or head[:4] == b"PK\x03\x04" or path.suffix in {".pkl", ".pickle"}:
        raise CheckpointError("this is a pickle", place=path, hint=_PICKLE_HINT)
    if path.suffix in {".pt", ".pth", ".tar"}:
        raise CheckpointError("not a safetensors checkpoint", place=path, hint=_PICKLE_HINT)
