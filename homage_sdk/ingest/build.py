"""A release's raw records and its videos' facts to the tables of a catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from homage_sdk.ids import SequenceId
from homage_sdk.ingest.atomic_action_table import sound_actions
from homage_sdk.ingest.columns import rows_table
from homage_sdk.ingest.frame_table import frames_table, sound_graphs
from homage_sdk.ingest.object_tables import sound_objects, sound_relationships
from homage_sdk.ingest.sequence_tables import pts_table, sequences_table, views_table
from homage_sdk.problems import Problem
from homage_sdk.release.files.layouts import sequence_in
from homage_sdk.release.records import Release
from homage_sdk.soundness.policy import Dropped
from homage_sdk.taxonomy import KINDS, Taxonomy

if TYPE_CHECKING:
    from homage_sdk.media.probe import Probes


@dataclass(frozen=True)
class Built:
    """The tables of a catalog, the taxonomies in them, and what the policy left out."""

    tables: dict[str, pa.Table]
    taxonomies: dict[str, Taxonomy]
    dropped: dict[str, int]


def build_tables(release: Release, probes: Probes, hashes: Mapping[str, str | None]) -> Built:
    """Everything a catalog holds but its problems; the policy is stated in ``policy.py``."""
    dropped = Dropped()
    ids = all_sequences(release)
    names = pa.array([str(item) for item in ids], pa.string())
    ranks = {str(item): rank for rank, item in enumerate(ids)}

    actions = sound_actions(release["actions"], ranks, dropped)
    graphs = sound_graphs(release["frames"], ranks, dropped)
    objects = sound_objects(release["objects"], graphs, dropped)
    relationships = sound_relationships(release["relationships"], graphs, objects, dropped)
    used = {
        "activity": [raw for raw in release["list_entries"]["activity_raw"].to_pylist() if raw],
        "atomic": actions.class_words.used(actions.rows),
        "object": objects.words.used(objects.rows),
        "relationship": relationships.words.used(relationships.rows),
    }
    taxonomies = build_taxonomies(release["class_entries"], used)
    tables = {
        "atomic_actions": actions.table(names, taxonomies["atomic"]),
        "frames": frames_table(release["frames"], graphs, actions, names),
        "objects": objects.table(taxonomies["object"]),
        "relationships": relationships.table(taxonomies["relationship"]),
        "sensors": _sensors_table(release, ranks),
        "classes": _classes_table(taxonomies),
    }
    tables["views"] = views_table(
        release, ranks, graphs, probes=probes, hashes=hashes, dropped=dropped
    )
    tables["sequences"] = sequences_table(
        release,
        ids,
        taxonomies["activity"],
        views=tables["views"],
        actions=actions,
        graphs=graphs,
    )
    tables["pts"] = pts_table(tables["views"], probes)
    return Built(tables, taxonomies, dropped.counts)


def all_sequences(release: Release) -> list[SequenceId]:
    """Every sequence that anything in the release speaks of, in order."""
    names: set[str] = set()
    for table in ("list_entries", "actions", "frames", "videos", "sensors"):
        names.update(release[table]["sequence"].unique().to_pylist())
    for path, kind in zip(
        release["files"]["path"].to_pylist(), release["files"]["kind"].to_pylist(), strict=True
    ):
        if kind in ("atomic_actions", "scene_graphs"):
            names.add(sequence_in(path.rsplit("/", 1)[-1]) or "")
    return sorted(SequenceId.parse(name) for name in names if name)


def build_taxonomies(entries: pa.Table, used: Mapping[str, Sequence[str]]) -> dict[str, Taxonomy]:
    """The four taxonomies; of two lines of a class list with one id the first counts."""
    listed: dict[str, dict[int, str]] = {kind: {} for kind in KINDS}
    for row in entries.to_pylist():
        listed[row["kind"]].setdefault(row["id"], row["raw"])
    return {kind: Taxonomy.build(kind, listed[kind], used[kind]) for kind in KINDS}


def _classes_table(taxonomies: Mapping[str, Taxonomy]) -> pa.Table:
    classes = [item for kind in KINDS for item in taxonomies[kind].values()]
    return rows_table("classes", [(c.kind, c.id, c.raw, c.slug) for c in classes])


def problems_table(problems: Sequence[Problem]) -> pa.Table:
    """The table ``problems``."""
    return rows_table("problems", [tuple(each.to_row().values()) for each in problems])


def _sensors_table(release: Release, ranks: Mapping[str, int]) -> pa.Table:
    paths = release["files"]["path"].to_pylist()
    rows = [
        (
            row["sequence"],
            row["sensor"],
            row["position"],
            paths[row["file"]],
            row["columns"],
            row["n_rows"],
            row["first_s"],
            row["last_s"],
        )
        for row in release["sensors"].to_pylist()
    ]
    rows.sort(key=lambda row: (ranks[row[0]], row[1], row[2]))
    return rows_table("sensors", rows)
