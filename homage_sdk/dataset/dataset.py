"""The dataset: sequences of a catalog, selected, asked and handed to workers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Literal, SupportsIndex, overload

from homage_sdk.catalog.tables import Catalog, SequenceRow
from homage_sdk.dataset import selection
from homage_sdk.dataset.described import Described
from homage_sdk.dataset.selection import Wanted
from homage_sdk.dataset.sequence import Sequence, converted
from homage_sdk.errors import UsageError, require_known
from homage_sdk.ids import SequenceId
from homage_sdk.query.patterns import Action, Triple

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from homage_sdk.query.matches import ActionMatch, Matches, TripleMatch
    from homage_sdk.query.sql import Parameters, SqlSession


class Dataset(Described):
    """The sequences of a catalog, in order of id; filters give smaller Datasets.

    Opening reads the list of sequences and nothing else; it pickles as path and selection.

    Args:
        path: the catalog folder that ``homage ingest`` wrote.
        root: where the media lie now, as for ingest; default, the release recorded at ingest.

    Raises:
        CatalogError: no catalog there, or one that is half-written, changed or of another version.
        UsageError: ``root`` is no folder.

    >>> ds = Dataset(catalog)
    >>> train = ds.split("train").having(views={"ego", "third"})
    >>> len(ds), len(train)
    (6, 2)
    >>> ds["p0001_r001_a001"].activity.name
    'make tea'

    """

    def __init__(self, path: str | Path, *, root: str | Path | None = None) -> None:
        self._catalog = Catalog(Path(path).expanduser().absolute(), selection.root_folder(root))
        self._rows = self._catalog.rows

    def __reduce__(self) -> tuple[object, ...]:
        return (_reopen, (self._catalog, self._some))

    # Sequences

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the selected sequences, in order."""
        return tuple(row.sequence for row in self._rows)

    @cached_property
    def _by_id(self) -> dict[str, SequenceRow]:
        return {row.sequence: row for row in self._rows}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Sequence]:
        return (Sequence(self._catalog, row) for row in self._rows)

    def __contains__(self, key: object) -> bool:
        return str(key) in self._by_id

    def __repr__(self) -> str:
        total = len(self._catalog.rows)
        selected = "" if len(self) == total else f" of {total}"
        return f"Dataset({str(self.path)!r}, {len(self)}{selected} sequences)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dataset):
            return NotImplemented
        return self.path == other.path and self.ids == other.ids

    def __hash__(self) -> int:
        return hash((self.path, self.ids))

    @overload
    def __getitem__(self, key: str | SequenceId | SupportsIndex) -> Sequence: ...
    @overload
    def __getitem__(self, key: slice) -> Dataset: ...
    def __getitem__(self, key: str | SequenceId | SupportsIndex | slice) -> Sequence | Dataset:
        if isinstance(key, slice):
            return _select(self._catalog, self._rows[key])
        if isinstance(key, SupportsIndex):
            try:
                return Sequence(self._catalog, self._rows[index(key)])
            except IndexError:
                raise IndexError(f"index {key} of {len(self)} sequences") from None
        row = self._by_id.get(str(key))
        if row is None:
            raise selection.unknown_sequence(self._catalog, self.ids, str(key))
        return Sequence(self._catalog, row)

    # Selection

    def _keep(self, wanted: Wanted) -> Dataset:
        return _select(self._catalog, filter(wanted, self._rows))

    def split(self, *names: str) -> Dataset:
        """The sequences of these splits; raises UnknownIdError for one that no list names."""
        known = sorted({row.split for row in self._catalog.rows if row.split})
        for name in names:
            require_known("split", name, known)
        return self._keep(lambda row: row.split in names)

    def activity(self, *names: str) -> Dataset:
        """The sequences of these activities, in any spelling; ``*`` and ``?`` as in file names.

        UnknownIdError names the nearest.
        """
        taxonomy = self.taxonomy("activity")
        classes = {each.id for name in names for each in taxonomy.matching(name)}
        return self._keep(lambda row: row.activity_id in classes)

    def participant(self, *numbers: int) -> Dataset:
        """The sequences of these participants; UnknownIdError for one that has none."""
        known = sorted({row.participant for row in self._catalog.rows})
        for number in numbers:
            require_known("participant", number, known)
        return self._keep(lambda row: row.participant in numbers)

    def select(self, ids: Iterable[str | SequenceId]) -> Dataset:
        """These sequences (in order of id); UnknownIdError for one that is not selected here."""
        wanted = {str(each) for each in ids}
        if missing := sorted(wanted - self._by_id.keys()):
            raise selection.unknown_sequence(self._catalog, self.ids, missing[0])
        return self._keep(lambda row: row.sequence in wanted)

    def having(
        self,
        *,
        views: Collection[str | int] | str | int | None = None,
        min_views: int | None = None,
        audio: bool | None = None,
        activity: bool | None = None,
        atomic_actions: bool | None = None,
        scene_graphs: bool | None = None,
        sensors: Collection[str] | str | None = None,
        media: bool | None = None,
    ) -> Dataset:
        """The sequences that have all of this.

        Args:
            views: ``"ego"``, ``"third"`` or view numbers, each of which must be there.
            min_views: at least this many views.
            audio: True, at least one view with sound; False, none.
            activity: whether an activity is known.
            atomic_actions: whether there are any.
            scene_graphs: whether there are any.
            sensors: types of sensor, each of which must be there.
            media: whether every view's video file is on disk now.

        """
        chosen = self
        if views is not None:
            chosen = chosen._keep(selection.with_views(self._catalog, views))
        if sensors is not None:
            chosen = chosen._keep(selection.with_sensors(self._catalog, sensors))
        if media is not None:
            chosen = chosen.where(
                lambda s: (bool(s.views) and all(v.is_available for v in s.views)) == media
            )
        return chosen._keep(
            lambda row: (
                (min_views is None or row.n_views >= min_views)
                and (audio is None or row.has_audio == audio)
                and (activity is None or (row.activity_id is not None) == activity)
                and (atomic_actions is None or (row.n_atomic_actions > 0) == atomic_actions)
                and (scene_graphs is None or (row.n_scene_graphs > 0) == scene_graphs)
            )
        )

    def where(
        self, wanted: Callable[[Sequence], bool] | str, parameters: Parameters | None = None
    ) -> Dataset:
        """The sequences for which a function says yes, or an SQL condition on ``sequences``.

        >>> [str(s.id) for s in Dataset(catalog).where("n_views > $n", {"n": 3})]
        ['p0003_r001_a009']

        Raises QueryError for a condition that cannot be run.
        """
        if isinstance(wanted, str):
            found = self.sql(f"SELECT sequence FROM sequences WHERE ({wanted}\n)", parameters)
            return self.select(set(found["sequence"].to_pylist()))
        return self._keep(lambda row: wanted(Sequence(self._catalog, row)))

    # Tables

    @overload
    def table(self, name: str, as_: Literal["arrow"] = "arrow") -> pa.Table: ...
    @overload
    def table(self, name: str, as_: Literal["pandas"]) -> pd.DataFrame: ...
    def table(
        self, name: str, as_: Literal["arrow", "pandas"] = "arrow"
    ) -> pa.Table | pd.DataFrame:
        """A catalog table, with the rows of the selected sequences only.

        ``classes`` and ``problems`` are whole: they belong to the catalog. Raises UnknownIdError
        for a name that is no table.
        """
        return converted(self._catalog.table(name, self._some), as_)

    @property
    def _some(self) -> tuple[str, ...] | None:
        """The ids of the selection; None when everything is selected."""
        return None if len(self) == len(self._catalog.rows) else self.ids

    # Questions

    @cached_property
    def _session(self) -> SqlSession:
        from homage_sdk.query.sql import SqlSession

        catalog, ids = self._catalog, self._some
        return SqlSession(lambda name: catalog.table(name, ids))

    def sql(self, statement: str, parameters: Parameters | None = None) -> pa.Table:
        """The rows of one SELECT over the catalog's tables, restricted to this selection.

        Every catalog table is there under its name, with names of classes beside their ids, and
        two more: ``triples`` (relationships with subject, object, frame and names) and ``edges``
        (the same by class id). Values are bound: ``$name`` with a dict, ``?`` with a list. Queries
        only read, and reach no file.

        >>> Dataset(catalog).sql(
        ...     "SELECT count(*) AS n FROM atomic_actions WHERE name LIKE $name", {"name": "pour%"}
        ... ).to_pylist()
        [{'n': 3}]

        Raises QueryError with the engine's reason.
        """
        return self._session.run(statement, parameters)

    @overload
    def find(self, pattern: Action | str) -> Matches[ActionMatch]: ...
    @overload
    def find(self, pattern: Triple) -> Matches[TripleMatch]: ...
    def find(self, pattern: Action | Triple | str) -> Matches[ActionMatch] | Matches[TripleMatch]:
        """Where a pattern of atomic actions and scene graphs occurs, in order of sequence and time.

        A string is a name of an atomic action: ``ds.find("pour*")``.

        >>> from homage_sdk import Action, Seconds
        >>> found = Dataset(catalog).find(
        ...     Action("pour*").showing("person", "holding", "cup").before("drink*", Seconds(2)))
        >>> [(str(m.sequence), m.action.name, [f.number for f in m.frames]) for m in found]
        [('p0001_r001_a001', 'pour tea', [31, 60, 90]), ('p0001_r001_a002', 'pour tea', [60])]

        Nothing runs until the result is looked at; ``found.explain()`` shows the SQL. Raises
        UnknownIdError where a name fits no class, with the nearest.
        """
        if isinstance(pattern, str):
            pattern = Action(pattern)
        if not isinstance(pattern, Action | Triple):
            raise UsageError(
                "not a pattern",
                found=repr(pattern)[:80],
                expected="a name, Action(...) or Triple(...)",
            )
        from homage_sdk.query.compile import compile_pattern
        from homage_sdk.query.matches import Matches

        return Matches(self._session, compile_pattern(pattern, self.taxonomy), pattern)


def _select(catalog: Catalog, rows: Iterable[SequenceRow]) -> Dataset:
    made = Dataset.__new__(Dataset)
    made._catalog, made._rows = catalog, tuple(rows)
    return made


def _reopen(catalog: Catalog, ids: tuple[str, ...] | None) -> Dataset:
    chosen = None if ids is None else frozenset(ids)
    return _select(catalog, (r for r in catalog.rows if chosen is None or r.sequence in chosen))
