"""Which records are sound: rules report by it, ingest drops by it."""
