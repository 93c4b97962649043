"""Configurations: TOML in, frozen dataclasses out, and every key is read."""
