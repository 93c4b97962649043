"""Scene-graph files to three raw tables: frames, objects, relationships.

A ``SceneGraphMap`` says how documents are shaped; its default is the canonical document of
FORMAT.md. Whole chunks of files become columns at once (see ``label_files``); this module is the
quick way, ``scene_graphs_careful`` the exact one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homage_sdk.release.boxes import to_pixels, to_xyxy
from homage_sdk.release.label_files import LabelFile, NotPlain, plain_integers, plain_texts
from homage_sdk.release.records import RAW_TABLES
from homage_sdk.release.scene_map import SceneGraphMap, Shape
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


def plain_graphs(files: list[LabelFile], shape: Shape) -> tuple[GraphRows, int]:
    """Rows of files that are all in order, and how many keys their documents hold.

    Raises NotPlain, or what the quick checks raise, when any of them is not.
    """
    mapping, keys = shape.mapping, shape.mapping.keys
    if mapping.files.shape != "frames" or mapping.files.video_from != "name":
        raise NotPlain
    if mapping.ids.kind != "number":
        raise NotPlain
    documents: list[dict[str, Any]] = [file.document for file in files]
    _same_types(documents, dict)
    for file in files:
        named = file.document.get(keys.video)
        if file.view is None or (named is not None and not _is_named(file, named)):
            raise NotPlain
    frame_lists = list(map(itemgetter(keys.frames), documents))
    _same_types(frame_lists, list)
    per_file = _lengths(frame_lists)
    frames: list[dict[str, Any]] = list(chain.from_iterable(frame_lists))
    _same_types(frames, dict)
    objects, per_frame = _items(frames, keys.objects)
    relationships, links = _items(frames, keys.relationships)
    frame_table = _frame_rows(files, frames, per_file, mapping)
    rows = GraphRows(
        frame_table,
        _object_rows(objects, per_frame, frame_table, shape),
        _relationship_rows(relationships, links, shape),
    )
    keys_seen = sum(sum(map(len, items)) for items in (documents, frames, objects, relationships))
    return rows, keys_seen


def _same_types(values: list[Any], kind: type) -> None:
    if not set(map(type, values)) <= {kind}:
        raise NotPlain


def _lengths(lists: list[list[Any]]) -> Counts:
    return np.fromiter(map(len, lists), np.int64, len(lists))


def _items(frames: list[dict[str, Any]], key: str) -> tuple[list[dict[str, Any]], Counts]:
    if not key:
        return [], np.zeros(len(frames), np.int64)
    lists = list(map(itemgetter(key), frames))
    _same_types(lists, list)
    return list(chain.from_iterable(lists)), _lengths(lists)


def _is_named(file: LabelFile, named: Any) -> bool:
    """Whether a document's own id is the one in its file name."""
    return isinstance(named, str) and named in file.entry.name


def _within(counts: Counts) -> pa.Array:
    """0, 1, 2 ... anew for every owner."""
    starts = np.cumsum(counts) - counts
    return pa.array((np.arange(counts.sum()) - np.repeat(starts, counts)).astype(np.int32))


def _owners(counts: Counts) -> pa.Array:
    return pa.array(np.repeat(np.arange(len(counts), dtype=np.int32), counts))


def _optional(documents: list[dict[str, Any]], key: str) -> pa.Array:
    values = [document.get(key) for document in documents]
    plain_integers([0, *(value for value in values if value is not None)])
    return pa.array(values, pa.int64())


def _names(values: tuple[Any, ...], names: Mapping[int, str] | None) -> pa.Array:
    """Category names, by id where the mapping says so; an unknown id raises KeyError."""
    if names is None:
        return plain_texts(values)
    encoded = plain_integers(values).dictionary_encode()
    spelled = pa.array([names[class_id] for class_id in encoded.dictionary.to_pylist()])
    return spelled.take(encoded.indices)


def _frame_rows(
    files: list[LabelFile], frames: list[dict[str, Any]], per_file: Counts, mapping: SceneGraphMap
) -> pa.Table:
    documents = [file.document for file in files]
    owner = _owners(per_file)
    number = (
        np.asarray(plain_integers(list(map(itemgetter(mapping.keys.frame), frames))))
        if frames
        else np.zeros(0, np.int64)
    )
    columns = [
        pa.array([file.number for file in files], pa.int32()).take(owner),
        _within(per_file),
        pa.array([file.sequence for file in files], pa.string()).take(owner),
        pa.array([file.view for file in files], pa.int32()).take(owner),
        pa.array(number + (1 - mapping.frames.base)),
        _optional(documents, mapping.keys.width).take(owner),
        _optional(documents, mapping.keys.height).take(owner),
    ]
    return pa.table(columns, schema=RAW_TABLES["frames"])


def _object_rows(
    objects: list[dict[str, Any]], counts: Counts, frames: pa.Table, shape: Shape
) -> pa.Table:
    schema = RAW_TABLES["objects"]
    if not objects:
        return schema.empty_table()
    mapping, keys = shape.mapping, shape.mapping.keys
    index = _within(counts)
    if keys.object_id:
        pick = itemgetter(keys.category, keys.box, keys.object_id)
        categories, boxes, given = zip(*map(pick, objects), strict=True)
        ids = plain_integers(given)
    else:
        categories, boxes = zip(*map(itemgetter(keys.category, keys.box), objects), strict=True)
        ids = index.cast(pa.int64())
    if set(map(type, boxes)) != {list} or set(map(len, boxes)) != {4}:
        raise NotPlain
    flat = pa.array(list(chain.from_iterable(boxes)))
    if flat.null_count or flat.type not in (pa.int64(), pa.float64()):
        raise NotPlain
    names = _names(categories, shape.object_names)
    corners = np.asarray(flat, dtype=np.float64).reshape(-1, 4)
    if np.abs(corners).max() > 2.0**53:
        raise NotPlain
    owner = _owners(counts)
    corners = convert_boxes(corners, names, frames, owner, mapping)
    if np.isnan(corners).any():  # fractions of a frame of unknown size
        raise NotPlain
    return pa.table([owner, index, ids, names, *map(pa.array, corners.T.copy())], schema=schema)


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
        out = to_pixels(out, *(_size(frames, name, owner, mapping) for name in ("width", "height")))
    return out


def _size(
    frames: pa.Table, name: str, owner: pa.Array, mapping: SceneGraphMap
) -> NDArray[np.float64]:
    column = frames.column(name).cast(pa.float64()).combine_chunks().take(owner)
    stated = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
    default = getattr(mapping.boxes, name)
    return np.where(np.isnan(stated), default or np.nan, stated)


def _relationship_rows(
    relationships: list[dict[str, Any]], counts: Counts, shape: Shape
) -> pa.Table:
    schema = RAW_TABLES["relationships"]
    if not relationships:
        return schema.empty_table()
    keys = shape.mapping.keys
    pick = itemgetter(keys.subject, keys.object, keys.predicate)
    subjects, objects, predicates = zip(*map(pick, relationships), strict=True)
    columns = [
        _owners(counts),
        _within(counts),
        plain_integers(subjects),
        plain_integers(objects),
        _names(predicates, shape.relationship_names),
    ]
    return pa.table(columns, schema=schema)
