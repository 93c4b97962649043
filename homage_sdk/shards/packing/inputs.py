"""``.inputs.json``: what every encoded member was made from, so that it need not be made again.

It lies beside the manifest and serves the next `homage pack` alone: no reader needs it, and without
it everything is made again. An entry counts as long as its member has the CRC-32 that it states.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from homage_sdk.errors import ShardError
from homage_sdk.media.spectrograms import jet
from homage_sdk.shards.format.manifest import INPUTS
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.sensor_array import SensorTable
from homage_sdk.shards.format.strict_json import StrictModel, parse_json
from homage_sdk.shards.format.tar import Member
from homage_sdk.storage.commit import reading
from homage_sdk.storage.file_identity import FileIdentity
from homage_sdk.version import __version__

_MAX_BYTES = 1_000_000_000

PACKING = 6
"""The version of the code that encodes: one more whenever the same input gives other bytes."""


class _Made(StrictModel):
    """How an encoded member was made, and what its bytes do not show."""

    times: str
    """A digest of what was taken from the files: which frames, which stretch of sound."""
    maker: str
    """A digest of code, libraries and options."""
    numbers: Annotated[tuple[int, ...], Field(exclude_if=lambda value: not value)] = ()
    """Width and height of a view, or samples of a sound; and the edges of its gaps."""
    tables: Annotated[tuple[SensorTable, ...], Field(exclude_if=lambda value: not value)] = ()
    silent: Annotated[tuple[int, ...], Field(exclude_if=lambda value: not value)] = ()
    """The edges of a pictured sound's silent stretches."""


class MadeFrom(_Made):
    """What an encoded member was made from."""

    files: tuple[FileIdentity, ...]

    @property
    def content(self) -> tuple[object, ...]:
        """What decides its bytes."""
        return self.times, self.maker, tuple(file.sha256 for file in self.files)


class _Entry(_Made):
    files: tuple[int, ...]
    """By their places in ``_Inputs.files``."""
    crc32: int


class _Inputs(StrictModel):
    format: Literal["homage-shard-inputs"] = "homage-shard-inputs"
    schema_version: Literal[1] = 1
    files: tuple[FileIdentity, ...]
    members: dict[str, dict[str, _Entry]]


MadeMembers = Mapping[str, Mapping[str, MadeFrom]]
"""By sample key and field."""


def inputs_bytes(members: Iterable[Member], made: MadeMembers) -> bytes:
    """The file for these members; those that ``made`` does not know are left out."""
    places: dict[FileIdentity, int] = {}
    entries: dict[str, dict[str, _Entry]] = {}
    for member in members:
        known = made.get(member.key, {}).get(member.field)
        if known is not None:
            files = tuple(places.setdefault(file, len(places)) for file in known.files)
            rest = {name: getattr(known, name) for name in _Made.model_fields}
            entries.setdefault(member.key, {})[member.field] = _Entry(
                **rest, files=files, crc32=member.crc32
            )
    return _Inputs(files=tuple(places), members=entries).to_bytes()


def read_inputs(out: Path, members: Iterable[Member]) -> MadeMembers:
    """What is known of these members; nothing where the file is missing or cannot be used."""
    found: dict[str, dict[str, MadeFrom]] = {}
    try:
        data = reading(out, INPUTS, Path.read_bytes)
        inputs = parse_json(_Inputs, data, INPUTS, what=INPUTS, max_bytes=_MAX_BYTES)
        for member in members:
            entry = inputs.members.get(member.key, {}).get(member.field)
            if entry is not None and entry.crc32 == member.crc32:
                rest = {name: getattr(entry, name) for name in _Made.model_fields}
                found.setdefault(member.key, {})[member.field] = MadeFrom(
                    **rest, files=tuple(inputs.files[place] for place in entry.files)
                )
    except (OSError, ShardError, IndexError):
        return {}
    return found


def made_by() -> dict[str, str]:
    """The versions that decide the bytes."""
    import av

    ours = {"homage_sdk": __version__, "packing": str(PACKING)}
    return (
        ours
        | {"av": av.__version__}
        | {
            str(name): ".".join(map(str, av.library_versions[name]))
            for name in ("libavcodec", "libavformat", "libswscale")
            if name in av.library_versions
        }
    )


def maker(options: PackOptions) -> str:
    """A digest of everything but the input that decides the bytes of an encoded member."""
    libraries = made_by() | {"homage_sdk": ""}
    if options.audio == "jet":
        libraries |= {"audio": "jet", "silence": "stated", **jet.versions()}
    how = {
        name: getattr(options, name)
        for name in ("stride", "short_side", "crf", "gop", "x264_preset", "tune", "audio_rate")
    }
    return hashlib.sha256(repr((sorted(libraries.items()), how)).encode()).hexdigest()[:16]
