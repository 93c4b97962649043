"""The card of a catalog: with it ``datasets.load_dataset`` opens the folder, a table a config."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from homage_sdk.catalog.schema import TABLES
from homage_sdk.storage.dataset_card import Value, card_bytes

_SPLIT = "full"
"""Of every config. Unnamed it would be ``train``, while sequences of all splits are in it."""

_TYPES = {"double": "float64", "float": "float32"}
"""How ``datasets`` calls a type where Arrow calls it otherwise."""


def catalog_card(rows: Mapping[str, int]) -> bytes:
    """The bytes of ``README.md`` of a catalog whose tables have so many rows.

    A table without rows has no config: ``datasets`` loads nothing that is empty.
    """
    tables = {name: schema for name, schema in TABLES.items() if rows[name]}
    front: dict[str, Value] = {
        "configs": [
            {
                "config_name": name,
                "data_files": [{"split": _SPLIT, "path": f"{name}.parquet"}],
                **({"default": True} if name == "sequences" else {}),
            }
            for name in tables
        ],
        "dataset_info": [
            {"config_name": name, "features": [_feature(field) for field in schema]}
            for name, schema in tables.items()
        ],
    }
    lines = [
        f"| {f'`{name}`' if name in tables else f'{name} (empty: no config)'} "
        f"| {(schema.metadata or {})[b'doc'].decode()} |"
        for name, schema in TABLES.items()
    ]
    return card_bytes(front, _BODY + "\n".join(lines))


def _feature(field: pa.Field) -> dict[str, Value]:
    is_list = pa.types.is_list(field.type)
    kind = str(field.type.value_type if is_list else field.type)
    return {"name": field.name, "list" if is_list else "dtype": _TYPES.get(kind, kind)}


_BODY = f"""\
# A catalog of Home Action Genome

Written by `homage ingest`; `homage_sdk.Dataset` opens it. Hugging Face's `datasets` reads its
tables:

```python
from datasets import load_dataset

load_dataset("FOLDER", "atomic_actions", split="{_SPLIT}")
```

Every config has the one split `{_SPLIT}`: the split of a sequence is the column `split` of
`sequences`. Frames count from 1 and intervals include both ends; boxes are x1, y1, x2, y2 pixels.

| config | what |
|---|---|
"""
