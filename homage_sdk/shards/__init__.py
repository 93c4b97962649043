"""WebDataset shards: packing, verifying and reading multi-view clips.

The names below are loaded when first used, so that importing this package stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from homage_sdk.shards.batch import Batch, SceneGraphBatch
    from homage_sdk.shards.loader import ClipLoader
    from homage_sdk.shards.manifest import Manifest, SampleInfo
    from homage_sdk.shards.options import PRESETS, LoaderOptions, PackOptions
    from homage_sdk.shards.packing import PackSummary, pack
    from homage_sdk.shards.read import ShardSet
    from homage_sdk.shards.repairing import repair
    from homage_sdk.shards.stream import StreamLoader
    from homage_sdk.shards.verifying import verify

_HOMES = {
    "PRESETS": "options",
    "Batch": "batch",
    "ClipLoader": "loader",
    "LoaderOptions": "options",
    "Manifest": "manifest",
    "PackOptions": "options",
    "PackSummary": "packing",
    "SampleInfo": "manifest",
    "SceneGraphBatch": "batch",
    "ShardSet": "read",
    "StreamLoader": "stream",
    "pack": "packing",
    "repair": "repairing",
    "verify": "verifying",
}

__all__ = [
    "PRESETS",
    "Batch",
    "ClipLoader",
    "LoaderOptions",
    "Manifest",
    "PackOptions",
    "PackSummary",
    "SampleInfo",
    "SceneGraphBatch",
    "ShardSet",
    "StreamLoader",
    "pack",
    "repair",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
