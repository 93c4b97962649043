"""``catalog.json``: what a catalog holds, where it came from, and the seal that shows tampering."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

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
        return self.model_copy(update={"seal": self._digest()})

    @property
    def is_sealed(self) -> bool:
        """Whether the seal fits: nothing was changed by hand."""
        return self.seal == self._digest()

    def _digest(self) -> str:
        content = self.model_dump(exclude={"seal"})
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """As ``catalog.json`` is written: the same content gives the same bytes."""
        return json.dumps(self.model_dump(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
