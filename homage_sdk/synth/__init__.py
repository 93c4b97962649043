"""A synthetic release in the published layouts: a small world, filmed, recorded and annotated."""

from __future__ import annotations

from homage_sdk.synth.scale import write_labels
from homage_sdk.synth.write import SynthSummary, write_release

__all__ = ["SynthSummary", "write_labels", "write_release"]
