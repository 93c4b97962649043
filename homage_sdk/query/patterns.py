"""Patterns over atomic actions and scene graphs, as readable values; ``Dataset.find`` runs them.

"A person holding a cup during an action ``pour*`` that ends at most two seconds before an action
``drink*`` begins" is either of

>>> a = Action("pour*").showing("person", "holding", "cup").before("drink*", within=Seconds(2))
>>> t = Triple("person", "holding", "cup").during(Action("pour*").before("drink*", Seconds(2)))

The first finds actions, the second annotated frames. Names are class names in any spelling; ``*``,
``?`` and ``[...]`` work as in file names. Patterns are immutable: each method gives a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from homage_sdk.errors import UsageError
from homage_sdk.query.relations import Within, checked_relations, within_frames

BEFORE = ("before", "meets")
"""Ends before the other begins, touching it or not."""
AFTER = ("after", "met_by")
INSIDE = ("starts", "during", "finishes", "equals")
"""Has no frame outside the other."""
CONTAINING = ("started_by", "contains", "finished_by", "equals")
OVERLAPPING = tuple(dict.fromkeys((*INSIDE, *CONTAINING, "overlaps", "overlapped_by")))
"""Shares at least one frame with the other."""


@dataclass(frozen=True, slots=True)
class Related:
    """A condition: some other action stands in one of Allen's relations (or none does)."""

    relations: tuple[str, ...]
    other: Action
    within: int | None = None  # frames between the two, at most
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Showing:
    """A condition: an annotated frame of the action holds a relationship (or none does)."""

    triple: Triple
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Lasting:
    """A condition: how many frames the action has."""

    at_least: int | None = None
    at_most: int | None = None


Condition = Related | Showing | Lasting


@dataclass(frozen=True, slots=True)
class Action:
    """An atomic action whose class name fits ``name``, and what must hold of it.

    >>> print(Action("pour*").before("drink*", within=Seconds(2)))
    pour* [before/meets drink*, at most 60 frames between]
    """

    name: str
    conditions: tuple[Condition, ...] = ()

    def related(
        self, relation: str | Iterable[str], other: str | Action, within: Within | None = None
    ) -> Action:
        """Matches where this action stands in one of Allen's relations (exact) to another one.

        ``within`` bounds the gap between the two, in seconds or frames.
        """
        return self._and(_related(relation, other, within, negated=False))

    def unrelated(
        self, relation: str | Iterable[str], other: str | Action, within: Within | None = None
    ) -> Action:
        """Matches where no other action stands in such a relation to this one."""
        return self._and(_related(relation, other, within, negated=True))

    def before(self, other: str | Action, within: Within | None = None) -> Action:
        """Matches where it ends before another begins (Allen's ``before`` or ``meets``)."""
        return self.related(BEFORE, other, within)

    def after(self, other: str | Action, within: Within | None = None) -> Action:
        """Matches where it begins after another has ended (Allen's ``after`` or ``met_by``)."""
        return self.related(AFTER, other, within)

    def overlapping(self, other: str | Action) -> Action:
        """Matches where it shares at least one frame with another."""
        return self.related(OVERLAPPING, other)

    def inside(self, other: str | Action) -> Action:
        """Matches where it lies within another; ends may coincide."""
        return self.related(INSIDE, other)

    def containing(self, other: str | Action) -> Action:
        """Matches where another lies within it; ends may coincide."""
        return self.related(CONTAINING, other)

    def showing(
        self,
        subject: str | Triple = "*",
        predicate: str = "*",
        object: str = "*",
    ) -> Action:
        """Matches where an annotated frame of it shows such a relationship."""
        return self._and(Showing(_triple(subject, predicate, object)))

    def not_showing(
        self,
        subject: str | Triple = "*",
        predicate: str = "*",
        object: str = "*",
    ) -> Action:
        """Matches where no annotated frame of it shows such a relationship (it may have none)."""
        return self._and(Showing(_triple(subject, predicate, object), negated=True))

    def lasting(self, at_least: Within | None = None, at_most: Within | None = None) -> Action:
        """Matches where it lasts at least, or at most, so many seconds or frames."""
        bounds = [None if bound is None else within_frames(bound) for bound in (at_least, at_most)]
        return self._and(Lasting(*bounds))

    def _and(self, condition: Condition) -> Action:
        return replace(self, conditions=(*self.conditions, condition))

    def __str__(self) -> str:
        said = ", ".join(_said(condition) for condition in self.conditions)
        return f"{self.name} [{said}]" if said else self.name


@dataclass(frozen=True, slots=True)
class Also:
    """A second relationship in the same frame, of the same subject or object."""

    of: str  # "subject" or "object"
    predicate: str
    object: str


@dataclass(frozen=True, slots=True)
class Triple:
    """A relationship in an annotated frame: subject, predicate, object.

    >>> print(Triple("person", "holding", "cup").object_also("next to", "kettle").during("pour*"))
    person holding cup, which is next to kettle, during pour*
    """

    subject: str = "*"
    predicate: str = "*"
    object: str = "*"
    also: tuple[Also, ...] = ()
    actions: tuple[Action, ...] = ()

    def during(self, action: str | Action) -> Triple:
        """While such an action is going on."""
        return replace(self, actions=(*self.actions, _action(action)))

    def subject_also(self, predicate: str, object: str = "*") -> Triple:
        """The very same subject stands in a second relationship in the same frame."""
        return replace(self, also=(*self.also, Also("subject", predicate, object)))

    def object_also(self, predicate: str, object: str = "*") -> Triple:
        """The very same object is the subject of a second relationship in the same frame."""
        return replace(self, also=(*self.also, Also("object", predicate, object)))

    def __str__(self) -> str:
        text = f"{self.subject} {self.predicate} {self.object}"
        for also in self.also:
            who = "which is" if also.of == "object" else f"{self.subject} also"
            text += f", {who} {also.predicate} {also.object}"
        return text + "".join(f", during {action}" for action in self.actions)


Pattern = Action | Triple
"""What ``Dataset.find`` takes."""


def _action(action: str | Action) -> Action:
    return Action(action) if isinstance(action, str) else action


def _triple(subject: str | Triple, predicate: str, target: str) -> Triple:
    if not isinstance(subject, Triple):
        return Triple(subject, predicate, target)
    if subject.actions:
        raise UsageError(
            "a relationship shown by an action cannot name another action",
            found=str(subject),
            hint="use Triple(...).during(Action(...)) or relate the two actions",
        )
    return subject


def _related(
    relation: str | Iterable[str], other: str | Action, within: Within | None, *, negated: bool
) -> Related:
    limit = None if within is None else within_frames(within)
    return Related(checked_relations(relation), _action(other), limit, negated)


def _said(condition: Condition) -> str:
    if isinstance(condition, Related):
        limit = "" if condition.within is None else f", at most {condition.within} frames between"
        no = "never " if condition.negated else ""
        return f"{no}{'/'.join(condition.relations)} {condition.other}{limit}"
    if isinstance(condition, Showing):
        return f"{'never ' if condition.negated else ''}showing {condition.triple}"
    low = "" if condition.at_least is None else f"{condition.at_least} <= "
    high = "" if condition.at_most is None else f" <= {condition.at_most}"
    return f"{low}frames{high}"
