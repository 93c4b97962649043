"""The tables of an opened catalog, read when asked for and only as far as needed.

Opening reads two small files (``catalog.json`` and the ``sequences`` table). The labels of one
sequence come from the row groups whose statistics admit it, so that they cost milliseconds
whatever the size of the catalog.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homage_sdk.catalog.schema import SCHEMA_VERSION, TABLES
from homage_sdk.errors import CatalogError, UsageError
from homage_sdk.taxonomy import KINDS, ClassName, Taxonomy

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_CACHED_ROW_GROUPS = 24
"""Neighbouring sequences share row groups; these many are kept decoded (a few MB)."""


@dataclass(frozen=True, slots=True)
class SequenceRow:
    """One row of the ``sequences`` table."""

    sequence: str
    participant: int
    room: int
    take: int
    activity_id: int | None
    split: str | None
    duration_s: float | None
    n_views: int
    has_ego: bool
    has_audio: bool
    n_atomic_actions: int
    n_scene_graphs: int


@dataclass(frozen=True, slots=True)
class ViewRow:
    """One row of the ``views`` table."""

    sequence: str
    view: int
    kind: str
    path: str | None
    bytes: int | None
    width: int | None
    height: int | None
    fps: float | None
    n_frames: int | None
    time_base_num: int | None
    time_base_den: int | None
    start_time_s: float | None
    duration_s: float | None
    has_audio: bool | None
    audio_start_s: float | None
    sample_rate: int | None
    sha256: str | None


class Labels:
    """A catalog folder, opened: whole tables, or the rows of one sequence.

    Pickles as (path, root); file handles and caches are made anew in the other process.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path = path
        self._given_root = root
        self._manifest = _read_manifest(path)
        self._files: dict[str, pq.ParquetFile] = {}
        self._bounds: dict[tuple[str, str], list[tuple[Any, Any] | None]] = {}
        self._groups: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()
        self._taxonomies: dict[str, Taxonomy] = {}
        self._views: dict[str, tuple[ViewRow, ...]] | None = None
        self.rows: tuple[SequenceRow, ...] = tuple(
            SequenceRow(**row) for row in self.whole("sequences").to_pylist()
        )
        self.position = {row.sequence: index for index, row in enumerate(self.rows)}

    def __reduce__(self) -> tuple[object, ...]:
        return (Labels, (self.path, self._given_root))

    @property
    def root(self) -> Path | None:
        """Where the media lie: the folder given, else the release recorded at ingest."""
        if self._given_root is not None:
            return self._given_root
        recorded = self._manifest.get("source", {}).get("root")
        return Path(recorded) if recorded else None

    def _file(self, table: str) -> pq.ParquetFile:
        import pyarrow.parquet as pq

        if table not in self._files:
            path = self.path / f"{table}.parquet"
            try:
                file = pq.ParquetFile(path, memory_map=False)
            except FileNotFoundError:
                raise CatalogError(
                    f"the catalog lacks its table {table!r}",
                    place=str(path),
                    hint="run `homage ingest` again",
                ) from None
            except (OSError, ValueError) as error:
                raise CatalogError(
                    "not a readable Parquet file",
                    place=str(path),
                    found=str(error).splitlines()[0],
                    hint="run `homage ingest` again",
                ) from error
            missing = [n for n in TABLES[table].names if n not in file.schema_arrow.names]
            if missing:
                raise CatalogError(
                    f"column {missing[0]!r} is missing",
                    place=str(path),
                    hint="run `homage migrate`, or `homage ingest` again",
                )
            self._files[table] = file
        return self._files[table]

    def whole(self, table: str) -> pa.Table:
        """One table, all rows; raises UsageError for a name that is no table."""
        if table not in TABLES:
            raise UsageError(
                f"no table {table!r}", expected=f"one of {', '.join(TABLES)}", place=str(self.path)
            )
        with _explained(self.path / f"{table}.parquet"):
            read = self._file(table).read(columns=TABLES[table].names, use_threads=False)
        return read

    def _admits(self, table: str, column: str, low: Any, high: Any) -> list[int]:
        """The row groups that may hold a value of ``column`` between ``low`` and ``high``."""
        key = (table, column)
        if key not in self._bounds:
            meta = self._file(table).metadata
            names = [meta.schema.column(i).path for i in range(meta.num_columns)]
            index = names.index(column)
            bounds: list[tuple[Any, Any] | None] = []
            for group in range(meta.num_row_groups):
                stats = meta.row_group(group).column(index).statistics
                known = stats is not None and stats.has_min_max
                bounds.append((stats.min, stats.max) if known else None)
            self._bounds[key] = bounds
        return [
            group
            for group, bound in enumerate(self._bounds[key])
            if bound is None or (bound[0] <= high and low <= bound[1])
        ]

    def _group(self, table: str, group: int) -> pa.Table:
        key = (table, group)
        if key in self._groups:
            self._groups.move_to_end(key)
            return self._groups[key]
        with _explained(self.path / f"{table}.parquet"):
            read = self._file(table).read_row_group(
                group, columns=TABLES[table].names, use_threads=False
            )
        self._groups[key] = read
        if len(self._groups) > _CACHED_ROW_GROUPS:
            self._groups.popitem(last=False)
        return read

    def of_sequence(self, table: str, sequence: str) -> pa.Table:
        """The rows of a table with a ``sequence`` column that belong to one sequence."""
        import pyarrow as pa
        import pyarrow.compute as pc

        parts = []
        for group in self._admits(table, "sequence", sequence, sequence):
            read = self._group(table, group)
            parts.append(read.filter(pc.equal(read["sequence"], sequence)))
        return pa.concat_tables(parts) if parts else TABLES[table].empty_table()

    def of_graphs(self, table: str, graphs: Iterable[int]) -> pa.Table:
        """The rows of ``objects`` or ``relationships`` that belong to these scene graphs."""
        import pyarrow as pa
        import pyarrow.compute as pc

        ids = sorted(graphs)
        if not ids:
            return TABLES[table].empty_table()
        low, high = ids[0], ids[-1]
        contiguous = high - low + 1 == len(ids)
        parts = []
        for group in self._admits(table, "scene_graph_id", low, high):
            read = self._group(table, group)
            column = read["scene_graph_id"]
            if contiguous:
                mask = pc.and_(pc.greater_equal(column, low), pc.less_equal(column, high))
            else:
                mask = pc.is_in(column, value_set=pa.array(ids, pa.int32()))
            parts.append(read.filter(mask))
        return pa.concat_tables(parts) if parts else TABLES[table].empty_table()

    def views(self, sequence: str) -> tuple[ViewRow, ...]:
        """The views of one sequence in order of number; empty where it has no video."""
        if self._views is None:
            grouped: dict[str, list[ViewRow]] = {}
            for row in self.whole("views").to_pylist():
                grouped.setdefault(row["sequence"], []).append(ViewRow(**row))
            self._views = {
                key: tuple(sorted(rows, key=lambda r: r.view)) for key, rows in grouped.items()
            }
        return self._views.get(sequence, ())

    def taxonomy(self, kind: str) -> Taxonomy:
        """The classes of one kind; raises UsageError for a kind there is not."""
        if kind not in KINDS:
            raise UsageError(f"no taxonomy {kind!r}", expected=f"one of {', '.join(KINDS)}")
        if not self._taxonomies:
            rows = [ClassName(**row) for row in self.whole("classes").to_pylist()]
            self._taxonomies = {
                each: Taxonomy(each, [row for row in rows if row.kind == each]) for each in KINDS
            }
        return self._taxonomies[kind]


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """A file that turns out damaged while it is read: one line that names it."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise CatalogError(
            "the table is damaged",
            place=str(path),
            found=str(error).splitlines()[0][:200],
            hint="run `homage ingest` again",
        ) from error


def _read_manifest(path: Path) -> dict[str, Any]:
    """``catalog.json``; raises CatalogError where the folder is no catalog of this version."""
    file = path / "catalog.json"
    try:
        manifest = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise CatalogError(
            "no catalog here",
            place=str(path),
            expected="a folder with catalog.json",
            hint="make one with `homage ingest RELEASE CATALOG`",
        ) from None
    except (OSError, ValueError) as error:
        raise CatalogError("not readable", place=str(file), found=str(error)) from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise CatalogError(
            "a catalog of another version",
            place=str(file),
            found=f"schema_version {version}",
            expected=str(SCHEMA_VERSION),
            hint="run `homage migrate`, or `homage ingest` again",
        )
    return dict(manifest)
