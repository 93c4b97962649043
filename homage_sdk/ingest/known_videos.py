"""What is known of videos that were read before: a log beside the catalog, a line a video.

A line counts while path, size, modification time, both ends of the file and the code that probed it
are what they were. Lines are appended while videos are read, so that a kill loses the videos in
hand and no others. A line that is cut or damaged is as if it were not there.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from fractions import Fraction
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from homage_sdk.errors import HomageError
from homage_sdk.folders import PROBES_FILE
from homage_sdk.storage import explained
from homage_sdk.storage.commit import real, replacing
from homage_sdk.storage.file_identity import size_time_ends

if TYPE_CHECKING:
    from homage_sdk.media.probe import VideoProbe

PROBING = (
    "homage_sdk.media.probe",
    "homage_sdk.media.pts_index",
    "homage_sdk.media.header.container",
    "homage_sdk.media.header.container_faults",
    "homage_sdk.media.header.opening",
    "homage_sdk.media.header.orientation",
    "homage_sdk.media.header.tracks",
)
"""All of ``media`` that probing runs (tested): a probe counts while these stay as they are."""

_ARRAYS = ("path", "time_base", "pts", "keyframe")
_UNSURE = ("truncated:", "picture:")
"""Faults of a probe that the disk may have rather than the file."""
_RUBBISH = (ValueError, TypeError, LookupError, ArithmeticError, zlib.error)
"""What a line that we did not write may raise."""


class Stamp(NamedTuple):
    """What tells that a file, and what was read of it, are what they were."""

    bytes: int
    mtime_ns: int
    edges: str
    """SHA-256 over the first and the last 64 KiB."""
    code: str
    """What changes when the same file may be read otherwise."""


class _Entry(NamedTuple):
    stamp: Stamp
    value: Any
    line: bytes


class KnownVideos:
    """The log of a catalog. Safe in threads; two processes may append to one log."""

    def __init__(self, catalog: Path, root: Path) -> None:
        self._file = real(catalog) / PROBES_FILE
        self._root = root
        self._edges: dict[str, tuple[int, int, str]] = {}
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._n_lines = 0
        self._lock = Lock()
        try:
            lines = self._file.read_bytes().split(b"\n")
        except OSError:
            lines = []
        for line in filter(None, lines):
            self._n_lines += 1
            try:
                key, entry = _opened(line)
            except _RUBBISH:
                continue
            self._entries[key] = entry

    @cached_property
    def _code(self) -> str:
        """Of the modules and libraries that decide how a probe comes out, and how it is kept."""
        import av

        digest = hashlib.sha256(
            repr((av.__version__, sorted(av.library_versions.items()))).encode()
        )
        for module in (*PROBING, __name__):
            digest.update(Path(str(import_module(module).__file__)).read_bytes())
        return digest.hexdigest()[:16]

    def probe(
        self, path: str, read: Callable[[Path], VideoProbe | HomageError]
    ) -> VideoProbe | HomageError:
        """The probe of a video, ``read`` where it is not known."""

        def keep(made: VideoProbe | HomageError) -> object:
            if isinstance(made, HomageError) or any(f.startswith(_UNSURE) for f in made.faults):
                return None
            return _packed(made)

        key = ("probe", path)
        found: VideoProbe | HomageError = self._recall(key, self._code, read, keep, _unpacked)
        return found

    def sha256(self, path: str, read: Callable[[Path], str | HomageError]) -> str | HomageError:
        """The SHA-256 of a video, ``read`` where it is not known."""

        def keep(made: str | HomageError) -> object:
            return None if isinstance(made, HomageError) else made

        found: str | HomageError = self._recall(
            ("sha256", path), "", read, keep, lambda value, _: str(value)
        )
        return found

    def _recall(
        self,
        key: tuple[str, str],
        code: str,
        read: Callable[[Path], Any],
        keep: Callable[[Any], object],
        known: Callable[[Any, Path], Any],
    ) -> Any:
        file = self._root / key[1]
        try:
            if key[1] not in self._edges:
                self._edges[key[1]] = size_time_ends(file)
        except OSError:
            return read(file)
        stamp = Stamp(*self._edges[key[1]], code)
        entry = self._entries.get(key)
        if entry is not None and entry.stamp == stamp:
            with suppress(*_RUBBISH):
                return known(entry.value, file)
        made = read(file)
        value = keep(made)
        with suppress(OSError):
            state = file.stat()
            if value is not None and (state.st_size, state.st_mtime_ns) == stamp[:2]:
                self._append(key, stamp, value)
        return made

    def _append(self, key: tuple[str, str], stamp: Stamp, value: object) -> None:
        text = orjson.dumps([key, list(stamp), value])
        line = _seal(text) + b" " + text
        with self._lock, explained(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab", buffering=0) as log:
                log.write(b"\n" + line)  # a line that was cut ends here
            self._n_lines += 1
            self._entries[key] = _Entry(stamp, value, line)

    def tidy(self) -> None:
        """Write the log anew where it has lines that no longer count. Raises StorageError.

        Those of files that are gone stay: a disk may come back.
        """
        if self._n_lines == len(self._entries):
            return
        folder, name = self._file.parent, self._file.name
        with replacing(folder, lambda _: (name,), lambda _: None, first=name) as staged:
            lines = (self._entries[key].line for key in sorted(self._entries))
            (staged / name).write_bytes(b"\n".join(lines))


def _seal(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=8).hexdigest().encode()


def _opened(line: bytes) -> tuple[tuple[str, str], _Entry]:
    seal, _, text = line.partition(b" ")
    if _seal(text) != seal:
        raise ValueError("a line that is cut or was changed")
    (kind, path), stamp, value = orjson.loads(text)
    return (str(kind), str(path)), _Entry(Stamp(*stamp), value, line)


def _packed(probe: VideoProbe) -> dict[str, object]:
    facts = {f.name: getattr(probe, f.name) for f in fields(probe) if f.name not in _ARRAYS}
    steps = np.diff(probe.pts, prepend=0).astype("<i8")
    return facts | {
        "time_base": [probe.time_base.numerator, probe.time_base.denominator],
        "pts": base64.b64encode(zlib.compress(steps.tobytes(), 1)).decode(),
        "keyframe": np.flatnonzero(probe.keyframe).tolist(),
    }


def _unpacked(value: dict[str, Any], path: Path) -> VideoProbe:
    from homage_sdk.media.probe import VideoProbe

    steps = np.frombuffer(zlib.decompress(base64.b64decode(value["pts"])), "<i8")
    keyframe = np.zeros(len(steps), dtype=np.bool_)
    keyframe[value["keyframe"]] = True
    stated = {
        "path": path,
        "time_base": Fraction(*value["time_base"]),
        "pts": np.cumsum(steps, dtype=np.int64),
        "keyframe": keyframe,
        "faults": tuple(value["faults"]),
    }
    return VideoProbe(**(value | stated))
