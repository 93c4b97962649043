"""Baselines built on homage_sdk."""
