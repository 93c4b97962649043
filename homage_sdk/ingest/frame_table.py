"""Raw annotated frames to the table ``frames``, with the actions that go on at each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from homage_sdk.ingest.atomic_action_table import Actions
from homage_sdk.ingest.columns import Ints, Words, columns_table, integers, one_array
from homage_sdk.soundness.policy import LARGEST, MOST_VIEWS, Dropped

_PAIRS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Graphs:
    """Sound scene graphs in the catalog's order, and where each raw frame went (-1: dropped)."""

    sequence: Ints
    view: Ints
    frame: Ints
    rows: Ints
    new_id: Ints


def sound_graphs(raw: pa.Table, ranks: Mapping[str, int], dropped: Dropped) -> Graphs:
    """The annotated frames that can be used, in order of sequence, view, frame."""
    sequence = Words.of(raw.column("sequence")).mapped(ranks)
    view, frame = integers(raw.column("view")), integers(raw.column("frame"))
    sound = (sequence >= 0) & (view >= 0) & (view <= MOST_VIEWS) & (frame >= 1) & (frame <= LARGEST)
    dropped.note("scene graphs: sequence, view or frame missing", int((~sound).sum()))
    rows = np.flatnonzero(sound)
    rows = rows[np.lexsort([frame[rows], view[rows], sequence[rows]])]
    new_id = np.full(raw.num_rows + 1, -1, dtype=np.int64)
    new_id[rows] = np.arange(len(rows))
    return Graphs(sequence[rows], view[rows], frame[rows], rows, new_id)


def frames_table(raw: pa.Table, graphs: Graphs, actions: Actions, names: pa.Array) -> pa.Table:
    """The table ``frames`` with the actions that go on at each of them."""
    rows = pa.array(graphs.rows)
    sizes = [_positive(one_array(raw.column(name)).take(rows)) for name in ("width", "height")]
    return columns_table(
        "frames",
        np.arange(len(graphs.rows)),
        names.take(pa.array(graphs.sequence)),
        graphs.view,
        graphs.frame,
        *sizes,
        active_actions(graphs, actions),
    )


def _positive(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    values = integers(column, 0)
    known = (values > 0) & (values <= LARGEST)
    return pa.array(np.where(known, values, 0), pa.int32(), mask=~known)


def active_actions(graphs: Graphs, actions: Actions) -> pa.ListArray:
    """For every scene graph the ids of the actions whose interval holds its frame, ascending."""
    begin = np.searchsorted(actions.sequence, graphs.sequence, "left")
    count = np.searchsorted(actions.sequence, graphs.sequence, "right") - begin
    found: list[Ints] = []
    active = np.zeros(len(graphs.rows), dtype=np.int64)
    start = 0
    total = np.concatenate([[0], np.cumsum(count)])
    while start < len(count):
        stop = int(np.searchsorted(total, total[start] + _PAIRS_AT_ONCE, "right")) - 1
        stop = min(max(stop, start + 1), len(count))
        counts = count[start:stop]
        graph = np.repeat(np.arange(start, stop), counts)
        offset = np.arange(len(graph)) - np.repeat(np.cumsum(counts) - counts, counts)
        action = begin[graph] + offset
        frame = graphs.frame[graph]
        mask = (actions.first[action] <= frame) & (frame <= actions.last[action])
        found.append(action[mask])
        active[start:stop] = np.bincount(graph[mask] - start, minlength=stop - start)
        start = stop
    ids = np.concatenate([np.zeros(0, np.int64), *found]).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(active)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids))
