"""The tables hold what the policy says, checked record by record against plain Python."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from homage_sdk.catalog.schema import TABLES
from homage_sdk.ingest.build import Built, build_tables
from homage_sdk.release import Release, read_release
from homage_sdk.soundness import Reason
from homage_sdk.taxonomy import class_key
from tests.unit.catalog import oracle
from tests.unit.release.tiny import Tiny, action, graph, whole


def random_release(root: Path, seed: int) -> Release:
    """Small numbers everywhere, so that every clash and every fault occurs many times."""
    rng = random.Random(seed)
    tiny = Tiny(root)
    names = ["take cup", "take_cup", "wash/dry cup", "Take Cup", "_"]
    for take in range(4):
        sequence = f"p0001_r001_a{take:03d}"
        tiny.actions(
            sequence,
            *(
                action(
                    rng.choice(names),
                    rng.randrange(-1, 6),
                    rng.choice([rng.randrange(0, 9), None, 2**31]),
                )
                for _ in range(rng.randrange(0, 25))
            ),
        )
        frames: list[Any] = []
        for _ in range(rng.randrange(0, 6)):
            objects = [
                {
                    "id": rng.choice([0, 1, 2, 3, None, -5]),
                    "category": rng.choice(["person", "cup", "Cup", "", "_"]),
                    "bbox": rng.choice(
                        [[0, 0, 5, 5], [5, 5, 5, 9], [1.5, 2, 9, 9], [9, 1, 2, 3], None]
                    ),
                }
                for _ in range(rng.randrange(6))
            ]
            links = [
                {
                    "subject": rng.randrange(3),
                    "object": rng.choice([0, 1, 3, 99]),
                    "category": rng.choice(["on", "near", "On", "_"]),
                }
                for _ in range(rng.randrange(6))
            ]
            number = rng.choice([1, 2, 5, 0, -3, None])
            frames.append(graph(number, objects=objects, relationships=links))
        tiny.scene(sequence.replace("_a", f"_v{rng.randrange(1, 4):03d}_a"), *frames)
    return read_release(root)


def check(release: Release, built: Built) -> None:
    tables, names = built.tables, built.taxonomies
    rows = tables["atomic_actions"].to_pylist()
    assert [
        (
            r["sequence"],
            r["first_frame"],
            r["last_frame"],
            class_key(names["atomic"][r["class_id"]].name),
        )
        for r in rows
    ] == oracle.actions(release)
    assert [r["action_id"] for r in rows] == list(range(len(rows)))

    expected = oracle.graphs(release)
    frames = tables["frames"].to_pylist()
    assert [(f["sequence"], f["view"], f["frame"]) for f in frames] == [
        g["place"] for g in expected
    ]
    objects, links = tables["objects"].to_pylist(), tables["relationships"].to_pylist()
    for frame, graph_ in zip(frames, expected, strict=True):
        mine = [o for o in objects if o["scene_graph_id"] == frame["scene_graph_id"]]
        assert {
            o["object_id"]: (
                class_key(names["object"][o["class_id"]].name),
                (o["x1"], o["y1"], o["x2"], o["y2"]),
            )
            for o in mine
        } == graph_["objects"]
        assert len(mine) == len(graph_["objects"])
        assert [
            (r["subject_id"], names["relationship"][r["class_id"]].key, r["object_id"])
            for r in links
            if r["scene_graph_id"] == frame["scene_graph_id"]
        ] == graph_["links"]
        assert frame["action_ids"] == [
            r["action_id"]
            for r in rows
            if r["sequence"] == frame["sequence"]
            and r["first_frame"] <= frame["frame"] <= r["last_frame"]
        ]


@pytest.mark.parametrize("seed", range(12))
def test_tables_of_a_faulty_release_follow_the_policy(tmp_path: Path, seed: int) -> None:
    release = random_release(tmp_path, seed)
    built = build_tables(release, {}, {})
    check(release, built)
    for name, table in built.tables.items():
        assert table.schema.equals(TABLES[name], check_metadata=False)
        for column in table.schema:
            assert column.nullable or table[column.name].null_count == 0


@pytest.mark.parametrize("seed", range(12))
def test_every_record_is_kept_or_counted(tmp_path: Path, seed: int) -> None:
    release = random_release(tmp_path, seed)
    built = build_tables(release, {}, {})
    pairs = (
        ("actions", "atomic_actions"),
        ("frames", "frames"),
        ("objects", "objects"),
        ("relationships", "relationships"),
    )
    for raw, table in pairs:
        word = "scene graphs" if raw == "frames" else raw
        lost = sum(n for reason, n in built.dropped.items() if reason.startswith(f"{word}:"))
        assert release[raw].num_rows == built.tables[table].num_rows + lost


def test_every_sequence_that_anything_speaks_of_is_kept(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.list("val", "p0003_r001_a001,make_tea")
    tiny.actions("p0004_r001_a001", raw="[")
    tiny.scene("p0005_r001_v001_a001")
    tiny.video("p0006_r001_v000_a001")
    tiny.put(tmp_path / "sensors/p0007_r001_a001__gyro__head.csv", "time_s,x\n0,1\n")
    rows = build_tables(read_release(tmp_path), {}, {}).tables["sequences"].to_pylist()
    assert [row["participant"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [row["split"] for row in rows[:4]] == ["train", "test", "val", None]
    assert [row["has_ego"] for row in rows] == [False] * 5 + [True, False]


def test_duration_without_video_is_the_last_labelled_frame(tmp_path: Path) -> None:
    whole(tmp_path)
    rows = build_tables(read_release(tmp_path), {}, {}).tables["sequences"].to_pylist()
    assert [row["duration_s"] for row in rows] == [3.0, 3.0]


def test_class_ids_come_from_the_class_file_and_others_follow(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.classes("classInd_atomic.txt", "40 take_cup", "12 wash/dry_cup")
    tiny.actions("p0009_r001_a001", action("zip bag"), action("Take_Cup"), action("ask"))
    names = build_tables(read_release(tmp_path), {}, {}).taxonomies["atomic"]
    assert {c.name: c.id for c in names.values()} == {
        "take_cup": 40,
        "wash/dry_cup": 12,
        "ask": 41,
        "zip bag": 42,
    }


def test_a_sequence_in_two_lists_is_tested_on_and_never_trained_on(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    tiny.list("train", "p0001_r001_a001,make_tea", "p0002_r001_a002,fold_towel")
    rows = build_tables(read_release(tmp_path), {}, {}).tables["sequences"].to_pylist()
    assert [row["split"] for row in rows] == ["train", "test"]


def test_a_record_huge_in_all_ways_costs_no_memory(tmp_path: Path) -> None:
    tiny = whole(tmp_path)
    ids = [0, 2**31 - 1, -(2**31 - 1), 2**40]
    objects = [{"id": i, "category": "cup", "bbox": [0, 0, 1, 1]} for i in ids]
    links = [{"subject": 0, "object": i, "category": "on"} for i in ids]
    tiny.scene("p0003_r001_v001_a001", graph(7, objects=objects, relationships=links))
    release = read_release(tmp_path)
    built = build_tables(release, {}, {})
    check(release, built)
    assert json.dumps(built.dropped, sort_keys=True) == json.dumps(
        {
            Reason.OBJECT_INCOMPLETE.text: 1,
            Reason.RELATIONSHIP_INCOMPLETE.text: 1,
        }
    )
