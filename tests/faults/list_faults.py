"""Faults in split lists and class lists, and in what belongs to what."""

from __future__ import annotations

from tests.faults.kit import At, Copy, fault


@fault("HOM203")
def same_line_twice(copy: Copy) -> At:
    path = copy.split("train")
    return copy.append(path, copy.lines(path)[0])


@fault("HOM204")
def another_activity(copy: Copy) -> At:
    path = copy.split("train")
    first, second = (line.split(",") for line in copy.lines(path)[:2])
    return copy.append(path, f"{first[0]},{second[1]}")


@fault("HOM205")
def in_a_second_test_split(copy: Copy) -> At:
    """The whole of `test` moves there, so that no participant but this one is in two splits."""
    line = copy.lines(copy.split("test"))[0]
    path = copy.split("test").replace("test_list", "test2_list")
    copy.rename(copy.split("test"), path)
    place = copy.write_lines(copy.split("train").replace("train_list", "test3_list"), [line])
    return At(place, row=1)


@fault("HOM206")
def misspelt_activity(copy: Copy) -> At:
    path = copy.split("val")
    lines = copy.lines(path)
    lines[0] = f"{lines[0]}x"
    copy.write_lines(path, lines)
    return At(path, row=1)


@fault("HOM230")
def participant_trained_and_tested(copy: Copy) -> At:
    """A sequence of the test participant moves to the training list: information, no fault."""
    train, test = copy.split("train"), copy.split("test")
    lines = copy.lines(test)
    copy.append(train, lines.pop())
    copy.write_lines(test, lines)
    return At(train)


@fault("HOM231")
def activity_never_trained(copy: Copy) -> At:
    path = copy.split("train")
    lines = [line.split(",") for line in copy.lines(path)]
    tested = {line.split(",")[1] for line in copy.lines(copy.split("test"))}
    gone = next(activity for _, activity in lines if activity in tested)
    kept = next(activity for _, activity in lines if activity != gone)
    copy.write_lines(path, [f"{s},{kept if a == gone else a}" for s, a in lines])
    test = copy.split("test")
    return At(test, row=1 + [line.split(",")[1] for line in copy.lines(test)].index(gone))


@fault("HOM220")
def labels_gone(copy: Copy) -> At:
    path = copy.split("train")
    sequence = copy.lines(path)[0].split(",")[0]
    copy.remove(*copy.of(sequence, copy.actions))
    return At(path, row=1)


@fault("HOM221")
def videos_gone(copy: Copy) -> At:
    path = copy.split("train")
    sequence = copy.lines(path)[0].split(",")[0]
    copy.remove(*copy.of(sequence, copy.videos))
    return At(path, row=1)


@fault("HOM222")
def line_gone(copy: Copy) -> At:
    path = copy.split("test")
    lines = copy.lines(path)
    sequence = lines.pop().split(",")[0]
    copy.write_lines(path, lines)
    return At(copy.of(sequence, copy.actions)[0])


@fault("HOM223")
def stray_video(copy: Copy) -> At:
    views = [path for path in copy.videos if copy.sequence(path) == copy.sequence(copy.videos[0])]
    strays = [path.replace(path[-8:], "a099.mkv") for path in views]
    for path, stray in zip(views, strays, strict=True):
        copy.write(stray, copy.read(path))
    return At(min(strays))


@fault("HOM224")
def stray_scene_graphs(copy: Copy) -> At:
    path = copy.graphs[0]
    stray = path[: path.rindex("_a")] + "_a099_sg.json"
    document = copy.json(path)
    document["video"] = stray.rsplit("/", 1)[-1].removesuffix("_sg.json")
    return At(copy.write_json(stray, document))


@fault("HOM240")
def class_id_twice(copy: Copy) -> At:
    path = copy.classes("atomic")
    lines = copy.lines(path)
    copy.write_lines(path, [*lines[:-1], f"{len(lines) - 1} {lines[-1].split(' ', 1)[1]}"])
    return At(path, row=len(lines))


@fault("HOM241")
def class_name_twice(copy: Copy) -> At:
    path = copy.classes("atomic")
    lines = copy.lines(path)
    return copy.append(path, f"{len(lines) + 1} {lines[0].split(' ', 1)[1]}")


@fault("HOM242")
def class_in_two_spellings(copy: Copy) -> At:
    path = copy.classes("atomic")
    lines = copy.lines(path)
    return copy.append(path, f"{len(lines) + 1} {lines[0].split(' ', 1)[1].capitalize()}")


@fault("HOM243")
def ids_from_zero(copy: Copy) -> At:
    path = copy.classes("atomic")
    lines = [line.split(" ", 1) for line in copy.lines(path)]
    copy.write_lines(path, [f"{int(number) - 1} {name}" for number, name in lines])
    return At(path, row=1)


@fault("HOM244")
def a_gap_in_the_ids(copy: Copy) -> At:
    path = copy.classes("atomic")
    lines = copy.lines(path)
    name = lines[-1].split(" ", 1)[1]
    copy.write_lines(path, [*lines[:-1], f"{len(lines) + 5} {name}"])
    return At(path, row=len(lines))


@fault("HOM245")
def class_named_by_underscores(copy: Copy) -> At:
    path = copy.classes("atomic")
    return copy.append(path, f"{len(copy.lines(path)) + 1} ___")


@fault("HOM245")
def action_named_by_underscores(copy: Copy) -> At:
    path = copy.actions[0]
    copy.add(path, {"class": "_", "frame_start": 1, "frame_end": 120, "action_length": 120})
    return At(path, f"/{len(copy.json(path)) - 1}/class")


@fault("HOM246")
def misspelt_action(copy: Copy) -> At:
    path = copy.actions[0]
    action = {
        "class": "hold plaet of swh",
        "frame_start": 1,
        "frame_end": 120,
        "action_length": 120,
    }
    return At(path, f"{copy.add(path, action).pointer}/class")


@fault("HOM247")
def class_that_nobody_uses(copy: Copy) -> At:
    path = copy.classes("atomic")
    return At(copy.append(path, f"{len(copy.lines(path)) + 1} fly_kite").file)


@fault("HOM248")
def one_label_in_another_spelling(copy: Copy) -> At:
    path = copy.actions[0]
    name = copy.json(path)[0]["class"]
    return copy.set(path, name.replace(" ", "_"), 0, "class")


@fault("HOM249")
def activities_copied_from_the_actions(copy: Copy) -> At:
    names = sorted({o["category"] for _, _, frame in copy.graph_frames() for o in frame["objects"]})
    names += sorted(
        {r["category"] for _, _, frame in copy.graph_frames() for r in frame["relationships"]}
    )
    lines = [f"{number} {name.replace(' ', '_')}" for number, name in enumerate(names, start=1)]
    folder = copy.classes("activity").rsplit("/", 1)[0]
    copy.write_lines(f"{folder}/classInd_object.txt", lines)
    return At(copy.write_lines(f"{folder}/classInd_relationship.txt", lines))


FAULTS = (
    same_line_twice,
    another_activity,
    in_a_second_test_split,
    misspelt_activity,
    participant_trained_and_tested,
    activity_never_trained,
    labels_gone,
    videos_gone,
    line_gone,
    stray_video,
    stray_scene_graphs,
    class_id_twice,
    class_name_twice,
    class_in_two_spellings,
    ids_from_zero,
    a_gap_in_the_ids,
    class_named_by_underscores,
    action_named_by_underscores,
    misspelt_action,
    class_that_nobody_uses,
    one_label_in_another_spelling,
    activities_copied_from_the_actions,
)
