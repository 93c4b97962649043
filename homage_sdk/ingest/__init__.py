"""From a release to a catalog.

The names below are loaded when first used, so that importing this package stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from homage_sdk.ingest.ingestion import IngestSummary, ingest

_HOMES = {
    "IngestSummary": "ingestion",
    "ingest": "ingestion",
}

__all__ = ["IngestSummary", "ingest"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
