"""What a synthetic take sounds like."""
