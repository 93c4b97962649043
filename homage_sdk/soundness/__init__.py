"""Which records are sound: rules report by it, ingest drops by it."""

from homage_sdk.soundness.judge import Records, judge
from homage_sdk.soundness.reasons import Reason

__all__ = ["Reason", "Records", "judge"]
