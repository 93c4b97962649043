"""What rules look at: the judged records of a release, tables of them, findings at their places.

Missing integers hold ``NULL``. A rule that looks for something odd trusts sound rows only, so that
one fault gives one problem and not a trail of consequences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from homage_sdk.errors import HomageError
from homage_sdk.ids import SequenceId
from homage_sdk.problems import Place, Problem, Severity
from homage_sdk.release.records import Release
from homage_sdk.soundness import Reason, Records, judge
from homage_sdk.soundness.columns import NULL, Bools, Ints, floats, integers
from homage_sdk.taxonomy import class_key
from homage_sdk.time import Seconds
from homage_sdk.validation.rule import Finding

if TYPE_CHECKING:
    from homage_sdk.media.check_pictures import CheckedPictures
    from homage_sdk.media.probe import Probes, VideoProbe

Table = Any
"""A pandas DataFrame: its published types make every cell one of twenty things."""

_CONTAINER_CLOCK_S = 0.001  # .mkv rounds timestamps to milliseconds
_ID_IN_NAME = re.compile(r"p(\d{1,9})_r(\d{1,9})_(?:v\d{1,9}_)?a(\d{1,9})", re.ASCII)


def where(mask: Any) -> list[int]:
    """The positions at which a mask holds."""
    positions: list[int] = np.flatnonzero(mask).tolist()
    return positions


def _is_whole(problem: Problem) -> bool:
    return not problem.place.pointer and problem.place.row is None


class Data:
    """A release ready for rules, with what the probes of its videos gave, if there are any."""

    def __init__(
        self,
        release: Release,
        probes: Probes | None = None,
        records: Records | None = None,
        checked: Mapping[str, CheckedPictures] | None = None,
    ) -> None:
        self.release = release
        self.records = judge(release) if records is None else records
        self.objects, self.relationships = self.records.objects, self.records.relationships
        self._outcomes = probes or {}
        self.checked = checked or {}
        """What decoding gave, by path."""

    def ints(self, table: str, name: str) -> Ints:
        """A column of integers; null is ``NULL``."""
        return integers(self.release[table].column(name))

    def texts(self, table: str, name: str) -> list[str | None]:
        """A column of texts, in a small table."""
        values: list[str | None] = self.release[table].column(name).to_pylist()
        return values

    def _table(self, name: str, numbers: str, texts: str) -> Table:
        table = pd.DataFrame({column: self.ints(name, column) for column in numbers.split()})
        for column in texts.split():  # strings and None, never NaN
            table[column] = pd.Series(self.texts(name, column), dtype=object)
        return table

    @cached_property
    def actions(self) -> Table:
        """Atomic actions: file, index, sequence, first, last, length, key (class), sound."""
        table = self._table("actions", "file index", "sequence")
        columns = self.records.actions
        table["first"], table["last"] = columns.first, columns.last
        table["length"] = floats(self.release["actions"].column("length"))
        table["key"] = columns.classes.key_codes
        table["sound"] = columns.reasons == Reason.SOUND
        return table

    @cached_property
    def frames(self) -> Table:
        """Annotated frames: file, index, sequence, view, frame, width, height; NULL where null.

        The row number is what ``graph`` means elsewhere.
        """
        return self._table("frames", "file index view frame width height", "sequence")

    @cached_property
    def action_cells(self) -> list[tuple[int, int, str | None]]:
        """File, index and sequence of each action."""
        return list(self.actions[["file", "index", "sequence"]].itertuples(index=False, name=None))

    @cached_property
    def frame_cells(self) -> list[tuple[int, int, str | None]]:
        """File, index and sequence of each annotated frame."""
        return list(self.frames[["file", "index", "sequence"]].itertuples(index=False, name=None))

    @cached_property
    def object_index(self) -> Ints:
        """Position of each object in its frame."""
        return self.ints("objects", "index")

    @cached_property
    def relationship_index(self) -> Ints:
        """Position of each relationship in its frame."""
        return self.ints("relationships", "index")

    @cached_property
    def frame_sizes(self) -> list[str]:
        """`` (1024x768)`` for each annotated frame, empty where its size is not known."""
        sides = zip(self.frames["width"].tolist(), self.frames["height"].tolist(), strict=True)
        return ["" if NULL in (w, h) else f" ({w}x{h})" for w, h in sides]

    @cached_property
    def videos(self) -> Table:
        """Video files whose name is a view id: file, sequence, view."""
        table = self._table("videos", "file view", "sequence")
        return table[table["sequence"].notna() & (table["view"] != NULL)]

    @cached_property
    def list_entries(self) -> Table:
        """Lines of the split lists: file, row, sequence, activity_raw, activity (key), split."""
        table = self._table("list_entries", "file row", "sequence activity_raw split")
        keys = [class_key(raw or "") for raw in table["activity_raw"]]
        table["activity"] = pd.Series(keys, dtype=object)
        return table

    @cached_property
    def class_entries(self) -> Table:
        """Lines of the class lists: file, row, kind, id, raw, key."""
        table = self._table("class_entries", "file row id", "kind raw")
        table["key"] = pd.Series([class_key(raw or "") for raw in table["raw"]], dtype=object)
        return table

    # Files -------------------------------------------------------------------------------------

    @cached_property
    def paths(self) -> list[str]:
        """Path of each file, relative to the release root."""
        return [path or "" for path in self.texts("files", "path")]

    @cached_property
    def files_of(self) -> dict[str, dict[str, int]]:
        """For each kind of file, the sequences that have one, and the first such file.

        Also files that could not be read, and ids that are padded wrongly: the sequence does not
        lack them, something else is wrong with them.
        """
        found: dict[str, dict[str, int]] = {}
        kinds = self.texts("files", "kind")
        for file, (path, kind) in enumerate(zip(self.paths, kinds, strict=True)):
            match = _ID_IN_NAME.search(path.rpartition("/")[2])
            if match:
                participant, room, take = (int(digits) for digits in match.groups())
                sequence = str(SequenceId(participant, room, take))
                found.setdefault(kind or "", {}).setdefault(sequence, file)
        return found

    @cached_property
    def faulty_files(self) -> set[str]:
        """Paths in which the reader met an error: what they lack is explained already."""
        problems = self.release.problems
        return {p.place.file for p in problems if p.severity is Severity.ERROR and p.place.file}

    @cached_property
    def wholly_faulty_files(self) -> list[int]:
        """Files of which an error of the reader names no place: it is one of all they hold."""
        problems = self.release.problems
        whole = {p.place.file for p in problems if p.severity is Severity.ERROR and _is_whole(p)}
        return [file for file, path in enumerate(self.paths) if path in whole]

    def in_faulty_file(self, table: Table) -> Bools:
        """Which rows of a table come from a file in which the reader met an error."""
        faulty = [file for file, path in enumerate(self.paths) if path in self.faulty_files]
        return np.asarray(table["file"].isin(faulty))

    def is_faulty(self, file: int) -> bool:
        """Whether the reader met an error in this file."""
        return self.paths[file] in self.faulty_files

    @cached_property
    def listed(self) -> set[str]:
        """Sequences that a split list names."""
        return {sequence for sequence in self.texts("list_entries", "sequence") if sequence}

    def named(self, *kinds: str) -> set[str]:
        """Sequences that a split list names, or that have a file of one of these kinds."""
        return self.listed.union(*(self.files_of.get(kind, {}) for kind in kinds))

    @cached_property
    def sensors(self) -> list[dict[str, Any]]:
        """The rows of the raw table ``sensors``."""
        rows: list[dict[str, Any]] = self.release["sensors"].to_pylist()
        return rows

    # Findings ----------------------------------------------------------------------------------

    def at_file(
        self, file: int, found: str, expected: str = "", *, sequence: str | None = ""
    ) -> Finding:
        """At a whole file."""
        return Finding(Place(self.paths[int(file)], sequence=sequence or ""), found, expected)

    def at_file_of(self, frame: int, found: str, expected: str) -> Finding:
        """At the whole file of an annotated frame."""
        file, _, sequence = self.frame_cells[frame]
        return self.at_file(file, found, expected, sequence=sequence)

    def at_line(self, table: str, row: int, found: str, expected: str = "") -> Finding:
        """At a line of a list: a row of ``list_entries`` or ``class_entries``."""
        return Finding(self.line_place(table, row), found, expected)

    def line_place(self, table: str, row: int) -> Place:
        """The line of a row of ``list_entries`` or ``class_entries``."""
        entry = (self.list_entries if table == "list_entries" else self.class_entries).iloc[row]
        line = None if entry["row"] == NULL else int(entry["row"])
        return Place(self.paths[entry["file"]], row=line, sequence=entry.get("sequence") or "")

    def at_action(self, row: int, found: str, expected: str = "", *, key: str = "") -> Finding:
        """At an action, or at one key of it."""
        file, index, sequence = self.action_cells[row]
        pointer = f"/{index}/{key}" if key else f"/{index}"
        return Finding(Place(self.paths[file], pointer, sequence=sequence or ""), found, expected)

    def at_frame(self, row: int, found: str, expected: str = "", *, below: str = "") -> Finding:
        """At an annotated frame, or at what lies below it (``/objects/3``)."""
        file, index, sequence = self.frame_cells[row]
        place = Place(self.paths[file], f"/frames/{index}{below}", sequence=sequence or "")
        return Finding(place, found, expected)

    def at_object(self, row: int, found: str, expected: str = "", *, key: str = "") -> Finding:
        """At an object of an annotated frame, or at one key of it."""
        below = f"/objects/{self.object_index[row]}{'/' if key else ''}{key}"
        return self.at_frame(int(self.objects.graph[row]), found, expected, below=below)

    def at_relationship(
        self, row: int, found: str, expected: str = "", *, key: str = ""
    ) -> Finding:
        """At a relationship of an annotated frame, or at one key of it."""
        below = f"/relationships/{self.relationship_index[row]}{'/' if key else ''}{key}"
        return self.at_frame(int(self.relationships.graph[row]), found, expected, below=below)

    # Media -------------------------------------------------------------------------------------

    @cached_property
    def probes(self) -> dict[int, VideoProbe]:
        """What was measured of each video, by its file."""
        return {f: o for f, o in self._probed.items() if not isinstance(o, HomageError)}

    @cached_property
    def unreadable(self) -> dict[int, HomageError]:
        """Why a video could not be probed, by its file."""
        return {f: o for f, o in self._probed.items() if isinstance(o, HomageError)}

    @cached_property
    def last_frames(self) -> dict[str, int]:
        """The last annotation frame that the longest view of each sequence shows.

        A sequence with a video that could not be read, or that was cut, is left out: its true
        length is not known, and the video's own fault is reported.
        """
        ends: dict[str, float] = {}
        for file, sequence in zip(self.videos["file"], self.videos["sequence"], strict=True):
            probe = self.probes.get(int(file))
            whole = probe and probe.n_frames and not probe.fault("truncated")
            end = probe.duration_s - _CONTAINER_CLOCK_S if probe and whole else inf
            ends[sequence] = max(ends.get(sequence, 0.0), end)
        return {s: Seconds(end).frame().number for s, end in ends.items() if end < inf}

    @cached_property
    def ends(self) -> dict[str, int]:
        """The last annotation frame of each sequence that a video shows or an action names."""
        sound = self.actions[self.actions["sound"]]
        ends = dict(self.last_frames)
        for sequence, last in sound.groupby("sequence")["last"].max().items():
            ends[str(sequence)] = max(ends.get(str(sequence), 0), int(last))
        return ends

    @cached_property
    def _probed(self) -> dict[int, VideoProbe | HomageError]:
        files = self.ints("videos", "file").tolist()
        outcomes = ((file, self._outcomes.get(self.paths[file])) for file in files)
        return {file: outcome for file, outcome in outcomes if outcome is not None}
