"""Faults in atomic-action files: intervals and classes."""

from __future__ import annotations

from tests.faults.kit import At, Copy, fault


def _action(first: int, last: int, name: str) -> dict[str, object]:
    return {
        "class": name,
        "frame_start": first,
        "frame_end": last,
        "action_length": last - first + 1,
    }


def _without_scene_graph(copy: Copy) -> str:
    """An action file whose sequence has no scene graphs: actions may be added freely."""
    path = copy.actions[0]
    copy.remove(*copy.of(copy.sequence(path), copy.graphs))
    return path


def _last(copy: Copy, path: str) -> int:
    return max(action["frame_end"] for action in copy.json(path))


@fault("HOM300")
def negative_start(copy: Copy) -> At:
    path = copy.actions[0]
    copy.set(path, -29, 0, "frame_start")
    return At(path, "/0/frame_start")


@fault("HOM300")
def a_single_zero(copy: Copy) -> At:
    path = copy.actions[0]
    return copy.set(path, 0, 1, "frame_start")


@fault("HOM301")
def zero_based_file(copy: Copy) -> list[At]:
    path = copy.actions[0]
    document = copy.json(path)
    for action in document:
        action["frame_start"] -= 1
        action["frame_end"] -= 1
    copy.write_json(path, document)
    zeros = [i for i, action in enumerate(document) if action["frame_start"] == 0]
    return [At(path, f"/{i}/frame_start") for i in zeros]


@fault("HOM302")
def exchanged_ends(copy: Copy) -> At:
    path = copy.actions[0]
    action = copy.json(path)[1]
    start, end = action["frame_start"], action["frame_end"]
    copy.set(path, {**action, "frame_start": end, "frame_end": start}, 1)
    return At(path, "/1")


@fault("HOM303", deep=True)
def ends_after_the_video(copy: Copy) -> At:
    path = copy.actions[0]
    last = _last(copy, path)
    at = copy.add(path, _action(last - 59, last + 600, copy.spare_class(path)))
    return At(path, f"{at.pointer}/frame_end")


@fault("HOM304")
def same_class_overlapping(copy: Copy) -> At:
    path = _without_scene_graph(copy)
    action = next(a for a in copy.json(path) if a["frame_end"] - a["frame_start"] >= 59)
    first, last = action["frame_start"], action["frame_end"]
    return copy.add(path, _action(first + 30, last + 30, action["class"]))


@fault("HOM305")
def copied_action(copy: Copy) -> At:
    path = copy.actions[0]
    return copy.add(path, copy.json(path)[1])


@fault("HOM306")
def wrong_length(copy: Copy) -> At:
    path = copy.actions[0]
    length = copy.json(path)[1]["action_length"]
    return copy.set(path, length + 7, 1, "action_length")


@fault("HOM307")
def five_minute_action(copy: Copy) -> At:
    path = copy.actions[0]
    at = copy.add(path, _action(1, 9000, copy.spare_class(path)))
    return At(path, f"{at.pointer}/frame_end")


@fault("HOM308")
def one_frame_action(copy: Copy) -> At:
    path = copy.actions[0]
    return copy.add(path, _action(31, 31, copy.spare_class(path)))


@fault("HOM309")
def late_action(copy: Copy) -> At:
    path = copy.actions[0]
    at = copy.add(path, _action(9001, 9060, copy.spare_class(path)))
    return At(path, f"{at.pointer}/frame_end")


@fault("HOM310")
def no_action(copy: Copy) -> At:
    return At(copy.write(copy.actions[0], "[]"))


@fault("HOM311")
def nine_at_once(copy: Copy) -> At:
    path = _without_scene_graph(copy)
    names = sorted({action["class"] for file in copy.actions for action in copy.json(file)})
    document = [_action(31, 90, name) for name in names[:9]]
    copy.write_json(path, document)
    return At(path, "/0")


FAULTS = (
    negative_start,
    a_single_zero,
    zero_based_file,
    exchanged_ends,
    ends_after_the_video,
    same_class_overlapping,
    copied_action,
    wrong_length,
    five_minute_action,
    one_frame_action,
    late_action,
    no_action,
    nine_at_once,
)
