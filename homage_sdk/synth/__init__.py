"""A synthetic release in the published layouts."""
