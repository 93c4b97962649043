"""How a file shows that it is cut short, or no media file: what a broken download looks like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import av

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def truncation(path: Path) -> str | None:
    """Why the file is too short for its container, or None.

    Matroska states the size of its segment, MP4 the size of each box; other containers, and
    streams of unknown size, are not judged. Reads a few bytes only.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
        if head[:4] == _EBML:
            promised = _matroska_end(head)
        elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
            promised = _mp4_end(file, size)
        else:
            return None
    if promised is not None and promised > size:
        return f"the container promises {promised:,} bytes, the file has {size:,}"
    return None


def _vint(data: bytes, at: int) -> tuple[int | None, int]:
    """A Matroska size at ``at``: (value, or None for unknown; bytes it took)."""
    if at >= len(data) or data[at] == 0:
        return None, 8
    length = 9 - data[at].bit_length()
    raw = data[at : at + length]
    if len(raw) < length:
        return None, length
    mask = (1 << (7 * length)) - 1
    value = int.from_bytes(raw, "big") & mask
    return (None if value == mask else value), length


def _matroska_end(head: bytes) -> int | None:
    header_size, taken = _vint(head, 4)
    if header_size is None:
        return None
    at = 4 + taken + header_size
    if head[at : at + 4] != _SEGMENT:
        return None
    segment_size, taken = _vint(head, at + 4)
    return None if segment_size is None else at + 4 + taken + segment_size


def _mp4_end(file: BinaryIO, size: int) -> int | None:
    at = 0
    for _ in range(10_000):
        if at >= size:
            return at
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return at + 8
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:
            return None
        if length < 8:
            return None
        at += length
    return None


def first_bytes(path: Path) -> str:
    """What a file that is no media file begins with, in words."""
    with path.open("rb") as file:
        head = file.read(12)
    if not head:
        return "an empty file"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page"
    if head.startswith(b"version http"):
        return "a Git LFS pointer"
    return f"bytes {head.hex(' ', 4)}"


def stated_frames(
    container: av.container.InputContainer, video: av.VideoStream, n_frames: int
) -> int:
    """How many frames a file says it has, 0 where it does not; ``n_frames`` are there."""
    tagged = video.frames or _tagged_frames(video.metadata)
    return tagged or _implied_frames(container, video, n_frames)


def _tagged_frames(metadata: dict[str, str]) -> int:
    """The frame count that mkvmerge and others leave in the stream's tags."""
    for key, value in metadata.items():
        if key.upper().startswith("NUMBER_OF_FRAMES") and value.strip().isdigit():
            return int(value)
    return 0


def _implied_frames(
    container: av.container.InputContainer, video: av.VideoStream, n_frames: int
) -> int:
    """Duration times the header's rate, which OpenCV takes for a count, where that is milliseconds.

    So it is when the rate is really the clock's (1000 a second in .mkv); 0 otherwise.
    """
    import av

    rate, base = video.average_rate, video.time_base
    if not rate or not base or not container.duration or rate * base != 1:
        return 0
    implied = round(container.duration * rate / av.time_base)
    return implied if implied > 2 * n_frames else 0
