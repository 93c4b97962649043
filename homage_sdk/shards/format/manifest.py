"""The manifest: what a folder of shards holds, from what it was made, and each file's hash.

Written last, so that a folder with a manifest is complete. Read strictly: names are plain file
names, counts and sizes are bounded, unknown versions are refused with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.folders import INDEX_FILE, MANIFEST_FILE, Kind, look, refusal
from homage_sdk.problems import Place
from homage_sdk.shards.format.annotations import ANNOTATIONS
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.format.sample_meta import META, Count, SampleFacts
from homage_sdk.shards.format.strict_json import StrictModel, parse_json
from homage_sdk.storage.commit import current, reading
from homage_sdk.taxonomy import KINDS, ClassName, Taxonomy

SCHEMA_VERSION: Literal[3] = 3
MANIFEST, INDEX, INPUTS = MANIFEST_FILE, INDEX_FILE, ".inputs.json"
MAX_BYTES = 256_000_000
"""No manifest is larger."""

ShardName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}-\d{5}\.tar$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SampleInfo(SampleFacts):
    """What a loader must know of a sample before it opens a shard."""

    shard: ShardName

    @property
    def required(self) -> tuple[str, ...]:
        """The members that the sample must have, in their order."""
        extra = [part.field for part in (self.sound, self.sensors) if part is not None]
        return (META, ANNOTATIONS, *extra, *(view.field for view in self.views))


class StoredFile(StrictModel):
    """One file of a folder of shards."""

    name: str
    bytes: Count
    sha256: Sha256


class ShardInfo(StoredFile):
    """One shard."""

    name: ShardName
    samples: Count


class Quarantined(StrictModel):
    """A video or a sensor file that could not be packed, and why."""

    sequence: str
    view: int | None
    """None for a sensor."""
    path: str
    code: str
    reason: str

    @property
    def order(self) -> tuple[str, int, str, str]:
        """By sequence, views before sensors."""
        return self.sequence, 2**40 if self.view is None else self.view, self.path, self.reason

    def __str__(self) -> str:
        what = "a sensor" if self.view is None else f"v{self.view:03d}"
        return f"{self.sequence} {what} ({self.path}): {self.reason}"


class Class(StrictModel):
    """One class of a taxonomy."""

    id: int
    name: str
    slug: str


class IndexInfo(StoredFile):
    """The index file."""

    name: Literal["index.parquet"] = "index.parquet"
    bytes: Annotated[int, Field(ge=0, le=1_000_000_000)]


class _Head(StrictModel):
    """What a manifest of any version says."""

    model_config = ConfigDict(extra="ignore")

    format: Literal["homage-shards"]
    schema_version: int


class _OlderShard(StrictModel):
    model_config = ConfigDict(extra="ignore")

    name: ShardName


class OlderManifest(_Head):
    """What a manifest of an older schema says to those who replace its shards."""

    schema_version: Annotated[int, Field(ge=1, lt=SCHEMA_VERSION)]
    options: dict[str, Any]
    shards: tuple[_OlderShard, ...]


class Manifest(StrictModel):
    """Everything about a folder of shards."""

    format: Literal["homage-shards"] = "homage-shards"
    schema_version: Literal[3]
    made_by: dict[str, str]
    options: dict[str, Any]
    dataset: Sha256
    taxonomy: dict[str, tuple[Class, ...]]
    index: IndexInfo
    shards: tuple[ShardInfo, ...]
    samples: tuple[SampleInfo, ...]
    quarantine: tuple[Quarantined, ...] = ()

    @field_validator("options")
    @classmethod
    def _possible(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Stride and rate are stated, for readers need them; every option is possible."""
        if missing := sorted({"stride", "audio_rate"} - options.keys()):
            raise ValueError(f"no {missing[0]}")
        try:
            PackOptions.from_json(options)
        except (UsageError, TypeError) as error:
            raise ValueError(str(error)[:200]) from error
        return options

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = {shard.name for shard in self.shards}
        keys = {sample.key for sample in self.samples}
        if len(names) < len(self.shards) or len(keys) < len(self.samples):
            raise ValueError("a name that occurs twice")
        activities = {each.id for each in self.taxonomy.get("activity", ())} | {None}
        for sample in self.samples:
            if sample.shard not in names:
                raise ValueError(f"sample {sample.key} is in no shard of these")
            if sample.activity_id not in activities:
                raise ValueError(f"activity {sample.activity_id} of {sample.key} is no class")
        return self

    def without_index(self) -> bytes:
        """As the index keeps it, which cannot hold its own checksum."""
        blank = IndexInfo(bytes=0, sha256="0" * 64)
        return self.model_copy(update={"index": blank}).to_bytes()

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """Every file that lies beside the manifest."""
        return (self.index, *self.shards)

    @property
    def n_classes(self) -> dict[str, int]:
        """How many classes each taxonomy has."""
        return {kind: len(self.taxonomy.get(kind, ())) for kind in KINDS}

    @property
    def packed(self) -> PackOptions:
        """How the samples were packed."""
        return PackOptions.from_json(self.options)

    def classes(self, kind: str) -> Taxonomy:
        """The taxonomy of one kind."""
        if kind not in KINDS:
            raise ShardError(f"no taxonomy {kind!r}", expected=", ".join(KINDS))
        names = self.taxonomy.get(kind, ())
        return Taxonomy(kind, [ClassName(kind, c.id, c.name, c.slug) for c in names])


def parse_manifest(data: bytes, place: str) -> Manifest:
    """Read a manifest; raises ShardError naming what is wrong with it."""
    try:
        return parse_json(Manifest, data, place, what=MANIFEST, max_bytes=MAX_BYTES)
    except ShardError:
        head = parse_json(_Head, data, place, what=MANIFEST, max_bytes=MAX_BYTES)
        if head.schema_version == SCHEMA_VERSION:
            raise
        is_older = head.schema_version < SCHEMA_VERSION
        here = (
            "pack again with this version of homage_sdk" if is_older else "pack into a new folder"
        )
        raise ShardError(
            "shards of another schema version",
            place=Place(place, pointer="/schema_version"),
            found=str(head.schema_version),
            expected=str(SCHEMA_VERSION),
            hint=f"{here}, or install the version of homage_sdk that packed them",
        ) from None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder; raises ShardError where there is none, or packing never ended."""
    return parse_manifest(_manifest_bytes(folder), str(folder / MANIFEST))


def read_manifest_or_older(folder: Path) -> Manifest | OlderManifest:
    """As ``read_manifest``; what is known of the shards where their schema is an older one."""
    data, place = _manifest_bytes(folder), str(folder / MANIFEST)
    try:
        return parse_manifest(data, place)
    except ShardError:
        with suppress(ShardError):
            return parse_json(OlderManifest, data, place, what=MANIFEST, max_bytes=MAX_BYTES)
        raise


def _manifest_bytes(folder: Path) -> bytes:
    path = current(folder, MANIFEST)
    if not path.is_file() or look(folder).kind is not Kind.SHARDS:
        from homage_sdk.release.files.find import what_is

        raise refusal(ShardError, Kind.SHARDS, what_is(folder))
    return reading(folder, MANIFEST, lambda it: read_at_most(it, MAX_BYTES))


@contextmanager
def of_one_state(is_same: Callable[[], bool], place: str) -> Iterator[None]:
    """Where reading shards fails since they are others now, say that, and nothing of damage."""
    try:
        yield
    except ShardError:
        if is_same():
            raise
        raise ShardError(
            "the shards were rebuilt while they were open", place=place, hint="open them again"
        ) from None


def is_still(folder: Path, manifest: Manifest) -> bool:
    """Whether a folder still has this manifest."""
    try:
        return read_manifest(folder) == manifest
    except ShardError:
        return False


def read_at_most(path: Path, size: int) -> bytes:
    """A file's bytes; one more than ``size`` where it is longer."""
    with path.open("rb") as file:
        return file.read(size + 1)
