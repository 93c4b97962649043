"""Rules about how often actions occur: twice, at once, never."""

from __future__ import annotations

from collections.abc import Iterator

from homage_sdk.soundness import Reason
from homage_sdk.validation.data import Data, where
from homage_sdk.validation.rule import Finding, error, info, warning


@warning(
    "HOM304",
    "same class overlaps itself",
    why="In 9,703 measured actions the same class never overlaps itself in a sequence. Two "
    "overlapping copies are counted twice in every statistic and every loss.",
    example='"take cup" at 31 to 90 and again at 61 to 120',
    hint="merge the two intervals, or correct the class of one",
)
def overlaps_itself(data: Data) -> Iterator[Finding]:
    """An action that begins before an earlier one of its class has ended; copies are HOM305."""
    actions = data.actions[data.actions["sound"]]
    ordered = actions.sort_values(["sequence", "key", "first", "last", "file", "index"])
    same = ordered.groupby(["sequence", "key"], sort=False)
    reach = same["last"].cummax().groupby([ordered["sequence"], ordered["key"]]).shift()
    for row in ordered.index[ordered["first"] <= reach]:
        interval = f"{ordered['first'].at[row]} to {ordered['last'].at[row]}"
        found = f"{data.records.actions.classes[row]!r} at {interval}"
        expected = f"after frame {int(reach.at[row])}, where the same class ends"
        yield data.at_action(row, found, expected)


@error(
    "HOM305",
    "action given twice",
    why="The same class over the same interval of the same sequence: a copy. It is left out, so "
    "that no statistic and no loss counts it twice.",
    example='"take cup" at 31 to 90, and once more',
    hint="remove one of the two",
)
def given_twice(data: Data) -> Iterator[Finding]:
    """The second and later copies."""
    actions = data.records.actions
    for row in where(actions.reasons == Reason.ACTION_REPEATED):
        interval = f"{actions.first[row]} to {actions.last[row]}"
        yield data.at_action(row, f"{actions.classes[row]!r} at {interval} again", "once")


@warning(
    "HOM310",
    "label file without a single action",
    why="The file says that nothing happens in the sequence. More likely its export failed.",
    example="[]",
    hint="export or copy the file again",
)
def no_actions(data: Data) -> Iterator[Finding]:
    """A label file that was read and holds an empty list."""
    used = set(data.actions["file"])
    for sequence, file in data.files_of.get("atomic_actions", {}).items():
        if file not in used and not data.is_faulty(file):
            yield data.at_file(file, "no action", "at least one", sequence=sequence)


@info(
    "HOM311",
    "more actions at once than ever measured",
    why="Up to 8 actions overlap in the measured release. More is possible, and worth a look.",
    example="9 intervals that all hold frame 200",
    hint="look at the sequence's lanes",
)
def crowded(data: Data) -> Iterator[Finding]:
    """The first action at whose beginning more than 8 are active, once a sequence."""
    actions = data.actions[data.actions["sound"]]
    firsts, lasts = actions["first"].to_numpy(), actions["last"].to_numpy()
    rows = actions.index.to_numpy()
    for members in actions.groupby("sequence").indices.values():
        if len(members) <= 8:
            continue
        first, last = firsts[members], lasts[members]
        active = ((first <= first[:, None]) & (last >= first[:, None])).sum(axis=1)
        if active.max() > 8:
            at = int(active.argmax())
            found = f"{active[at]} actions at frame {first[at]}"
            yield data.at_action(int(rows[members[at]]), found, "at most 8")
