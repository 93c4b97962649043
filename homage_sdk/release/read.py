"""A whole release to raw tables and problems, in one pass."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa

from homage_sdk.problems import Code, Place, Problem, Severity
from homage_sdk.progress import Meter, Progress
from homage_sdk.release.faults import Faults
from homage_sdk.release.files.duplicates import (
    SECOND_FILE,
    KeyOf,
    first_of,
    name_key,
    place_order,
    view_key,
)
from homage_sdk.release.files.find import Found, find_release
from homage_sdk.release.files.inventory import (
    UNREADABLE,
    FileEntry,
    Inventory,
    rekind,
    take_inventory,
)
from homage_sdk.release.files.layouts import NO_ID, ids_in, sequence_in, view_number
from homage_sdk.release.files.misplaced import strays
from homage_sdk.release.files.text import is_stand_in
from homage_sdk.release.labels.atomic_action_files import actions_of, plain_actions
from homage_sdk.release.labels.json_files import LabelFile, LabelReader
from homage_sdk.release.labels.json_records import OUT_OF_RANGE
from homage_sdk.release.labels.lists import read_class_lists, read_split_lists
from homage_sdk.release.records import LARGEST_VIEW, RAW_TABLES, Release, raw_table
from homage_sdk.release.scene_graphs.exact import graphs_of
from homage_sdk.release.scene_graphs.fast import join, plain_graphs
from homage_sdk.release.scene_graphs.mapping import SceneGraphMap, Shape, read_scene_graph_map
from homage_sdk.release.sensor_csv import CsvSensorReader
from homage_sdk.release.sensors import SensorReader
from homage_sdk.storage.system_errors import require_enough

_SMALL_VIDEO_BYTES = 1 << 20
"""Only files below this are looked into for web pages and pointers; a real video is larger."""


NAMES_ONLY = Code(
    "HOM109",
    "videos are names only",
    severity=Severity.INFO,
    why="Every video file is empty: the tree of names was copied without the videos. The "
    "release is read as annotations only.",
    hint="nothing, if the labels are what you want; else download the videos",
    example="5,700 .mkv files of 0 bytes each",
)


def read_release(
    path: Path,
    *,
    scene_graph_map: Path | None = None,
    progress: Progress | None = None,
    sensor_reader: SensorReader | None = None,
) -> Release:
    """Read every label of the release at ``path``; videos are listed, not opened.

    ``progress`` is called with (files done, files in all). Faults in the data are problems of the
    result, never exceptions; a bad file does not keep the others from being read. Raises
    ReleaseError when there is no release, ConfigError when the mapping file is wrong.
    """
    found = find_release(path)
    return read_found(
        found,
        take_inventory(found.root),
        scene_graph_map=scene_graph_map,
        progress=progress,
        sensor_reader=sensor_reader,
    )


def read_found(
    found: Found,
    inventory: Inventory,
    *,
    scene_graph_map: Path | None = None,
    progress: Progress | None = None,
    sensor_reader: SensorReader | None = None,
) -> Release:
    """Like ``read_release``, of a release that was found and walked already."""
    mapping = SceneGraphMap() if scene_graph_map is None else read_scene_graph_map(scene_graph_map)
    inventory = _mapped(inventory, mapping)
    if sensor_reader is not None:
        inventory = _sensed(inventory, sensor_reader)
    return _Reading(found, inventory, mapping, progress, sensor_reader or CsvSensorReader()).run()


def _mapped(inventory: Inventory, mapping: SceneGraphMap) -> Inventory:
    """With a glob, scene graphs are the files it matches and no others."""
    if not mapping.files.glob:
        return inventory
    kinds = []
    for position, entry in enumerate(inventory.files):
        if mapping.files.matches(entry.path):
            kinds.append((position, "scene_graphs"))
        elif entry.kind == "scene_graphs":
            kinds.append((position, "other"))
    return rekind(inventory, kinds)


def _sensed(inventory: Inventory, reader: SensorReader) -> Inventory:
    """Sensor files are those that the plugged-in reader owns."""
    kinds = [
        (position, "sensor" if reader.owns(entry.name) else "other")
        for position, entry in enumerate(inventory.files)
        if entry.kind in ("sensor", "other")
    ]
    return rekind(inventory, kinds)


class _Reading:
    def __init__(
        self,
        found: Found,
        inventory: Inventory,
        mapping: SceneGraphMap,
        progress: Progress | None,
        sensor_reader: SensorReader,
    ) -> None:
        self.found, self.inventory, self.mapping = found, inventory, mapping
        self.sensor_reader = sensor_reader
        self.problems: list[Problem] = list(inventory.problems)
        kinds = ("atomic_actions", "scene_graphs", "sensor")
        self._meter = Meter(progress, sum(entry.kind in kinds for entry in inventory.files))

    def run(self) -> Release:
        inventory = self.inventory
        lists, problems = read_split_lists(inventory, self.found.layout)
        self.problems += problems
        classes, problems = read_class_lists(inventory)
        self.problems += problems
        tables = {
            "files": raw_table("files", [(e.path, e.kind, e.bytes) for e in inventory.files]),
            "list_entries": lists,
            "class_entries": classes,
            "actions": self._actions(),
            **self._scene_graphs(classes),
            "videos": self._videos(),
            "sensors": self._sensors(),
        }
        self.problems += strays(inventory, self.found.layout)
        return Release(
            root=self.found.root,
            layout=self.found.layout.name,
            tables=tables,
            problems=sorted(self.problems, key=lambda problem: problem.order),
            fingerprint=inventory.fingerprint,
        )

    def _actions(self) -> pa.Table:
        files = []
        first = self._first("atomic_actions", sequence_in)
        for number, entry in self.inventory.of_kind("atomic_actions"):
            sequence = sequence_in(entry.name)
            if sequence is None:
                expected = "a name like p0002_r001_a007__aa.json"
                self._note(NO_ID, entry, found=entry.name, expected=expected)
            elif first[sequence] != entry.path:
                self._second(entry, first[sequence], sequence)
            else:
                files.append(LabelFile(number, entry, sequence))
        reader = LabelReader(self.inventory.root, plain_actions, actions_of)
        rows, problems = reader.read(files, self._meter.advance)
        self.problems += problems
        empty = RAW_TABLES["actions"].empty_table()
        return pa.concat_tables([empty, *rows]).combine_chunks()

    def _scene_graphs(self, classes: pa.Table) -> dict[str, pa.Table]:
        listed: dict[str, dict[int, str]] = {"object": {}, "relationship": {}}
        for row in classes.to_pylist():
            if row["kind"] in listed:
                listed[row["kind"]][row["id"]] = row["raw"]
        shape = Shape.resolve(self.mapping, listed["object"], listed["relationship"])
        reader = LabelReader(
            self.inventory.root,
            partial(plain_graphs, shape=shape),
            partial(graphs_of, shape=shape),
        )
        rows, problems = reader.read(self._graph_files(), self._meter.advance)
        self.problems += problems
        return join(rows)

    def _graph_files(self) -> list[LabelFile]:
        files = []
        by_name = self.mapping.files.video_from == "name"
        first = self._first("scene_graphs", name_key) if by_name else {}
        for number, entry in self.inventory.of_kind("scene_graphs"):
            sequence, view_id = ids_in(entry.name)
            view = view_number(view_id) if view_id else None
            if view is None and self.mapping.files.view >= 0:
                view = self.mapping.files.view
            key = view_id or sequence
            if key is not None and first.get(key, entry.path) != entry.path:
                self._second(entry, first[key], sequence or "")
                continue
            files.append(LabelFile(number, entry, sequence, view))
        return files

    def _videos(self) -> pa.Table:
        rows: list[tuple[int, str | None, int | None]] = []
        first = self._first("video", view_key)
        videos = list(self.inventory.of_kind("video"))
        names_only = len(videos) > 1 and not any(entry.bytes for _, entry in videos)
        if names_only:
            place = Place(self.found.layout.videos)
            self.problems.append(NAMES_ONLY.at(place, found=f"{len(videos)} empty files"))
        for number, entry in videos:
            if not names_only:
                self._stand_in(entry)
            sequence, view_id = sequence_in(entry.name), view_key(entry.name)
            if view_id is None:
                meant = ids_in(entry.name.lower())[1] or "p0002_r001_v000_a007"
                suffix = entry.name[entry.name.rfind(".") :]
                self._note(NO_ID, entry, found=entry.name, expected=f"{meant}{suffix}")
            elif first[view_id] != entry.path:
                self._second(entry, first[view_id], sequence or "")
            elif view_number(view_id) > LARGEST_VIEW:
                self._note(OUT_OF_RANGE, entry, found=view_id, expected=f"<= {LARGEST_VIEW}")
            else:
                rows.append((number, sequence, view_number(view_id)))
                continue
            rows.append((number, None, None))
        return raw_table("videos", rows)

    def _stand_in(self, entry: FileEntry) -> None:
        if entry.bytes >= _SMALL_VIDEO_BYTES:
            return
        try:
            with (self.inventory.root / entry.path).open("rb", buffering=0) as file:
                code = is_stand_in(file.read(512))
        except OSError as error:
            require_enough(error, entry.path)
            self._note(UNREADABLE, entry, found=error.strerror or type(error).__name__)
            return
        if code is not None:
            self._note(code, entry, found=f"{entry.bytes} bytes", expected="a video")

    def _sensors(self) -> pa.Table:
        rows: list[tuple[object, ...]] = []
        seen: dict[tuple[str, str, str], str] = {}
        for number, entry in sorted(
            self.inventory.of_kind("sensor"),
            key=lambda item: place_order(item[1], self.found.layout),
        ):
            faults = Faults(entry.path, sequence_in(entry.name) or "")
            head = self.sensor_reader.head(self.inventory.root / entry.path, faults)
            self.problems += faults.problems
            self._meter.advance()
            if head is None:
                continue
            key = (head.sequence, head.sensor, head.position)
            if key in seen:
                self._second(entry, seen[key], head.sequence)
                continue
            seen[key] = entry.path
            ends = (head.n_rows, head.first_s, head.last_s)
            rows.append((number, *key, list(head.columns), *ends))
        return raw_table("sensors", rows)

    def _first(self, kind: str, key_of: KeyOf) -> dict[str, str]:
        return first_of(self.inventory, kind, key_of, self.found.layout)

    def _second(self, entry: FileEntry, first: str, sequence: str) -> None:
        self._note(SECOND_FILE, entry, found=entry.path, expected=f"{first} alone", of=sequence)

    def _note(
        self, code: Code, entry: FileEntry, *, found: str = "", expected: str = "", of: str = ""
    ) -> None:
        place = Place(entry.path, sequence=of or sequence_in(entry.name) or "")
        self.problems.append(code.at(place, found=found, expected=expected))
