"""Rules over a release, each with a stable code, and the reports made of what they find."""

from homage_sdk.validation.rule import Finding, Rule
from homage_sdk.validation.rules import RULES
from homage_sdk.validation.validate import chooser, find_rule, validate, video_paths

__all__ = ["RULES", "Finding", "Rule", "chooser", "find_rule", "validate", "video_paths"]
