"""``catalog.json``: what a catalog holds, where it came from, and the seal that shows tampering."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FILE_NAME = "catalog.json"
FORMAT: Literal["homage_catalog"] = "homage_catalog"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Part):
    """The release a catalog was made from."""

    root: str = Field(description="Folder that holds the layout, as it was at ingest")
    layout: str = Field(description="hacgen or videoshift")
    fingerprint: str = Field(description="SHA-256 over names, sizes and times of its files")


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
