"""The scene graphs of one sequence: the annotated frames, in time order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as SequenceABC
from typing import TYPE_CHECKING, overload

from homage_sdk.annotations import SceneGraph
from homage_sdk.errors import require_known
from homage_sdk.query.notebook import Handle, html_table
from homage_sdk.taxonomy import class_key
from homage_sdk.time import Interval, When, as_frame

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from homage_sdk.media.pts_index import Pick


class SceneGraphs(Handle, SequenceABC[SceneGraph]):
    """The annotated frames of a sequence, ordered by frame, then view, then id."""

    def __init__(self, graphs: Iterable[SceneGraph]) -> None:
        self._graphs = tuple(sorted(graphs, key=lambda g: (g.frame, g.view, g.scene_graph_id)))

    @overload
    def __getitem__(self, index: int) -> SceneGraph: ...
    @overload
    def __getitem__(self, index: slice) -> SceneGraphs: ...
    def __getitem__(self, index: int | slice) -> SceneGraph | SceneGraphs:
        if isinstance(index, slice):
            return SceneGraphs(self._graphs[index])
        return self._graphs[index]

    def __len__(self) -> int:
        return len(self._graphs)

    def __iter__(self) -> Iterator[SceneGraph]:
        return iter(self._graphs)

    def __eq__(self, other: object) -> bool:
        return self._graphs == other._graphs if isinstance(other, SceneGraphs) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._graphs)

    def __repr__(self) -> str:
        return f"SceneGraphs({len(self)} annotated frames)"

    def _repr_html_(self) -> str:
        rows = (
            {
                "frame": g.frame,
                "view": g.view,
                "objects": [item.name for item in g.objects],
                "relationships": [" ".join(triple) for triple in g.triples],
            }
            for g in self
        )
        return html_table(f"{len(self)} annotated frames", rows, len(self))

    @property
    def views(self) -> tuple[int, ...]:
        """The numbers of the annotated views (the paper annotates one third-person view)."""
        return tuple(sorted({g.view for g in self}))

    def of_view(self, number: int) -> SceneGraphs:
        """Those of one view."""
        return SceneGraphs(g for g in self if g.view == number)

    def at(self, moment: When) -> SceneGraph | None:
        """The scene graph of exactly this frame, or None."""
        number = as_frame(moment).number
        return next((g for g in self if g.frame == number), None)

    def nearest(self, moment: When, pick: Pick = "nearest") -> SceneGraph | None:
        """The annotated frame nearest to a moment; the earlier of two as near; None without any.

        ``pick="before"``: the last at or before it, ``"after"``: the first at or after it.
        """
        from homage_sdk.media.pts_index import PICKS

        require_known("pick", pick, PICKS)
        number = as_frame(moment).number
        if pick == "before":
            return next((g for g in reversed(self._graphs) if g.frame <= number), None)
        if pick == "after":
            return next((g for g in self._graphs if g.frame >= number), None)
        return min(self._graphs, key=lambda g: abs(g.frame - number), default=None)

    def between(self, begin: When | Interval, end: When | None = None) -> SceneGraphs:
        """Those of an interval, or from ``begin`` to ``end``: frames included, seconds not."""
        window = Interval.of(begin, end)
        return SceneGraphs(g for g in self if window.first <= g.frame <= window.last)

    def with_triple(
        self,
        subject: str | None = None,
        predicate: str | None = None,
        object: str | None = None,
    ) -> SceneGraphs:
        """Those that hold such a relationship; None stands for anything, spelling is free."""
        return SceneGraphs(g for g in self if any(_matches(g, subject, predicate, object)))

    def to_arrow(self) -> pa.Table:
        """One row a relationship: scene_graph_id, view, frame, subject, predicate, object, ids."""
        import pyarrow as pa

        rows = [
            (g.scene_graph_id, g.view, g.frame, r.subject_id, r.object_id, *triple)
            for g in self
            for r, triple in zip(g.relationships, g.triples, strict=True)
        ]
        kinds = [pa.int32(), pa.int16(), *[pa.int32()] * 3, *[pa.string()] * 3]
        names = ["scene_graph_id", "view", "frame", "subject_id", "object_id"]
        names += ["subject", "predicate", "object"]
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return pa.table([pa.array(c, k) for c, k in zip(columns, kinds, strict=True)], names=names)

    def to_pandas(self) -> pd.DataFrame:
        """One row a relationship, columns as in ``to_arrow``."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame


def _matches(
    graph: SceneGraph, subject: str | None, predicate: str | None, target: str | None
) -> Iterator[bool]:
    wanted = [None if name is None else class_key(name) for name in (subject, predicate, target)]
    for triple in graph.triples:
        yield all(
            key is None or class_key(name) == key for key, name in zip(wanted, triple, strict=True)
        )
