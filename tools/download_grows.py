"""Weeks 1 to 3 of a download: files arrive, labels are corrected, disks move."""

from __future__ import annotations

import os
from pathlib import Path

from download import Download, Expected, Step

from homage_sdk.synth.release_paths import LAYOUTS

PATHS = LAYOUTS["hacgen"]


# Week 1: the first participants arrive, one kind of file after another.


def labels_only(at: Download) -> Expected:
    """Lists and the labels of one participant, no media."""
    at.lists("activity", "atomic", "object", "relationship")
    at.labels(at.people[0])
    return Expected(shards=None)


def first_videos(at: Download) -> Expected:
    """Videos of two sequences."""
    return at.videos(at.people[0][:2])


def nothing(at: Download) -> Expected:
    """The same again: nothing changed."""
    return Expected()


def more_videos(at: Download) -> Expected:
    """Videos of the rest."""
    return at.videos(at.people[0][2:])


def sensors(at: Download) -> Expected:
    """Sensors of a sequence."""
    sequence = at.people[0][0]
    path = at.disk / PATHS.sensor(sequence, "light", "room")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("time_s,lux\n" + "".join(f"{k / 4},{k}\n" for k in range(8)), "utf-8")
    return Expected(shards=None)


def second(at: Download) -> Expected:
    """A second participant: labels, graphs and videos at once."""
    at.labels(at.people[1])
    at.graphs(at.people[1])
    return at.videos(at.people[1])


def graphs(at: Download) -> Expected:
    """Scene graphs of the first."""
    at.graphs(at.people[0])
    return Expected(shards=None)


def half_a_video(at: Download) -> Expected:
    """A video copied in half."""
    view = at.views[at.people[0][1]][-1]
    path = at.disk / PATHS.video(view)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return Expected(probed=1, encoded=1, shards=None)


def whole_video(at: Download) -> Expected:
    """Its copy ends."""
    at.copy(PATHS.video(at.views[at.people[0][1]][-1]))
    return Expected(encoded=1, shards=1)  # the whole file was probed before


# Week 2: labels are corrected.


def corrected(at: Download) -> Expected:
    """One label corrected."""
    at.edit(
        at.people[0][0], lambda records: records[0].update(frame_end=records[0]["frame_end"] + 30)
    )
    return Expected(shards=1)


def respelled(at: Download) -> Expected:
    """A class spelled with _ instead of spaces."""
    at.edit(at.people[0][1], lambda r: r[0].update({"class": r[0]["class"].replace(" ", "_")}))
    return Expected(shards=None)


def activity(at: Download) -> Expected:
    """An activity corrected in its list."""
    path, text = find_line(at, str(at.people[1][0]))
    old = next(line for line in text.splitlines() if line.startswith(str(at.people[1][0])))
    other = next(line.split(",")[1] for line in text.splitlines() if line.split(",")[1] not in old)
    path.write_text(text.replace(old, f"{at.people[1][0]},{other}"), "utf-8")
    return Expected(shards=1)


def resplit(at: Download) -> Expected:
    """A sequence moves to another split."""
    name = str(at.people[1][1])
    path, text = find_line(at, name)
    line = next(line for line in text.splitlines() if line.startswith(name))
    path.write_text(text.replace(f"{line}\n", ""), "utf-8")
    others = [PATHS.split_list(split) for split in PATHS.splits]
    other = next(at.disk / one for one in others if at.disk / one != path)
    other.write_text(other.read_text("utf-8") + f"{line}\n", "utf-8")
    return Expected(shards=None)


def cut_label(at: Download) -> Expected:
    """A label file cut short."""
    path = at.disk / PATHS.actions(at.people[1][0])
    path.write_bytes(path.read_bytes()[:-20])
    return Expected(shards=1)


def mended_label(at: Download) -> Expected:
    """The label file copied again."""
    at.copy(PATHS.actions(at.people[1][0]))
    return Expected(shards=1)


def touched_label(at: Download) -> Expected:
    """A label touched, its bytes the same."""
    os.utime(at.disk / PATHS.actions(at.people[0][0]))
    return Expected()


# Week 3: files move.


def touched_video(at: Download) -> Expected:
    """A video copied again without its time."""
    os.utime(at.disk / PATHS.video(at.views[at.people[0][0]][0]))
    return Expected(probed=1)


def other_video(at: Download) -> Expected:
    """A video recorded anew under the same name."""
    view = at.views[at.people[0][0]][0]
    at.film(view, version=1)
    at.copy(PATHS.video(view))
    return Expected(probed=1, encoded=1 + (view.view == 0), shards=1)


def moved(at: Download) -> Expected:
    """The disk is mounted elsewhere."""
    old, at.disk = at.disk, at.work / "elsewhere" / "HOMAGE"
    at.disk.parent.mkdir()
    old.rename(at.disk)
    at.foreign = {
        at.disk / path.relative_to(old) if path.is_relative_to(old) else path: data
        for path, data in at.foreign.items()
    }
    return Expected()


def link_to_nowhere(at: Download) -> Expected:
    """A participant's folder on another disk that is not mounted."""
    folder = (at.disk / PATHS.video(at.views[at.people[1][0]][0])).parent
    folder.rename(at.work / "unmounted")
    folder.symlink_to(at.work / "mounted", target_is_directory=True)
    return Expected(shards=None)


def mounted(at: Download) -> Expected:
    """The other disk is mounted."""
    (at.work / "unmounted").rename(at.work / "mounted")
    views = [view for one in at.people[1] for view in at.views[one]]
    n_sounds = sum(view.view == 0 for view in views)
    return Expected(probed=0, encoded=len(views) + n_sounds, shards=None)


def broken_link(at: Download) -> Expected:
    """A label that is a link to nowhere."""
    path = at.disk / PATHS.actions(at.people[0][2])
    path.rename(at.work / "label.json")
    path.symlink_to(at.work / "later.json")
    return Expected(shards=1)


def mended_link(at: Download) -> Expected:
    """The link leads somewhere again."""
    (at.work / "label.json").rename(at.work / "later.json")
    return Expected(shards=1)


def removed(at: Download) -> Expected:
    """One video removed."""
    (at.disk / PATHS.video(at.views[at.people[0][2]][-1])).unlink()
    return Expected(shards=1)


def back(at: Download) -> Expected:
    """And back."""
    at.copy(PATHS.video(at.views[at.people[0][2]][-1]))
    return Expected(encoded=1, shards=1)


def find_line(at: Download, name: str) -> tuple[Path, str]:
    """The split list that names a sequence, and its text."""
    for split in PATHS.splits:
        path = at.disk / PATHS.split_list(split)
        text = path.read_text("utf-8")
        if f"{name}," in text:
            return path, text
    raise LookupError(name)


STEPS: tuple[Step, ...] = (
    labels_only,
    first_videos,
    nothing,
    more_videos,
    sensors,
    second,
    graphs,
    half_a_video,
    whole_video,
    corrected,
    respelled,
    activity,
    resplit,
    cut_label,
    mended_label,
    touched_label,
    touched_video,
    other_video,
    moved,
    link_to_nowhere,
    mounted,
    broken_link,
    mended_link,
    removed,
    back,
)
