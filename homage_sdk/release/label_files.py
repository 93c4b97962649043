"""Many JSON label files to columns: fast where all is in order, exact where something is not."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson
import pyarrow as pa

from homage_sdk.problems import Problem
from homage_sdk.release.faults import Faults
from homage_sdk.release.inventory import FileEntry
from homage_sdk.release.json_text import parse_json
from homage_sdk.release.text import read_bytes

_CHUNK_FILES = 64
_CHUNK_BYTES = 8 << 20

QUICK_FAILURES = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    OverflowError,
    pa.ArrowInvalid,
    pa.ArrowTypeError,
)
"""What the quick checks raise on a document that is not plainly in order."""

Rows = TypeVar("Rows")


class NotPlain(ValueError):  # noqa: N818 - a signal between two ways of reading
    """The chunk of files has to be read the careful way."""


@dataclass(slots=True)
class LabelFile:
    """One label file: its row in ``files``, whose labels it holds, and its bytes while read."""

    number: int
    entry: FileEntry
    sequence: str | None
    view: int | None = None
    data: bytes = b""
    document: Any = None


@contextmanager
def no_collector() -> Iterator[None]:
    """Without the cycle collector: parsed JSON has no cycles, and a million dicts to look at."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@dataclass(frozen=True, slots=True)
class LabelReader(Generic[Rows]):
    """Rows of label files, by ``plain`` where that holds and by ``careful`` where it does not.

    ``plain`` gets parsed files and returns their rows and the number of keys in their documents;
    a number that differs from what the bytes show means keys given twice.
    """

    root: Path
    plain: Callable[[list[LabelFile]], tuple[Rows, int]]
    careful: Callable[[LabelFile, Any, Faults], Rows]

    def read(
        self, files: Sequence[LabelFile], advance: Callable[[int], None]
    ) -> tuple[list[Rows], list[Problem]]:
        """Rows in order of ``files``, and what was wrong; ``advance`` hears how many are done."""
        rows: list[Rows] = []
        problems: list[Problem] = []
        with no_collector():
            for chunk in _chunks(files):
                found, faults = self._chunk(chunk)
                rows += found
                problems += faults
                for file in chunk:
                    file.data, file.document = b"", None
                advance(len(chunk))
        return rows, problems

    def _chunk(self, chunk: list[LabelFile]) -> tuple[list[Rows], list[Problem]]:
        problems: list[Problem] = []
        readable = []
        for file in chunk:
            faults = Faults(file.entry.path, file.sequence or "")
            data = read_bytes(self.root, file.entry, faults)
            problems += faults.problems
            if data is not None:
                file.data = data
                readable.append(file)
        together = self._quick(readable)
        if together is not None:
            return [together], problems
        rows = []
        for file in readable:
            found = self._quick([file])
            if found is None:
                found, faulty = self._careful(file)
                problems += faulty
            if found is not None:
                rows.append(found)
        return rows, problems

    def _careful(self, file: LabelFile) -> tuple[Rows | None, list[Problem]]:
        faults = Faults(file.entry.path, file.sequence or "")
        document, parsed = parse_json(file.data, faults)
        rows = self.careful(file, document, faults) if parsed else None
        return rows, faults.problems

    def _quick(self, files: list[LabelFile]) -> Rows | None:
        keys = 0
        try:
            for file in files:
                if file.document is None:
                    # An Arrow conversion would take `true` for 1.0.
                    if b"true" in file.data or b"false" in file.data:
                        return None
                    file.document = orjson.loads(file.data)
                keys += file.data.count(b'":')
            rows, expected = self.plain(files)
        except QUICK_FAILURES:
            return None
        return rows if keys == expected else None


def _chunks(files: Sequence[LabelFile]) -> Iterator[list[LabelFile]]:
    chunk: list[LabelFile] = []
    size = 0
    for file in files:
        if chunk and (len(chunk) >= _CHUNK_FILES or size + file.entry.bytes > _CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += file.entry.bytes
    if chunk:
        yield chunk


def plain_integers(values: Sequence[Any]) -> pa.Array:
    """Integers and nothing else; raises NotPlain (or Arrow's errors) otherwise."""
    array = pa.array(values)
    if array.type != pa.int64() or array.null_count:
        raise NotPlain
    return array


def plain_texts(values: Sequence[Any]) -> pa.Array:
    """Strings that are not blank, and nothing else."""
    array = pa.array(values, pa.string())
    if array.null_count or not all(map(str.strip, array.unique().to_pylist())):
        raise NotPlain
    return array
