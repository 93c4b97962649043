"""Reading what was published: layout detection and one reader for each kind of file."""

from homage_sdk.release.files.find import Found, find_release
from homage_sdk.release.read import read_release
from homage_sdk.release.records import RAW_TABLES, Release

__all__ = ["RAW_TABLES", "Found", "Release", "find_release", "read_release"]
