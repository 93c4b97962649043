"""Many JSON label files to columns: fast where all is in order, exact where something is not.

Arrow's JSON parser turns a chunk of files into columns at once and is strict about types, numbers
and keys given twice. A chunk that it, or a check after it, refuses is read file by file, and the
file that is refused alone is read record by record (``careful``), each fault at its JSON pointer.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from homage_sdk.problems import Problem
from homage_sdk.release.faults import Faults
from homage_sdk.release.files.inventory import FileEntry
from homage_sdk.release.files.text import read_bytes
from homage_sdk.release.labels.json_text import parse_json
from homage_sdk.release.records import LARGEST

_CHUNK_FILES = 512
_CHUNK_BYTES = 4 << 20
_BLOCK_BYTES = 1 << 20

Rows = TypeVar("Rows")


class NotPlain(ValueError):  # noqa: N818 - a signal between two ways of reading
    """The chunk of files has to be read the careful way."""


_REFUSALS = (NotPlain, ValueError, KeyError, pa.ArrowException)
"""What the quick way raises on a file that is not plainly in order."""


@dataclass(slots=True)
class LabelFile:
    """One label file: its row in ``files``, whose labels it holds, and its bytes while read."""

    number: int
    entry: FileEntry
    sequence: str | None
    view: int | None = None
    data: bytes = b""


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
    """Rows of label files, by ``plain`` where that holds and by ``careful`` where it does not."""

    root: Path
    plain: Callable[[list[LabelFile]], Rows]
    careful: Callable[[LabelFile, Any, Faults], Rows]

    def read(
        self, files: Sequence[LabelFile], advance: Callable[[int], None]
    ) -> tuple[list[Rows], list[Problem]]:
        """Rows in order of ``files``, and what was wrong; ``advance`` hears how many are done."""
        rows: list[Rows] = []
        problems: list[Problem] = []
        chunks = list(_chunks(files))
        with no_collector(), ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
            try:
                results = pool.map(self._chunk, chunks)
                for chunk, (found, faults) in zip(chunks, results, strict=True):
                    rows += found
                    problems += faults
                    advance(len(chunk))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
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
        rows = self._rows(readable, problems)
        for file in chunk:
            file.data = b""
        return rows, problems

    def _rows(self, files: list[LabelFile], problems: list[Problem]) -> list[Rows]:
        if not files:
            return []
        together = self._quick(files)
        if together is not None:
            return [together]
        rows = []
        for file in files:
            found = self._quick([file]) if len(files) > 1 else None
            if found is None:
                faults = Faults(file.entry.path, file.sequence or "")
                document, parsed = parse_json(file.data, faults)
                found = self.careful(file, document, faults) if parsed else None
                problems += faults.problems
            if found is not None:
                rows.append(found)
        return rows

    def _quick(self, files: list[LabelFile]) -> Rows | None:
        try:
            return self.plain(files)
        except _REFUSALS:
            return None


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


def parse_together(
    files: list[LabelFile],
    schema: pa.Schema,
    *,
    opening: bytes,
    before: bytes = b"",
    after: bytes = b"",
) -> pa.Table:
    """One row a file with the columns of ``schema``; other keys are not looked at.

    Every document has to begin with ``opening``; ``before`` and ``after`` are put around it, since
    the parser takes objects only. Raises NotPlain or Arrow's errors where it is not that simple.
    """
    lines = []
    longest = 0
    for file in files:
        data = file.data
        if not data.startswith(opening):
            raise NotPlain
        if not data.isascii():  # the parser does not look at the bytes of keys that it ignores
            data.decode()
        if b"\n" in data or b"\r" in data:
            # One document a line. A tab is white space too, and as wrong within a string.
            data = data.replace(b"\n", b"\t").replace(b"\r", b"\t")
        lines.append(before + data + after if before else data)
        longest = max(longest, len(data))
    block = max(_BLOCK_BYTES, longest + len(before) + len(after) + 2)
    table = pj.read_json(
        pa.BufferReader(b"\n".join(lines)),
        read_options=pj.ReadOptions(use_threads=False, block_size=block),
        parse_options=pj.ParseOptions(
            explicit_schema=schema, newlines_in_values=False, unexpected_field_behavior="ignore"
        ),
    )
    if table.num_rows != len(files):
        raise NotPlain
    return table


def unpack(lists: pa.Array) -> tuple[pa.Array, np.ndarray[Any, np.dtype[np.int64]]]:
    """The items of a list column, and how many each row has; raises NotPlain at a null."""
    if lists.null_count:
        raise NotPlain
    counts = np.asarray(pc.list_value_length(lists), dtype=np.int64)
    return lists.flatten(), counts


def plain_integers(values: pa.Array) -> pa.Array:
    """An integer column of sane numbers and nothing else; raises NotPlain otherwise."""
    if values.null_count:
        raise NotPlain
    numbers = np.asarray(values)
    if len(numbers) and max(int(numbers.max()), -int(numbers.min())) > LARGEST:
        raise NotPlain
    return values


def plain_texts(values: pa.Array) -> pa.Array:
    """A text column without nulls and blanks; raises NotPlain otherwise."""
    if values.null_count or not all(map(str.strip, values.unique().to_pylist())):
        raise NotPlain
    return values


def field_of(records: pa.Array, name: str) -> pa.Array:
    """One key of a column of records; raises NotPlain where a record is null."""
    if records.null_count:
        raise NotPlain
    return records.field(name)
