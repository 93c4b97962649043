"""Rules about annotated frames: which they are, and how many of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from homage_sdk.soundness import Reason
from homage_sdk.soundness.columns import NULL, Bools, Ints
from homage_sdk.time import NOMINAL_FPS
from homage_sdk.validation.data import Data, Table, where
from homage_sdk.validation.rule import Finding, error, info, warning
from homage_sdk.validation.rules.intervals import suspect

_SHORT_S, _FEW, _MANY = 3, 3, 5
"""Paper, section 3: 3 frames for intervals of less than 3 seconds, 5 otherwise."""

_LANE = 1 << 32  # more frames than any sequence has


@error(
    "HOM400",
    "annotated frame below 1",
    why="Frames count from 1. If many begin at 0, the file counts from 0 and every box belongs "
    "to the picture after the one it is shown on.",
    example='{"frame": 0, "objects": [...]}',
    hint="correct it, or say `base = 0` under [frames] in a --scene-graph-map file",
)
def below_one(data: Data) -> Iterator[Finding]:
    """Frame number 0 or less."""
    frames = data.records.frames
    for row in where(frames.reasons == Reason.FRAME_BELOW_ONE):
        yield data.at_frame(row, str(frames.frame[row]), "1 or more", below="/frame")


@warning(
    "HOM401",
    "annotated frame past the end of its video",
    why="The picture that these boxes describe does not exist: the video was cut, or the frame "
    "number is wrong.",
    example="frame 541 of a view that ends after frame 480",
    hint="copy the video again if it was cut, else correct the frame",
    deep=True,
)
def past_the_end(data: Data) -> Iterator[Finding]:
    """Later than the longest probed view of the sequence shows."""
    ends = data.last_frames
    frames = data.frames
    limit = frames["sequence"].map(ends)
    for row in where(limit.notna() & (frames["frame"] > limit)):
        end = ends[frames["sequence"].iat[row]]
        yield data.at_frame(row, str(frames["frame"].iat[row]), f"<= {end}", below="/frame")


@warning(
    "HOM402",
    "frame annotated twice",
    why="Two entries for one frame of one view. Both are kept, as two scene graphs: what is in "
    "both counts twice in every statistic.",
    example='"frame": 151 at /frames/3 and at /frames/4',
    hint="merge or remove one of the two",
)
def annotated_twice(data: Data) -> Iterator[Finding]:
    """The second and later entries of a frame."""
    for row in where(_repeated_frames(data)):
        found = f"frame {data.frames['frame'].iat[row]} again"
        yield data.at_frame(row, found, "each frame once")


def _repeated_frames(data: Data) -> Bools:
    frames = data.frames
    repeated = frames.duplicated(["sequence", "view", "frame"]) & frames["sequence"].notna()
    return np.asarray(repeated & (frames["frame"] != NULL))


@warning(
    "HOM403",
    "annotated frame outside any action",
    why="Frames were sampled inside the intervals of atomic actions (paper, section 3). One that "
    "lies in none is either misnumbered, or its action is missing.",
    example="frame 700 in a sequence whose last action ends at 660",
    hint="compare the frame with the sequence's atomic-action file",
)
def outside_actions(data: Data) -> Iterator[Finding]:
    """In no interval of its sequence, where the sequence's actions can be trusted."""
    for row in where(_outside(data)):
        found = str(data.frames["frame"].iat[row])
        yield data.at_frame(row, found, "a frame of an action", below="/frame")


def _outside(data: Data) -> Bools:
    frames, actions = data.frames, _trusted(data)
    code = {sequence: i for i, sequence in enumerate(actions["sequence"].unique())}
    known = frames["sequence"].isin(code) & (frames["frame"] >= 1) & ~_late(data)
    at = _line(frames["sequence"], frames["frame"], code)
    begun = np.searchsorted(
        np.sort(_line(actions["sequence"], actions["first"], code)), at, side="right"
    )
    ended = np.searchsorted(
        np.sort(_line(actions["sequence"], actions["last"], code)), at, side="left"
    )
    return np.asarray(known & (begun <= ended))


def _line(sequences: Table, frames: Table, code: dict[str, int]) -> Ints:
    """All sequences laid one after the other on a single line of frames."""
    offsets = sequences.map(code).fillna(-1).to_numpy(dtype=np.int64) * _LANE
    return np.asarray(offsets + frames.clip(0, _LANE - 1).to_numpy(dtype=np.int64))


def _late(data: Data) -> Bools:
    frames = data.frames
    limit = frames["sequence"].map(data.last_frames)
    return np.asarray(limit.notna() & (frames["frame"] > limit))


def _trusted(data: Data) -> Table:
    """Actions of the sequences in which no interval is in doubt.

    Where one is, its own fault is reported; what follows from it would only hide the cause.
    """
    actions = data.actions
    doubtful = set(actions.loc[suspect(data), "sequence"].dropna())
    doubtful |= set(actions.loc[data.in_faulty_file(actions), "sequence"].dropna())
    return actions[~actions["sequence"].isin(doubtful) & actions["sequence"].notna()]


@warning(
    "HOM404",
    "action with too few annotated frames",
    why="3 frames were annotated in an action shorter than 3 seconds, else 5 (paper, section 3). "
    "With fewer, a part of the scene graphs is missing.",
    example="an action of 4 s with 2 annotated frames inside",
    hint="copy the scene-graph file again, or accept that its annotation is not complete",
)
def too_few_frames(data: Data) -> Iterator[Finding]:
    """Fewer distinct frames than 3 or 5, in a sequence with scene graphs that can be trusted."""
    actions = _sampled(data)
    frames = data.frames
    code = {sequence: i for i, sequence in enumerate(actions["sequence"].unique())}
    there = frames["sequence"].isin(code) & (frames["frame"] >= 1)
    points = np.unique(_line(frames["sequence"], frames["frame"], code)[there])
    before = np.searchsorted(points, _line(actions["sequence"], actions["first"], code), "left")
    after = np.searchsorted(points, _line(actions["sequence"], actions["last"], code), "right")
    counts, wanted = after - before, _wanted(actions)
    for at in where(counts < wanted):
        interval = f"{actions['first'].iat[at]} to {actions['last'].iat[at]}"
        found = f"{counts[at]} annotated frames in {interval}"
        yield data.at_action(int(actions.index[at]), found, str(wanted[at]))


@warning(
    "HOM405",
    "more annotated frames than the sampling gives",
    why="3 or 5 frames an action (paper, section 3) add up to a largest possible number. More "
    "frames than that belong to actions that are missing from the labels.",
    example="40 annotated frames in a sequence of two actions",
    hint="compare with the sequence's atomic-action file: it may have been cut",
)
def too_many_frames(data: Data) -> Iterator[Finding]:
    """More distinct frames than all actions of the sequence together ask for."""
    actions = _sampled(data)
    most = pd.Series(_wanted(actions), index=actions.index).groupby(actions["sequence"]).sum()
    frames = data.frames
    counts = frames.groupby("sequence")["frame"].nunique()
    for sequence, count in counts.items():
        if sequence in most.index and count > most[sequence]:
            row = where(frames["sequence"] == sequence)[0]
            yield data.at_file_of(row, f"{count} frames", f"at most {most[sequence]}")


def _sampled(data: Data) -> Table:
    """Trusted actions of the sequences that have scene graphs without a fault in their frames."""
    frames, actions = data.frames, _trusted(data)
    faulty = (frames["frame"] < 1) | _late(data) | _repeated_frames(data) | _outside(data)
    faulty |= data.in_faulty_file(frames)
    whole = set(frames["sequence"].dropna()) - set(frames.loc[faulty, "sequence"].dropna())
    return actions[actions["sequence"].isin(whole)]


def _wanted(actions: Table) -> Ints:
    frames = (actions["last"] - actions["first"] + 1).to_numpy()
    wanted = np.where(frames < _SHORT_S * int(NOMINAL_FPS), _FEW, _MANY)
    return np.asarray(np.minimum(wanted, frames))


@warning(
    "HOM406",
    "annotated frame without an object",
    why="A frame was annotated to say where the person and the objects are; an empty one says "
    "nothing, and counts as a frame without a person.",
    example='{"frame": 151, "objects": [], "relationships": []}',
    hint="export the frame again, or remove it",
)
def empty_frame(data: Data) -> Iterator[Finding]:
    """No object at all; frames in which the reader met a fault are left out."""
    counts = np.bincount(data.objects.graph, minlength=len(data.frames))
    faulty = data.in_faulty_file(data.frames)
    for row in where((counts == 0) & ~faulty):
        yield data.at_frame(row, "no object", "at least one")


@info(
    "HOM410",
    "annotated frames out of order",
    why="Nothing depends on the order of frames in a file, but it is a sign of files that were "
    "merged by hand.",
    example="frames 151, 211, 181",
    hint="nothing",
)
def out_of_order(data: Data) -> Iterator[Finding]:
    """At the first frame of a file that lies before the one above it, of the same video."""
    frames = data.frames
    columns = frames[["file", "sequence", "view"]]
    same_video = (columns == columns.shift()).all(axis=1)
    back = same_video & (frames["frame"] < frames["frame"].shift()) & (frames["frame"] >= 1)
    for row in where(back & ~frames["file"].where(back).duplicated()):
        found = f"{frames['frame'].iat[row]} after {frames['frame'].iat[row - 1]}"
        yield data.at_frame(row, found, "in order", below="/frame")
