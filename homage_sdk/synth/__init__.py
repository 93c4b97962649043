"""A synthetic release in the published layouts: a small world, filmed, recorded and annotated."""

from homage_sdk.synth.write import SynthSummary, write_release

__all__ = ["SynthSummary", "write_release"]
