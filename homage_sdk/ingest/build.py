"""A release's raw records and its videos' facts to the tables of a catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from homage_sdk.catalog.schema import TABLES
from homage_sdk.errors import HomageError
from homage_sdk.ingest.arrow_tables import rows_table
from homage_sdk.ingest.class_ids import Classes, disagreements
from homage_sdk.ingest.label_tables import catalog_order, label_tables
from homage_sdk.ingest.sequence_tables import pts_table, sequences_table, views_table
from homage_sdk.problems import Problem
from homage_sdk.release.contents import sequences
from homage_sdk.release.records import Release
from homage_sdk.soundness import Records, judge
from homage_sdk.taxonomy import KINDS, Taxonomy, class_key

if TYPE_CHECKING:
    from homage_sdk.media.probe import Probes


@dataclass(frozen=True)
class Built:
    """The tables of a catalog, the taxonomies in them, and how many records were left out.

    ``problems`` are those of classes that an older catalog numbers otherwise.
    """

    tables: dict[str, pa.Table]
    taxonomies: dict[str, Taxonomy]
    dropped: dict[str, int]
    problems: list[Problem]


def build_tables(
    release: Release,
    probes: Probes,
    hashes: Mapping[str, str | HomageError],
    records: Records | None = None,
    kept: Classes | None = None,
) -> Built:
    """Everything a catalog holds but its problems; only records that are sound.

    ``records`` are those of the release, where they are judged already; ``kept`` the classes whose
    ids and names stay.
    """
    kept = kept or {}
    records = judge(release) if records is None else records
    ids = sequences(release)
    names = pa.array([str(item) for item in ids], pa.string())
    ranks = {str(item): rank for rank, item in enumerate(ids)}
    order = catalog_order(records, ranks)
    activities = release["list_entries"]["activity_raw"].unique().to_pylist()
    used = {
        "activity": [raw for raw in activities if raw and class_key(raw)],
        "atomic": records.actions.classes.used(order.actions),
        "object": records.objects.classes.used(order.objects),
        "relationship": records.relationships.classes.used(order.relationships),
    }
    taxonomies = build_taxonomies(release["class_entries"], used, kept)
    tables = label_tables(records, order, names, taxonomies)
    tables["sensors"] = _sensors_table(release, ranks)
    tables["classes"] = _classes_table(taxonomies)
    annotated = zip(
        order.frame_sequence.tolist(), records.frames.view[order.frames].tolist(), strict=True
    )
    tables["views"] = views_table(release, ranks, set(annotated), probes=probes, hashes=hashes)
    tables["sequences"] = sequences_table(
        release, ids, taxonomies["activity"], views=tables["views"], records=records, order=order
    )
    tables["pts"] = pts_table(tables["views"], probes)
    problems = disagreements(release, kept, taxonomies, used)
    return Built(tables, taxonomies, records.left_out, problems)


def build_taxonomies(
    entries: pa.Table, used: Mapping[str, Sequence[str]], kept: Classes
) -> dict[str, Taxonomy]:
    """The four taxonomies; of the lines of a class list with one id the first name counts."""
    listed: dict[str, dict[int, str]] = {kind: {} for kind in KINDS}
    for row in entries.to_pylist():
        if class_key(row["raw"]):
            listed[row["kind"]].setdefault(row["id"], row["raw"])
    return {k: Taxonomy.build(k, listed[k], used[k], kept.get(k, ())) for k in KINDS}


def _classes_table(taxonomies: Mapping[str, Taxonomy]) -> pa.Table:
    classes = [item for kind in KINDS for item in taxonomies[kind].values()]
    return rows_table("classes", [(c.kind, c.id, c.name, c.slug) for c in classes])


def problems_table(problems: Sequence[Problem]) -> pa.Table:
    """The table ``problems``."""
    return rows_table("problems", [tuple(each.to_row().values()) for each in problems])


def _sensors_table(release: Release, ranks: Mapping[str, int]) -> pa.Table:
    paths = release["files"]["path"].to_pylist()
    rows = [row | {"path": paths[row["file"]]} for row in release["sensors"].to_pylist()]
    rows.sort(key=lambda row: (ranks[row["sequence"]], row["sensor"], row["position"]))
    return pa.Table.from_pylist(rows, schema=TABLES["sensors"])
