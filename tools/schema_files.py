"""Generates ``schemas/`` and ``docs/catalog.md`` from the code, which is the one source.

``python tools/schema_files.py [ROOT]`` writes what changed below ROOT (default: here); a test fails
when a file differs from what this module makes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter

from baselines.ccau.evaluation.counted import Comparison, Counted
from homage_sdk.annotations import (
    Activity,
    AtomicAction,
    Box,
    Relationship,
    SceneGraph,
    SceneObject,
)
from homage_sdk.catalog.info import CatalogInfo
from homage_sdk.catalog.schema import SCHEMA_VERSION, TABLES, column_doc
from homage_sdk.explore.document import ViewDocument
from homage_sdk.release.labels.documents import ActionDocument, SceneGraphDocument
from homage_sdk.shards.format.annotations import Annotations
from homage_sdk.shards.format.manifest import Manifest
from homage_sdk.shards.format.sample_meta import SampleMeta
from homage_sdk.soundness import Reason
from homage_sdk.storage import write_file

MODELS: dict[str, type] = {
    "activity": Activity,
    "atomic_action": AtomicAction,
    "box": Box,
    "scene_object": SceneObject,
    "relationship": Relationship,
    "scene_graph": SceneGraph,
    "catalog_info": CatalogInfo,
    "atomic_action_document": ActionDocument,
    "scene_graph_document": SceneGraphDocument,
    "shards_manifest": Manifest,
    "sample_annotations": Annotations,
    "sample_meta": SampleMeta,
    "view_document": ViewDocument,
    "evaluation_counted": Counted,
    "evaluation_comparison": Comparison,
}
"""What a user can hold in Python, what the JSON files of a release, of shards and of a run are."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_REASONS = "\n".join(
    f"| {reason.text} | {', '.join(reason.codes)} |" for reason in Reason if reason.codes
)

_INTRO = f"""# The catalog

<!-- Made by `python tools/schema_files.py`; change homage_sdk/catalog/schema.py. -->

`homage ingest RELEASE CATALOG` writes a folder of Parquet files (zstd) and `catalog.json`. It
exists whole or not at all: it is built in `.tmp-new` inside the folder, flushed to disk, and counts
with one rename to `.tmp-commit`, from where its files are moved to their places. The next ingest
replaces these files and no others: shards and notes beside them stay. With them goes `README.md`,
by which Hugging Face's `datasets` opens the folder (docs/exports.md); one that is not ours stays.
CATALOG may be a link; a release and its catalog may not lie in one another. This page is schema
version {SCHEMA_VERSION}; `schemas/tables/` holds the same as JSON.

```python
import duckdb, pandas, pyarrow.dataset

pandas.read_parquet("CATALOG/atomic_actions.parquet")
duckdb.sql("SELECT count(*) FROM 'CATALOG/objects.parquet'")
pyarrow.dataset.dataset("CATALOG/frames.parquet")
```

Frames are 1-based and intervals include both ends. Boxes are xyxy pixels of the annotated view. A
class is its `id` within its kind; `classes` has the names. Rows are in a stable order, and the same
release, options, library versions and older classes give the same bytes.

## catalog.json

Schema version, where the release was and its fingerprint, the options, rows and classes, problems
by code, what the policy left out, and for each file its rows, bytes and SHA-256, under a seal.
Opening checks version, seal, sizes and Parquet footers and refuses what does not fit, with the
reason; `homage verify` compares every byte. `homage migrate` brings an older schema to this
one.

## What is left out

Nothing disappears in silence: what is left out is an error in `problems`, at its place or at the
frame or file that holds it, and `catalog.json` counts it under a reason. A record without such an
error is kept as labelled, whatever a warning says of it: an interval past the end of its video, a
box that leaves the picture, a frame annotated twice.

| reason | named by |
|---|---|
{_REASONS}

Of two files for the same labels, sensor or view the one in the layout's own folder is read, of
several the one in fewest folders. Split lists go in the same order, and within a folder `test_list`
before `train_list` before `val_list`: a sequence in several belongs to the first.

## Again, as a download grows

A release whose files were not touched, and could all be read, is not read again. A file that could
not be read (HOM100) is tried again by every ingest, and a file that changes while it is read
(HOM142) by the next: a catalog never claims a state of the release that it did not read.

A video is read once. `.probes.log` in the catalog's folder keeps what was measured of each (and its
SHA-256, with `--hash-media`), a line a video, written as soon as the video is done: an ingest that
was stopped or killed goes on with the others. A line counts while the path below the release, size,
modification time, the first and last 64 KiB and the code that probes are the same. What could not
be read, or only in part, is never kept. The file is no part of the catalog: without it, or where it
is damaged, the videos are read again.

## Class ids

In a new folder: where the release has a class list its ids are kept as they are. Names that occur
in the labels and not in the list get the next free ids in order of their keys (spaces and `_` are
one, case does not count). Without a list, ids are given from 1 in that order.

Over an older catalog: every class keeps its id and its name, whatever lists and labels say now, so
that shards, runs and queries made before stay right. New classes get the id of their list where it
is free, else the next free one. Ingest names each class that is new (HOM252), that a list numbers
or spells otherwise (HOM250, also where a list with other ids comes later than the labels), or that
nothing names any more (HOM251). `homage ingest --renumber` (`ingest(renumber=True)`) numbers all of
them as in a new folder and names those that moved; shards and runs of the older classes then have
to be made again.
"""


def schema_files() -> dict[str, str]:
    """Every generated file: path relative to the repository, and its content."""
    files = {}
    for name, model in MODELS.items():
        schema = {"$schema": _DIALECT} | _closed(TypeAdapter(model).json_schema(by_alias=True))
        files[f"schemas/models/{name}.schema.json"] = _json(schema)
    for name, table in TABLES.items():
        files[f"schemas/tables/{name}.json"] = _json(table_schema(name, table))
    files["docs/catalog.md"] = catalog_page()
    return files


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, in which no object takes another property."""
    for each in (schema, *schema.get("$defs", {}).values()):
        if "properties" in each:
            each.setdefault("additionalProperties", False)
    return schema


def table_schema(name: str, schema: pa.Schema) -> dict[str, object]:
    """A table's Arrow schema as JSON."""
    return {
        "table": name,
        "schema_version": SCHEMA_VERSION,
        "description": _doc(schema),
        "columns": [
            {
                "name": column.name,
                "type": str(column.type),
                "nullable": column.nullable,
                "description": column_doc(name, column.name),
            }
            for column in schema
        ],
    }


def catalog_page() -> str:
    """``docs/catalog.md``: every table and column."""
    parts = [_INTRO]
    for name, schema in TABLES.items():
        parts.append(
            f"\n## {name}\n\n{_doc(schema)}\n\n| column | type | meaning |\n|---|---|---|\n"
        )
        for column in schema:
            kind = f"{column.type}, or null" if column.nullable else str(column.type)
            parts.append(f"| `{column.name}` | {kind} | {column_doc(name, column.name)} |\n")
    return "".join(parts)


def _doc(schema: pa.Schema) -> str:
    return str(schema.metadata[b"doc"].decode())


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write_schema_files(root: Path) -> list[Path]:
    """Write the files that differ; returns them."""
    changed = []
    for name, text in schema_files().items():
        file = root / name
        if not file.exists() or file.read_text("utf-8") != text:
            write_file(file, text)
            changed.append(file)
    return changed


if __name__ == "__main__":
    for written in write_schema_files(Path(sys.argv[1] if len(sys.argv) > 1 else ".")):
        sys.stdout.write(f"{written}\n")
