"""Batches of clips from shards, for training and evaluation.

The names below are loaded when first used, so that importing this package stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homage_sdk.lazy import loaded_on_use

if TYPE_CHECKING:
    from homage_sdk.loader.batch import Batch, SceneGraphBatch
    from homage_sdk.loader.clip_loader import ClipLoader
    from homage_sdk.loader.options import LoaderOptions
    from homage_sdk.loader.webdataset import webdataset_stream

__all__ = ["Batch", "ClipLoader", "LoaderOptions", "SceneGraphBatch", "webdataset_stream"]

__getattr__ = loaded_on_use(
    __name__,
    {
        "batch": "Batch SceneGraphBatch",
        "clip_loader": "ClipLoader",
        "options": "LoaderOptions",
        "webdataset": "webdataset_stream",
    },
)
