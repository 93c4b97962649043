"""A release's records as columns that rules compute on, each made once and on demand.

Missing integers hold ``MISSING``; texts that repeat a thousand times are positions in a list of
spellings (``Words``). The ``sound`` masks say which rows later rules may trust, so that one fault
gives one problem and not a trail of consequences.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from homage_sdk.errors import HomageError
from homage_sdk.ids import SequenceId
from homage_sdk.problems import Place, Severity
from homage_sdk.release.records import Release
from homage_sdk.taxonomy import class_key
from homage_sdk.validation.columns import MISSING, Bools, Ints, Table, Words, integers

if TYPE_CHECKING:
    from homage_sdk.media.probe import Probes, VideoProbe

_ID_IN_NAME = re.compile(r"p(\d{1,9})_r(\d{1,9})_(?:v\d{1,9}_)?a(\d{1,9})", re.ASCII)


class Data:
    """A release ready for rules, with what the probes of its videos gave, if there are any."""

    def __init__(self, release: Release, probes: Probes | None = None) -> None:
        self.release = release
        self._outcomes = probes or {}

    # Columns -----------------------------------------------------------------------------------

    def column(self, table: str, name: str) -> pa.ChunkedArray:
        """One column as the reader left it."""
        return self.release[table].column(name)

    def ints(self, table: str, name: str) -> Ints:
        """A column of integers; null is ``MISSING``."""
        return integers(self.column(table, name))

    def floats(self, table: str, name: str) -> NDArray[np.float64]:
        """A column of numbers; null is NaN."""
        column = self.column(table, name).cast(pa.float64())
        return np.asarray(column.to_numpy(), dtype=np.float64)

    def words(self, table: str, name: str) -> Words:
        """A column of texts."""
        encoded = self.column(table, name).combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        codes = integers(encoded.indices, missing=-1)
        return Words(codes, tuple(encoded.dictionary.to_pylist()))

    def texts(self, table: str, name: str) -> list[str | None]:
        """A column of texts, in a small table."""
        values: list[str | None] = self.column(table, name).to_pylist()
        return values

    def _objects(self, table: str, name: str) -> Table:
        """Texts for a DataFrame: strings and None, never NaN."""
        return pd.Series(self.texts(table, name), dtype=object)

    # Places ------------------------------------------------------------------------------------

    @cached_property
    def paths(self) -> list[str]:
        """Path of each file, relative to the release root."""
        return [path or "" for path in self.texts("files", "path")]

    @cached_property
    def file_kinds(self) -> list[str]:
        """Kind of each file (see ``RAW_TABLES``)."""
        return [kind or "" for kind in self.texts("files", "kind")]

    def file_place(self, file: int) -> Place:
        """A whole file."""
        return Place(self.paths[int(file)])

    def row_place(self, table: str, row: int) -> Place:
        """A line of a list: a row of ``list_entries`` or ``class_entries``."""
        files, lines = self._lines[table]
        line = int(lines[row])
        return Place(self.paths[int(files[row])], row=None if line == MISSING else line)

    @cached_property
    def _lines(self) -> dict[str, tuple[Ints, Ints]]:
        tables = ("list_entries", "class_entries")
        return {name: (self.ints(name, "file"), self.ints(name, "row")) for name in tables}

    def action_place(self, row: int, key: str = "") -> Place:
        """An action, or one key of it."""
        files, indices = self._action_columns
        below = f"/{key}" if key else ""
        return Place(self.paths[files[row]], pointer=f"/{indices[row]}{below}")

    @cached_property
    def _action_columns(self) -> tuple[list[int], list[int]]:
        return self.actions["file"].tolist(), self.actions["index"].tolist()

    def frame_place(self, row: int, below: str = "") -> Place:
        """An annotated frame, or what lies below it (``/objects/3``)."""
        files, indices = self._frame_columns
        return Place(self.paths[files[row]], pointer=f"/frames/{indices[row]}{below}")

    @cached_property
    def _frame_columns(self) -> tuple[list[int], list[int]]:
        return self.frames["file"].tolist(), self.frames["index"].tolist()

    @cached_property
    def frame_sequences(self) -> list[str]:
        """Sequence of each annotated frame, empty where none is known."""
        return [sequence or "" for sequence in self.texts("frames", "sequence")]

    @cached_property
    def frame_sizes(self) -> list[str]:
        """`` (1024x768)`` for each annotated frame, empty where its size is not known."""
        sides = zip(self.frames["width"].tolist(), self.frames["height"].tolist(), strict=True)
        return ["" if MISSING in (w, h) else f" ({w}x{h})" for w, h in sides]

    def object_place(self, row: int, key: str = "") -> Place:
        """An object of an annotated frame, or one key of it."""
        graph, index = int(self.object_graph[row]), self.object_index[row]
        return self.frame_place(graph, f"/objects/{index}{'/' if key else ''}{key}")

    def relationship_place(self, row: int, key: str = "") -> Place:
        """A relationship of an annotated frame, or one key of it."""
        graph, index = int(self.relationship_graph[row]), self.relationship_index[row]
        return self.frame_place(graph, f"/relationships/{index}{'/' if key else ''}{key}")

    # Tables ------------------------------------------------------------------------------------

    @cached_property
    def actions(self) -> Table:
        """Atomic actions: file, index, sequence, first, last, length, key (class), sound.

        ``sound``: both ends are there, count from 1 and are in order.
        """
        table = pd.DataFrame({name: self.ints("actions", name) for name in ("file", "index")})
        table["sequence"] = self._objects("actions", "sequence")
        table["first"] = self.ints("actions", "first_frame")
        table["last"] = self.ints("actions", "last_frame")
        table["length"] = self.floats("actions", "length")
        table["key"] = self.action_classes.key_codes
        table["sound"] = (table["first"] >= 1) & (table["last"] >= table["first"])
        return table

    @cached_property
    def action_classes(self) -> Words:
        """Class of each action."""
        return self.words("actions", "class_raw")

    @cached_property
    def frames(self) -> Table:
        """Annotated frames: file, index, sequence, view, frame, width, height; MISSING where null.

        The row number is what ``graph`` means elsewhere.
        """
        names = ("file", "index", "view", "frame", "width", "height")
        table = pd.DataFrame({name: self.ints("frames", name) for name in names})
        table["sequence"] = self._objects("frames", "sequence")
        return table

    @cached_property
    def object_graph(self) -> Ints:
        """Row of ``frames`` of each object."""
        return self.ints("objects", "graph")

    @cached_property
    def object_index(self) -> Ints:
        """Position of each object in its frame."""
        return self.ints("objects", "index")

    @cached_property
    def object_ids(self) -> Ints:
        """Published id of each object."""
        return self.ints("objects", "object_id")

    @cached_property
    def object_classes(self) -> Words:
        """Category of each object."""
        return self.words("objects", "category_raw")

    @cached_property
    def boxes(self) -> NDArray[np.float64]:
        """Boxes [objects, 4] as x1, y1, x2, y2; a missing number is NaN."""
        return np.stack([self.floats("objects", name) for name in ("x1", "y1", "x2", "y2")], axis=1)

    @cached_property
    def relationship_graph(self) -> Ints:
        """Row of ``frames`` of each relationship."""
        return self.ints("relationships", "graph")

    @cached_property
    def relationship_index(self) -> Ints:
        """Position of each relationship in its frame."""
        return self.ints("relationships", "index")

    @cached_property
    def relationship_classes(self) -> Words:
        """Category of each relationship."""
        return self.words("relationships", "category_raw")

    @cached_property
    def relationship_ends(self) -> tuple[Ints, Ints]:
        """Subject and object id of each relationship."""
        return self.ints("relationships", "subject_id"), self.ints("relationships", "object_id")

    @cached_property
    def links(self) -> tuple[Ints, Ints]:
        """Row of ``objects`` of each relationship's subject and object; -1 where there is none."""
        subjects, objects = self.relationship_ends
        known, ranks = np.unique(self.object_ids, return_inverse=True)
        keys = self.object_graph * max(len(known), 1) + ranks
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]

        def rows(ids: Ints) -> Ints:
            if not len(ordered):
                return np.full(len(ids), -1, dtype=np.int64)
            rank = np.minimum(np.searchsorted(known, ids), len(known) - 1)
            wanted = self.relationship_graph * len(known) + rank
            at = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
            hit = (known[rank] == ids) & (ordered[at] == wanted) & (ids != MISSING)
            return np.asarray(np.where(hit, order[at], -1))

        return rows(subjects), rows(objects)

    @cached_property
    def videos(self) -> Table:
        """Video files whose name is a view id: file, sequence, view."""
        table = pd.DataFrame({name: self.ints("videos", name) for name in ("file", "view")})
        table["sequence"] = self._objects("videos", "sequence")
        return table[table["sequence"].notna() & (table["view"] != MISSING)]

    @cached_property
    def list_entries(self) -> Table:
        """Lines of the split lists: file, row, sequence, activity_raw, activity (key), split."""
        table = pd.DataFrame({name: self.ints("list_entries", name) for name in ("file", "row")})
        for name in ("sequence", "activity_raw", "split"):
            table[name] = self._objects("list_entries", name)
        keys = [class_key(raw or "") for raw in table["activity_raw"]]
        table["activity"] = pd.Series(keys, dtype=object)
        return table

    @cached_property
    def class_entries(self) -> Table:
        """Lines of the class lists: file, row, kind, id, raw, key."""
        names = ("file", "row", "id")
        table = pd.DataFrame({name: self.ints("class_entries", name) for name in names})
        for name in ("kind", "raw"):
            table[name] = self._objects("class_entries", name)
        keys = [class_key(raw or "") for raw in table["raw"]]
        table["key"] = pd.Series(keys, dtype=object)
        return table

    # What is there -----------------------------------------------------------------------------

    @cached_property
    def files_of(self) -> dict[str, dict[str, int]]:
        """For each kind of file, the sequences that have one, and the first such file.

        Also files that could not be read, and ids that are padded wrongly: the sequence does not
        lack them, something else is wrong with them.
        """
        found: dict[str, dict[str, int]] = {}
        for file, (path, kind) in enumerate(zip(self.paths, self.file_kinds, strict=True)):
            match = _ID_IN_NAME.search(path.rpartition("/")[2])
            if match:
                participant, room, take = (int(digits) for digits in match.groups())
                sequence = str(SequenceId(participant, room, take))
                found.setdefault(kind, {}).setdefault(sequence, file)
        return found

    @cached_property
    def faulty_files(self) -> set[str]:
        """Paths in which the reader met an error: what they lack is explained already."""
        problems = self.release.problems
        return {p.place.file for p in problems if p.severity is Severity.ERROR and p.place.file}

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

    # Media -------------------------------------------------------------------------------------

    @cached_property
    def probes(self) -> dict[int, VideoProbe]:
        """What was measured of each video, by its file."""
        outcomes = ((file, self._outcomes.get(self.paths[file])) for file in self._video_files)
        return {
            file: outcome
            for file, outcome in outcomes
            if outcome is not None and not isinstance(outcome, HomageError)
        }

    @cached_property
    def unreadable(self) -> dict[int, HomageError]:
        """Why a video could not be probed, by its file."""
        outcomes = ((file, self._outcomes.get(self.paths[file])) for file in self._video_files)
        return {file: error for file, error in outcomes if isinstance(error, HomageError)}

    @cached_property
    def _video_files(self) -> list[int]:
        return [int(file) for file in self.ints("videos", "file")]
