"""The atomic actions of one sequence, and questions about their intervals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from collections.abc import Sequence as SequenceABC
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, overload

from homage_sdk.annotations import AtomicAction
from homage_sdk.errors import require_known
from homage_sdk.query.notebook import Handle, html_table
from homage_sdk.query.relations import Within, checked_relations, within_frames
from homage_sdk.taxonomy import class_key
from homage_sdk.time import Interval, When, as_frame

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class AtomicActions(Handle, SequenceABC[AtomicAction]):
    """The atomic actions of a sequence, ordered by first frame, then last frame, then id.

    >>> actions = AtomicActions([
    ...     AtomicAction(action_id=0, class_id=1, name="take cup", first_frame=1, last_frame=30),
    ...     AtomicAction(action_id=1, class_id=2, name="pour_tea", first_frame=31, last_frame=90),
    ...     AtomicAction(action_id=2, class_id=3, name="hold cup", first_frame=1, last_frame=60),
    ... ])
    >>> [a.name for a in actions.at(Frame(45))]
    ['hold cup', 'pour_tea']
    >>> [a.name for a in actions.related(actions.named("pour*")[0], "meets")]
    ['take cup']
    >>> [[a.name for a in lane] for lane in actions.lanes()]
    [['take cup', 'pour_tea'], ['hold cup']]
    """

    def __init__(self, actions: Iterable[AtomicAction]) -> None:
        self._actions = tuple(
            sorted(actions, key=lambda a: (a.first_frame, a.last_frame, a.action_id))
        )

    @overload
    def __getitem__(self, index: int) -> AtomicAction: ...
    @overload
    def __getitem__(self, index: slice) -> AtomicActions: ...
    def __getitem__(self, index: int | slice) -> AtomicAction | AtomicActions:
        if isinstance(index, slice):
            return AtomicActions(self._actions[index])
        return self._actions[index]

    def __len__(self) -> int:
        return len(self._actions)

    def __iter__(self) -> Iterator[AtomicAction]:
        return iter(self._actions)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AtomicActions):
            return NotImplemented
        return self._actions == other._actions

    def __hash__(self) -> int:
        return hash(self._actions)

    def __repr__(self) -> str:
        return f"AtomicActions({len(self)} actions)"

    def _repr_html_(self) -> str:
        rows = (
            {
                "name": a.name,
                "first_frame": a.first_frame,
                "last_frame": a.last_frame,
                "begin_s": a.interval.begin_s(),
                "duration_s": a.interval.duration_s(),
            }
            for a in self
        )
        return html_table(f"{len(self)} atomic actions", rows, len(self))

    def at(self, moment: When) -> AtomicActions:
        """The actions going on at a moment."""
        number = as_frame(moment).number
        return AtomicActions(a for a in self if a.first_frame <= number <= a.last_frame)

    def between(
        self,
        begin: When | Interval,
        end: When | None = None,
        how: Literal["overlapping", "inside"] = "overlapping",
    ) -> AtomicActions:
        """The actions that share a frame with a range, or lie inside it.

        The range is an interval, or ``begin`` to ``end``: frames included, seconds not. Raises
        UsageError where ``end`` comes before ``begin``.
        """
        require_known("value of how", how, ("overlapping", "inside"))
        window = Interval.of(begin, end)
        if how == "inside":
            return AtomicActions(
                a for a in self if window.first <= a.first_frame and a.last_frame <= window.last
            )
        return AtomicActions(a for a in self if a.interval.shares_frames(window))

    def named(self, pattern: str) -> AtomicActions:
        """The actions whose class name fits, in any spelling; ``*`` and ``?`` as in file names."""
        key = class_key(pattern)
        return AtomicActions(a for a in self if fnmatchcase(class_key(a.name), key))

    def of_class(self, class_ids: int | Collection[int]) -> AtomicActions:
        """The actions of one class, or of several."""
        wanted = {class_ids} if isinstance(class_ids, int) else set(class_ids)
        return AtomicActions(a for a in self if a.class_id in wanted)

    def related(
        self,
        to: AtomicAction | Interval,
        relation: str | Iterable[str],
        within: Within | None = None,
    ) -> AtomicActions:
        """The actions that stand in one of Allen's relations to an action or interval.

        ``actions.related(pour, "before", within=Seconds(2))`` are those that end before ``pour``
        begins, with a frame or more but at most two seconds between. An action is not related to
        itself. Relations are exact (``before`` leaves at least one frame free); see ``before`` and
        ``after`` for the everyday sense.
        """
        names = set(checked_relations(relation))
        return self._where(to, lambda a, b: a.relation(b) in names, within)

    def before(self, to: AtomicAction | Interval, within: Within | None = None) -> AtomicActions:
        """The actions that end before ``to`` begins, touching it or not."""
        return self.related(to, ("before", "meets"), within)

    def after(self, to: AtomicAction | Interval, within: Within | None = None) -> AtomicActions:
        """The actions that begin after ``to`` has ended, touching it or not."""
        return self.related(to, ("after", "met_by"), within)

    def overlapping(self, to: AtomicAction | Interval) -> AtomicActions:
        """The actions that share at least one frame with ``to``."""
        return self._where(to, lambda a, b: a.shares_frames(b), None)

    def _where(
        self,
        to: AtomicAction | Interval,
        holds: Callable[[Interval, Interval], bool],
        within: Within | None,
    ) -> AtomicActions:
        other = to if isinstance(to, Interval) else to.interval
        itself = None if isinstance(to, Interval) else to.action_id
        limit = None if within is None else within_frames(within)
        return AtomicActions(
            a
            for a in self
            if a.action_id != itself
            and holds(a.interval, other)
            and (limit is None or a.interval.gap(other) <= limit)
        )

    def lanes(self) -> tuple[tuple[AtomicAction, ...], ...]:
        """The actions laid out in as few rows as possible, none overlapping within a row.

        Greedy by first frame, each action into the lowest free row: the number of rows is the
        largest number of actions going on at once.
        """
        lanes: list[list[AtomicAction]] = []
        for action in self:
            for lane in lanes:
                if lane[-1].last_frame < action.first_frame:
                    lane.append(action)
                    break
            else:
                lanes.append([action])
        return tuple(tuple(lane) for lane in lanes)

    def to_arrow(self) -> pa.Table:
        """Columns action_id, class_id, name, first_frame, last_frame."""
        import pyarrow as pa

        fields = {"action_id": pa.int32(), "class_id": pa.int32(), "name": pa.string()}
        fields |= {"first_frame": pa.int32(), "last_frame": pa.int32()}
        return pa.table(
            {
                name: pa.array([getattr(a, name) for a in self], kind)
                for name, kind in fields.items()
            }
        )

    def to_pandas(self) -> pd.DataFrame:
        """Columns action_id, class_id, name, first_frame, last_frame."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame
