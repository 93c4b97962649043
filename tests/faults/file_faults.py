"""Faults that reading itself meets: files, JSON, identifiers, sensors' names."""

from __future__ import annotations

import gzip
import os

from tests.faults.kit import At, Copy, fault

_HTML = "<!DOCTYPE html><html><body>Please log in</body></html>"
_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"


@fault("HOM100")
def broken_link(copy: Copy) -> At:
    path = copy.sensors[0].replace("__", "__x", 1)
    (copy.root / path).symlink_to(copy.root / "nowhere")
    return At(path)


@fault("HOM101")
def login_page_for_labels(copy: Copy) -> At:
    return At(copy.write(copy.actions[0], _HTML))


@fault("HOM101")
def login_page_for_a_video(copy: Copy) -> At:
    return At(copy.write(unannotated_video(copy), _HTML))


@fault("HOM102")
def lfs_pointer_for_a_video(copy: Copy) -> At:
    return At(copy.write(unannotated_video(copy), _POINTER))


@fault("HOM102", deep=True)
def lfs_pointer_seen_when_probing(copy: Copy) -> At:
    return At(copy.write(unannotated_video(copy), _POINTER))


@fault("HOM102")
def lfs_pointer_for_scene_graphs(copy: Copy) -> At:
    return At(copy.write(copy.graphs[0], _POINTER))


@fault("HOM103")
def empty_label_file(copy: Copy) -> At:
    return At(copy.write(copy.actions[0], b""))


@fault("HOM103", deep=True)
def empty_video(copy: Copy) -> At:
    return At(copy.write(unannotated_video(copy), b""))


@fault("HOM143")
def packed_labels_under_their_own_name(copy: Copy) -> At:
    return At(copy.write(copy.actions[0], gzip.compress(copy.read(copy.actions[0]))))


@fault("HOM143")
def packed_video_under_its_own_name(copy: Copy) -> At:
    return At(copy.write(unannotated_video(copy), b"PK\x03\x04 and so on"))


@fault("HOM104")
def label_file_too_large(copy: Copy) -> At:
    path = copy.write(copy.actions[0], b"[]")
    os.truncate(copy.root / path, 40 << 20)
    return At(path)


@fault("HOM104")
def sensor_file_too_large(copy: Copy) -> At:
    path = copy.write(copy.sensors[0], copy.read(copy.sensors[0]))
    os.truncate(copy.root / path, 65 << 20)
    return At(path)


@fault("HOM105")
def utf16_labels(copy: Copy) -> At:
    path = copy.actions[0]
    return At(copy.write(path, copy.read(path).decode().encode("utf-16")))


@fault("HOM106")
def byte_order_mark(copy: Copy) -> At:
    path = copy.actions[0]
    return At(copy.write(path, b"\xef\xbb\xbf" + copy.read(path)))


@fault("HOM107")
def binary_labels(copy: Copy) -> At:
    return At(copy.write(copy.actions[0], b"\x89PNG\xff\xfe\xfd\xfc" * 40))


@fault("HOM108")
def unknown_json(copy: Copy) -> At:
    folder = copy.actions[0].rsplit("/", 1)[0]
    return At(copy.write(f"{folder}/notes.json", "{}"))


@fault("HOM109", deep=True)
def names_without_videos(copy: Copy) -> At:
    for path in copy.videos:
        copy.write(path, b"")
    return At("action_split_data")


@fault("HOM110")
def cut_json(copy: Copy) -> At:
    path = copy.actions[0]
    data = copy.read(path)[:90]
    copy.write(path, data)
    return At(path, row=data.count(b"\n") + 1)


@fault("HOM111")
def bad_json(copy: Copy) -> At:
    return At(copy.write(copy.actions[0], '[\n{"class": take}\n]'), row=2)


@fault("HOM112")
def deep_json(copy: Copy) -> At:
    return At(copy.write(copy.actions[0], "[" * 5000 + "]" * 5000), row=1)


@fault("HOM113")
def nan_in_a_box(copy: Copy) -> At:
    path, index, spot = copy.lone_object()
    document = copy.json(path)
    document["frames"][index]["objects"][spot]["bbox"][0] = "HERE"
    copy.write_json(path, document)
    text = copy.read(path).decode().replace('"HERE"', "NaN")
    copy.write(path, text)
    return At(path, f"/frames/{index}/objects/{spot}/bbox/0")


@fault("HOM114")
def key_twice(copy: Copy) -> At:
    path = copy.actions[0]
    text = copy.read(path).decode()
    start = copy.json(path)[0]["frame_start"]
    key = f'"frame_start": {start},'
    copy.write(path, text.replace(key, f"{key} {key}", 1))
    return At(path, "/0/frame_start")


@fault("HOM115")
def object_for_a_list(copy: Copy) -> At:
    path = copy.actions[0]
    return At(copy.write_json(path, {"actions": copy.json(path)}))


@fault("HOM116")
def number_for_a_record(copy: Copy) -> At:
    return copy.add(copy.actions[0], 7)


@fault("HOM117")
def missing_key(copy: Copy) -> At:
    path = copy.actions[0]
    action = copy.json(path)[1]
    del action["frame_end"]
    copy.set(path, action, 1)
    return At(path, "/1/frame_end")


@fault("HOM118")
def text_for_a_number(copy: Copy) -> At:
    path = copy.actions[0]
    return copy.set(path, str(copy.json(path)[1]["frame_start"]), 1, "frame_start")


@fault("HOM118")
def fraction_for_a_frame(copy: Copy) -> At:
    return copy.set(copy.actions[0], 31.5, 1, "frame_start")


@fault("HOM119")
def number_of_a_thousand_bits(copy: Copy) -> At:
    return copy.set(copy.actions[0], 2**1000, 1, "frame_end")


@fault("HOM120")
def box_of_three_numbers(copy: Copy) -> At:
    path, index, last = copy.lone_object()
    return copy.set(path, [1, 2, 3], "frames", index, "objects", last, "bbox")


@fault("HOM130")
def video_without_an_id(copy: Copy) -> At:
    path = unannotated_video(copy)
    return At(copy.rename(path, path.rsplit("/", 1)[0] + "/kitchen.mkv"))


@fault("HOM130")
def labels_without_an_id(copy: Copy) -> At:
    folder = copy.actions[0].rsplit("/", 1)[0]
    return At(copy.write(f"{folder}/p2_r1_a7__aa.json", "[]"))


@fault("HOM130")
def wrongly_padded_labels(copy: Copy) -> At:
    path = copy.actions[0]
    folder, name = path.rsplit("/", 1)
    return At(copy.rename(path, f"{folder}/p0{name[1:]}"))


@fault("HOM130")
def wrongly_padded_video(copy: Copy) -> At:
    path = unannotated_video(copy)
    return At(copy.rename(path, path.replace("_v0", "_v00")))


@fault("HOM131")
def labels_in_another_folder(copy: Copy) -> At:
    path = copy.actions[0]
    return At(copy.rename(path, _in_folder(path, "p0099")))


@fault("HOM131")
def video_in_another_folder(copy: Copy) -> At:
    path = copy.videos[0]
    return At(copy.rename(path, _in_folder(path, "p0098")))


@fault("HOM132")
def labels_twice(copy: Copy) -> At:
    path = copy.actions[0]
    return At(copy.write(path.replace("__aa", "_aa"), copy.read(path)))


@fault("HOM132")
def video_twice(copy: Copy) -> At:
    path = copy.videos[0]
    return At(copy.write(path.replace(".mkv", ".webm"), copy.read(path)))


@fault("HOM133")
def document_of_another_video(copy: Copy) -> At:
    path = copy.graphs[0]
    other = copy.json(copy.graphs[-1])["video"]
    return copy.set(path, other, "video")


@fault("HOM134")
def view_unknown(copy: Copy) -> At:
    path = copy.graphs[0]
    document = copy.json(path)
    del document["video"]
    folder = path.rsplit("/", 1)[0]
    copy.remove(path)
    return At(copy.write_json(f"{folder}/{copy.sequence(path)}_sg.json", document))


@fault("HOM200")
def line_without_a_comma(copy: Copy) -> At:
    return copy.append(copy.split("train"), copy.lines(copy.split("train"))[0].split(",")[0])


@fault("HOM201")
def malformed_id_in_a_list(copy: Copy) -> At:
    return copy.append(copy.split("train"), f"p2_r0_a1,{_activity(copy)}")


@fault("HOM201")
def wrongly_padded_id_in_a_list(copy: Copy) -> At:
    return copy.append(copy.split("train"), f"p00002_r000_a001,{_activity(copy)}")


@fault("HOM202")
def no_activity(copy: Copy) -> At:
    path = copy.split("train")
    lines = copy.lines(path)
    lines.append(lines.pop().split(",")[0] + ",")
    copy.write_lines(path, lines)
    return At(path, row=len(lines))


@fault("HOM210")
def class_line_without_a_name(copy: Copy) -> At:
    return copy.append(copy.classes("atomic"), "11")


@fault("HOM211")
def another_class_list(copy: Copy) -> At:
    names = [line.split(" ", 1)[1] for line in copy.lines(copy.classes("activity"))]
    lines = [f"{number} {name}" for number, name in enumerate(reversed(names), start=1)]
    return At(copy.write_lines("data/deeper/classInd.txt", lines))


@fault("HOM212")
def class_names_without_ids(copy: Copy) -> At:
    path = copy.classes("activity")
    return At(copy.write_lines(path, [line.split(" ", 1)[1] for line in copy.lines(path)]))


@fault("HOM140")
def archive_of_labels(copy: Copy) -> At:
    return At(copy.write("annotation_files/more_labels.tar.gz", b"\x1f\x8b packed"))


@fault("HOM140")
def packed_sensor_file(copy: Copy) -> At:
    path = copy.sensors[0]
    copy.remove(path)
    return At(copy.write(f"{path}.gz", b"\x1f\x8b packed"))


@fault("HOM141")
def browser_still_writes(copy: Copy) -> At:
    return At(copy.write("action_split_data/V1.0/p0001/p0001_r009_v000_a000.mkv.crdownload", b"x"))


@fault("HOM145")
def video_in_another_container(copy: Copy) -> At:
    return At(copy.write("action_split_data/V1.0/p0001/p0001_r009_v000_a000.ts", b"G"))


@fault("HOM150")
def unknown_sensor(copy: Copy) -> At:
    path = copy.sensors[0]
    kind = path.rsplit("__", 2)[1]
    return At(copy.rename(path, path.replace(kind, "geiger_counter")))


@fault("HOM151")
def no_time_column(copy: Copy) -> At:
    path = copy.sensors[0]
    copy.write_lines(path, ["clock,x", *copy.lines(path)[1:]])
    return At(path, row=1)


@fault("HOM152")
def last_sample_without_time(copy: Copy) -> At:
    path = copy.sensors[0]
    return copy.append(path, ",".join(["noon", *["1.0"] * copy.lines(path)[0].count(",")]))


@fault("HOM153")
def clock_that_begins_again(copy: Copy) -> At:
    path = copy.sensors[0]
    head, *rows = copy.lines(path)
    copy.write_lines(path, [head, *rows[:3], *rows])
    return At(path, row=5)


@fault("HOM154")
def empty_field(copy: Copy) -> At:
    path = copy.sensors[0]
    head, first, *rows = copy.lines(path)
    copy.write_lines(path, [head, first.rpartition(",")[0] + ",", *rows])
    return At(path, row=2)


@fault("HOM155")
def no_line_feed_at_the_end(copy: Copy) -> At:
    path = copy.sensors[0]
    copy.write(path, copy.read(path).rstrip())
    return At(path, row=len(copy.lines(path)))


def _activity(copy: Copy) -> str:
    return copy.lines(copy.split("train"))[0].split(",")[1]


def _in_folder(path: str, participant: str) -> str:
    above, _, name = path.rsplit("/", 2)
    return f"{above}/{participant}/{name}"


def unannotated_video(copy: Copy) -> str:
    """A third-person video whose view has no scene graphs, in a sequence of three views or more."""
    annotated = {path.rsplit("/", 1)[-1].removesuffix("_sg.json") for path in copy.graphs}
    for path in copy.videos:
        name = path.rsplit("/", 1)[-1].removesuffix(".mkv")
        siblings = copy.of(copy.sequence(path), copy.videos)
        if name not in annotated and "_v000_" not in name and len(siblings) > 2:
            return path
    raise LookupError("the clean release has no such video")


FAULTS = (
    broken_link,
    login_page_for_labels,
    login_page_for_a_video,
    lfs_pointer_for_a_video,
    lfs_pointer_seen_when_probing,
    lfs_pointer_for_scene_graphs,
    empty_label_file,
    empty_video,
    packed_labels_under_their_own_name,
    packed_video_under_its_own_name,
    label_file_too_large,
    sensor_file_too_large,
    utf16_labels,
    byte_order_mark,
    binary_labels,
    unknown_json,
    names_without_videos,
    cut_json,
    bad_json,
    deep_json,
    nan_in_a_box,
    key_twice,
    object_for_a_list,
    number_for_a_record,
    missing_key,
    text_for_a_number,
    fraction_for_a_frame,
    number_of_a_thousand_bits,
    box_of_three_numbers,
    video_without_an_id,
    labels_without_an_id,
    wrongly_padded_labels,
    wrongly_padded_video,
    labels_in_another_folder,
    video_in_another_folder,
    labels_twice,
    video_twice,
    document_of_another_video,
    view_unknown,
    archive_of_labels,
    packed_sensor_file,
    browser_still_writes,
    video_in_another_container,
    line_without_a_comma,
    malformed_id_in_a_list,
    wrongly_padded_id_in_a_list,
    no_activity,
    class_line_without_a_name,
    another_class_list,
    class_names_without_ids,
    unknown_sensor,
    no_time_column,
    last_sample_without_time,
    clock_that_begins_again,
    empty_field,
    no_line_feed_at_the_end,
)
