"""The card of a folder of shards: with it ``datasets.load_dataset`` opens it, streaming or not."""

from __future__ import annotations

from homage_sdk.shards.format.manifest import Manifest
from homage_sdk.storage.dataset_card import Value, card_bytes

_TYPES: dict[str, Value] = {
    "json": "json",
    "flac": "binary",
    "png": "binary",
    "mp4": {"video": {"decode": False}},
}
"""By suffix. Without a decoder: that of ``datasets`` is a package of its own."""


def shards_card(manifest: Manifest) -> bytes:
    """The bytes of ``README.md``: which files are which split, and the type of every member.

    Without the types ``datasets`` takes those of the first five samples, and refuses shards where
    these differ in their members.
    """
    splits: dict[str, list[Value]] = {}
    for shard in manifest.shards:
        splits.setdefault(shard.name.rpartition("-")[0], []).append(shard.name)
    fields = sorted({field for sample in manifest.samples for field in sample.required})
    features: list[Value] = [
        *({"name": name, "dtype": "string"} for name in ("__key__", "__url__")),
        *(_feature(field) for field in fields),
    ]
    files: list[Value] = [{"split": name, "path": paths} for name, paths in splits.items()]
    front: dict[str, Value] = {
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"features": features},
    }
    return card_bytes(front, _BODY)


def _feature(field: str) -> dict[str, Value]:
    suffix = field.rpartition(".")[2]
    if suffix == "npy":
        return {"name": field, "list": "float64"}
    return {"name": field, "dtype": _TYPES[suffix]}


_BODY = """\
# Shards of Home Action Genome

Written by `homage pack`; `homage_sdk.shards.ShardSet` and WebDataset open them. So does `datasets`:

```python
from datasets import load_dataset

load_dataset("FOLDER", streaming=True)
```

A row is a sample; a member that it lacks is None. JSON arrives parsed, `sensors.npy` as numbers,
sound as the bytes of a FLAC file and a view as `{"bytes": ..., "path": ...}` of an MP4 file.
"""
