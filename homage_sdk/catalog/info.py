"""``catalog.json``: what a catalog holds, where it came from, and the seal that shows tampering."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from homage_sdk.catalog.schema import SCHEMA_VERSION
from homage_sdk.errors import CatalogError
from homage_sdk.folders import CATALOG_FILE, Kind, refusal
from homage_sdk.storage.commit import reading
from homage_sdk.storage.system_errors import advice, require_enough

AGAIN = "make it again with `homage ingest`"
FORMAT: Literal["homage_catalog"] = "homage_catalog"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Part):
    """The release a catalog was made from."""

    root: str = Field(description="Folder that holds the layout, as it was at ingest")
    layout: str = Field(description="hacgen or videoshift")
    fingerprint: str = Field(
        description="SHA-256 over names, sizes and times of its files; empty where they changed"
    )


class Options(_Part):
    """The choices that ingest was run with."""

    media: bool = Field(description="Videos were probed")
    hash_media: bool = Field(description="Videos were hashed")
    scene_graph_map: str | None = Field(
        default=None, description="SHA-256 of the mapping file, where one was given"
    )
    sensor_reader: str | None = Field(
        default=None, description="Class of the sensor reader, where one was plugged in"
    )


class TableFile(_Part):
    """One Parquet file of the catalog."""

    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)
    sha256: str = Field(description="Of the whole file")
    footer_sha256: str = Field(description="Of the Parquet footer: what every open checks")


class CatalogInfo(_Part):
    """The content of ``catalog.json``."""

    format: Literal["homage_catalog"] = FORMAT
    schema_version: int = Field(ge=1, description="homage_sdk.catalog.schema.SCHEMA_VERSION")
    source: Source
    options: Options
    versions: dict[str, str] = Field(description="Of homage_sdk and the libraries that wrote it")
    counts: dict[str, int] = Field(description="Rows of each table, and classes of each kind")
    problems: dict[str, int] = Field(description="Problems by code")
    severities: dict[str, int] = Field(description="Problems by severity")
    dropped: dict[str, int] = Field(description="Records left out or changed, by policy")
    files: dict[str, TableFile] = Field(description="Parquet files by name of the table")
    seal: str = Field(default="", description="SHA-256 over everything above")

    def sealed(self) -> CatalogInfo:
        """The same with its seal."""
        return self.model_copy(update={"seal": seal_of(self.model_dump())})

    def to_json(self) -> str:
        """As ``catalog.json`` is written: the same content gives the same bytes."""
        return json.dumps(self.model_dump(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def seal_of(document: Mapping[str, Any]) -> str:
    """SHA-256 over the content of ``catalog.json`` without its seal, whatever its layout."""
    content = {key: value for key, value in document.items() if key != "seal"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_info(path: Path) -> CatalogInfo:
    """``catalog.json`` of a folder; CatalogError unless it is whole and of this schema version."""
    version, document = read_version(path)
    if version != SCHEMA_VERSION:
        newer = version > SCHEMA_VERSION
        raise CatalogError(
            f"this catalog was written by {'a newer' if newer else 'an older'} homage_sdk",
            place=path,
            found=f"schema version {version}",
            expected=str(SCHEMA_VERSION),
            hint="update homage_sdk, or make the catalog again with this one"
            if newer
            else f"run `homage migrate {path}`",
        )
    file = path / CATALOG_FILE
    try:
        info = CatalogInfo.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise CatalogError(
            f"catalog.json is wrong: {first['msg']}",
            place=file,
            found="/".join(map(str, first["loc"])),
            hint=AGAIN,
        ) from error
    if info.seal != seal_of(document):
        raise CatalogError(
            "catalog.json was changed by hand",
            place=file,
            found="a seal that does not fit",
            hint=AGAIN,
        )
    return info


def read_version(path: Path) -> tuple[int, dict[str, Any]]:
    """Schema version and raw content of ``catalog.json``, of any version."""
    file = path / CATALOG_FILE
    try:
        document = json.loads(reading(path, CATALOG_FILE, lambda it: it.read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        from homage_sdk.release.files.find import what_is

        raise refusal(CatalogError, Kind.CATALOG, what_is(path)) from None
    except OSError as error:
        require_enough(error, file)
        raise CatalogError(
            f"cannot be read: {error.strerror}", place=file, hint=advice(error)
        ) from error
    except (ValueError, RecursionError) as error:
        raise CatalogError("catalog.json is no JSON", place=file, hint=AGAIN) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if type(version) is not int or document.get("format") != FORMAT:
        raise CatalogError(
            "catalog.json is not a HOMAGE catalog's",
            place=file,
            expected=f'"format": "{FORMAT}" and a schema_version',
        )
    return version, document


def stamp(path: Path) -> tuple[int, ...] | None:
    """What changes when ``catalog.json`` of a folder is replaced; None where there is none."""
    try:
        state = reading(path, CATALOG_FILE, Path.stat)
    except OSError:
        return None
    return state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size
