"""From a release to a catalog."""

from homage_sdk.ingest.ingestion import IngestSummary, ingest

__all__ = ["IngestSummary", "ingest"]
