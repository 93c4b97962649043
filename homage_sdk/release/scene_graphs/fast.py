"""Scene-graph files to three raw tables: frames, objects, relationships.

A ``SceneGraphMap`` says how documents are shaped; its default is the canonical document of
FORMAT.md. Whole chunks of files become columns at once (see ``labels/json_files.py``); this module
is the quick way, ``exact.py`` the exact one. Boxes become xyxy pixels here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from homage_sdk.release.labels.json_files import (
    LabelFile,
    NotPlain,
    field_of,
    parse_together,
    plain_integers,
    plain_texts,
    unpack,
)
from homage_sdk.release.records import LARGEST, LARGEST_VIEW, RAW_TABLES
from homage_sdk.release.scene_graphs.mapping import SceneGraphMap, Shape
from homage_sdk.taxonomy import class_key

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GraphRows:
    """Raw rows of some files; ``graph`` counts from 0 within these rows."""

    frames: pa.Table
    objects: pa.Table
    relationships: pa.Table


def join(parts: list[GraphRows]) -> dict[str, pa.Table]:
    """The raw tables of all parts, ``graph`` now counting through."""
    tables: dict[str, list[pa.Table]] = {"frames": [], "objects": [], "relationships": []}
    base = 0
    for part in parts:
        tables["frames"].append(part.frames)
        for name, table in (("objects", part.objects), ("relationships", part.relationships)):
            graph = np.asarray(table.column("graph")) + np.int32(base)
            tables[name].append(table.set_column(0, RAW_TABLES[name].field(0), pa.array(graph)))
        base += part.frames.num_rows
    return {
        name: pa.concat_tables([RAW_TABLES[name].empty_table(), *found]).combine_chunks()
        for name, found in tables.items()
    }


def document_schema(mapping: SceneGraphMap) -> pa.Schema:
    """What Arrow's parser looks for in a document of this shape."""
    keys = mapping.keys

    def named(*columns: tuple[str, pa.DataType]) -> list[tuple[str, pa.DataType]]:
        return [(name, kind) for name, kind in columns if name]

    by_name = mapping.categories.objects == "name"
    box = pa.list_(pa.float64())
    thing = named(
        (keys.object_id, pa.int64()),
        (keys.category, pa.string() if by_name else pa.int64()),
        (keys.box, box),
    )
    by_name = mapping.categories.relationships == "name"
    link = named(
        (keys.subject, pa.int64()),
        (keys.object, pa.int64()),
        (keys.predicate, pa.string() if by_name else pa.int64()),
    )
    frame = named(
        (keys.frame, pa.int64()),
        (keys.objects, pa.list_(pa.struct(thing))),
        (keys.relationships, pa.list_(pa.struct(link))),
    )
    return pa.schema(
        named(
            (keys.video, pa.string()),
            (keys.width, pa.int64()),
            (keys.height, pa.int64()),
            (keys.frames, pa.list_(pa.struct(frame))),
        )
    )


def plain_graphs(files: list[LabelFile], shape: Shape) -> GraphRows:
    """Rows of files that are all in order.

    Raises NotPlain, or Arrow's errors, when any of them is not.
    """
    mapping, keys = shape.mapping, shape.mapping.keys
    if mapping.files.shape != "frames" or mapping.files.video_from != "name":
        raise NotPlain
    if mapping.ids.kind != "number":
        raise NotPlain
    parsed = parse_together(files, document_schema(mapping), opening=b"{")
    said = parsed.column(keys.video).to_pylist() if keys.video else [None] * len(files)
    for file, named in zip(files, said, strict=True):
        if file.view is None or file.view > LARGEST_VIEW:
            raise NotPlain
        if named is not None and named not in file.entry.name:
            raise NotPlain
    frames, per_file = unpack(parsed.column(keys.frames).combine_chunks())
    frame_table = _frame_rows(files, parsed, frames, per_file, mapping=mapping)
    objects, per_frame = unpack(field_of(frames, keys.objects))
    if keys.relationships:
        links, links_per_frame = unpack(field_of(frames, keys.relationships))
        relationships = _relationship_rows(links, links_per_frame, shape)
    else:
        relationships = RAW_TABLES["relationships"].empty_table()
    return GraphRows(
        frame_table, _object_rows(objects, per_frame, frame_table, shape), relationships
    )


def _within(counts: Counts) -> pa.Array:
    """0, 1, 2 ... anew for every owner."""
    starts = np.cumsum(counts) - counts
    return pa.array((np.arange(counts.sum()) - np.repeat(starts, counts)).astype(np.int32))


def _owners(counts: Counts) -> pa.Array:
    return pa.array(np.repeat(np.arange(len(counts), dtype=np.int32), counts))


def _frame_rows(
    files: list[LabelFile],
    parsed: pa.Table,
    frames: pa.Array,
    per_file: Counts,
    *,
    mapping: SceneGraphMap,
) -> pa.Table:
    owner = _owners(per_file)
    number = field_of(frames, mapping.keys.frame)
    if mapping.frames.base == 0:
        number = pc.add(number, 1)
    columns = [
        pa.array([file.number for file in files], pa.int32()).take(owner),
        _within(per_file),
        pa.array([file.sequence for file in files], pa.string()).take(owner),
        pa.array([file.view for file in files], pa.int32()).take(owner),
        plain_integers(number),
    ]
    for side in ("width", "height"):
        key, default = getattr(mapping.keys, side), getattr(mapping.boxes, side)
        size = parsed.column(key).combine_chunks() if key else pa.nulls(len(files), pa.int64())
        plain_integers(size.drop_null())
        columns.append((size.fill_null(default) if default else size).take(owner))
    return pa.table(columns, schema=RAW_TABLES["frames"])


def _names(values: pa.Array, names: Mapping[int, str] | None) -> pa.Array:
    """Category names, by id where the mapping says so; an unknown id raises KeyError."""
    if names is None:
        return plain_texts(values)
    encoded = plain_integers(values).dictionary_encode()
    spelled = pa.array([names[class_id] for class_id in encoded.dictionary.to_pylist()])
    return spelled.cast(pa.string()).take(encoded.indices)


def _object_rows(objects: pa.Array, counts: Counts, frames: pa.Table, shape: Shape) -> pa.Table:
    schema = RAW_TABLES["objects"]
    mapping, keys = shape.mapping, shape.mapping.keys
    index = _within(counts)
    if keys.object_id:
        ids = plain_integers(field_of(objects, keys.object_id))
    else:
        ids = index.cast(pa.int64())
    names = _names(field_of(objects, keys.category), shape.object_names)
    flat, sizes = unpack(field_of(objects, keys.box))
    if (sizes != 4).any() or flat.null_count:
        raise NotPlain
    corners = np.asarray(flat, dtype=np.float64).reshape(-1, 4)
    if corners.size and not np.abs(corners).max() <= LARGEST:  # also when it is NaN
        raise NotPlain
    owner = _owners(counts)
    corners = convert_boxes(corners, names, frames, owner, mapping)
    if np.isnan(corners).any():  # fractions of a frame of unknown size
        raise NotPlain
    return pa.table([owner, index, ids, names, *map(pa.array, corners.T.copy())], schema=schema)


Boxes = NDArray[np.float64]
"""[N, 4]"""


def to_xyxy(boxes: Boxes, box_format: str) -> Boxes:
    """From ``xyxy``, ``xywh`` or ``cxcywh``; [N, 4] in and out, NaN rows stay NaN.

    >>> to_xyxy(np.array([[50.0, 40.0, 20.0, 10.0]]), "cxcywh").tolist()
    [[40.0, 35.0, 60.0, 45.0]]
    >>> to_xyxy(np.array([[50.0, 40.0, 20.0, 10.0]]), "xywh").tolist()
    [[50.0, 40.0, 70.0, 50.0]]
    """
    if box_format == "xyxy":
        return boxes
    position, size = boxes[:, :2], boxes[:, 2:]
    if box_format == "xywh":
        return np.hstack([position, position + size])
    return np.hstack([position - size / 2, position + size / 2])


def convert_boxes(
    corners: NDArray[np.float64],
    names: pa.Array,
    frames: pa.Table,
    owner: pa.Array,
    mapping: SceneGraphMap,
) -> NDArray[np.float64]:
    """Boxes [N, 4] as the mapping says they are written, to xyxy pixels."""
    boxes = mapping.boxes
    out = to_xyxy(corners, boxes.format)
    if boxes.person_format and boxes.person_format != boxes.format:
        people = [
            name for name in names.unique().to_pylist() if name and class_key(name) == "person"
        ]
        mask = np.isin(np.asarray(names.to_pylist(), dtype=object), people)
        out = np.where(mask[:, None], to_xyxy(corners, boxes.person_format), out)
    if boxes.normalised:
        out = out * np.stack([_size(frames, s, owner) for s in ("width", "height") * 2], axis=1)
    return out


def _size(frames: pa.Table, side: str, owner: pa.Array) -> NDArray[np.float64]:
    column = frames.column(side).cast(pa.float64()).combine_chunks().take(owner)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _relationship_rows(links: pa.Array, counts: Counts, shape: Shape) -> pa.Table:
    keys = shape.mapping.keys
    columns = [
        _owners(counts),
        _within(counts),
        plain_integers(field_of(links, keys.subject)),
        plain_integers(field_of(links, keys.object)),
        _names(field_of(links, keys.predicate), shape.relationship_names),
    ]
    return pa.table(columns, schema=RAW_TABLES["relationships"])
