"""What every sample of a run is made from, and its encoded members: kept where they may be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from homage_sdk.errors import MediaError
from homage_sdk.media.header.opening import unreadable
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.sensor_array import SENSORS, SensorTable
from homage_sdk.shards.packing.inputs import MadeFrom, maker
from homage_sdk.shards.packing.plan import PlannedSample, chosen_views
from homage_sdk.shards.packing.reuse import NEW, Kept, Reuse
from homage_sdk.storage.file_identity import FileIdentity, identify
from homage_sdk.taxonomy import KINDS

if TYPE_CHECKING:
    from homage_sdk.dataset.dataset import Dataset
    from homage_sdk.release.sensors import SensorReader
    from homage_sdk.taxonomy import Taxonomy


class Wanted(NamedTuple):
    """An encoded member, by what decides its bytes beside options and libraries."""

    sequence: str
    field: str
    files: Sequence[Path | None]
    """What is read to encode it."""
    times: object
    """What is taken from the files; its ``repr`` says it all."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What an encoder gave."""

    data: bytes
    numbers: tuple[int, ...] = ()
    tables: tuple[SensorTable, ...] = ()
    files: tuple[Path, ...] | None = None
    """Those it was really made from, where some could not be used."""
    silent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class EncodedMember:
    """An encoded member of a sample."""

    data: bytes
    made_from: MadeFrom


@dataclass(frozen=True)
class Job:
    """What every sample of a run is made from, and how; it travels to every worker.

    ``sensor_reader`` reads sensor files of another format than the documented CSV; ``reuse`` has
    the members that are there already.
    """

    dataset: Dataset
    options: PackOptions
    sensor_reader: SensorReader | None = None
    reuse: Reuse = field(default_factory=lambda: Reuse(None))

    @cached_property
    def taxonomies(self) -> dict[str, Taxonomy]:
        """The classes of each kind."""
        return {kind: self.dataset.taxonomy(kind) for kind in KINDS}

    @cached_property
    def maker(self) -> str:
        """A digest of the options and libraries that encode."""
        return maker(self.options)

    @cached_property
    def _identities(self) -> dict[Path, FileIdentity]:
        return {}

    def views(self, planned: PlannedSample) -> list[int]:
        """The numbers of the chosen views that the release has: absence is no fault."""
        views = chosen_views(self.dataset[planned.sequence], self.options)
        return [view.number for view in views if view.path is not None]

    def may_keep(self, field: str) -> bool:
        """Whether a member made before may serve: nothing tells what another reader gave."""
        return field != SENSORS or self.sensor_reader is None

    def member(self, wanted: Wanted, encode: Callable[[], Encoded]) -> EncodedMember:
        """An encoded member: the one that was made from the same, or a new one by ``encode``.

        Raises MediaError where a file cannot be read, or changed meanwhile.
        """
        kept, _ = self.find(wanted)
        if kept is not None and (data := kept.read()) is not None:
            return EncodedMember(data, kept.made_from)
        try:
            before = {path: _stamp(path) for path in wanted.files if path is not None}
            made = encode()
            used = list(before) if made.files is None else made.files
            identities = tuple(map(self._identity, used))
        except OSError as error:
            raise unreadable(Path(error.filename or wanted.field), error) from error
        for path, identity in zip(used, identities, strict=True):
            if before[path] != (identity.size, identity.mtime_ns):
                raise MediaError(
                    "the file changed while it was read",
                    place=path,
                    hint="run the same command again when it is complete",
                )
        made_from = MadeFrom(
            files=identities,
            times=_digest(wanted.times),
            maker=self.maker,
            numbers=made.numbers,
            tables=made.tables,
            silent=made.silent,
        )
        return EncodedMember(made.data, made_from)

    def find(self, wanted: Wanted) -> tuple[Kept | None, str]:
        """The member that is there already, or why there is none."""
        if not self.may_keep(wanted.field):
            return None, NEW
        made = (_digest(wanted.times), self.maker)
        return self.reuse.find(wanted.sequence, wanted.field, made, wanted.files)

    def _identity(self, path: Path) -> FileIdentity:
        known = self._identities.get(path)
        if known is None or (known.size, known.mtime_ns) != _stamp(path):
            known = self._identities[path] = identify(path, self.reuse.name(path))
        return known


def _digest(times: object) -> str:
    return hashlib.sha256(repr(times).encode()).hexdigest()[:32]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return state.st_size, state.st_mtime_ns
