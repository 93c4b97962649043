"""WebDataset shards: packing, verifying and reading multi-view clips.

The names below are loaded when first used, so that importing this package stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homage_sdk.lazy import loaded_on_use

if TYPE_CHECKING:
    from homage_sdk.shards.format.manifest import Manifest, SampleInfo
    from homage_sdk.shards.format.pack_options import PRESETS, PackOptions
    from homage_sdk.shards.format.shard_set import ShardSet
    from homage_sdk.shards.packing.pack import PackSummary, pack
    from homage_sdk.shards.packing.repair import repair
    from homage_sdk.shards.verifying.verify import verify

__all__ = [
    "PRESETS",
    "Manifest",
    "PackOptions",
    "PackSummary",
    "SampleInfo",
    "ShardSet",
    "pack",
    "repair",
    "verify",
]

__getattr__ = loaded_on_use(
    __name__,
    {
        "format.manifest": "Manifest SampleInfo",
        "format.pack_options": "PRESETS PackOptions",
        "format.shard_set": "ShardSet",
        "packing.pack": "PackSummary pack",
        "packing.repair": "repair",
        "verifying.verify": "verify",
    },
)
