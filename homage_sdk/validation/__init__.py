"""Rules over a release, each with a stable code, and the reports made of what they find."""

from homage_sdk.validation.rule import Finding, Rule
from homage_sdk.validation.rules import CODES, RULES
from homage_sdk.validation.validate import chooser, validate, video_paths

__all__ = ["CODES", "RULES", "Finding", "Rule", "chooser", "validate", "video_paths"]
