"""The one way to open a file of pictures or sound for reading, and why one cannot be opened.

Every road goes through here: the path is absolute (FFmpeg takes ``x:1.mp4`` for a protocol), and a
tag that is no UTF-8 is no fault.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import BinaryIO, Literal

import av
import av.logging

from homage_sdk.errors import MediaError
from homage_sdk.media.header.container import first_bytes
from homage_sdk.storage.system_errors import require_enough

av.logging.set_level(av.logging.ERROR)  # what it reports is heard, and not printed
av.logging.set_skip_repeated(False)
logging.getLogger("libav").addHandler(logging.NullHandler())
logging.getLogger("libav").propagate = False


def open_media(path: Path) -> av.container.InputContainer:
    """Open a video or sound file; MediaError says why it cannot be opened."""
    try:
        if not path.is_file():
            hint = "is the release where the catalog saw it?"
            raise MediaError("no such file", place=str(path), hint=hint)
        return av.open(str(path.absolute()), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        try:
            require_enough(error, path)
            found = first_bytes(path)
        except OSError as refusal:
            raise unreadable(path, refusal) from error
        raise MediaError(
            "cannot be opened as video or sound",
            place=str(path),
            found=found,
            expected="a media file such as .mkv",
            hint=f"copy it again ({reason(error)})",
        ) from error


def file_state(path: Path) -> tuple[object, ...]:
    """A key for what is kept of an opened file: one replaced under the same name is another."""
    try:
        facts = path.stat()
    except OSError:
        return (str(path),)
    return (str(path), facts.st_ino, facts.st_size, facts.st_mtime_ns)


def open_packed(file: BinaryIO, form: Literal["mp4", "flac"]) -> av.container.InputContainer:
    """Open what was packed, as what it was packed as; raises what FFmpeg raises.

    The format is not guessed: a text may name other files to read, or a port to listen at.
    """
    return av.open(file, "r", format=form, metadata_errors="replace")


def unreadable(path: Path | None, error: OSError) -> MediaError:
    """The fault of a file that the system refuses to read; ResourceError where it is no fault."""
    require_enough(error, path)
    return MediaError(
        "cannot be read", place=path, found=reason(error),
        hint="check its rights and the disk, then run the same command again",
    )  # fmt: skip


def reason(error: Exception) -> str:
    """Why a library could not read a file, in one line."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__).split("\n")[0]
