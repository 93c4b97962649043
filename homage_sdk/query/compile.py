"""Patterns to SQL; ``homage_sdk.query.matches`` makes typed rows of what it finds.

Values travel as bound parameters only. Interval relations are inequalities over ``first_frame`` and
``last_frame``; ``tests/unit/dataset`` checks each against ``Interval.relation``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from homage_sdk.query.patterns import Action, Lasting, Pattern, Related, Showing, Triple
from homage_sdk.taxonomy import Taxonomy

# Differences of two frame numbers never overflow 32 bits; sums could.
RELATION_SQL = {
    "before": "{b}.first_frame - {a}.last_frame > 1",
    "meets": "{b}.first_frame - {a}.last_frame = 1",
    "after": "{a}.first_frame - {b}.last_frame > 1",
    "met_by": "{a}.first_frame - {b}.last_frame = 1",
    "overlaps": "{a}.first_frame < {b}.first_frame AND {a}.last_frame >= {b}.first_frame"
    " AND {a}.last_frame < {b}.last_frame",
    "overlapped_by": "{b}.first_frame < {a}.first_frame AND {b}.last_frame >= {a}.first_frame"
    " AND {b}.last_frame < {a}.last_frame",
    "starts": "{a}.first_frame = {b}.first_frame AND {a}.last_frame < {b}.last_frame",
    "started_by": "{a}.first_frame = {b}.first_frame AND {a}.last_frame > {b}.last_frame",
    "during": "{a}.first_frame > {b}.first_frame AND {a}.last_frame < {b}.last_frame",
    "contains": "{a}.first_frame < {b}.first_frame AND {a}.last_frame > {b}.last_frame",
    "finishes": "{a}.last_frame = {b}.last_frame AND {a}.first_frame > {b}.first_frame",
    "finished_by": "{a}.last_frame = {b}.last_frame AND {a}.first_frame < {b}.first_frame",
    "equals": "{a}.first_frame = {b}.first_frame AND {a}.last_frame = {b}.last_frame",
}
"""When action ``a`` stands in a relation to action ``b``."""

_GAP = (
    "greatest({a}.first_frame, {b}.first_frame) - least({a}.last_frame, {b}.last_frame) - 1"
    " <= ${limit}"
)


@dataclass
class Statement:
    """SQL under construction: its clauses, its bound values and what they stand for."""

    taxonomy: Callable[[str], Taxonomy]
    select: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    meaning: dict[str, str] = field(default_factory=dict)
    actions: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    _names: int = 0

    def bind(self, value: Any, meaning: str) -> str:
        """A parameter for ``value``: its name, without the dollar."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        self.meaning[name] = meaning
        return name

    def alias(self, letter: str) -> str:
        """A table alias that is not used yet."""
        self._names += 1
        return f"{letter}{self._names - 1}"

    def classes(self, kind: str, pattern: str, column: str) -> list[str]:
        """The condition that a class column fits a name; none for ``*``."""
        if pattern == "*":
            return []
        fitting = self.taxonomy(kind).matching(pattern)
        meaning = f"{kind} {pattern}: {', '.join(c.name for c in fitting[:5])}"
        meaning += f" and {len(fitting) - 5} more" if len(fitting) > 5 else ""
        name = self.bind([c.id for c in fitting], meaning)
        return [f"{column} IN (SELECT unnest(${name}))"]

    def sql(self) -> str:
        """The statement."""
        text = "SELECT " + ",\n       ".join(self.select)
        text += "\nFROM " + "\nJOIN ".join(self.tables)
        if self.where:
            text += "\nWHERE " + "\n  AND ".join(self.where)
        return text + "\nORDER BY " + ", ".join(self.order)


ACTION_COLUMNS = ("action_id", "class_id", "first_frame", "last_frame")
TRIPLE_COLUMNS = (
    *("view", "frame", "scene_graph_id", "subject_id", "object_id"),
    *("subject_class", "predicate_class", "object_class"),
)


def _add_action(
    build: Statement, action: Action, on: list[str], *, showing: list[Showing] | None = None
) -> str:
    """Join an action and all that its conditions bring in; its alias."""
    alias = build.alias("a")
    build.actions.append(alias)
    build.select += [f"{alias}.{column} AS {alias}_{column}" for column in ACTION_COLUMNS]
    build.order += [f"{alias}.first_frame", f"{alias}.last_frame", f"{alias}.action_id"]
    on = [condition.format(a=alias) for condition in on]
    joined = f" ON {' AND '.join(on)}" if on else ""
    build.tables.append(f"stored.atomic_actions {alias}{joined}")
    build.where += build.classes("atomic", action.name, f"{alias}.class_id")
    for condition in action.conditions:
        if isinstance(condition, Lasting):
            build.where += _lasting(build, condition, alias)
        elif isinstance(condition, Showing):
            _add_showing(build, condition, alias)
        elif condition.negated:
            build.where.append(f"NOT EXISTS ({_exists(build, condition, alias)})")
        else:
            related = _related(build, condition, alias, "{a}")
            _add_action(build, condition.other, related)
    return alias


def _related(build: Statement, condition: Related, this: str, other: str) -> list[str]:
    """The join conditions between an action and another, in the same sequence."""
    either = [f"({RELATION_SQL[name].format(a=this, b=other)})" for name in condition.relations]
    on = [
        f"{other}.sequence = {this}.sequence",
        f"{other}.action_id <> {this}.action_id",
        either[0] if len(either) == 1 else f"({' OR '.join(either)})",
    ]
    if condition.within is not None:
        limit = build.bind(condition.within, "frames between the two, at most")
        on.append(_GAP.format(a=this, b=other, limit=limit))
    return on


def _exists(build: Statement, condition: Related, this: str) -> str:
    """A subquery for the actions whose existence a negated condition denies."""
    inner = Statement(build.taxonomy, parameters=build.parameters, meaning=build.meaning)
    inner._names = build._names
    alias = _add_action(inner, condition.other, [])
    inner.where += _related(inner, condition, this, alias)
    build._names = inner._names
    text = "SELECT 1 FROM " + " JOIN ".join(inner.tables)
    return text + " WHERE " + " AND ".join(inner.where)


def _lasting(build: Statement, condition: Lasting, alias: str) -> list[str]:
    frames = f"{alias}.last_frame - {alias}.first_frame"
    where = []
    if condition.at_least is not None:
        low = build.bind(condition.at_least, "frames at least")
        where.append(f"{frames} >= ${low} - 1")
    if condition.at_most is not None:
        high = build.bind(condition.at_most, "frames at most")
        where.append(f"{frames} <= ${high} - 1")
    return where


def _add_showing(build: Statement, condition: Showing, alias: str) -> None:
    """The frames of an action that hold a relationship, as one list; or that there are none."""
    graph = build.alias("t")
    tables, where = _triple(build, condition.triple, graph)
    same = [
        f"{graph}.sequence = x.sequence",
        f"{graph}.frame BETWEEN x.first_frame AND x.last_frame",
    ]
    if condition.negated:
        text = " JOIN ".join(tables)
        inside = [each.replace("x.", f"{alias}.") for each in same]
        build.where.append(
            f"NOT EXISTS (SELECT 1 FROM {text} WHERE {' AND '.join(inside + where)})"
        )
        return
    shown = build.alias("s")
    text = "\n      JOIN ".join(["stored.atomic_actions x", f"{tables[0]} ON {' AND '.join(same)}"])
    text += "".join(f"\n      JOIN {table}" for table in tables[1:])
    text += f"\n      WHERE {' AND '.join(where)}" if where else ""
    build.tables.append(
        f"(SELECT x.action_id, list_sort(list(DISTINCT {graph}.frame)) AS frames\n"
        f"      FROM {text}\n      GROUP BY x.action_id) {shown}"
        f" ON {shown}.action_id = {alias}.action_id"
    )
    build.select.append(f"{shown}.frames AS {shown}_frames")
    build.shown.append(f"{shown}_frames")


def _triple(build: Statement, triple: Triple, alias: str) -> tuple[list[str], list[str]]:
    """The tables and conditions of a relationship and those of the same frame tied to it."""
    where = build.classes("object", triple.subject, f"{alias}.subject_class")
    where += build.classes("relationship", triple.predicate, f"{alias}.predicate_class")
    where += build.classes("object", triple.object, f"{alias}.object_class")
    tables = [f"edges {alias}"]
    for also in triple.also:
        second = build.alias("t")
        tables.append(
            f"edges {second} ON {second}.scene_graph_id = {alias}.scene_graph_id"
            f" AND {second}.subject_id = {alias}.{also.of}_id"
            f" AND ({second}.subject_id, {second}.predicate_class, {second}.object_id)"
            f" <> ({alias}.subject_id, {alias}.predicate_class, {alias}.object_id)"
        )
        where += build.classes("relationship", also.predicate, f"{second}.predicate_class")
        where += build.classes("object", also.object, f"{second}.object_class")
    return tables, where


def compile_pattern(pattern: Pattern, taxonomy: Callable[[str], Taxonomy]) -> Statement:
    """The statement that finds a pattern; raises QueryError where a name fits no class."""
    build = Statement(taxonomy)
    if isinstance(pattern, Action):
        alias = _add_action(build, pattern, [])
        build.select.insert(0, f"{alias}.sequence")
        build.order.insert(0, f"{alias}.sequence")
        return build
    graph = build.alias("t")
    tables, where = _triple(build, pattern, graph)
    build.tables += tables
    build.where += where
    build.select = [f"DISTINCT {graph}.sequence"]
    build.select += [f"{graph}.{column}" for column in TRIPLE_COLUMNS]
    build.order = [f"{graph}.sequence", f"{graph}.frame", f"{graph}.scene_graph_id"]
    build.order += [f"{graph}.subject_id", f"{graph}.predicate_class", f"{graph}.object_id"]
    for action in pattern.actions:
        _add_action(
            build,
            action,
            [
                f"{{a}}.sequence = {graph}.sequence",
                f"{graph}.frame BETWEEN {{a}}.first_frame AND {{a}}.last_frame",
            ],
        )
    return build
