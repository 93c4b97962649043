"""The tables about what exists: sequences, their views, and the pts index of each video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from homage_sdk.catalog.schema import TABLES
from homage_sdk.errors import HomageError
from homage_sdk.ids import SequenceId
from homage_sdk.ingest.arrow_tables import columns_table, rows_table
from homage_sdk.ingest.label_tables import CatalogOrder
from homage_sdk.release.records import Release
from homage_sdk.soundness import Reason, Records
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
    records: Records,
    order: CatalogOrder,
) -> pa.Table:
    """The table ``sequences``. A sequence in several lists is what the first of them says.

    Lists are in order of path: ``test_list`` before ``train_list`` before ``val_list``, so that
    what is tested on is never also trained on.
    """
    lines = release["list_entries"].filter(pa.array(records.list_lines == Reason.SOUND))
    listed = {row["sequence"]: (row["activity_raw"], row["split"]) for row in lines.to_pylist()}
    owned: dict[str, list[dict[str, object]]] = {}
    for row in views.select(["sequence", "view", "has_audio", "duration_s"]).to_pylist():
        owned.setdefault(row["sequence"], []).append(row)
    n_actions = np.bincount(order.action_sequence, minlength=len(ids)).tolist()
    n_graphs = np.bincount(order.frame_sequence, minlength=len(ids)).tolist()
    last = np.zeros(len(ids), dtype=np.int64)
    np.maximum.at(last, order.action_sequence, records.actions.last[order.actions])
    np.maximum.at(last, order.frame_sequence, records.frames.frame[order.frames])
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
    annotated: Set[tuple[int, int]],
    *,
    probes: Mapping[str, VideoProbe | HomageError],
    hashes: Mapping[str, str | HomageError],
) -> pa.Table:
    """The table ``views``: every video, and every view that only a scene graph speaks of.

    ``annotated`` are the views of scene graphs: rank of the sequence, number of the view.
    """
    names = list(ranks)
    paths = release["files"]["path"].to_pylist()
    sizes = release["files"]["bytes"].to_pylist()
    files: dict[tuple[int, int], int | None] = dict.fromkeys(annotated)
    for row in release["videos"].to_pylist():
        if row["sequence"] is not None:
            files[ranks[row["sequence"]], row["view"]] = row["file"]
    rows = []
    for (rank, view), file in sorted(files.items(), key=lambda item: item[0]):
        path = None if file is None else paths[file]
        probe = probes.get(path) if path is not None else None
        facts = _NO_FACTS if probe is None or isinstance(probe, HomageError) else _facts(probe)
        head = (names[rank], view, "ego" if view == 0 else "third", path)
        size = None if file is None else sizes[file]
        sha256 = hashes.get(path) if path is not None else None
        rows.append((*head, size, *facts, None if isinstance(sha256, HomageError) else sha256))
    return rows_table("views", rows)


_NO_FACTS = (None,) * 11

_facts = attrgetter(
    *("width", "height", "fps", "n_frames", "time_base.numerator", "time_base.denominator"),
    *("start_s", "duration_s", "has_audio", "audio_start_s", "sample_rate"),
)
"""What a row of views tells of a probed video, in order of its columns."""


def pts_table(views: pa.Table, probes: Mapping[str, VideoProbe | HomageError]) -> pa.Table:
    """The table ``pts``, in order of sequence, view and presentation."""
    found = []
    for row in views.select(["sequence", "view", "path"]).to_pylist():
        probe = probes.get(row["path"]) if row["path"] else None
        if probe is not None and not isinstance(probe, HomageError) and probe.n_frames:
            found.append((row["sequence"], row["view"], probe))
    if not found:
        return TABLES["pts"].empty_table()
    names, numbers, held = zip(*found, strict=True)
    counts = np.array([probe.n_frames for probe in held])
    begins = np.cumsum(counts) - counts
    return columns_table(
        "pts",
        pa.array(names, pa.string()).take(np.repeat(np.arange(len(names)), counts)),
        np.repeat(numbers, counts),
        np.arange(counts.sum()) - np.repeat(begins, counts) + 1,
        np.concatenate([probe.pts for probe in held]),
        pa.array(np.concatenate([probe.keyframe for probe in held])),
    )
