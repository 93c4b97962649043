"""Catalogs made directly from a few words, without a release: for tests and doctests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from homage_sdk.catalog.info import CatalogInfo, Options, Source
from homage_sdk.catalog.parquet_table import describe
from homage_sdk.catalog.schema import SCHEMA_VERSION, TABLES
from homage_sdk.ids import SequenceId
from homage_sdk.taxonomy import Taxonomy

Xyxy = tuple[float, float, float, float]


@dataclass
class GraphSpec:
    """An annotated frame: objects as {id: (category, xyxy)}, relationships as (s, predicate, o)."""

    view: int
    frame: int
    objects: dict[int, tuple[str, Xyxy]]
    relationships: list[tuple[int, str, int]] = field(default_factory=list)
    size: tuple[int, int] | None = (640, 480)


@dataclass
class TakeSpec:
    """One sequence: actions as (class, first frame, last frame)."""

    id: str
    activity: str | None = None
    split: str | None = None
    views: tuple[int, ...] = ()
    audio: bool = False
    seconds: float | None = None
    actions: list[tuple[str, int, int]] = field(default_factory=list)
    graphs: list[GraphSpec] = field(default_factory=list)
    sensors: tuple[str, ...] = ()


def make_catalog(
    path: Path,
    takes: list[TakeSpec],
    *,
    root: Path | None = None,
    listed: dict[str, dict[int, str]] | None = None,
    row_group_size: int = 64,
) -> Path:
    """Write a catalog of these takes into the new folder ``path``, as an ingest would.

    Args:
        path: the folder to make.
        takes: the sequences, in any order.
        root: the release that the videos would lie in.
        listed: by kind, the published class lists as ``{id: name}``.
        row_group_size: rows a row group of each Parquet file.

    """
    takes = sorted(takes, key=lambda t: SequenceId.parse(t.id))
    used: dict[str, list[str]] = {
        "activity": [t.activity for t in takes if t.activity],
        "atomic": [a[0] for t in takes for a in t.actions],
        "object": [c for t in takes for g in t.graphs for c, _ in g.objects.values()],
        "relationship": [r[1] for t in takes for g in t.graphs for r in g.relationships],
    }
    names = {k: Taxonomy.build(k, (listed or {}).get(k, {}), v) for k, v in used.items()}
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in TABLES}
    for kind, taxonomy in names.items():
        rows["classes"] += [
            {"kind": kind, "id": c.id, "name": c.name, "slug": c.slug} for c in taxonomy.values()
        ]
    for take in takes:
        _add(take, names, rows)
    path.mkdir(parents=True)
    for name, schema in TABLES.items():
        table = pa.Table.from_pylist(rows[name], schema=schema)
        pq.write_table(
            table, path / f"{name}.parquet", compression="zstd", row_group_size=row_group_size
        )
    seal(path, str(root or ""))
    return path


def seal(path: Path, root: str = "") -> None:
    """Write ``catalog.json`` for the tables as they are."""
    files = {name: describe(path / f"{name}.parquet") for name in TABLES}
    info = CatalogInfo(
        schema_version=SCHEMA_VERSION,
        source=Source(root=root, layout="hacgen", fingerprint=""),
        options=Options(media=False, hash_media=False),
        versions={},
        counts={name: file.rows for name, file in files.items()},
        problems={},
        severities={},
        dropped={},
        files=files,
    )
    (path / "catalog.json").write_text(info.sealed().to_json())


def _add(
    take: TakeSpec, names: dict[str, Taxonomy], rows: dict[str, list[dict[str, object]]]
) -> None:
    sequence = SequenceId.parse(take.id)
    last = max([a[2] for a in take.actions] + [g.frame for g in take.graphs], default=None)
    seconds = take.seconds if take.seconds is not None else last and last / 30
    rows["sequences"].append(
        {
            "sequence": take.id,
            "participant": sequence.participant,
            "room": sequence.room,
            "take": sequence.take,
            "activity_id": names["activity"].find(take.activity).id if take.activity else None,
            "split": take.split,
            "duration_s": seconds,
            "n_views": len(take.views),
            "has_ego": 0 in take.views,
            "has_audio": take.audio and bool(take.views),
            "n_atomic_actions": len(take.actions),
            "n_scene_graphs": len(take.graphs),
        }
    )
    for view in take.views:
        name = sequence.view(view)
        folder = f"action_split_data/V1.0/{sequence.participant_folder}"
        row = dict.fromkeys(TABLES["views"].names)
        row |= {"sequence": take.id, "view": view, "kind": name.kind, "has_audio": take.audio}
        row |= {"path": f"{folder}/{name}.mkv", "width": 640, "height": 480, "fps": 30.0}
        rows["views"].append(row)
    for label, first, end in sorted(take.actions, key=lambda a: (a[1], a[2])):
        rows["atomic_actions"].append(
            {
                "action_id": len(rows["atomic_actions"]),
                "sequence": take.id,
                "class_id": names["atomic"].find(label).id,
                "first_frame": first,
                "last_frame": end,
            }
        )
    for graph in take.graphs:
        _add_graph(take, graph, names, rows)
    for sensor in take.sensors:
        rows["sensors"].append(
            {
                "sequence": take.id,
                "sensor": sensor,
                "position": "head",
                "path": f"sensors/{take.id}_{sensor}.csv",
                "columns": ["value"],
                "n_rows": 10,
                "first_s": 0.0,
                "last_s": 1.0,
            }
        )


def _add_graph(
    take: TakeSpec,
    graph: GraphSpec,
    names: dict[str, Taxonomy],
    rows: dict[str, list[dict[str, object]]],
) -> None:
    number = len(rows["frames"])
    mine = len(take.actions)
    active = [
        a["action_id"]
        for a in (rows["atomic_actions"][-mine:] if mine else [])
        if a["first_frame"] <= graph.frame <= a["last_frame"]  # type: ignore[operator]
    ]
    width, height = graph.size or (None, None)
    rows["frames"].append(
        {
            "scene_graph_id": number,
            "sequence": take.id,
            "view": graph.view,
            "frame": graph.frame,
            "width": width,
            "height": height,
            "action_ids": active,
        }
    )
    for object_id, (category, (x1, y1, x2, y2)) in graph.objects.items():
        rows["objects"].append(
            {
                "scene_graph_id": number,
                "object_id": object_id,
                "class_id": names["object"].find(category).id,
                "x1": x1,
                "y1": y1,
                "x2": x2,
                "y2": y2,
            }
        )
    for subject, predicate, target in graph.relationships:
        rows["relationships"].append(
            {
                "scene_graph_id": number,
                "subject_id": subject,
                "object_id": target,
                "class_id": names["relationship"].find(predicate).id,
            }
        )
