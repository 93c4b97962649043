"""The steps of six weeks, in their order: what happens to a download, and what it may cost."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from download import FLAGS, Download, Expected

from homage_sdk import Dataset
from homage_sdk.ingest import ingest
from homage_sdk.shards import repair
from homage_sdk.synth.release_paths import LAYOUTS

PATHS = LAYOUTS["hacgen"]
Step = Callable[[Download], Expected]
STEPS: list[tuple[str, Step]] = []


def step(name: str) -> Callable[[Step], Step]:
    """Add a step to the six weeks, in the order of this file."""

    def add(function: Step) -> Step:
        STEPS.append((name, function))
        return function

    return add


# Week 1: the first participants arrive, one kind of file after another.


@step("lists and the labels of one participant, no media")
def labels_only(at: Download) -> Expected:
    at.lists("activity", "atomic", "object", "relationship")
    at.labels(at.people[0])
    return Expected(shards=None)


@step("videos of two sequences")
def first_videos(at: Download) -> Expected:
    return at.videos(at.people[0][:2])


@step("the same again: nothing changed")
def nothing(at: Download) -> Expected:
    return Expected()


@step("videos of the rest")
def more_videos(at: Download) -> Expected:
    return at.videos(at.people[0][2:])


@step("sensors of a sequence")
def sensors(at: Download) -> Expected:
    sequence = at.people[0][0]
    path = at.disk / PATHS.sensor(sequence, "light", "room")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("time_s,lux\n" + "".join(f"{k / 4},{k}\n" for k in range(8)), "utf-8")
    return Expected(shards=None)


@step("a second participant: labels, graphs and videos at once")
def second(at: Download) -> Expected:
    at.labels(at.people[1])
    at.graphs(at.people[1])
    return at.videos(at.people[1])


@step("scene graphs of the first")
def graphs(at: Download) -> Expected:
    at.graphs(at.people[0])
    return Expected(shards=None)


@step("a video copied in half")
def half_a_video(at: Download) -> Expected:
    view = at.views[at.people[0][1]][-1]
    path = at.disk / PATHS.video(view)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return Expected(probed=1, encoded=1, shards=None)


@step("its copy ends")
def whole_video(at: Download) -> Expected:
    at.copy(PATHS.video(at.views[at.people[0][1]][-1]))
    return Expected(encoded=1, shards=1)  # the whole file was probed before


# Week 2: labels are corrected.


@step("one label corrected")
def corrected(at: Download) -> Expected:
    at.edit(
        at.people[0][0], lambda records: records[0].update(frame_end=records[0]["frame_end"] + 30)
    )
    return Expected(shards=1)


@step("a class spelled with _ instead of spaces")
def respelled(at: Download) -> Expected:
    at.edit(at.people[0][1], lambda r: r[0].update({"class": r[0]["class"].replace(" ", "_")}))
    return Expected(shards=None)


@step("an activity corrected in its list")
def activity(at: Download) -> Expected:
    path, text = find_line(at, str(at.people[1][0]))
    old = next(line for line in text.splitlines() if line.startswith(str(at.people[1][0])))
    other = next(line.split(",")[1] for line in text.splitlines() if line.split(",")[1] not in old)
    path.write_text(text.replace(old, f"{at.people[1][0]},{other}"), "utf-8")
    return Expected(shards=1)


@step("a sequence moves to another split")
def resplit(at: Download) -> Expected:
    name = str(at.people[1][1])
    path, text = find_line(at, name)
    line = next(line for line in text.splitlines() if line.startswith(name))
    path.write_text(text.replace(f"{line}\n", ""), "utf-8")
    others = [PATHS.split_list(split) for split in PATHS.splits]
    other = next(at.disk / one for one in others if at.disk / one != path)
    other.write_text(other.read_text("utf-8") + f"{line}\n", "utf-8")
    return Expected(shards=None)


@step("a label file cut short")
def cut_label(at: Download) -> Expected:
    path = at.disk / PATHS.actions(at.people[1][0])
    path.write_bytes(path.read_bytes()[:-20])
    return Expected(shards=1)


@step("the label file copied again")
def mended_label(at: Download) -> Expected:
    at.copy(PATHS.actions(at.people[1][0]))
    return Expected(shards=1)


@step("a label touched, its bytes the same")
def touched_label(at: Download) -> Expected:
    os.utime(at.disk / PATHS.actions(at.people[0][0]))
    return Expected()


# Week 3: files move.


@step("a video copied again without its time")
def touched_video(at: Download) -> Expected:
    os.utime(at.disk / PATHS.video(at.views[at.people[0][0]][0]))
    return Expected(probed=1)


@step("a video recorded anew under the same name")
def other_video(at: Download) -> Expected:
    view = at.views[at.people[0][0]][0]
    at.film(view, version=1)
    at.copy(PATHS.video(view))
    return Expected(probed=1, encoded=1 + (view.view == 0), shards=1)


@step("the disk is mounted elsewhere")
def moved(at: Download) -> Expected:
    old, at.disk = at.disk, at.work / "elsewhere" / "HOMAGE"
    at.disk.parent.mkdir()
    old.rename(at.disk)
    at.foreign = {
        at.disk / path.relative_to(old) if path.is_relative_to(old) else path: data
        for path, data in at.foreign.items()
    }
    return Expected()


@step("a participant's folder on another disk that is not mounted")
def link_to_nowhere(at: Download) -> Expected:
    folder = (at.disk / PATHS.video(at.views[at.people[1][0]][0])).parent
    folder.rename(at.work / "unmounted")
    folder.symlink_to(at.work / "mounted", target_is_directory=True)
    return Expected(shards=None)


@step("the other disk is mounted")
def mounted(at: Download) -> Expected:
    (at.work / "unmounted").rename(at.work / "mounted")
    views = [view for one in at.people[1] for view in at.views[one]]
    n_sounds = sum(view.view == 0 for view in views)
    return Expected(probed=0, encoded=len(views) + n_sounds, shards=None)


@step("a label that is a link to nowhere")
def broken_link(at: Download) -> Expected:
    path = at.disk / PATHS.actions(at.people[0][2])
    path.rename(at.work / "label.json")
    path.symlink_to(at.work / "later.json")
    return Expected(shards=1)


@step("the link leads somewhere again")
def mended_link(at: Download) -> Expected:
    (at.work / "label.json").rename(at.work / "later.json")
    return Expected(shards=1)


@step("one video removed")
def removed(at: Download) -> Expected:
    (at.disk / PATHS.video(at.views[at.people[0][2]][-1])).unlink()
    return Expected(shards=1)


@step("and back")
def back(at: Download) -> Expected:
    at.copy(PATHS.video(at.views[at.people[0][2]][-1]))
    return Expected(encoded=1, shards=1)


# Week 4: commands are killed, shards break.


@step("a third participant; ingest killed while it stages, then run again")
def ingest_killed(at: Download) -> Expected:
    at.labels(at.people[2])
    cost = at.videos(at.people[2])
    at.killed("ingest", str(at.disk), str(at.catalog), at=".tmp-new")
    return Expected(0, cost.encoded, None)


@step("a fourth; pack killed at its first shard, then run again")
def pack_killed(at: Download) -> Expected:
    at.labels(at.people[3])
    cost = at.videos(at.people[3])
    ingest(at.disk, at.catalog)
    at.killed("pack", str(at.catalog), str(at.shards), *FLAGS, at="shards/**/*.tar.json")
    return Expected(cost.probed, None, None)


@step("a bit of a shard flips; repair")
def flipped(at: Download) -> Expected:
    path = next(at.shards.glob("*.tar"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    repair(at.shards, Dataset(at.catalog), deep=True, workers=1)
    return Expected(0, None, 0)


@step("a shard lost; repair")
def lost(at: Download) -> Expected:
    next(at.shards.glob("*.tar")).unlink()
    repair(at.shards, Dataset(at.catalog), workers=1)
    return Expected(0, None, 0)


# Week 5: class lists.


@step("the class list in another order: ids stay")
def reordered(at: Download) -> Expected:
    path = at.disk / PATHS.class_file("atomic")
    names = [line.split(" ", 1)[1] for line in path.read_text("utf-8").splitlines()]
    lines = [f"{k} {name}\n" for k, name in enumerate(reversed(names), 1)]
    path.write_text("".join(lines), "utf-8")
    return Expected(as_fresh=False)


@step("ids as the list says: --renumber")
def renumbered(at: Download) -> Expected:
    ingest(at.disk, at.catalog, renumber=True)
    return Expected(shards=None)


@step("the list as published again, --renumber")
def published(at: Download) -> Expected:
    at.copy(PATHS.class_file("atomic"))
    ingest(at.disk, at.catalog, renumber=True)
    return Expected(shards=None)


@step("a class that no list has")
def new_class(at: Download) -> Expected:
    at.edit(at.people[3][0], lambda records: records[0].update({"class": "juggle oranges"}))
    return Expected(shards=None)


# Week 6: the rest.


@step("sensors corrected")
def sensors_corrected(at: Download) -> Expected:
    path = at.disk / PATHS.sensor(at.people[0][0], "light", "room")
    path.write_text(path.read_text("utf-8").replace(",7\n", ",9\n"), "utf-8")
    return Expected(shards=1)


@step("a participant withdrawn")
def withdrawn(at: Download) -> Expected:
    for sequence in at.people[3]:
        (at.disk / PATHS.actions(sequence)).unlink()
        for view in at.views[sequence]:
            (at.disk / PATHS.video(view)).unlink()
    return Expected(shards=None, as_fresh=False)  # a class that nothing names keeps its id


@step("classes that nothing names are dropped: --renumber")
def forgotten(at: Download) -> Expected:
    ingest(at.disk, at.catalog, renumber=True)
    return Expected(shards=None)


@step("two more participants")
def the_rest(at: Download) -> Expected:
    sequences = at.people[4] + at.people[5]
    at.labels(sequences)
    at.graphs(sequences)
    return at.videos(sequences)


@step("at the end: nothing changed")
def the_end(at: Download) -> Expected:
    return Expected()


def find_line(at: Download, name: str) -> tuple[Path, str]:
    """The split list that names a sequence, and its text."""
    for split in PATHS.splits:
        path = at.disk / PATHS.split_list(split)
        text = path.read_text("utf-8")
        if f"{name}," in text:
            return path, text
    raise LookupError(name)
