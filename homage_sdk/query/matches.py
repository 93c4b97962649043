"""What fits a pattern: typed rows, found when first looked at."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from homage_sdk.annotations import AtomicAction
from homage_sdk.ids import SequenceId
from homage_sdk.query.compile import ACTION_COLUMNS, TRIPLE_COLUMNS, Statement
from homage_sdk.query.notebook import Handle, html_table
from homage_sdk.query.patterns import Action, Pattern
from homage_sdk.query.sql import SqlSession
from homage_sdk.time import Frame

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ActionMatch:
    """An action that fits, the other actions that make it fit, and the frames that show it."""

    sequence: SequenceId
    action: AtomicAction
    others: tuple[AtomicAction, ...]
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class TripleMatch:
    """A relationship that fits, in one annotated frame, and the actions it happens during."""

    sequence: SequenceId
    view: int
    frame: Frame
    scene_graph_id: int
    subject_id: int
    object_id: int
    subject: str
    predicate: str
    object: str
    atomic_actions: tuple[AtomicAction, ...]


_CLASSES = {
    "class_id": ("atomic", "name"),
    "subject_class": ("object", "subject"),
    "predicate_class": ("relationship", "predicate"),
    "object_class": ("object", "object"),
}
"""Columns of class ids: their kind, and the column of names beside them."""

M = TypeVar("M", ActionMatch, TripleMatch)


class Matches(Handle, SequenceABC[M], Generic[M]):
    """What fits a pattern, found when first looked at; ``explain`` shows how without running."""

    def __init__(self, session: SqlSession, statement: Statement, pattern: Pattern) -> None:
        self._session = session
        self._statement = statement
        self.pattern = pattern
        self._table: pa.Table | None = None
        self._rows: list[M] | None = None

    @property
    def sql(self) -> str:
        """The statement, with ``$names`` for its parameters."""
        return self._statement.sql()

    @property
    def parameters(self) -> dict[str, Any]:
        """The values bound to them."""
        return dict(self._statement.parameters)

    def explain(self, *, plan: bool = False) -> str:
        """The pattern in words, the SQL, and what each parameter stands for; DuckDB's plan too."""
        text = f"-- {self.pattern}\n{self.sql}\n"
        for name, value in self._statement.parameters.items():
            text += f"-- ${name} = {value}  ({self._statement.meaning[name]})\n"
        if plan:
            rows = self._session.run(f"EXPLAIN {self.sql}", self.parameters).to_pylist()
            text += "\n".join(str(row["explain_value"]) for row in rows)
        return text

    def to_arrow(self) -> pa.Table:
        """The rows as the statement gives them, class ids and all."""
        if self._table is None:
            self._table = self._session.run(self.sql, self.parameters or None)
        return self._table

    def to_pandas(self) -> pd.DataFrame:
        """The rows as the statement gives them, each class by its id and its name."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        for column in list(frame.columns):
            for ending, (kind, named) in _CLASSES.items():
                if column.endswith(ending):
                    names = {i: each.name for i, each in self._statement.taxonomy(kind).items()}
                    place = list(frame.columns).index(column) + 1
                    said = column.removesuffix(ending) + named
                    frame.insert(place, said, frame[column].map(names))
        return frame

    def _repr_html_(self) -> str:
        rows = self.to_named()
        return html_table(f"{len(self)} matches of {self.pattern}", rows.to_pylist(), len(self))

    def to_named(self) -> pa.Table:
        """One row a match, for reading: names, frames, and the frames that show it."""
        import pyarrow as pa

        shown = bool(self._statement.shown)
        rows = [_named(match, shown) for match in self]
        return pa.Table.from_pylist(rows) if rows else self.to_arrow()

    @property
    def sequences(self) -> tuple[str, ...]:
        """The ids of the sequences with a match, in order."""
        return tuple(dict.fromkeys(self.to_arrow()["sequence"].to_pylist()))

    def _found(self) -> list[M]:
        if self._rows is None:
            columns = self.to_arrow().to_pydict()
            ids = {text: SequenceId.parse(text) for text in set(columns["sequence"])}
            sequences = [ids[text] for text in columns["sequence"]]
            actions = self._actions(columns)
            if isinstance(self.pattern, Action):
                made: list[Any] = self._action_matches(columns, sequences, actions)
            else:
                made = self._triple_matches(columns, sequences, actions)
            self._rows = made
        return self._rows

    def _actions(self, columns: dict[str, list[Any]]) -> list[tuple[AtomicAction, ...]]:
        """The actions of each row; one that comes often is made once."""
        names = self._statement.taxonomy("atomic")
        known: dict[int, AtomicAction] = {}
        parts = []
        for alias in self._statement.actions:
            fields = [columns[f"{alias}_{column}"] for column in ACTION_COLUMNS]
            for action_id, class_id, first, last in zip(*fields, strict=True):
                if action_id not in known:
                    known[action_id] = AtomicAction(
                        action_id=action_id,
                        class_id=class_id,
                        name=names[class_id].name,
                        first_frame=first,
                        last_frame=last,
                    )
            parts.append([known[action_id] for action_id in fields[0]])
        return list(zip(*parts, strict=True)) if parts else [()] * len(columns["sequence"])

    def _action_matches(
        self,
        columns: dict[str, list[Any]],
        sequences: list[SequenceId],
        actions: list[tuple[AtomicAction, ...]],
    ) -> list[ActionMatch]:
        shown = list(zip(*(columns[name] for name in self._statement.shown), strict=True))
        frames = [tuple(map(Frame, sorted(set(chain(*lists))))) for lists in shown]
        return [
            ActionMatch(sequence, first, tuple(others), seen)
            for sequence, (first, *others), seen in zip(
                sequences, actions, frames or [()] * len(sequences), strict=True
            )
        ]

    def _triple_matches(
        self,
        columns: dict[str, list[Any]],
        sequences: list[SequenceId],
        actions: list[tuple[AtomicAction, ...]],
    ) -> list[TripleMatch]:
        things = self._statement.taxonomy("object")
        predicates = self._statement.taxonomy("relationship")
        fields = [columns[name] for name in TRIPLE_COLUMNS]
        return [
            TripleMatch(
                sequence=sequence,
                view=view,
                frame=Frame(frame),
                scene_graph_id=graph,
                subject_id=subject_id,
                object_id=object_id,
                subject=things[subject].name,
                predicate=predicates[predicate].name,
                object=things[target].name,
                atomic_actions=during,
            )
            for (
                sequence,
                (view, frame, graph, subject_id, object_id, subject, predicate, target),
                during,
            ) in zip(sequences, zip(*fields, strict=True), actions, strict=True)
        ]

    @overload
    def __getitem__(self, index: int) -> M: ...
    @overload
    def __getitem__(self, index: slice) -> list[M]: ...
    def __getitem__(self, index: int | slice) -> M | list[M]:
        return self._found()[index]

    def __len__(self) -> int:
        return len(self.to_arrow())

    def __iter__(self) -> Iterator[M]:
        return iter(self._found())

    def __repr__(self) -> str:
        return f"Matches({str(self.pattern)!r})"


def _named(match: ActionMatch | TripleMatch, shown: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"sequence": str(match.sequence)}
    if isinstance(match, TripleMatch):
        row |= {"view": match.view, "frame": match.frame.number}
        row |= {"subject": match.subject, "predicate": match.predicate, "object": match.object}
        actions = match.atomic_actions
    else:
        actions = (match.action, *match.others)
    for place, action in enumerate(actions, start=1):
        ending = "" if place == 1 else f"_{place}"
        row[f"action{ending}"] = action.name
        row[f"first{ending}"], row[f"last{ending}"] = action.first_frame, action.last_frame
    if isinstance(match, ActionMatch) and shown:
        row["frames"] = [frame.number for frame in match.frames]
    return row
