"""Judged labels to the catalog's tables: atomic actions, frames, objects, relationships."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from homage_sdk.ingest.arrow_tables import columns_table
from homage_sdk.soundness.columns import Ints, Words
from homage_sdk.soundness.judge import ObjectColumns, Records, RelationshipColumns
from homage_sdk.soundness.reasons import Reason
from homage_sdk.taxonomy import Taxonomy

_PAIRS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class CatalogOrder:
    """The sound records as rows of the raw tables, in the order of the catalog.

    Actions go by sequence, first frame, last frame and class, frames by sequence, view and frame,
    objects and relationships by frame and then as in their file. ``new_graph`` is where each raw
    frame went, -1 where it was left out; sequences are ranks among all sequences.
    """

    actions: Ints
    action_sequence: Ints
    frames: Ints
    frame_sequence: Ints
    new_graph: Ints
    objects: Ints
    relationships: Ints


def catalog_order(records: Records, ranks: Mapping[str, int]) -> CatalogOrder:
    """Sort what is sound; ``ranks`` of all sequences by name."""
    actions, frames = records.actions, records.frames
    rows = np.flatnonzero(actions.reasons == Reason.SOUND)
    sequence = actions.sequence.mapped(ranks)
    keys = {key: rank for rank, key in enumerate(sorted(set(actions.classes.keys)))}
    by_key = zip(actions.classes.spellings, actions.classes.keys, strict=True)
    by_class = actions.classes.mapped({text: keys[key] for text, key in by_key})
    columns = (by_class, actions.last, actions.first, sequence)
    rows = rows[np.lexsort([column[rows] for column in columns])]

    graphs = np.flatnonzero(frames.reasons == Reason.SOUND)
    owner = frames.sequence.mapped(ranks)
    graphs = graphs[np.lexsort([c[graphs] for c in (frames.frame, frames.view, owner)])]
    new_graph = np.full(len(frames.reasons), -1, dtype=np.int64)
    new_graph[graphs] = np.arange(len(graphs))
    return CatalogOrder(
        *(rows, sequence[rows], graphs, owner[graphs], new_graph),
        *(_by_graph(columns, new_graph) for columns in (records.objects, records.relationships)),
    )


def _by_graph(columns: ObjectColumns | RelationshipColumns, new_graph: Ints) -> Ints:
    rows = np.flatnonzero(columns.reasons == Reason.SOUND)
    return rows[np.argsort(new_graph[columns.graph[rows]], kind="stable")]


def label_tables(
    records: Records,
    order: CatalogOrder,
    names: pa.Array,
    taxonomies: Mapping[str, Taxonomy],
) -> dict[str, pa.Table]:
    """The four tables; ``names`` are those of all sequences, by rank."""
    actions, frames = records.actions, records.frames
    objects, relationships = records.objects, records.relationships
    links = order.relationships
    return {
        "atomic_actions": columns_table(
            "atomic_actions",
            np.arange(len(order.actions)),
            names.take(pa.array(order.action_sequence)),
            _class_ids(actions.classes, taxonomies["atomic"])[order.actions],
            actions.first[order.actions],
            actions.last[order.actions],
        ),
        "frames": columns_table(
            "frames",
            np.arange(len(order.frames)),
            names.take(pa.array(order.frame_sequence)),
            frames.view[order.frames],
            frames.frame[order.frames],
            *(pa.array(s, pa.int32(), mask=s == 0) for s in frames.size[:, order.frames]),
            active_actions(records, order),
        ),
        "objects": columns_table(
            "objects",
            order.new_graph[objects.graph[order.objects]],
            objects.ids[order.objects],
            _class_ids(objects.classes, taxonomies["object"])[order.objects],
            *objects.boxes[order.objects].T,
        ),
        "relationships": columns_table(
            "relationships",
            order.new_graph[relationships.graph[links]],
            relationships.subjects.ids[links],
            relationships.objects.ids[links],
            _class_ids(relationships.classes, taxonomies["relationship"])[links],
        ),
    }


def _class_ids(words: Words, taxonomy: Taxonomy) -> Ints:
    found = {text: taxonomy.get_name(text) for text in words.spellings}
    return words.mapped({text: item.id for text, item in found.items() if item})


def active_actions(records: Records, order: CatalogOrder) -> pa.ListArray:
    """For every scene graph the ids of the actions whose interval holds its frame, ascending."""
    first, last = records.actions.first[order.actions], records.actions.last[order.actions]
    frames = records.frames.frame[order.frames]
    begin = np.searchsorted(order.action_sequence, order.frame_sequence, "left")
    count = np.searchsorted(order.action_sequence, order.frame_sequence, "right") - begin
    found: list[Ints] = []
    active = np.zeros(len(frames), dtype=np.int64)
    start = 0
    total = np.concatenate([[0], np.cumsum(count)])
    while start < len(count):
        stop = int(np.searchsorted(total, total[start] + _PAIRS_AT_ONCE, "right")) - 1
        stop = min(max(stop, start + 1), len(count))
        counts = count[start:stop]
        graph = np.repeat(np.arange(start, stop), counts)
        offset = np.arange(len(graph)) - np.repeat(np.cumsum(counts) - counts, counts)
        action = begin[graph] + offset
        frame = frames[graph]
        mask = (first[action] <= frame) & (frame <= last[action])
        found.append(action[mask])
        active[start:stop] = np.bincount(graph[mask] - start, minlength=stop - start)
        start = stop
    ids = np.concatenate([np.zeros(0, np.int64), *found]).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(active)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids))
