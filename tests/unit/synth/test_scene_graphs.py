"""Scene graphs tell what the decoded picture shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from homage_sdk.synth import write_release
from homage_sdk.synth.record_take import third_view
from homage_sdk.synth.takes import Take, plan_takes
from homage_sdk.synth.world.scene import Scene, scene_of
from tests.unit.synth.files import documents

SIZE = (320, 240)
OPTIONS = {"sequences": 8, "activities": 4, "seconds": (4, 5), "clean": True}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("graphs") / "release"
    write_release(out, size=SIZE, workers=1, **OPTIONS)
    return out


@pytest.fixture(scope="module")
def graphs(root: Path) -> dict[str, Any]:
    return documents(root, "*_sg.json")


@pytest.fixture(scope="module")
def takes() -> dict[str, Take]:
    plan = plan_takes(0, 8, 4, (4, 5), clean=True)
    return {str(t.sequence): t for t in plan}


def _sequence(video: str) -> str:
    p, r, _, a = video.split("_")
    return f"{p}_{r}_{a}"


def test_one_third_person_view_of_every_take_is_annotated(
    graphs: dict[str, Any], takes: dict[str, Take]
) -> None:
    assert sorted(_sequence(g["video"]) for g in graphs.values()) == sorted(takes)
    for name, graph in graphs.items():
        assert name == graph["video"] + "_sg.json"
        assert "_v000_" not in name
        assert (graph["width"], graph["height"]) == SIZE


def test_short_actions_have_three_frames_and_others_five(
    root: Path, graphs: dict[str, Any], takes: dict[str, Take]
) -> None:
    actions = documents(root, "*__aa.json")
    for graph in graphs.values():
        mine = actions[_sequence(graph["video"]) + "__aa.json"]
        last_of: dict[int, int] = {}
        for action in mine:
            first, last = action["frame_start"], action["frame_end"]
            n = 3 if (last - first + 1) / 30 < 3 else 5
            for frame in (round(float(x)) for x in np.linspace(first, last, n)):
                last_of[frame] = max(last, last_of.get(frame, last))
        frames = [f["frame"] for f in graph["frames"]]
        assert frames == sorted(set(frames))
        assert len(frames) == len(last_of)
        for frame, last in last_of.items():
            # Half-way frames may be rounded either way.
            if min(abs(f - frame) for f in frames) > 1:
                # Only a person out of the picture moves a frame, and within the action.
                assert not _shows_the_person(graph, takes, frame)
                assert any(frame < f <= last for f in set(frames) - set(last_of))


def _shows_the_person(graph: dict[str, Any], takes: dict[str, Take], frame: int) -> bool:
    view = int(graph["video"].split("_")[2][1:])
    drawn = third_view(scene_of(0, takes[_sequence(graph["video"])]), view, SIZE)
    inks = drawn.inks((frame - 1) / 30)
    return bool((inks == 1).sum() > 11)


def test_boxes_lie_inside_the_frame_and_ids_are_whole(graphs: dict[str, Any]) -> None:
    for graph in graphs.values():
        for frame in graph["frames"]:
            ids = [o["id"] for o in frame["objects"]]
            assert len(set(ids)) == len(ids)
            for item in frame["objects"]:
                x1, y1, x2, y2 = item["bbox"]
                assert 0 <= x1 < x2 <= SIZE[0]
                assert 0 <= y1 < y2 <= SIZE[1]
            for r in frame["relationships"]:
                assert {r["subject"], r["object"]} <= set(ids)


def _decoded(path: Path, frames: list[int]) -> dict[int, np.ndarray]:
    with av.open(str(path)) as file:
        return {
            k: f.to_ndarray(format="rgb24").astype(int)
            for k, f in enumerate(file.decode(video=0), 1)
            if k in frames
        }


def _near(picture: np.ndarray, colour: np.ndarray, tolerance: int = 26) -> np.ndarray:
    return np.abs(picture - colour).max(axis=2) <= tolerance


def _seen_colour(scene: Scene, view: Any, colour: tuple[int, int, int]) -> np.ndarray:
    cast = np.array(view.camera.cast) * scene.room.light
    return np.minimum(255, np.array(colour) * cast).astype(int)


def test_colours_of_things_and_clothes_are_found_in_their_boxes(
    root: Path, graphs: dict[str, Any], takes: dict[str, Take]
) -> None:
    checked: dict[str, int] = {}
    for graph in graphs.values():
        scene = scene_of(0, takes[_sequence(graph["video"])])
        view = third_view(scene, int(graph["video"].split("_v")[1][:3]), SIZE)
        path = next(root.rglob(graph["video"] + ".mkv"))
        wanted = [f["frame"] for f in graph["frames"]]
        pictures = _decoded(path, wanted)
        for frame in graph["frames"]:
            picture = pictures[frame["frame"]]
            for item in frame["objects"]:
                x1, y1, x2, y2 = item["bbox"]
                inside = picture[y1:y2, x1:x2]
                if item["category"] == "person":
                    colours = [scene.person.top, scene.person.trousers, scene.person.skin]
                elif item["category"] in scene.things:
                    colours = [p.colour for p in scene.things[item["category"]].parts]
                else:
                    continue
                if min(x2 - x1, y2 - y1) < 8:  # chroma is halved: small things bleed
                    continue
                hits = sum(int(_near(inside, _seen_colour(scene, view, c)).sum()) for c in colours)
                share = hits / ((x2 - x1) * (y2 - y1))
                assert share > 0.03, (graph["video"], frame["frame"], item, share)
                checked[item["category"]] = checked.get(item["category"], 0) + 1
    assert checked["person"] > 50
    assert len(checked) >= 4


def test_what_moved_is_inside_the_box_of_the_person_or_a_thing(
    graphs: dict[str, Any], takes: dict[str, Take]
) -> None:
    for graph in list(graphs.values())[:4]:
        scene = scene_of(0, takes[_sequence(graph["video"])])
        view = third_view(scene, int(graph["video"].split("_v")[1][:3]), SIZE)
        for frame in graph["frames"][::3]:
            picture = view.frame((frame["frame"] - 1) / 30).astype(int)
            moved = np.abs(picture - view.stage.picture).max(axis=2) > 0
            unlabelled = _near(picture, _seen_colour(scene, view, (70, 60, 55)), 40)
            for thing in scene.things.values():  # at rest before anybody deals with it
                for part in thing.parts:
                    unlabelled |= _near(picture, _seen_colour(scene, view, part.colour))
            covered = np.zeros(moved.shape, bool)
            for item in frame["objects"]:
                x1, y1, x2, y2 = item["bbox"]
                if item["category"] == "person" or item["category"] in scene.things:
                    covered[max(0, y1 - 1) : y2 + 1, max(0, x1 - 1) : x2 + 1] = True
            outside = moved & ~covered & ~unlabelled
            assert outside.sum() <= 0.06 * moved.sum(), (graph["video"], frame["frame"])


def test_relationships_follow_the_labels(root: Path, graphs: dict[str, Any]) -> None:
    """Whoever holds something in a label holds it in the graph, if it can be seen."""
    actions = documents(root, "*__aa.json")
    checked = 0
    for graph in graphs.values():
        mine = actions[_sequence(graph["video"]) + "__aa.json"]
        for frame in graph["frames"]:
            names = {o["id"]: o["category"] for o in frame["objects"]}
            said = {
                (names[r["subject"]], r["category"], names[r["object"]])
                for r in frame["relationships"]
            }
            for action in mine:
                active = action["frame_start"] <= frame["frame"] <= action["frame_end"]
                thing = action["class"].removeprefix("hold ")
                if active and action["class"].startswith("hold ") and thing in names.values():
                    assert ("person", "holding", thing) in said
                    checked += 1
            assert not {(s, "in front of", o) for s, p, o in said if p == "behind"} & said
    assert checked > 20


def test_graphs_are_json_that_any_reader_takes(root: Path) -> None:
    for path in root.rglob("*_sg.json"):
        assert set(json.loads(path.read_text())) == {"video", "width", "height", "frames"}
