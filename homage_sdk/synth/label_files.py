"""Lists, class files and atomic-action files, as the layouts spell them."""

from __future__ import annotations

import json
from pathlib import Path

from homage_sdk.synth.mess import past_end
from homage_sdk.synth.release_paths import ReleasePaths
from homage_sdk.synth.takes import Take
from homage_sdk.synth.world.timeline import Script

_LIST_FORMAT = """# Format of the activity lists

One sequence a line, no header: `p0002_r001_a007,folding_clothes` (sequence id, activity class).
"""


def published_split(layout: ReleasePaths, split: str) -> str:
    """The list a take of this split is in: a layout without ``val`` has it in ``test``."""
    return split if split in layout.splits else "test"


def write_lists(
    folder: Path, layout: ReleasePaths, takes: tuple[Take, ...], atomic: tuple[str, ...]
) -> None:
    """The split lists and the class files."""
    (folder / layout.lists).mkdir(parents=True)
    for split in layout.splits:
        lines = [
            f"{take.sequence},{take.activity.name}\n"
            for take in takes
            if published_split(layout, take.split) == split and "no_entry" not in take.mess
        ]
        if lines:
            (folder / layout.split_list(split)).write_text("".join(lines), encoding="utf-8")
    activities = sorted({take.activity.name for take in takes if "no_entry" not in take.mess})
    write_classes(folder, layout, "activity", activities)
    write_classes(folder, layout, "atomic", [name.replace(" ", "_") for name in atomic])
    if layout.name == "videoshift":
        path = folder / layout.lists / "format_list_files.md"
        path.write_text(_LIST_FORMAT, encoding="utf-8")


def write_classes(folder: Path, layout: ReleasePaths, kind: str, names: list[str]) -> None:
    """A class file: ids from 1, in the syntax of the layout."""
    lines = [f"{k}{layout.class_separator}{name}\n" for k, name in enumerate(names, 1)]
    (folder / layout.class_file(kind)).write_text("".join(lines), encoding="utf-8")


def actions_text(script: Script, mess: frozenset[str]) -> str:
    """The atomic-action file of a take: a JSON list in order of time."""
    actions = []
    latest = max(range(len(script.beats)), key=lambda k: script.beats[k].end_s)
    for k, beat in enumerate(script.beats):
        end = beat.last_frame
        if "past_end" in mess and k == latest:
            end = past_end(end)
        actions.append(
            {
                "class": beat.raw,
                "frame_start": beat.first_frame,
                "frame_end": end,
                "action_length": end - beat.first_frame + 1,
            }
        )
    return json.dumps(actions, indent=1) + "\n"
