"""Proving that shards are what was packed."""
