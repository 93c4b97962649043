"""Scene-graph documents that may hold anything: frame by frame, each fault at its JSON pointer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from homage_sdk.problems import Code, Severity
from homage_sdk.release.faults import Faults
from homage_sdk.release.files.layouts import NO_ID, sequence_in, view_in, view_number
from homage_sdk.release.labels.json_files import LabelFile
from homage_sdk.release.labels.json_records import OUT_OF_RANGE, WRONG_TYPE, Record, records
from homage_sdk.release.records import LARGEST, LARGEST_VIEW, raw_table
from homage_sdk.release.scene_graphs.fast import GraphRows, convert_boxes
from homage_sdk.release.scene_graphs.mapping import Shape
from homage_sdk.release.scene_graphs.reshape import VideoDocument, videos_of

UNKNOWN_CATEGORY = Code(
    "HOM121",
    "category id without a name",
    why="The mapping file says that categories are ids, and no class list or `names` table has "
    "this id.",
    hint="add the class list to the release, or a `names` file to the mapping",
    example='"category": 999 in a release whose object list ends at 86',
)
NO_FRAME_SIZE = Code(
    "HOM122",
    "normalised box without a frame size",
    why="The mapping file says that boxes are fractions of the frame, and the document has no "
    "width and height.",
    hint="set `width` and `height` in the mapping file",
    example='"bbox": [0.4, 0.1, 0.6, 0.9], and no width and height in the document or the map',
)
OTHER_VIDEO = Code(
    "HOM133",
    "document names another video than its file",
    severity=Severity.WARNING,
    why="The id inside the document differs from the one in its file name. The file name is "
    "believed.",
    hint="correct one of the two",
    example="p0002_r000_v001_a000_sg.json that says video p0002_r000_v002_a000",
)
NO_VIEW = Code(
    "HOM134",
    "view of a scene graph unknown",
    why="Neither the document nor its file name says which view was annotated.",
    hint="map where the view is named in a --scene-graph-map file",
    example="p0002_r000_a000_sg.json that says nothing of a view",
)


def graphs_of(file: LabelFile, document: Any, faults: Faults, shape: Shape) -> GraphRows:
    """Rows of one file, whatever its document holds."""
    return _Careful(file, faults, shape).read(document)


class _Careful:
    def __init__(self, file: LabelFile, faults: Faults, shape: Shape) -> None:
        self.file, self.faults, self.shape = file, faults, shape
        self.mapping, self.keys = shape.mapping, shape.mapping.keys
        self.frames: list[tuple[Any, ...]] = []
        self.objects: list[tuple[Any, ...]] = []
        self.relationships: list[tuple[Any, ...]] = []

    def read(self, document: Any) -> GraphRows:
        for video in videos_of(document, self.mapping, self.faults):
            self._video(video)
        frames = raw_table("frames", self.frames)
        objects = self._convert(raw_table("objects", self.objects), frames)
        return GraphRows(frames, objects, raw_table("relationships", self.relationships))

    def _video(self, video: VideoDocument) -> None:
        sequence, view = self._whose(video)
        head = Record(video.head, video.pointer, self.faults)
        width, height = (self._size(head, side) for side in ("width", "height"))
        for index, record in records(video.frames, video.frames_pointer, self.faults):
            number = record.integer(self.keys.frame)
            if number is not None:
                number += 1 - self.mapping.frames.base
            if number is not None and number > LARGEST:
                record.note(OUT_OF_RANGE, self.keys.frame, found=number, expected=f"<= {LARGEST}")
                number = None
            graph = len(self.frames)
            self.frames.append((self.file.number, index, sequence, view, number, width, height))
            self._graph(graph, record)

    def _size(self, head: Record, side: str) -> int | None:
        key = getattr(self.keys, side)
        said = head.integer(key, required=False) if key else None
        return said if said is not None else getattr(self.mapping.boxes, side) or None

    def _whose(self, video: VideoDocument) -> tuple[str | None, int | None]:
        """The sequence and view; the file name is believed unless the mapping says otherwise."""
        said = video.head.get(self.keys.video) if self.keys.video else None
        text = said if isinstance(said, str) else ""
        by_name = self.mapping.files.video_from == "name"
        in_name = self.file.entry.name if by_name else ""
        sequence = sequence_in(in_name) or sequence_in(text)
        view_id = view_in(in_name) or view_in(text)
        view = view_number(view_id) if view_id else None
        if view is None and self.mapping.files.view >= 0:
            view = self.mapping.files.view
        pointer = f"{video.pointer}/{self.keys.video}"
        if said is not None and not isinstance(said, str):
            self.faults.add(WRONG_TYPE, pointer=pointer, found=said, expected="a view id")
        elif in_name and text and sequence and self._other(text, sequence, view_id):
            self.faults.add(OTHER_VIDEO, pointer=pointer, found=text, expected=view_id or sequence)
        if sequence is None:
            self.faults.add(NO_ID, found=self.file.entry.name, expected="an id in the name")
        elif view is None:
            self.faults.add(NO_VIEW, found=text or self.file.entry.name, expected="a view id")
        elif view > LARGEST_VIEW:
            self.faults.add(OUT_OF_RANGE, found=f"view {view}", expected=f"<= {LARGEST_VIEW}")
            view = None
        return sequence, view

    @staticmethod
    def _other(text: str, sequence: str, view_id: str | None) -> bool:
        named_view = view_in(text)
        if view_id and named_view:
            return view_id != named_view
        return sequence_in(text) != sequence

    def _graph(self, graph: int, frame: Record) -> None:
        keys, shape = self.keys, self.shape
        numbers: dict[str, int] = {}
        for index, item in frame.records(keys.objects):
            number = index if not keys.object_id else self._id(item, keys.object_id, numbers)
            category = self._category(item, keys.category, shape.object_names)
            self.objects.append((graph, index, number, category, *item.box(keys.box)))
        if not keys.relationships:
            return
        for index, item in frame.records(keys.relationships):
            subject = self._id(item, keys.subject, numbers)
            target = self._id(item, keys.object, numbers)
            predicate = self._category(item, keys.predicate, shape.relationship_names)
            self.relationships.append((graph, index, subject, target, predicate))

    def _id(self, item: Record, key: str, numbers: dict[str, int]) -> int | None:
        if self.mapping.ids.kind == "number":
            return item.integer(key)
        text = item.text(key)
        return None if text is None else numbers.setdefault(text, len(numbers))

    def _category(self, item: Record, key: str, names: Mapping[int, str] | None) -> str | None:
        if names is None:
            return item.text(key)
        number = item.integer(key)
        if number is not None and number not in names:
            item.note(UNKNOWN_CATEGORY, key, found=number, expected=f"one of {len(names)} ids")
        return None if number is None else names.get(number)

    def _convert(self, objects: pa.Table, frames: pa.Table) -> pa.Table:
        if objects.num_rows == 0:
            return objects
        graph, index, ids, names, *sides = (each.combine_chunks() for each in objects.columns)
        raw = np.stack([np.asarray(side, dtype=np.float64) for side in sides], axis=1)
        boxes = convert_boxes(raw, names, frames, graph, self.mapping)
        if bool((np.isnan(boxes).any(axis=1) & ~np.isnan(raw).any(axis=1)).any()):
            self.faults.add(NO_FRAME_SIZE, found="no width and height", expected="the frame's size")
        sides = [pa.array(side.copy(), from_pandas=True) for side in boxes.T]
        return pa.table([graph, index, ids, names, *sides], schema=objects.schema)
