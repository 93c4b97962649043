"""Rules about the intervals of atomic actions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from homage_sdk.soundness import Reason
from homage_sdk.soundness.columns import NULL, Bools
from homage_sdk.time import NOMINAL_FPS
from homage_sdk.validation.data import Data, where
from homage_sdk.validation.rule import Finding, error, info, warning

LONGEST_FRAME = 7230
"""The last frame of any action measured in the real release: a little over four minutes."""


@error(
    "HOM300",
    "action with a frame below 1",
    why="Frames count from 1. A frame of 0 or less names no picture; the action cannot be placed.",
    example='{"class": "take cup", "frame_start": -29, "frame_end": 30}',
    hint="correct the frame, or add 1 to all of them if the file counts from 0",
)
def below_one(data: Data) -> Iterator[Finding]:
    """Either end below 1, in a file that does not count from 0 as a whole."""
    elsewhere = ~data.actions["file"].isin(_zero_based_files(data))
    for row in where(elsewhere & _is(data, Reason.ACTION_BELOW_ONE)):
        for column, key in (("first", "frame_start"), ("last", "frame_end")):
            frame = data.actions[column].iat[row]
            if NULL < frame < 1:
                yield data.at_action(row, str(frame), "1 or more", key=key)


@error(
    "HOM301",
    "file counts frames from 0",
    why="Published frames are 1-based: in the real release every start is 30k+1 and every end 30m. "
    "A file whose starts are all 30k and ends 30m-1, one of them 0, was written 0-based; every "
    "action in it is shown one frame early, and one that begins at 0 is left out.",
    example='{"class": "take cup", "frame_start": 0, "frame_end": 29}',
    hint="add 1 to frame_start and frame_end throughout the file",
)
def counts_from_zero(data: Data) -> Iterator[Finding]:
    """Where frame 0 is, in a file whose frames all lie on the grid shifted by one."""
    there = data.actions["file"].isin(_zero_based_files(data))
    found, expected = "0, in a file of frames 30k to 30m-1", "frames 30k+1 to 30m, from 1"
    for row in where(there & _is(data, Reason.ACTION_BELOW_ONE)):
        yield data.at_action(row, found, expected, key="frame_start")


def _is(data: Data, reason: Reason) -> Bools:
    return np.asarray(data.records.actions.reasons == reason)


def _zero_based_files(data: Data) -> list[int]:
    actions = data.actions
    zero = actions[actions["first"] == 0]
    if zero.empty:
        return []
    rows = actions[actions["file"].isin(zero["file"])]
    shifted = (rows["first"] % 30 == 0) & ((rows["last"] + 1) % 30 == 0) & (rows["first"] >= 0)
    grouped = shifted.groupby(rows["file"])
    whole = grouped.all() & (grouped.size() > 1)
    return [int(file) for file in whole.index[whole]]


@error(
    "HOM302",
    "action ends before it begins",
    why="An interval is first frame to last frame, both included. Reversed ends leave nothing to "
    "look at, and code that slices with them gets an empty clip without any complaint.",
    example='{"class": "take cup", "frame_start": 180, "frame_end": 151}',
    hint="swap the two if they were exchanged, or correct the wrong one",
)
def reversed_ends(data: Data) -> Iterator[Finding]:
    """Last before first, both at least 1."""
    actions = data.records.actions
    for row in where(_is(data, Reason.ACTION_REVERSED)):
        yield data.at_action(row, f"{actions.first[row]} to {actions.last[row]}", "in order")


@warning(
    "HOM303",
    "action runs past the end of its video",
    why="The last frames of the interval do not exist in any view. The authors' code drops such "
    "actions in silence; here they are kept, and what lies past the end is clipped when frames "
    "are read.",
    example="frame_end 541 in a sequence whose longest view ends after frame 480",
    hint="copy the video again if it was cut, else expect the action to be clipped",
    deep=True,
)
def past_the_end(data: Data) -> Iterator[Finding]:
    """Last frame later than the longest probed view of the sequence shows."""
    ends = data.last_frames
    actions = data.actions[data.actions["sound"]]
    limit = actions["sequence"].map(ends)
    for row in actions.index[(actions["last"] > limit) & limit.notna()]:
        end = ends[actions["sequence"].at[row]]
        yield data.at_action(row, str(actions["last"].at[row]), f"<= {end}", key="frame_end")


def suspect(data: Data) -> Bools:
    """Actions of which another rule here says that an end may be wrong."""
    actions = data.actions
    frames = actions["last"] - actions["first"] + 1
    past = actions["last"] > actions["sequence"].map(data.last_frames).fillna(LONGEST_FRAME)
    return np.asarray(~actions["sound"] | past | (frames > LONGEST_FRAME) | (frames == 1))


_LENGTHS = ("frames", "frames less one", "seconds", "seconds between the ends")


@warning(
    "HOM306",
    "action_length disagrees with the interval",
    why="`action_length` repeats what the two ends say (in frames or seconds: the convention that "
    "most of this release follows is taken). Where it disagrees, one of the three is wrong.",
    example='{"frame_start": 151, "frame_end": 180, "action_length": 60}',
    hint="correct whichever is wrong; the interval is believed",
)
def length_disagrees(data: Data) -> Iterator[Finding]:
    """Rows that do not fit the convention that fits most rows."""
    actions = data.actions
    given = actions["sound"] & actions["length"].notna()
    frames = actions["last"] - actions["first"] + 1
    fps = float(NOMINAL_FPS)
    expected = (frames, frames - 1, frames / fps, (frames - 1) / fps)
    slack = (0.01, 0.01, 0.01 / fps, 0.01 / fps)
    fits = [
        (actions["length"] - e).abs() <= np.maximum(s, 0.006 * (i > 1))
        for i, (e, s) in enumerate(zip(expected, slack, strict=True))
    ]
    best = max(range(4), key=lambda i: int((fits[i] & given).sum()))
    for row in where(given & ~fits[best]):
        usual = f"{expected[best].iat[row]:g} ({_LENGTHS[best]})"
        found = f"{actions['length'].iat[row]:g}"
        yield data.at_action(row, found, usual, key="action_length")


@warning(
    "HOM307",
    "action longer than any sequence",
    why="The longest sequence of the release lasts about four minutes (frame 7,230). An action "
    "longer than that is a slip of a digit.",
    example='{"class": "take cup", "frame_start": 151, "frame_end": 180000}',
    hint="look at the two ends for a digit too many",
)
def too_long(data: Data) -> Iterator[Finding]:
    """More frames than the longest sequence."""
    actions = data.actions
    frames = actions["last"] - actions["first"] + 1
    for row in where(actions["sound"] & (frames > LONGEST_FRAME)):
        found, expected = f"{frames.iat[row]} frames", f"at most {LONGEST_FRAME}"
        yield data.at_action(row, found, expected, key="frame_end")


@warning(
    "HOM308",
    "action of a single frame",
    why="Real actions last whole seconds; a single frame is most often an end that was copied "
    "from the start.",
    example='{"class": "take cup", "frame_start": 151, "frame_end": 151}',
    hint="correct the end",
)
def single_frame(data: Data) -> Iterator[Finding]:
    """First and last frame are one."""
    actions = data.actions
    for row in where(actions["sound"] & (actions["first"] == actions["last"])):
        frame = actions["first"].iat[row]
        yield data.at_action(row, f"{frame} to {frame}", "2 frames or more")


@info(
    "HOM309",
    "action later than any known recording",
    why=f"No action of the measured release ends after frame {LONGEST_FRAME}. Longer recordings "
    "may exist; without their videos it cannot be told whether the frame is right.",
    example='{"class": "take cup", "frame_start": 9001, "frame_end": 9030}',
    hint="run with --deep where the videos are: it compares with their true length",
)
def past_nominal(data: Data) -> Iterator[Finding]:
    """Beyond the last frame known, in a sequence whose videos were not measured."""
    actions = data.actions
    frames = actions["last"] - actions["first"] + 1
    late = actions["sound"] & (actions["last"] > LONGEST_FRAME) & (frames <= LONGEST_FRAME)
    for row in where(late & ~actions["sequence"].isin(data.last_frames)):
        last = str(actions["last"].iat[row])
        yield data.at_action(row, last, f"<= {LONGEST_FRAME}", key="frame_end")
