"""What a release holds, counted, and what it lacks."""

from __future__ import annotations

from collections import Counter

from homage_sdk.ids import SequenceId
from homage_sdk.release.files.layouts import sequence_in
from homage_sdk.release.records import Release

_PARTS = {
    "split_list": "split lists",
    "class_list": "class lists",
    "atomic_actions": "atomic actions",
    "scene_graphs": "scene graphs",
    "video": "videos",
    "sensor": "sensors",
}


def sequences(release: Release) -> list[SequenceId]:
    """Every sequence that anything in the release speaks of, in order.

    A line of a split list, a record, a video or a sensor file names it, or a label or sensor file
    whose name holds its id and that could not be read.
    """
    names: set[str | None] = set()
    for table in ("list_entries", "actions", "frames", "videos", "sensors"):
        names.update(release[table]["sequence"].unique().to_pylist())
    paths, kinds = (release["files"][column].to_pylist() for column in ("path", "kind"))
    for path, kind in zip(paths, kinds, strict=True):
        if kind in ("atomic_actions", "scene_graphs", "sensor"):
            names.add(sequence_in(path.rsplit("/", 1)[-1]))
    return sorted(SequenceId.parse(name) for name in names if name)


def files_by_kind(release: Release) -> Counter[str]:
    """How many files of each kind there are."""
    return Counter(release["files"]["kind"].to_pylist())


def summary(release: Release) -> str:
    """One line for a person: what is there, and which parts of a release are not.

    A part that is not there is normal (downloads are partial) and worth saying.
    """
    files = files_by_kind(release)
    videos = release["videos"]["sequence"]
    counts = {
        "sequences": len(sequences(release)),
        "videos": len(videos) - videos.null_count,
        "atomic actions": release["actions"].num_rows,
        "annotated frames": release["frames"].num_rows,
        "sensor files": release["sensors"].num_rows,
    }
    there = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    lacks = ", ".join(name for kind, name in _PARTS.items() if not files[kind])
    text = f"layout {release.layout}: {there or 'nothing that can be read'}"
    return f"{text}; not here: {lacks}" if lacks else text
