"""One handle on a catalog folder: whole tables, rows of some sequences, rows as typed records.

Opening reads ``catalog.json`` and the footers of the tables, nothing else. The labels of one
sequence come from the row groups that hold them, so that they cost milliseconds whatever the size
of the catalog.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from homage_sdk.catalog.catalog_card import catalog_card
from homage_sdk.catalog.info import CatalogInfo, read_info, stamp
from homage_sdk.catalog.parquet_table import ParquetTable, open_checked
from homage_sdk.catalog.schema import OF_THE_CATALOG, TABLES
from homage_sdk.errors import CatalogError, ReleaseError, require_known
from homage_sdk.problems import Problem
from homage_sdk.progress import Meter, Progress
from homage_sdk.storage.dataset_card import other_card
from homage_sdk.taxonomy import KINDS, ClassName, Taxonomy


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


class Catalog:
    """A catalog folder, opened. It is one state of the folder, or an error, in every process.

    Safe in several threads and forks; pickles as its path. Raises CatalogError with the reason when
    the folder is no catalog, half-written, changed, or of another schema version. ``root``: where
    the media lie now, the same folder as ingest takes; default, the one recorded at ingest.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path = Path(path)
        self.info, self._stamp = _whole_state(self.path)
        self._given_root = root
        self._open: dict[str, ParquetTable] = {}

    def __repr__(self) -> str:
        return f"Catalog({str(self.path)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return (_reopen, (self.path, self._given_root, self.info.seal))

    @cached_property
    def _roots(self) -> tuple[Path, ...]:
        """Where recorded paths may begin: as ingest would find it, then as it was given."""
        given = self._given_root
        if given is None:
            recorded = self.info.source.root
            return (Path(recorded),) if recorded else ()
        from homage_sdk.release.files.find import find_release

        try:
            return tuple(dict.fromkeys((find_release(given).root, given)))
        except ReleaseError:
            return (given,)

    @property
    def root(self) -> Path | None:
        """Where the media lie; None where neither the caller nor the catalog says."""
        return self._roots[0] if self._roots else None

    def below_roots(self, recorded: str) -> tuple[Path, ...]:
        """Where the file that a table names may lie, in order; the first that exists is it.

        Raises CatalogError for a path that leads out of the release.
        """
        relative = PurePosixPath(recorded)
        if relative.is_absolute() or ".." in relative.parts:
            raise CatalogError(
                "a recorded path leads out of the release",
                found=repr(recorded[:200]),
                expected="a path below the release folder",
                hint="this catalog was not made by `homage ingest`: make it again",
            )
        return tuple(root / relative for root in self._roots)

    def below_root(self, recorded: str) -> Path | None:
        """The file that a table names, there or not; CatalogError as for ``below_roots``."""
        paths = self.below_roots(recorded)
        return next(
            (path for path in paths if os.access(path, os.F_OK)), paths[0] if paths else None
        )

    # Tables

    def _table(self, name: str) -> ParquetTable:
        require_known("table", name, TABLES)
        if name not in self._open:
            try:
                opened = ParquetTable(self.path, name, self.info.files.get(name))
            finally:  # a file that fits neither is no damage where the catalog was rebuilt
                self._require_same_state()
            self._open[name] = opened
        return self._open[name]

    def _require_same_state(self) -> None:
        """Raise CatalogError unless ``catalog.json`` is still the one that was opened.

        An open file stays what it is when another takes its name, so that this is asked once a
        table, after it was opened.
        """
        now = stamp(self.path)
        if now == self._stamp or now is None:
            return
        if read_info(self.path).seal != self.info.seal:
            raise CatalogError(
                "the catalog was rebuilt while it was open", place=self.path, hint="open it again"
            )
        self._stamp = now

    def table(self, name: str, sequences: Collection[str] | None = None) -> pa.Table:
        """A table, or its rows of these sequences; UnknownIdError for a name that is no table.

        ``classes`` and ``problems`` are always whole: they belong to the catalog.
        """
        table = self._table(name)
        if sequences is None or name in OF_THE_CATALOG:
            return table.whole()
        if "sequence" in TABLES[name].names:
            return table.rows("sequence", sorted(sequences))
        return self.of_graphs(name, self.table("frames", sequences)["scene_graph_id"].to_pylist())

    def of_graphs(self, name: str, graphs: Iterable[int]) -> pa.Table:
        """The rows of ``objects`` or ``relationships`` that belong to these scene graphs."""
        return self._table(name).rows("scene_graph_id", sorted(graphs))

    # Rows as records

    @cached_property
    def rows(self) -> tuple[SequenceRow, ...]:
        """Every sequence, in order of id."""
        return tuple(SequenceRow(**row) for row in self.table("sequences").to_pylist())

    def views(self, sequence: str) -> tuple[ViewRow, ...]:
        """The views of one sequence in order of number; empty where it has no video."""
        rows = self.table("views", [sequence]).to_pylist()
        return tuple(sorted((ViewRow(**row) for row in rows), key=lambda row: row.view))

    def values_of(self, table: str, column: str) -> dict[str, set[Any]]:
        """What a column holds for each sequence that the table knows."""
        whole = self.table(table)
        found: dict[str, set[Any]] = {}
        for sequence, value in zip(
            whole["sequence"].to_pylist(), whole[column].to_pylist(), strict=True
        ):
            found.setdefault(sequence, set()).add(value)
        return found

    @cached_property
    def _taxonomies(self) -> dict[str, Taxonomy]:
        rows = [ClassName(**row) for row in self.table("classes").to_pylist()]
        return {kind: Taxonomy(kind, [row for row in rows if row.kind == kind]) for kind in KINDS}

    def taxonomy(self, kind: str) -> Taxonomy:
        """The classes of one kind; raises UsageError for a kind there is not."""
        require_known("taxonomy", kind, KINDS)
        return self._taxonomies[kind]


def verify_catalog(path: Path, progress: Progress | None = None) -> list[Problem]:
    """Compare every byte of the tables with what was written; a problem for each that differs.

    Raises CatalogError when ``catalog.json`` itself is not whole.
    """
    info, problems = read_info(path), []
    meter = Meter(progress, len(TABLES))
    for name in TABLES:
        try:
            file = path / f"{name}.parquet"
            open_checked(file, info.files.get(name), every_byte=True).close()
        except CatalogError as error:
            problems.append(error.to_problem())
        meter.advance()
    return [*problems, *other_card(path, catalog_card(info.counts))]


def _whole_state(path: Path) -> tuple[CatalogInfo, tuple[int, ...] | None]:
    """``catalog.json`` and its stamp, once every table is found to fit it."""
    while True:
        before = stamp(path)
        info = read_info(path)
        try:
            for name in TABLES:
                open_checked(path / f"{name}.parquet", info.files.get(name)).close()
        except CatalogError:
            if stamp(path) == before:
                raise
        else:
            if stamp(path) == before:
                return info, before


def _reopen(path: Path, root: Path | None, seal: str) -> Catalog:
    catalog = Catalog(path, root)
    if catalog.info.seal != seal:
        raise CatalogError(
            "the catalog was rebuilt since this was made from it", place=path, hint="open it again"
        )
    return catalog
