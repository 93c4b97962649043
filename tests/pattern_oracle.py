"""The meaning of patterns by brute force: plain loops over plain records, no SQL, no indices."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from itertools import product
from pathlib import Path

import pyarrow.parquet as pq

from homage_sdk.query.patterns import Action, Lasting, Pattern, Related, Showing, Triple
from homage_sdk.taxonomy import class_key
from homage_sdk.time import Frame, Interval


@dataclass(frozen=True)
class Act:
    id: int
    name: str
    interval: Interval


@dataclass(frozen=True)
class Edge:
    graph: int
    view: int
    frame: int
    subject_id: int
    subject: str
    predicate: str
    object_id: int
    object: str


class Oracle:
    """Every label of a catalog as Python objects, and the patterns that hold among them."""

    def __init__(self, catalog: Path) -> None:
        def rows(table: str) -> list[dict]:
            return pq.read_table(catalog / f"{table}.parquet").to_pylist()

        names = {(c["kind"], c["id"]): c["name"] for c in rows("classes")}
        self.sequences = [r["sequence"] for r in rows("sequences")]
        self.acts: dict[str, list[Act]] = defaultdict(list)
        for r in rows("atomic_actions"):
            interval = Interval(r["first_frame"], r["last_frame"])
            act = Act(r["action_id"], names["atomic", r["class_id"]], interval)
            self.acts[r["sequence"]].append(act)
        frames = {r["scene_graph_id"]: r for r in rows("frames")}
        categories = {
            (r["scene_graph_id"], r["object_id"]): names["object", r["class_id"]]
            for r in rows("objects")
        }
        self.edges: dict[str, list[Edge]] = defaultdict(list)
        for r in rows("relationships"):
            graph = r["scene_graph_id"]
            self.edges[frames[graph]["sequence"]].append(
                Edge(
                    graph,
                    frames[graph]["view"],
                    frames[graph]["frame"],
                    r["subject_id"],
                    categories[graph, r["subject_id"]],
                    names["relationship", r["class_id"]],
                    r["object_id"],
                    categories[graph, r["object_id"]],
                )
            )

    def find(self, pattern: Pattern) -> set[tuple]:
        """Actions: (sequence, action ids, frames). Triples: (sequence, edge, action ids)."""
        found: set[tuple] = set()
        for sequence in self.sequences:
            if isinstance(pattern, Action):
                for ids, frames in self._actions(sequence, pattern):
                    found.add((sequence, ids, tuple(sorted(frames))))
            else:
                found |= {(sequence, *rest) for rest in self._triples(sequence, pattern)}
        return found

    def _actions(self, sequence: str, pattern: Action) -> list[tuple[tuple[int, ...], set[int]]]:
        """Each way the pattern holds: the ids of its actions, in order, and the frames shown."""
        ways = []
        for act in self.acts[sequence]:
            if fits(act.name, pattern.name):
                ways += self._hold(sequence, act, pattern)
        return ways

    def _hold(self, sequence: str, act: Act, pattern: Action) -> list:
        """The ways in which the conditions of a pattern hold for this very action."""
        choices: list[list[tuple[tuple[int, ...], set[int]]]] = []
        for condition in pattern.conditions:
            if isinstance(condition, Lasting):
                n = act.interval.n_frames
                low, high = condition.at_least, condition.at_most
                ok = (low is None or n >= low) and (high is None or n <= high)
                choices.append([((), set())] if ok else [])
            elif isinstance(condition, Showing):
                frames = {
                    e.frame
                    for e in self._edges(sequence, condition.triple)
                    if act.interval.first <= e.frame <= act.interval.last
                }
                if condition.negated:
                    choices.append([] if frames else [((), set())])
                else:
                    choices.append([((), frames)] if frames else [])
            else:
                ways = self._relatives(sequence, act, condition)
                if condition.negated:
                    ways = [] if ways else [((), set())]
                choices.append(ways)
        return [
            (
                (act.id, *(i for ids, _ in way for i in ids)),
                set().union(*(frames for _, frames in way)),
            )
            for way in product(*choices)
        ]

    def _relatives(self, sequence: str, act: Act, condition: Related) -> list:
        ways = []
        for other in self.acts[sequence]:
            if (
                other.id != act.id
                and act.interval.relation(other.interval) in condition.relations
                and (condition.within is None or gap(act, other) <= condition.within)
                and fits(other.name, condition.other.name)
            ):
                ways += self._hold(sequence, other, condition.other)
        return ways

    def _edges(self, sequence: str, triple: Triple) -> list[Edge]:
        edges = self.edges[sequence]
        return [
            e
            for e in edges
            if fits(e.subject, triple.subject)
            and fits(e.predicate, triple.predicate)
            and fits(e.object, triple.object)
            and all(
                any(
                    o.graph == e.graph
                    and o.subject_id == (e.subject_id if also.of == "subject" else e.object_id)
                    and (o.subject_id, o.predicate, o.object_id)
                    != (e.subject_id, e.predicate, e.object_id)
                    and fits(o.predicate, also.predicate)
                    and fits(o.object, also.object)
                    for o in edges
                )
                for also in triple.also
            )
        ]

    def _triples(self, sequence: str, pattern: Triple) -> set[tuple]:
        found = set()
        for e in self._edges(sequence, pattern):
            ways = [
                [
                    ids
                    for ids, _ in self._actions(sequence, action)
                    if Frame(e.frame) in self._interval(sequence, ids[0])
                ]
                for action in pattern.actions
            ]
            for way in product(*ways):
                edge = (e.view, e.frame, e.graph, e.subject_id, e.object_id, e.predicate)
                found.add((edge, tuple(i for ids in way for i in ids)))
        return found

    def _interval(self, sequence: str, action_id: int) -> Interval:
        return next(a.interval for a in self.acts[sequence] if a.id == action_id)


@cache
def fits(name: str, pattern: str) -> bool:
    return fnmatchcase(class_key(name), class_key(pattern))


def gap(a: Act, b: Act) -> int:
    first, second = sorted((a.interval, b.interval), key=lambda i: (i.first, i.last))
    return len(range(first.last + 1, second.first))


def as_set(matches: object) -> set[tuple]:
    """What ``Dataset.find`` gave, in the oracle's form; fails on a row that comes twice."""
    rows = []
    for m in matches:  # type: ignore[attr-defined]
        if hasattr(m, "action"):
            ids = (m.action.action_id, *(a.action_id for a in m.others))
            rows.append((str(m.sequence), ids, tuple(f.number for f in m.frames)))
        else:
            edge = (m.view, m.frame.number, m.scene_graph_id, m.subject_id, m.object_id)
            edge += (m.predicate,)
            rows.append((str(m.sequence), edge, tuple(a.action_id for a in m.atomic_actions)))
    assert len(rows) == len(set(rows)), "the same match twice"
    return set(rows)
