"""Faults in scene-graph files: annotated frames, boxes, relationships."""

from __future__ import annotations

from typing import Any

from tests.faults.clean import HEIGHT, WIDTH
from tests.faults.kit import At, Copy, fault


def _add_box(copy: Copy, box: list[float], category: str = "") -> At:
    path, index, frame = copy.frame_with()
    number = max(item["id"] for item in frame["objects"]) + 1
    item = {"id": number, "category": category or frame["objects"][-1]["category"], "bbox": box}
    return At(path, copy.add(path, item, "frames", index, "objects").pointer + "/bbox")


def _relate(copy: Copy, subject: int, target: int, category: str) -> At:
    """Add a relationship between two objects (by position in the frame)."""
    path, index, frame = copy.frame_with()
    ids = [item["id"] for item in frame["objects"]]
    link = {"subject": ids[subject], "object": ids[target], "category": category}
    return copy.add(path, link, "frames", index, "relationships")


@fault("HOM400")
def frame_zero(copy: Copy) -> At:
    return copy.set(copy.graphs[0], 0, "frames", 0, "frame")


@fault("HOM401", deep=True)
def frame_after_the_video(copy: Copy) -> At:
    path = copy.graphs[0]
    return copy.set(path, 5000, "frames", len(copy.json(path)["frames"]) - 1, "frame")


@fault("HOM402")
def frame_twice(copy: Copy) -> At:
    path = copy.graphs[0]
    frames = copy.json(path)["frames"]
    copy.set(path, [*frames[:1], *frames], "frames")
    return At(path, "/frames/1")


@fault("HOM403")
def frame_of_no_action(copy: Copy) -> At:
    path = copy.graphs[0]
    frames = copy.json(path)["frames"]
    return copy.set(path, frames[-1]["frame"] + 300, "frames", len(frames) - 1, "frame")


@fault("HOM404")
def frames_lost(copy: Copy) -> list[At]:
    """Half of the frames are cut off: every action that loses some is named."""
    path = copy.graphs[0]
    frames = copy.json(path)["frames"]
    kept = frames[: len(frames) // 2]
    copy.set(path, kept, "frames")
    numbers = {frame["frame"] for frame in kept}
    actions = copy.of(copy.sequence(path), copy.actions)[0]
    found = []
    for index, action in enumerate(copy.json(actions)):
        first, last = action["frame_start"], action["frame_end"]
        wanted = 3 if last - first + 1 < 90 else 5
        if len(numbers & set(range(first, last + 1))) < wanted:
            found.append(At(actions, f"/{index}"))
    assert found
    return found


@fault("HOM405")
def actions_lost(copy: Copy) -> At:
    """All short actions but the one that spans the rest are gone; the frames are still there."""
    path = copy.graphs[0]
    actions = copy.of(copy.sequence(path), copy.actions)[0]
    document = copy.json(actions)
    last = max(action["frame_end"] for action in document)
    whole = {
        "class": document[0]["class"],
        "frame_start": 1,
        "frame_end": last,
        "action_length": last,
    }
    copy.write_json(actions, [whole])
    return At(path)


@fault("HOM406")
def frame_without_objects(copy: Copy) -> At:
    path, index, frame = copy.frame_with()
    copy.set(path, {**frame, "objects": [], "relationships": []}, "frames", index)
    return At(path, f"/frames/{index}")


@fault("HOM407")
def two_views_annotated(copy: Copy) -> At:
    path = next(p for p in copy.graphs if len(copy.of(copy.sequence(p), copy.videos)) > 2)
    view = path.rsplit("/", 1)[-1].removesuffix("_sg.json")
    names = [p.rsplit("/", 1)[-1] for p in copy.of(copy.sequence(path), copy.videos)]
    other = max(n.removesuffix(".mkv") for n in names if "_v000_" not in n and view not in n)
    document = copy.json(path)
    document["video"] = other
    return At(copy.write_json(path.replace(view, other), document))


@fault("HOM408")
def ego_view_annotated(copy: Copy) -> At:
    path = copy.graphs[0]
    view = path.rsplit("/", 1)[-1].removesuffix("_sg.json")
    ego = "_".join("v000" if part.startswith("v") else part for part in view.split("_"))
    copy.set(path, ego, "video")
    return At(copy.rename(path, path.replace(view, ego)))


@fault("HOM409")
def annotated_video_gone(copy: Copy) -> At:
    path = next(p for p in copy.graphs if len(copy.of(copy.sequence(p), copy.videos)) > 2)
    view = path.rsplit("/", 1)[-1].removesuffix("_sg.json")
    copy.remove(next(video for video in copy.videos if view in video))
    return At(path)


@fault("HOM410")
def frames_exchanged(copy: Copy) -> At:
    path = copy.graphs[0]
    frames = copy.json(path)["frames"]
    copy.set(path, [*frames[:2], frames[3], frames[2], *frames[4:]], "frames")
    return At(path, "/frames/3/frame")


@fault("HOM411")
def size_gone(copy: Copy) -> At:
    path = copy.graphs[0]
    document = copy.json(path)
    del document["width"]
    return At(copy.write_json(path, document))


@fault("HOM412", deep=True)
def size_of_another_camera(copy: Copy) -> At:
    path = copy.graphs[0]
    copy.set(path, 1024, "width")
    copy.set(path, 768, "height")
    return At(path)


@fault("HOM413")
def size_of_nothing(copy: Copy) -> At:
    return At(copy.set(copy.graphs[0], 0, "height").file)


@fault("HOM420")
def box_as_width_and_height(copy: Copy) -> At:
    return _add_box(copy, [60, 40, 20, 30])


@fault("HOM420")
def box_of_no_width(copy: Copy) -> At:
    return _add_box(copy, [60, 40, 60, 70])


@fault("HOM421")
def box_beside_the_frame(copy: Copy) -> At:
    return _add_box(copy, [WIDTH + 10, 10, WIDTH + 40, 30])


@fault("HOM422")
def box_over_the_edge(copy: Copy) -> At:
    return _add_box(copy, [WIDTH - 20, 10, WIDTH + 20, 30])


@fault("HOM423")
def box_of_one_pixel(copy: Copy) -> At:
    return _add_box(copy, [40, 40, 41, 60])


@fault("HOM424")
def boxes_as_fractions(copy: Copy) -> At:
    path = copy.graphs[0]
    document = copy.json(path)
    for frame in document["frames"]:
        for item in frame["objects"]:
            box = item["bbox"]
            item["bbox"] = [box[0] / WIDTH, box[1] / HEIGHT, box[2] / WIDTH, box[3] / HEIGHT]
    return At(copy.write_json(path, document))


@fault("HOM425")
def box_of_the_whole_frame(copy: Copy) -> At:
    return _add_box(copy, [0, 0, WIDTH, HEIGHT])


@fault("HOM426")
def object_id_twice(copy: Copy) -> At:
    path, index, frame = copy.frame_with()
    item = {
        "id": frame["objects"][0]["id"],
        "category": frame["objects"][-1]["category"],
        "bbox": [5, 5, 30, 30],
    }
    return At(path, copy.add(path, item, "frames", index, "objects").pointer + "/id")


@fault("HOM427")
def object_copied(copy: Copy) -> At:
    path, index, frame = copy.frame_with()
    number = max(item["id"] for item in frame["objects"]) + 1
    item = {**frame["objects"][-1], "id": number}
    return At(path, copy.add(path, item, "frames", index, "objects").pointer + "/bbox")


@fault("HOM428")
def person_gone(copy: Copy) -> At:
    path, index, frame = copy.frame_with(objects=2)
    person = frame["objects"][0]["id"]
    frame["objects"] = frame["objects"][1:]
    frame["relationships"] = [
        r for r in frame["relationships"] if person not in (r["subject"], r["object"])
    ]
    copy.set(path, frame, "frames", index)
    return At(path, f"/frames/{index}")


@fault("HOM429")
def second_person(copy: Copy) -> At:
    at = _add_box(copy, [5, 5, 30, 60], "person")
    return At(at.file, at.pointer.split("/objects")[0])


@fault("HOM440")
def subject_from_nowhere(copy: Copy) -> At:
    path, index, _ = copy.frame_with()
    return copy.set(path, 77, "frames", index, "relationships", 0, "subject")


@fault("HOM441")
def object_from_nowhere(copy: Copy) -> At:
    path, index, _ = copy.frame_with()
    return copy.set(path, 77, "frames", index, "relationships", 0, "object")


@fault("HOM442")
def person_holding_itself(copy: Copy) -> At:
    return _relate(copy, 0, 0, "holding")


@fault("HOM443")
def ends_exchanged(copy: Copy) -> At:
    at = _relate(copy, 1, 0, "holding")
    return At(at.file, f"{at.pointer}/subject")


@fault("HOM444")
def relationship_copied(copy: Copy) -> At:
    path, index, frame = copy.frame_with()
    return copy.add(path, frame["relationships"][0], "frames", index, "relationships")


@fault("HOM445")
def looking_and_not_looking(copy: Copy) -> At:
    path, index, frame = next(
        (path, index, frame)
        for path, index, frame in copy.graph_frames()
        if any(r["category"] == "looking at" for r in frame["relationships"])
    )
    seen = next(r for r in frame["relationships"] if r["category"] == "looking at")
    link = {**seen, "category": "not looking at"}
    return copy.add(path, link, "frames", index, "relationships")


@fault("HOM121")
def category_id_unknown(copy: Copy) -> At:
    """All documents name categories by id, and one id has no name."""
    path, index, last = copy.lone_object()
    names = sorted({item["category"] for _, _, f in copy.graph_frames() for item in f["objects"]})
    for file in copy.graphs:
        document = copy.json(file)
        for frame in document["frames"]:
            for item in frame["objects"]:
                item["category"] = names.index(item["category"])
        copy.write_json(file, document)
    listed = ", ".join(f'"{name}"' for name in names)
    copy.scene_graph_map = f'[categories]\nobjects = "id"\nobject_names = [{listed}]\n'
    return copy.set(path, 999, "frames", index, "objects", last, "category")


@fault("HOM446")
def object_of_relationships_without_a_box(copy: Copy) -> list[At]:
    path, index, frame = copy.frame_with()
    link = frame["relationships"][0]
    spot = [item["id"] for item in frame["objects"]].index(link["object"])
    box = copy.set(path, [60, 40, 20, 30], "frames", index, "objects", spot, "bbox")
    return [
        At(path, box.pointer, code="HOM420"),
        *(
            At(path, f"/frames/{index}/relationships/{row}/{end}")
            for row, each in enumerate(frame["relationships"])
            for end in ("subject", "object")
            if each[end] == link["object"]
        ),
    ]


@fault("HOM122")
def fractions_of_an_unknown_size(copy: Copy) -> At:
    for path in copy.graphs:
        document = copy.json(path)
        for frame in document["frames"]:
            for item in frame["objects"]:
                x1, y1, x2, y2 = item["bbox"]
                item["bbox"] = [x1 / WIDTH, y1 / HEIGHT, x2 / WIDTH, y2 / HEIGHT]
        copy.write_json(path, document)
    copy.scene_graph_map = "[boxes]\nnormalised = true\n"
    path = copy.graphs[0]
    document = copy.json(path)
    del document["width"], document["height"]
    return At(copy.write_json(path, document))


_GROUPS = {"looking_at": "attention_relationship"}


def _as_action_genome(copy: Copy) -> str:
    """Every scene-graph file in Action Genome's shape; the first one."""
    copy.scene_graph_map = (
        '[files]\nshape = "action-genome"\n[boxes]\nformat = "xywh"\nperson_format = "xyxy"\n'
    )
    for path in copy.graphs:
        document = copy.json(path)
        size = [document["width"], document["height"]]
        shaped = {}
        for frame in document["frames"]:
            entries = {item["id"]: {"class": item["category"]} for item in frame["objects"]}
            (person,) = (key for key, each in entries.items() if each["class"] == "person")
            for item in frame["objects"]:
                x1, y1, x2, y2 = item["bbox"]
                box = [x1, y1, x2, y2] if item["id"] == person else [x1, y1, x2 - x1, y2 - y1]
                entries[item["id"]]["bbox"] = box
            for link in frame["relationships"]:
                if link["subject"] == person:
                    group = _GROUPS.get(link["category"], "contacting_relationship")
                    entries[link["object"]].setdefault(group, []).append(link["category"])
            entries[person]["bbox_size"] = size
            shaped[f"{document['video']}.mp4/{frame['frame']:06d}.png"] = list(entries.values())
        copy.write_json(path, shaped)
    return copy.graphs[0]


def _entries(copy: Copy, path: str) -> tuple[str, int, list[dict[str, Any]]]:
    """A frame whose person is related to something: its key, its place, its entries."""
    for index, (name, entries) in enumerate(copy.json(path).items()):
        if any(key.endswith("_relationship") for entry in entries for key in entry):
            return name, index, entries
    raise AssertionError


@fault("HOM135")
def action_genome_without_persons(copy: Copy) -> list[At]:
    path = _as_action_genome(copy)
    name, index, entries = _entries(copy, path)
    copy.set(path, [each for each in entries if each["class"] != "person"], name)
    return [At(path, "/" + name.replace("/", "~1")), At(path, f"/frames/{index}", code="HOM428")]


@fault("HOM136")
def action_genome_with_two_persons(copy: Copy) -> list[At]:
    path = _as_action_genome(copy)
    name, index, entries = _entries(copy, path)
    other = {"class": "person", "bbox": [1, 1, 40, 60]}
    copy.set(path, [*entries, other], name)
    return [At(path, "/" + name.replace("/", "~1")), At(path, f"/frames/{index}", code="HOM429")]


@fault("HOM137")
def label_of_an_image_that_is_not_there(copy: Copy) -> At:
    copy.scene_graph_map = '[files]\nshape = "coco"\n[boxes]\nformat = "xywh"\n'
    for path in copy.graphs:
        document = copy.json(path)
        names = sorted({item["category"] for f in document["frames"] for item in f["objects"]})
        shaped: dict[str, list[dict[str, Any]]] = {
            **{"images": [], "annotations": [], "relationships": []},
            "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
        }
        for number, frame in enumerate(document["frames"]):
            shaped["images"].append(
                {
                    "id": number,
                    "file_name": f"{document['video']}/{frame['frame']:06d}.jpg",
                    **{side: document[side] for side in ("width", "height")},
                }
            )
            for item in frame["objects"]:
                x1, y1, x2, y2 = item["bbox"]
                shaped["annotations"].append(
                    {
                        "id": item["id"],
                        "image_id": number,
                        "category_id": names.index(item["category"]),
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                    }
                )
            for link in frame["relationships"]:
                ends = {"subject_id": link["subject"], "object_id": link["object"]}
                shaped["relationships"].append(
                    {"image_id": number, "predicate": link["category"], **ends}
                )
        copy.write_json(path, shaped)
    path = copy.graphs[0]
    lost = copy.json(path)["relationships"][0] | {"image_id": 10**6}
    return At(path, copy.add(path, lost, "relationships").pointer + "/image_id")


FAULTS = (
    frame_zero,
    frame_after_the_video,
    frame_twice,
    frame_of_no_action,
    frames_lost,
    actions_lost,
    frame_without_objects,
    two_views_annotated,
    ego_view_annotated,
    annotated_video_gone,
    frames_exchanged,
    size_gone,
    size_of_another_camera,
    size_of_nothing,
    box_as_width_and_height,
    box_of_no_width,
    box_beside_the_frame,
    box_over_the_edge,
    box_of_one_pixel,
    boxes_as_fractions,
    box_of_the_whole_frame,
    object_id_twice,
    object_copied,
    person_gone,
    second_person,
    subject_from_nowhere,
    object_from_nowhere,
    person_holding_itself,
    ends_exchanged,
    relationship_copied,
    looking_and_not_looking,
    object_of_relationships_without_a_box,
    category_id_unknown,
    fractions_of_an_unknown_size,
    action_genome_without_persons,
    action_genome_with_two_persons,
    label_of_an_image_that_is_not_there,
)
