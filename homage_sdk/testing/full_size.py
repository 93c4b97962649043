"""Label files at the size of HOMAGE: its counts exactly, its shares as measured, no videos.

Nothing is filmed here: what a reader, a validator and a query engine meet is the *amount* and the
*shape* of the labels. Counts are the paper's (section 3), shares those of FORMAT.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from homage_sdk.errors import require_known
from homage_sdk.ids import SequenceId
from homage_sdk.progress import Meter, Progress
from homage_sdk.storage.folder_swap import new_folder
from homage_sdk.synth.label_files import published_split, write_classes
from homage_sdk.synth.random_streams import stream
from homage_sdk.synth.release_paths import LAYOUTS, ReleasePaths
from homage_sdk.synth.world.timeline import FPS
from homage_sdk.synth.write import VERSION, SynthSummary, existing, release_files, write_marker
from homage_sdk.testing.full_size_graphs import GraphCounts, graph_documents
from homage_sdk.testing.full_size_intervals import place_actions
from homage_sdk.testing.full_size_names import ACTIVITIES, OBJECTS, RELATIONSHIPS, atomic_names

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything a release of labels holds."""

    sequences: dict[str, int]
    actions: dict[str, int]
    views: dict[int, int]
    """Sequences with that many views."""
    no_ego: int
    gaps: int
    participants: int
    singletons: int
    boxes: int
    relationships: int


SCALES = {
    "homage": Scale(
        sequences={"train": 1388, "val": 198, "test": 166},
        actions={"train": 20_039, "val": 2_062, "test": 2_468},
        views={1: 11, 2: 440, 3: 641, 4: 414, 5: 246},
        no_ego=91,
        gaps=312,
        participants=27,
        singletons=13,
        boxes=497_534,
        relationships=583_481,
    ),
    "tiny": Scale(
        sequences={"train": 80, "val": 12, "test": 10},
        actions={"train": 1_200, "val": 125, "test": 150},
        views={1: 1, 2: 26, 3: 37, 4: 24, 5: 14},
        no_ego=5,
        gaps=18,
        participants=9,
        singletons=13,
        boxes=30_000,
        relationships=35_000,
    ),
}
"""By name. ``homage``: 1,752 sequences and 5,700 video names, as published."""


def write_labels(
    out: Path,
    *,
    layout: str = "hacgen",
    seed: int = 0,
    scale: str = "homage",
    placeholders: bool = True,
    progress: Progress | None = None,
    force: bool = False,
) -> SynthSummary:
    """Write label files only, at the counts of ``scale``.

    With ``placeholders`` every video name exists as an empty file, because views are known by the
    files of a release; without, the release is annotation-only, as some downloads are.

    Raises:
        UsageError: no such layout or scale, or ``out`` holds something else and ``force`` is off.
        StorageError: the disk is full, or someone else writes there.

    """
    require_known("layout", layout, LAYOUTS)
    require_known("scale", scale, SCALES)
    out = Path(out)
    options = {"layout": layout, "seed": seed, "scale": scale, "placeholders": placeholders}
    marker: dict[str, object] = {"version": VERSION, "options": options}
    found = existing(out, marker, force=force)
    if found is not None:
        return found
    with new_folder(out, release_files if force else None) as folder:
        summary = _write(folder, out, LAYOUTS[layout], seed, SCALES[scale], placeholders, progress)
        write_marker(folder, marker, summary)
    return summary


def _write(
    folder: Path,
    out: Path,
    layout: ReleasePaths,
    seed: int,
    scale: Scale,
    placeholders: bool,
    progress: Progress | None,
) -> SynthSummary:
    ids = _sequence_ids(seed, scale)
    splits = _splits(seed, scale)
    activities = _activities(seed, splits)
    views = _views(seed, scale)
    actions = place_actions(
        seed, scale.actions, splits, activities, atomic_names(), scale.singletons
    )
    _write_lists(folder, layout, ids, splits, activities)
    annotated = [v[int(v[0] == 0)] if v != (0,) else None for v in views]
    graphs = graph_documents(
        seed, ids, annotated, actions, GraphCounts(scale.boxes, scale.relationships)
    )
    for parent in {layout.actions(s).parent for s in ids}:
        (folder / parent).mkdir(parents=True, exist_ok=True)
    meter = Meter(progress, len(ids))
    for sequence, view, seen, mine in zip(ids, annotated, views, actions, strict=True):
        records = [
            {
                "class": name,
                "frame_start": FPS * begin + 1,
                "frame_end": FPS * end,
                "action_length": FPS * (end - begin),
            }
            for name, begin, end in mine
        ]
        _put(folder / layout.actions(sequence), orjson.dumps(records))
        if view is not None:
            path = folder / layout.graphs(sequence.view(view))
            _put(path, orjson.dumps(next(graphs)))
        if placeholders:
            for number in seen:
                _put(folder / layout.video(sequence.view(number)), b"")
        meter.advance()
    return SynthSummary(
        path=out,
        layout=layout.name,
        sequences=len(ids),
        videos=sum(map(len, views)),
        actions=sum(map(len, actions)),
        boxes=scale.boxes,
        relationships=scale.relationships,
        seconds=sum(max(end for _, _, end in mine) for mine in actions),
    )


def _put(path: Path, data: bytes) -> None:
    # Into a folder that appears as a whole: `write_labels` holds it with `new_folder`.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _sequence_ids(seed: int, scale: Scale) -> list[SequenceId]:
    rng = stream(seed, "scale ids")
    total = sum(scale.sequences.values())
    numbers = np.cumsum(1 + (rng.random(scale.participants) < 0.35)) + 1
    weights = rng.dirichlet(np.full(scale.participants, 3.0))
    shares = 1 + rng.multinomial(total - scale.participants, weights)
    ids = []
    for number, share in zip(numbers, shares, strict=True):
        rooms = rng.integers(0, 5, share)
        takes = np.cumsum(1 + (rng.random(share) < 0.1)) - 1
        ids += [SequenceId(int(number), int(r), int(a)) for r, a in zip(rooms, takes, strict=True)]
    return sorted(ids)


def _splits(seed: int, scale: Scale) -> list[str]:
    names = [split for split, count in scale.sequences.items() for _ in range(count)]
    return [names[int(k)] for k in stream(seed, "scale splits").permutation(len(names))]


def _activities(seed: int, splits: list[str]) -> list[str]:
    """Every activity in every split that has room for all; a long tail in training."""
    rng = stream(seed, "scale activities")
    weights = 1.0 / (np.arange(len(ACTIVITIES)) + 12.0)
    weights /= weights.sum()
    chosen = [""] * len(splits)
    for split in dict.fromkeys(splits):
        mine = [k for k, s in enumerate(splits) if s == split]
        first = list(range(len(ACTIVITIES)))[: len(mine)]
        rest = rng.choice(len(ACTIVITIES), len(mine) - len(first), p=weights)
        for k, activity in zip(rng.permutation(mine), [*first, *rest], strict=True):
            chosen[int(k)] = ACTIVITIES[int(activity)]
    return chosen


def _views(seed: int, scale: Scale) -> list[tuple[int, ...]]:
    rng = stream(seed, "scale views")
    counts = rng.permutation([n for n, times in scale.views.items() for _ in range(times)])
    views = [tuple(range(n)) for n in counts]
    several = [k for k, v in enumerate(views) if len(v) > 1]
    for k in rng.permutation(several)[: scale.no_ego]:
        views[int(k)] = tuple(v + 1 for v in views[int(k)])
    for k in rng.permutation(several)[: scale.gaps]:
        *head, last = views[int(k)]
        views[int(k)] = (*head, last + int(rng.integers(1, 3)))
    return views


def _write_lists(
    folder: Path,
    layout: ReleasePaths,
    ids: list[SequenceId],
    splits: list[str],
    activities: list[str],
) -> None:
    (folder / layout.lists).mkdir(parents=True)
    for split in layout.splits:
        lines = [
            f"{sequence},{activity}\n"
            for sequence, own, activity in zip(ids, splits, activities, strict=True)
            if published_split(layout, own) == split
        ]
        (folder / layout.split_list(split)).write_text("".join(lines), encoding="utf-8")
    write_classes(folder, layout, "activity", sorted(ACTIVITIES))
    names = sorted(name.replace(" ", "_") for name in atomic_names())
    write_classes(folder, layout, "atomic", names)


__all__ = ["OBJECTS", "RELATIONSHIPS", "SCALES", "Scale", "write_labels"]
