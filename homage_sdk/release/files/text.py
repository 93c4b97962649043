"""Bytes of a label file to text: what is not text is named, never guessed at."""

from __future__ import annotations

import codecs
from pathlib import Path

from homage_sdk.release.faults import Faults
from homage_sdk.release.files.inventory import FileEntry

MAX_LABEL_BYTES = 32 << 20
"""A label file above this is not opened; HOMAGE's largest is far below one megabyte."""

_BOMS = (  # the longer first: UTF-32-LE begins with UTF-16-LE's mark
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_bytes(root: Path, entry: FileEntry, faults: Faults) -> bytes | None:
    """The bytes of a label file, or None with the reason noted."""
    if entry.bytes > MAX_LABEL_BYTES:
        faults.add("HOM104", found=f"{entry.bytes} bytes", expected=f"at most {MAX_LABEL_BYTES}")
        return None
    try:
        # Thousands of files: no Path, and one system call where the size is as the walk saw it.
        with open(f"{root}/{entry.path}", "rb", buffering=0) as file:  # noqa: PTH123
            data = file.read(entry.bytes + 1)
            if len(data) != entry.bytes:
                data += file.read(MAX_LABEL_BYTES + 1 - len(data))
    except OSError as error:
        faults.add("HOM100", found=error.strerror or type(error).__name__)
        return None
    if len(data) > MAX_LABEL_BYTES:  # it grew, or is no ordinary file
        faults.add("HOM104", found="more bytes", expected=f"at most {MAX_LABEL_BYTES}")
        return None
    return data


def is_stand_in(data: bytes) -> str | None:
    """The code of what pretends to be a file here: a web page, a pointer, nothing."""
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head and not data.strip():
        return "HOM103"
    if head.startswith(b"version https://git-lfs"):
        return "HOM102"
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")):
        return "HOM101"
    return None


def to_text(data: bytes, faults: Faults) -> str | None:
    """Decode, noting whatever is unusual; None where this is not text at all."""
    stand_in = is_stand_in(data)
    if stand_in is not None:
        faults.add(stand_in, found=f"{len(data)} bytes", expected="the file itself")
        return None
    if data.startswith(codecs.BOM_UTF8):
        faults.add("HOM106", found="EF BB BF", expected="text from the first byte")
        data = data[len(codecs.BOM_UTF8) :]
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), None)
    if encoding is None and b"\0" in data[:4]:
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    try:
        text = data.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        faults.add(
            "HOM107",
            found=f"byte 0x{data[error.start]:02x} at offset {error.start}, line {line}",
            expected=f"{encoding or 'UTF-8'} text",
        )
        return None
    if encoding is not None:
        faults.add("HOM105", found=encoding.upper(), expected="UTF-8")
    return text.removeprefix("\ufeff")
