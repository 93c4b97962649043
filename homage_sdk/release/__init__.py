"""Reading what was published: layout detection and one reader for each kind of file.

The names below are loaded when first used: opening a catalog needs no reader of releases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from homage_sdk.lazy import loaded_on_use

if TYPE_CHECKING:
    from homage_sdk.release.files.find import Found, find_release
    from homage_sdk.release.read import read_release
    from homage_sdk.release.records import RAW_TABLES, Release

__all__ = ["RAW_TABLES", "Found", "Release", "find_release", "read_release"]

__getattr__ = loaded_on_use(
    __name__,
    {
        "files.find": "Found find_release",
        "read": "read_release",
        "records": "RAW_TABLES Release",
    },
)
