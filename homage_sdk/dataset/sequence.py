"""One synchronized sequence, as a lazy handle: its views, labels, targets and moments."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, overload

from homage_sdk.annotations import Activity
from homage_sdk.catalog.schema import OF_THE_CATALOG, TABLES
from homage_sdk.catalog.tables import Catalog, SequenceRow
from homage_sdk.dataset.atomic_actions import AtomicActions
from homage_sdk.dataset.moment import Moment
from homage_sdk.dataset.read_labels import read_atomic_actions, read_scene_graphs
from homage_sdk.dataset.scene_graphs import SceneGraphs
from homage_sdk.dataset.sensor import Sensor
from homage_sdk.dataset.view import View
from homage_sdk.errors import MediaError, UnknownIdError, require_known
from homage_sdk.ids import SequenceId
from homage_sdk.query.notebook import Handle, html_table
from homage_sdk.time import Interval, Seconds, When, as_seconds_range, n_frames_in

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa

    from homage_sdk.dataset.targets import Targets
    from homage_sdk.media.pts_index import Pick
    from homage_sdk.media.soundtrack import Sound


_START = Seconds(0.0)


class Sequence(Handle):
    """All views of one take, with everything said about it. Get one from a ``Dataset``.

    Labels are read at the first question and kept with the handle. Nothing here needs a video
    until a picture or a sound is asked for. Two handles are equal when they name the same sequence
    of the same catalog; a handle pickles as its place in the catalog.

    Attributes:
        participant: the number after ``p``.
        room: the number after ``r``.
        split: ``train``, ``val`` or ``test`` as published; None where no list names it.
        duration_s: seconds: the longest view; without video, up to the last labelled frame.
        has_audio: whether at least one view has sound.

    """

    _instead: ClassVar = {
        "actions": "use atomic_actions",
        "graphs": "use scene_graphs",
        "frames": "use view(...).images(begin, end) for pictures, scene_graphs for labels",
        "image": "use at(moment).image(view), or view(...).image(moment)",
        "name": "use id, or activity.name",
    }

    def __init__(self, catalog: Catalog, row: SequenceRow) -> None:
        self._catalog = catalog
        self._row = row
        self.participant, self.room, self.split = row.participant, row.room, row.split
        self.duration_s, self.has_audio = row.duration_s, row.has_audio

    def __reduce__(self) -> tuple[object, ...]:
        return (Sequence, (self._catalog, self._row))

    def __repr__(self) -> str:
        activity = self.activity.name if self.activity else "no activity"
        return f"Sequence({str(self.id)!r}, {activity!r}, {self._row.n_views} views)"

    def _repr_html_(self) -> str:
        facts = {
            "activity": self.activity.name if self.activity else None,
            "split": self.split,
            "seconds": self.duration_s,
            "views": [f"v{view.number:03d}" for view in self.views],
            "sound": self.has_audio,
            "atomic_actions": len(self.atomic_actions),
            "scene_graphs": len(self.scene_graphs),
        }
        return html_table(f"Sequence {self.id}", [facts], 1)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return self._row == other._row and self._catalog.path == other._catalog.path

    def __hash__(self) -> int:
        return hash(self._row.sequence)

    @cached_property
    def id(self) -> SequenceId:
        """Its id, e.g. ``p0002_r001_a007``."""
        return SequenceId.parse(self._row.sequence)

    @property
    def n_frames(self) -> int:
        """Annotation frames (30 a second) that cover the duration; 0 where nothing tells it."""
        return 0 if self.duration_s is None else n_frames_in(self.duration_s)

    @property
    def duration(self) -> Seconds | None:
        """``duration_s`` as a moment: where the sequence ends."""
        return None if self.duration_s is None else Seconds(self.duration_s)

    @property
    def activity(self) -> Activity | None:
        """What the sequence shows as a whole; None where no list says."""
        if self._row.activity_id is None:
            return None
        name = self._catalog.taxonomy("activity")[self._row.activity_id]
        return Activity(id=name.id, name=name.name)

    # Views

    @cached_property
    def views(self) -> tuple[View, ...]:
        """Every view, in order of number; empty for a download without videos."""
        return tuple(View(self._catalog, row) for row in self._catalog.views(self._row.sequence))

    @property
    def ego(self) -> View | None:
        """The head-mounted view, if there is one."""
        return next((view for view in self.views if view.kind == "ego"), None)

    @property
    def third(self) -> tuple[View, ...]:
        """The third-person views."""
        return tuple(view for view in self.views if view.kind == "third")

    def view(self, name: int | str) -> View:
        """A view by its number, ``"v001"``, its id, or ``"ego"``; UnknownIdError names the others.

        ``"third"`` is the third-person view where there is one only.
        """
        fitting = [
            v for v in self.views if name in (v.number, f"v{v.number:03d}", v.kind, str(v.id))
        ]
        if len(fitting) == 1:
            return fitting[0]
        raise UnknownIdError(
            f"sequence {self.id} has {'several views' if fitting else 'no view'} {name!r}",
            expected=", ".join(f"v{v.number:03d} ({v.kind})" for v in self.views) or "no views",
        )

    # Labels

    @cached_property
    def atomic_actions(self) -> AtomicActions:
        """Its atomic actions by first frame; empty where it has no labels."""
        return read_atomic_actions(self._catalog, self._row.sequence)

    @cached_property
    def scene_graphs(self) -> SceneGraphs:
        """Its annotated frames in time order; empty where there are none."""
        return read_scene_graphs(self._catalog, self._row.sequence)

    @cached_property
    def targets(self) -> Targets:
        """Its atomic actions as multi-hot vectors: ``.at``, ``.over``, ``.blocks``."""
        from homage_sdk.dataset.targets import Targets

        return Targets(self.atomic_actions, self._catalog.taxonomy("atomic"))

    @overload
    def table(self, name: str, as_: Literal["arrow"] = "arrow") -> pa.Table: ...
    @overload
    def table(self, name: str, as_: Literal["pandas"]) -> pd.DataFrame: ...
    def table(
        self, name: str, as_: Literal["arrow", "pandas"] = "arrow"
    ) -> pa.Table | pd.DataFrame:
        """The rows of a catalog table that belong to this sequence.

        Raises UsageError for a table that is not about sequences.
        """
        tables = [each for each in TABLES if each not in OF_THE_CATALOG]
        require_known("table of a sequence", name, tables)
        return converted(self._catalog.table(name, [self._row.sequence]), as_)

    # Moments, sound, sensors

    def at(self, when: When, pick: Pick = "nearest") -> Moment:
        """Everything about one moment: see ``Moment``.

        ``seq.at(Seconds(12.4), pick="before").image(0)`` is the ego picture on screen then.
        """
        return Moment(self, when, pick)

    def audio(
        self,
        begin: When | Interval = _START,
        end: When | None = None,
        *,
        sample_rate: int = 16000,
        view: int | str | None = None,
    ) -> npt.NDArray[np.float32]:
        """The samples of :meth:`sound`: float32 [S], zeros where nothing was recorded."""
        return self.sound(begin, end, sample_rate=sample_rate, view=view).samples

    def sound(
        self,
        begin: When | Interval = _START,
        end: When | None = None,
        *,
        sample_rate: int = 16000,
        view: int | str | None = None,
    ) -> Sound:
        """Mono sound of a range: its samples, and which of them were recorded.

        Of an interval, or from ``begin`` up to, not including, ``end`` (a ``Frame`` is included);
        by default to the end of the sequence. The sound is the ego view's, else the first view's
        that has any; or that of ``view``. Raises MediaError when there is none.
        """
        from homage_sdk.media.audio import read_sound

        source = self.sounding(view)
        if source is None:
            whose = f"sequence {self.id}" if view is None else f"view {self.view(view).id}"
            raise MediaError(
                f"{whose} has no sound",
                place=str(self._catalog.path),
                hint="select those with sound: ds.having(audio=True)",
            )
        if end is None and not isinstance(begin, Interval):
            end = self.duration
        begin_s, end_s = as_seconds_range(begin, end)
        return read_sound(
            source.file(), begin_s, end_s, sample_rate, video_start_s=source.start_time_s
        )

    def sounding(self, view: int | str | None = None) -> View | None:
        """The view whose sound stands for the sequence: the first that has any, or that one."""
        candidates = self.views if view is None else (self.view(view),)
        return next((view for view in candidates if view.has_audio), None)

    @cached_property
    def sensors(self) -> tuple[Sensor, ...]:
        """Its sensors by kind and position; empty where there are none."""
        rows = self._catalog.table("sensors", [self._row.sequence]).to_pylist()
        made = (
            Sensor(
                kind=row["sensor"],
                position=row["position"],
                columns=tuple(row["columns"]),
                n_rows=row["n_rows"],
                first_s=row["first_s"],
                last_s=row["last_s"],
                path=self._catalog.below_root(row["path"]),
            )
            for row in rows
        )
        return tuple(sorted(made, key=lambda each: (each.kind, each.position)))


def converted(table: pa.Table, as_: Literal["arrow", "pandas"]) -> pa.Table | pd.DataFrame:
    """A table in the form asked for; raises UsageError for another."""
    require_known("form of table", as_, ("arrow", "pandas"))
    return table if as_ == "arrow" else table.to_pandas()
