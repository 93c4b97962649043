"""The tables about what exists: sequences, their views, and the pts index of each video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from homage_sdk.catalog.schema import TABLES
from homage_sdk.errors import HomageError
from homage_sdk.ids import SequenceId
from homage_sdk.ingest.atomic_action_table import Actions
from homage_sdk.ingest.columns import rows_table
from homage_sdk.ingest.frame_table import Graphs
from homage_sdk.release.records import Release
from homage_sdk.soundness.policy import MOST_VIEWS, Dropped
from homage_sdk.taxonomy import Taxonomy
from homage_sdk.time import Interval

if TYPE_CHECKING:
    from homage_sdk.media.probe import VideoProbe


def sequences_table(
    release: Release,
    ids: Sequence[SequenceId],
    activities: Taxonomy,
    *,
    views: pa.Table,
    actions: Actions,
    graphs: Graphs,
) -> pa.Table:
    """The table ``sequences``. A sequence in several lists is what the first of them says.

    Lists are in order of path: ``test_list`` before ``train_list`` before ``val_list``, so that
    what is tested on is never also trained on.
    """
    listed: dict[str, tuple[str | None, str | None]] = {}
    for row in release["list_entries"].to_pylist():
        if row["sequence"] is not None:
            listed.setdefault(row["sequence"], (row["activity_raw"], row["split"]))
    owned: dict[str, list[dict[str, object]]] = {}
    for row in views.select(["sequence", "view", "has_audio", "duration_s"]).to_pylist():
        owned.setdefault(row["sequence"], []).append(row)
    n_actions = np.bincount(actions.sequence, minlength=len(ids)).tolist()
    n_graphs = np.bincount(graphs.sequence, minlength=len(ids)).tolist()
    last = np.zeros(len(ids), dtype=np.int64)
    np.maximum.at(last, actions.sequence, actions.last)
    np.maximum.at(last, graphs.sequence, graphs.frame)
    rows = []
    for rank, item in enumerate(ids):
        name = str(item)
        activity, split = listed.get(name, (None, None))
        known = activities.get_name(activity) if activity else None
        mine = owned.get(name, [])
        lengths = [v["duration_s"] for v in mine if isinstance(v["duration_s"], float)]
        labelled = Interval(1, int(last[rank])).end_s() if last[rank] else None
        rows.append(
            (
                name,
                item.participant,
                item.room,
                item.take,
                known.id if known else None,
                split,
                max(lengths) if lengths else labelled,
                len(mine),
                any(v["view"] == 0 for v in mine),
                any(bool(v["has_audio"]) for v in mine),
                n_actions[rank],
                n_graphs[rank],
            )
        )
    return rows_table("sequences", rows)


def views_table(
    release: Release,
    ranks: Mapping[str, int],
    graphs: Graphs,
    *,
    probes: Mapping[str, VideoProbe | HomageError],
    hashes: Mapping[str, str | None],
    dropped: Dropped,
) -> pa.Table:
    """The table ``views``: every video, and every view that only a scene graph speaks of."""
    names = list(ranks)
    paths = release["files"]["path"].to_pylist()
    sizes = release["files"]["bytes"].to_pylist()
    files: dict[tuple[int, int], int | None] = {}
    for row in release["videos"].to_pylist():
        if row["sequence"] is None:
            continue
        if row["view"] > MOST_VIEWS:
            dropped.note("views: view number out of range", 1)
            continue
        files.setdefault((ranks[row["sequence"]], row["view"]), row["file"])
    labelled = np.unique(np.stack([graphs.sequence, graphs.view]), axis=1).T.tolist()
    for sequence, view in labelled:
        files.setdefault((sequence, view), None)
    rows = []
    for (rank, view), file in sorted(files.items(), key=lambda item: item[0]):
        path = None if file is None else paths[file]
        probe = probes.get(path) if path is not None else None
        facts = _NO_FACTS if probe is None or isinstance(probe, HomageError) else _facts(probe)
        head = (names[rank], view, "ego" if view == 0 else "third", path)
        size = None if file is None else sizes[file]
        rows.append((*head, size, *facts, hashes.get(path) if path is not None else None))
    return rows_table("views", rows)


_NO_FACTS = (None,) * 11


def _facts(probe: VideoProbe) -> tuple[object, ...]:
    return (
        probe.width,
        probe.height,
        probe.fps,
        probe.n_frames,
        probe.time_base.numerator,
        probe.time_base.denominator,
        probe.start_s,
        probe.duration_s,
        probe.has_audio,
        probe.audio_start_s,
        probe.sample_rate,
    )


def pts_table(views: pa.Table, probes: Mapping[str, VideoProbe | HomageError]) -> pa.Table:
    """The table ``pts``, in order of sequence, view and presentation."""
    schema = TABLES["pts"]
    parts = [schema.empty_table()]
    for row in views.select(["sequence", "view", "path"]).to_pylist():
        probe = probes.get(row["path"]) if row["path"] else None
        if probe is None or isinstance(probe, HomageError) or probe.n_frames == 0:
            continue
        count = len(probe.pts)
        columns = [
            pa.repeat(row["sequence"], count),
            pa.array(np.full(count, row["view"], np.int16)),
            pa.array(np.arange(1, count + 1, dtype=np.int32)),
            pa.array(probe.pts),
            pa.array(probe.keyframe),
        ]
        parts.append(pa.table(columns, schema=schema))
    return pa.concat_tables(parts)
