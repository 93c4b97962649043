"""Shards on local disk: any member of any sample by one positioned read, and checked."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import AbstractContextManager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homage_sdk.errors import ShardError, UsageError, unknown
from homage_sdk.problems import Place
from homage_sdk.progress import Progress
from homage_sdk.shards.format.address import Address
from homage_sdk.shards.format.annotations import ANNOTATIONS, Annotations
from homage_sdk.shards.format.cache import fetch
from homage_sdk.shards.format.far import Patience
from homage_sdk.shards.format.index import Index, Location, index_of
from homage_sdk.shards.format.manifest import (
    INDEX,
    Manifest,
    SampleInfo,
    StoredFile,
    is_still,
    of_one_state,
    read_at_most,
    read_manifest,
)
from homage_sdk.shards.format.sample_meta import META, SampleMeta
from homage_sdk.shards.format.sensor_array import channels_in, split
from homage_sdk.shards.format.strict_json import MAX_JSON_BYTES, parse_json
from homage_sdk.shards.format.tar import MAX_MEMBER_BYTES, MEND, crc32, cut_short
from homage_sdk.storage.commit import reading
from homage_sdk.storage.system_errors import advice, require_enough
from homage_sdk.taxonomy import Taxonomy

if TYPE_CHECKING:
    from homage_sdk.release.sensors import SensorValues

_MOST_OPEN = 256
"""Shards that stay open; those beyond are opened for each read."""


class ShardSet:
    """A folder of shards, opened by its manifest. Get one from ``ShardSet.open``.

    It is one state of the folder, or an error, in every process: bytes are held against the index,
    the index against the manifest, and a file that is open stays what it is.

    Cheap to pickle (a path), safe in several threads and processes: reads are positioned and share
    no offset. Nothing is unpickled, no shell is run, no name is followed out of the folder.
    """

    def __init__(self, path: Path, manifest: Manifest, fingerprint: str) -> None:
        self.path = path
        self.manifest = manifest
        self.fingerprint = fingerprint
        self._open: dict[str, int] = {}

    @classmethod
    def open(
        cls,
        url: str | Path,
        *,
        cache: str | Path | None = None,
        max_bytes: int | None = None,
        storage: dict[str, Any] | None = None,
        patience: Patience | None = None,
        progress: Progress | None = None,
    ) -> ShardSet:
        """Open a folder that ``pack`` wrote, here or far away.

        Reads the manifest, and checks that index and shards are there in their sizes; ``verify``
        checks their bytes. Far shards are fetched first, verified, and read from ``cache`` (see
        ``cache.fetch``); the other arguments concern them alone.

        Args:
            url: a folder, or its address: ``https://``, ``s3://``, ``gs://``, ``az://``.
            cache: the folder that far shards are kept in, shared with other processes.
            max_bytes: refuse far shards that are larger than this.
            storage: options of the far file system, such as credentials, as fsspec takes them.
            patience: with connections that are lost.
            progress: called with (bytes done, bytes in all) while they are fetched.

        Raises:
            ShardError: what is wrong with the shards, or they cannot be fetched.
            UsageError: an address that is not read, or far shards without a cache, or larger than
                it may become.
            StorageError: too little room in the cache, or a file system without locks.

        """
        address = Address.of(url)
        if address.scheme == "file":
            path = Path(address.path)
        elif cache is None:
            raise UsageError(
                "far shards need a cache",
                place=address.shown,
                hint="give a folder of this machine to keep them in: "
                "ShardSet.open(url, cache=FOLDER)",
            )
        else:
            path = fetch(
                str(url),
                cache,
                max_bytes=max_bytes,
                storage=storage,
                patience=patience,
                progress=progress,
            )
        manifest = read_manifest(path)
        while broken := other_sizes(path, manifest):
            before, manifest = manifest, read_manifest(path)
            if manifest == before:  # else it was packed again meanwhile
                (stated, found), *_ = broken
                raise ShardError(
                    "a file of the shards is missing"
                    if found is None
                    else "a file of the shards has another size",
                    place=str(path / stated.name),
                    found=None if found is None else f"{found:,} bytes",
                    expected=f"{stated.bytes:,} bytes",
                    hint=MEND,
                )
        return cls(path, manifest, hashlib.sha256(manifest.to_bytes()).hexdigest())

    def __reduce__(self) -> tuple[object, ...]:
        return (ShardSet, (self.path, self.manifest, self.fingerprint))

    def __repr__(self) -> str:
        return f"ShardSet({str(self.path)!r}, {len(self)} samples)"

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def samples(self) -> tuple[SampleInfo, ...]:
        """Every sample, in order of key; one a sequence unless windows were packed."""
        return self.manifest.samples

    @property
    def stride(self) -> int:
        """Annotation frames from one packed frame to the next."""
        return int(self.manifest.options["stride"])

    @property
    def audio_rate(self) -> int:
        """Hz of the packed sound."""
        return int(self.manifest.options["audio_rate"])

    def taxonomy(self, kind: str) -> Taxonomy:
        """The classes of one kind; their order is the order of target columns."""
        return self.manifest.classes(kind)

    @cached_property
    def _by_key(self) -> dict[str, SampleInfo]:
        return {sample.key: sample for sample in self.manifest.samples}

    def __getitem__(self, key: str) -> SampleInfo:
        found = self._by_key.get(key)
        if found is None:
            raise unknown("sample", key, self._by_key, place=self.path)
        return found

    def _of_one_state(self) -> AbstractContextManager[None]:
        return of_one_state(partial(is_still, self.path, self.manifest), str(self.path))

    @cached_property
    def _index(self) -> Index:
        size, place = self.manifest.index.bytes, str(self.path / INDEX)
        with self._of_one_state():
            try:
                data = reading(self.path, INDEX, lambda path: read_at_most(path, size))
            except OSError as error:
                raise _refused("the index cannot be read", place, error) from error
            return index_of(self.manifest, data, place)

    def members(self, key: str) -> tuple[str, ...]:
        """The fields of a sample, in their order."""
        return tuple(self._located(key))

    def locations(self) -> Index:
        """Where every member of every sample lies."""
        return self._index

    def _located(self, key: str) -> dict[str, Location]:
        try:
            return self._index[key]
        except KeyError:
            raise ShardError(
                f"sample {key!r} is not in the index",
                place=str(self.path / INDEX),
                hint="run `homage verify SHARDS`",
            ) from None

    def read(self, key: str, field: str, *, max_bytes: int = MAX_MEMBER_BYTES) -> bytes:
        """The bytes of one member.

        Raises ShardError: the sample has no such member, its bytes are not those that were packed
        (their CRC-32 is compared at every read), or the shards were rebuilt meanwhile.
        """
        try:
            return self._read(key, field, max_bytes)
        except ShardError:
            with self._of_one_state():  # entered here alone: it costs more than the CRC-32
                raise

    def _read(self, key: str, field: str, max_bytes: int) -> bytes:
        located = self._located(key)
        if field not in located:
            raise ShardError(
                f"sample {key} has no member {field}",
                place=str(self.path),
                expected=", ".join(located),
            )
        shard, offset, size, stated = located[field]
        place = Place(shard, pointer=f"/{key}.{field}")
        if size > max_bytes:
            found, most = f"{size:,} bytes", f"at most {max_bytes:,}"
            raise ShardError("member too large", place=place, found=found, expected=most)
        data = self._pread(shard, offset, size)
        if len(data) != size:
            raise cut_short(place, f"{len(data):,} bytes", f"{size:,}")
        if (checksum := crc32(data)) != stated:
            raise ShardError(
                "a member is damaged",
                place=Place(str(self.path / shard), pointer=f"/{key}.{field}"),
                found=f"CRC-32 {checksum:08x}",
                expected=f"{stated:08x}",
                hint=MEND,
            )
        return data

    def sensors(self, key: str) -> dict[tuple[str, str], SensorValues]:
        """The readings of a sample's sensors by (kind, position); empty where none were packed.

        Times are seconds on the clock of the sequence, also where a sample is a window of it.
        Raises ShardError when they are damaged.
        """
        if (packed := self[key].sensors) is None:
            return {}
        place = f"{key}.{packed.field}"
        return split(self.read(key, packed.field), self.meta(key).sensors, place)

    @cached_property
    def sensor_channels(self) -> tuple[str, ...]:
        """As ``sensor_array.channels_in`` lists them."""
        return channels_in(self)

    def annotations(self, key: str) -> Annotations:
        """Everything labelled about a sample; ShardError when it is damaged."""
        data = self.read(key, ANNOTATIONS, max_bytes=MAX_JSON_BYTES)
        return Annotations.parse(data, f"{key}.{ANNOTATIONS}", self.manifest.n_classes)

    def meta(self, key: str) -> SampleMeta:
        """The facts of a sample that its members do not show; ShardError when it is damaged."""
        data = self.read(key, META, max_bytes=MAX_JSON_BYTES)
        return parse_json(SampleMeta, data, f"{key}.{META}", what=META)

    def _pread(self, shard: str, offset: int, size: int) -> bytes:
        """Read by position: no thread or forked process shares an offset or a lock with another."""
        if (kept := self._open.get(shard)) is not None:
            return os.pread(kept, size, offset)
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = reading(self.path, shard, lambda path: os.open(path, flags))
        except OSError as error:
            place = str(self.path / shard)
            raise _refused("a shard cannot be opened", place, error) from error
        if len(self._open) < _MOST_OPEN and self._open.setdefault(shard, handle) == handle:
            return os.pread(handle, size, offset)
        try:
            return os.pread(handle, size, offset)
        finally:
            os.close(handle)

    def __del__(self) -> None:
        for handle in self._open.values():
            os.close(handle)


def other_sizes(folder: Path, manifest: Manifest) -> list[tuple[StoredFile, int | None]]:
    """The files that are not there in their size, with the one that they have."""
    broken = []
    for stated in manifest.files:
        found = None
        with suppress(OSError):
            state = reading(folder, stated.name, Path.lstat)
            found = state.st_size if stat.S_ISREG(state.st_mode) else None
        if found != stated.bytes:
            broken.append((stated, found))
    return broken


def _refused(message: str, place: str, error: OSError) -> ShardError:
    require_enough(error, place)
    found = os.strerror(error.errno or 0)
    return ShardError(message, place=place, found=found, hint=advice(error))
