"""The tables of an opened catalog, read when asked for and only as far as needed.

Opening reads two small files (``catalog.json`` and the ``sequences`` table). The labels of one
sequence come from the row groups whose statistics admit it, so that they cost milliseconds
whatever the size of the catalog.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from homage_sdk.catalog.read import read_catalog
from homage_sdk.catalog.row_group import RowGroup
from homage_sdk.catalog.rows import SequenceRow, ViewRow
from homage_sdk.catalog.schema import TABLES
from homage_sdk.errors import CatalogError, UsageError
from homage_sdk.taxonomy import KINDS, ClassName, Taxonomy

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_CACHED_ROW_GROUPS = 128
"""Row groups kept decoded, about 0.4 MB each: the labels of all of HOMAGE are 75 of them."""

_FEW = 32
"""Up to so many sequences, a table's rows are picked by row group; above, it is read whole."""

_OF_THE_CATALOG = ("classes", "problems")


class Labels:
    """A catalog folder, opened: whole tables, or the rows of one sequence.

    Pickles as (path, root); file handles and caches are made anew in the other process.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path = path
        self._given_root = root
        self._lock = Lock()
        _OPEN.add(self)
        self._catalog = read_catalog(path)
        self._files: dict[str, pq.ParquetFile] = {}
        self._bounds: dict[tuple[str, str], list[tuple[Any, Any] | None]] = {}
        self._groups: OrderedDict[tuple[str, int], RowGroup] = OrderedDict()
        self._taxonomies: dict[str, Taxonomy] = {}
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
        return self._catalog.release_root if self._catalog.info.source.root else None

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

    def restricted(self, table: str, sequences: Collection[str] | None) -> pa.Table:
        """A table with the rows of these sequences only; None stands for all.

        ``classes`` and ``problems`` are whole: they belong to the catalog.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if sequences is not None and len(sequences) <= _FEW and table not in _OF_THE_CATALOG:
            return self._of_few(table, sequences)
        read = self.whole(table)
        if sequences is None or table in _OF_THE_CATALOG:
            return read
        if "sequence" in TABLES[table].names:
            ids = pa.array(sequences, pa.string())
            return read.filter(pc.is_in(read["sequence"], value_set=ids))
        graphs = self.restricted("frames", sequences)["scene_graph_id"].combine_chunks()
        return read.filter(pc.is_in(read["scene_graph_id"], value_set=graphs))

    def _of_few(self, table: str, sequences: Collection[str]) -> pa.Table:
        """By the row groups that hold them, without reading the rest."""
        if table not in TABLES:
            self.whole(table)
        if "sequence" in TABLES[table].names:
            return self._of(table, "sequence", sorted(sequences))
        graphs = self._of("frames", "sequence", sorted(sequences))["scene_graph_id"]
        return self.of_graphs(table, graphs.to_pylist())

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

    def _group(self, table: str, group: int, column: str) -> RowGroup:
        key = (table, group)
        with self._lock:
            if key in self._groups:
                self._groups.move_to_end(key)
                return self._groups[key]
            with _explained(self.path / f"{table}.parquet"):
                read = self._file(table).read_row_group(
                    group, columns=TABLES[table].names, use_threads=False
                )
            self._groups[key] = made = RowGroup(read, column)
            if len(self._groups) > _CACHED_ROW_GROUPS:
                self._groups.popitem(last=False)
        return made

    def of_sequence(self, table: str, sequence: str) -> pa.Table:
        """The rows of a table with a ``sequence`` column that belong to one sequence."""
        return self._of(table, "sequence", [sequence])

    def of_graphs(self, table: str, graphs: Iterable[int]) -> pa.Table:
        """The rows of ``objects`` or ``relationships`` that belong to these scene graphs."""
        return self._of(table, "scene_graph_id", sorted(graphs))

    def _of(self, table: str, column: str, values: list[Any]) -> pa.Table:
        """The rows whose ``column`` is one of ``values`` (ascending), in the order of the file."""
        import pyarrow as pa

        parts: list[pa.Table] = []
        if values:
            for group in self._admits(table, column, values[0], values[-1]):
                parts += self._group(table, group, column).rows(values)
        return pa.concat_tables(parts) if parts else TABLES[table].empty_table()

    def views(self, sequence: str) -> tuple[ViewRow, ...]:
        """The views of one sequence in order of number; empty where it has no video."""
        rows = self.of_sequence("views", sequence).to_pylist()
        return tuple(sorted((ViewRow(**row) for row in rows), key=lambda row: row.view))

    def view_numbers(self) -> dict[str, set[int]]:
        """The numbers of the views of every sequence that has any."""
        table = self.whole("views")
        found: dict[str, set[int]] = {}
        for sequence, view in zip(
            table["sequence"].to_pylist(), table["view"].to_pylist(), strict=True
        ):
            found.setdefault(sequence, set()).add(view)
        return found

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


def below(root: Path, recorded: str) -> Path:
    """The file that a catalog records; CatalogError for a path that leads out of the release."""
    relative = PurePosixPath(recorded)
    if relative.is_absolute() or ".." in relative.parts:
        raise CatalogError(
            "a recorded path leads out of the release",
            found=repr(recorded[:200]),
            expected="a path below the release folder",
            hint="this catalog was not made by `homage ingest`: make it again",
        )
    return root / relative


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


_OPEN: WeakSet[Labels] = WeakSet()


def _unlock_all() -> None:
    """In a forked child: a lock that another thread held stays locked for ever; take new ones."""
    for labels in list(_OPEN):
        labels._lock = Lock()


os.register_at_fork(after_in_child=_unlock_all)
