"""Arms and runs compared: the same resamples, seeds and sequences, from saved predictions alone."""
