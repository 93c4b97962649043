"""Configurations: TOML in, frozen dataclasses out, no key that nothing reads."""
