"""Names that say that a download was not unpacked, or has not finished."""

from __future__ import annotations

import re

_ARCHIVE = re.compile(
    r"(?P<stem>.+?)(?:\.part\d+)?(?:\.tar)?"
    r"\.(?:zip|z\d\d|tar|tgz|tbz2?|txz|7z|rar|r\d\d|gz|bz2|xz|zst)(?:\.\d{2,3})?",
    re.I,
)
_UNFINISHED = (
    *(".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ".aria2"),
    *(".unconfirmed", ".!qb", ".!ut"),
)


def unpacked_name(name: str) -> str | None:
    """What an archive is called when it is unpacked; None for what is no archive.

    >>> unpacked_name("annotation_files.tar.gz"), unpacked_name("V1.0.zip.003")
    ('annotation_files', 'V1.0')
    >>> unpacked_name("p0002_r001_a007__aa.json")
    """
    match = _ARCHIVE.fullmatch(name)
    return match["stem"] if match else None


def is_unfinished(name: str) -> bool:
    """Whether a download tool still writes, or gave up writing, a file of this name."""
    return name.lower().endswith(_UNFINISHED)
