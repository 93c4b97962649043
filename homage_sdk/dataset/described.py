"""What a dataset holds, by name: splits, classes, tables, problems, and counts of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from homage_sdk.catalog.schema import TABLES, column_doc
from homage_sdk.catalog.tables import Catalog, SequenceRow
from homage_sdk.errors import require_known
from homage_sdk.problems import Problem
from homage_sdk.query.notebook import Handle, html_table
from homage_sdk.taxonomy import KINDS, Taxonomy

if TYPE_CHECKING:
    import pandas as pd

    from homage_sdk.catalog.info import CatalogInfo


class Described(Handle):
    """The part of ``Dataset`` that says what is there; counts are those of the selection."""

    _catalog: Catalog
    _rows: tuple[SequenceRow, ...]
    _instead: ClassVar[Mapping[str, str]] = {
        "filter": "use where(...), having(...), split(...), activity(...) or participant(...)",
        "sequences": "it is the collection itself: for seq in ds, ds[0], ds.ids, ds.to_pandas()",
        "stats": "use ds.describe(), or homage_sdk.report.statistics.statistics(ds)",
        "actions": "use ds.table('atomic_actions') or ds.find('pour*')",
        "taxonomies": "use ds.classes",
        "query": "use ds.sql(...) or ds.find(...)",
    }

    @property
    def path(self) -> Path:
        """The catalog folder."""
        return self._catalog.path

    @property
    def info(self) -> CatalogInfo:
        """What ``catalog.json`` said when this was opened."""
        return self._catalog.info

    @property
    def root(self) -> Path | None:
        """Where the media lie; None where neither the caller nor the catalog says."""
        return self._catalog.root

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of the selected sequences, e.g. ``("train", "val")``; see ``split``."""
        return tuple(sorted({row.split for row in self._rows if row.split}))

    @property
    def activities(self) -> tuple[str, ...]:
        """The names of the activities of the selected sequences; see ``activity``."""
        names = self.taxonomy("activity")
        ids = {row.activity_id for row in self._rows if row.activity_id is not None}
        return tuple(names[class_id].name for class_id in sorted(ids))

    @property
    def participants(self) -> tuple[int, ...]:
        """The numbers of the participants; see ``participant``."""
        return tuple(sorted({row.participant for row in self._rows}))

    def taxonomy(self, kind: str) -> Taxonomy:
        """The classes of a kind: ``activity``, ``atomic``, ``object`` or ``relationship``.

        Always those of the whole catalog, so that ids and columns are the same for every selection.
        """
        return self._catalog.taxonomy(kind)

    @property
    def classes(self) -> Mapping[str, Taxonomy]:
        """All classes by kind: ``ds.classes["object"].names``."""
        return MappingProxyType({kind: self.taxonomy(kind) for kind in KINDS})

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the catalog's tables, for ``table``, ``columns`` and ``sql``."""
        return tuple(TABLES)

    def columns(self, table: str) -> dict[str, str]:
        """The columns of a table and what each means; UnknownIdError for no table."""
        require_known("table", table, TABLES)
        return {name: column_doc(table, name) for name in TABLES[table].names}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What ingest found wrong in the selected sequences, or in files of no one sequence."""
        ids = {row.sequence for row in self._rows}
        rows = self._catalog.table("problems").to_pylist()
        return tuple(
            Problem.from_row(row) for row in rows if not row["sequence"] or row["sequence"] in ids
        )

    def describe(self) -> pd.DataFrame:
        """Counts by split, and of all: sequences, participants, views, hours, labels.

        Hours are of the sequences whose length is known.
        """
        import pandas as pd

        return pd.DataFrame.from_dict(self._counts(), orient="index").rename_axis("split")

    def _counts(self) -> dict[str, dict[str, float]]:
        groups = {name: [row for row in self._rows if row.split == name] for name in self.splits}
        if unlisted := [row for row in self._rows if row.split is None]:
            groups["in no list"] = unlisted
        return {name: _counted(rows) for name, rows in (groups | {"all": list(self._rows)}).items()}

    def to_pandas(self) -> pd.DataFrame:
        """One row a sequence: the columns of the table ``sequences``, and its activity's name."""
        frame: pd.DataFrame = self._catalog.table(
            "sequences", [row.sequence for row in self._rows]
        ).to_pandas()
        names = {class_id: each.name for class_id, each in self.taxonomy("activity").items()}
        place = list(frame.columns).index("activity_id") + 1
        frame.insert(place, "activity", frame["activity_id"].map(names))
        return frame

    def _repr_html_(self) -> str:
        counts = [{"split": name, **row} for name, row in self._counts().items()]
        return html_table(repr(self), counts, len(counts))


def _counted(rows: list[SequenceRow]) -> dict[str, float]:
    return {
        "sequences": len(rows),
        "participants": len({row.participant for row in rows}),
        "views": sum(row.n_views for row in rows),
        "hours": round(sum(row.duration_s or 0.0 for row in rows) / 3600, 3),
        "with_ego": sum(row.has_ego for row in rows),
        "with_audio": sum(row.has_audio for row in rows),
        "atomic_actions": sum(row.n_atomic_actions for row in rows),
        "scene_graphs": sum(row.n_scene_graphs for row in rows),
    }
