"""Bytes of a label file to text: what is not text is named, never guessed at."""

from __future__ import annotations

import codecs
from pathlib import Path

from homage_sdk.problems import Code, Severity
from homage_sdk.release.faults import Faults
from homage_sdk.release.files.inventory import UNREADABLE, FileEntry
from homage_sdk.storage.system_errors import require_enough

MAX_LABEL_BYTES = 32 << 20
"""A label file above this is not opened; HOMAGE's largest is far below one megabyte."""

_BOMS = (  # the longer first: UTF-32-LE begins with UTF-16-LE's mark
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


WEB_PAGE = Code(
    "HOM101",
    "an HTML page under a data file's name",
    why="Downloads that need a login or a licence often save the login page instead of the file.",
    hint="download the file again, logged in",
    example="p0002_r001_a007__aa.json that begins <!DOCTYPE html>",
)
LFS_POINTER = Code(
    "HOM102",
    "a git-LFS pointer instead of the file",
    why="The repository was cloned without its large files; what is here is a three-line pointer.",
    hint="run `git lfs pull` where it was cloned, or download the file itself",
    example="a .mkv of 130 bytes that begins version https://git-lfs.github.com/spec/v1",
)
EMPTY = Code(
    "HOM103",
    "empty file",
    why="The file has no bytes (or only white space): a copy that was cut or never began.",
    hint="copy it again",
    example="a .json of 0 bytes",
)
TOO_LARGE = Code(
    "HOM104",
    "file larger than one of its kind can be",
    why="All of HOMAGE's labels are some tens of megabytes, and its sensor files smaller. A file "
    "above the reader's limit is left out, so that memory stays bounded.",
    hint="check what this file is",
    example="p0002_r001_a007__aa.json of 40 MB",
)
NOT_UTF8 = Code(
    "HOM105",
    "text not in UTF-8",
    severity=Severity.WARNING,
    why="The file is UTF-16 or UTF-32, as some editors save it. It was decoded and read.",
    hint="save it as UTF-8",
    example="a label file saved as UTF-16",
)
BYTE_ORDER_MARK = Code(
    "HOM106",
    "byte order mark",
    severity=Severity.WARNING,
    why="The file begins with an invisible mark that many JSON and CSV readers reject. It was "
    "skipped and the file read.",
    hint="save it as UTF-8 without a byte order mark",
    example="a .csv whose first bytes are EF BB BF",
)
NOT_TEXT = Code(
    "HOM107",
    "not text",
    why="The bytes are no text in any encoding we know: a damaged file, or a binary one under a "
    "label file's name.",
    hint="save it as UTF-8 if it is text, else copy it again",
    example="a PNG picture named p0002_r001_a007__aa.json",
)
COMPRESSED = Code(
    "HOM143",
    "compressed bytes under another kind of name",
    why="The file begins as gzip, zip, bzip2, xz, zstd or 7z files do; its name says otherwise. A "
    "download tool stored the packed bytes. It is not read.",
    hint="unpack it and keep its name (gzip: `zcat FILE > copy`), or download it again",
    example="p0002_r001_a007__aa.json that begins 1F 8B",
)
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")


def read_bytes(root: Path, entry: FileEntry, faults: Faults) -> bytes | None:
    """The bytes of a label file, or None with the reason noted."""
    if entry.bytes > MAX_LABEL_BYTES:
        faults.add(TOO_LARGE, found=f"{entry.bytes} bytes", expected=f"at most {MAX_LABEL_BYTES}")
        return None
    try:
        # Thousands of files: no Path, and one system call where the size is as the walk saw it.
        with open(f"{root}/{entry.path}", "rb", buffering=0) as file:  # noqa: PTH123
            data = file.read(entry.bytes + 1)
            if len(data) != entry.bytes:
                data += file.read(MAX_LABEL_BYTES + 1 - len(data))
    except OSError as error:
        require_enough(error, entry.path)
        faults.add(UNREADABLE, found=error.strerror or type(error).__name__)
        return None
    if len(data) > MAX_LABEL_BYTES:  # it grew, or is no ordinary file
        faults.add(TOO_LARGE, found="more bytes", expected=f"at most {MAX_LABEL_BYTES}")
        return None
    return data


def is_stand_in(data: bytes) -> Code | None:
    """The code of what pretends to be a file: a web page, a pointer, a packed file, nothing."""
    if data.startswith(_PACKED):
        return COMPRESSED
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head and not data.strip():
        return EMPTY
    if head.startswith(b"version https://git-lfs"):
        return LFS_POINTER
    if head.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")):
        return WEB_PAGE
    return None


def to_text(data: bytes, faults: Faults) -> str | None:
    """Decode, noting whatever is unusual; None where this is not text at all."""
    stand_in = is_stand_in(data)
    if stand_in is not None:
        faults.add(stand_in, found=f"{len(data)} bytes", expected="the file itself")
        return None
    if data.startswith(codecs.BOM_UTF8):
        faults.add(BYTE_ORDER_MARK, found="EF BB BF", expected="text from the first byte")
        data = data[len(codecs.BOM_UTF8) :]
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), None)
    if encoding is None and b"\0" in data[:4]:
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    try:
        text = data.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        faults.add(
            NOT_TEXT,
            found=f"byte 0x{data[error.start]:02x} at offset {error.start}, line {line}",
            expected=f"{encoding or 'UTF-8'} text",
        )
        return None
    if encoding is not None:
        faults.add(NOT_UTF8, found=encoding.upper(), expected="UTF-8")
    return text.removeprefix("\ufeff")
