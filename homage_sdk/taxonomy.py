"""Class names: the raw string, a stable integer id, a slug that is safe in a file name.

HOMAGE writes the same class as ``take iron_board from swh`` in a label and
``take_iron_board_from_swh`` in a class list; ``_`` for space cannot be undone, and 24 names contain
``/`` (FORMAT.md). Two names are one class when their *keys* are equal.

Ids and names: a class that an older catalog has keeps both. Else the ids of a class file are kept,
where they are free. Names that are used but missing from the class file get the next free ids, in
sorted order of their keys; so do all names, from 1, where there is neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import count
from unicodedata import normalize

from homage_sdk.errors import UnknownIdError, unknown

KINDS = ("activity", "atomic", "object", "relationship")
"""The four taxonomies of a catalog."""


def class_key(raw: str) -> str:
    """What decides whether two names are one class.

    >>> class_key("take iron_board from swh") == class_key("take_iron_board_from_swh")
    True
    >>> class_key(" Paper_towel/paper_napkin ")
    'paper_towel/paper_napkin'
    >>> class_key("take café cup") == class_key("take cafe\u0301 cup")
    True
    """
    return re.sub(r"[\s_]+", "_", normalize("NFC", raw).strip()).strip("_").lower()


def class_slug(raw: str) -> str:
    """A name that is safe as a file name, a key of a dict and a URL part.

    >>> class_slug("take sth/pour out from kettle")
    'take-sth--pour-out-from-kettle'
    """
    words = class_key(raw).replace("/", "--").replace("_", "-")
    return re.sub(r"[^a-z0-9-]", "", words) or "unnamed"


_PARTICLES = frozenset({"up", "down", "out", "off", "away", "back", "together"})
_TAKES_ON = frozenset({"put", "switch", "try", "turn"})
_JOINTS = frozenset(
    {"about", "across", "against", "around", "at", "behind", "by", "for", "from", "in", "inside"}
    | {"into", "near", "next", "of", "on", "onto", "over", "through", "to", "toward", "towards"}
    | {"under", "with", "and"}
)
_PLACEHOLDERS = frozenset({"sth", "swh", "sb", "something", "somewhere", "somebody"})


def parse_action(raw: str) -> tuple[str | None, tuple[str, ...] | None]:
    """Verb and named objects of an atomic-action name; None for what the name leaves open.

    The verb is the first word with its particle (``turn on``, ``lie down``). Objects are all things
    named, in order, alternatives (``a/b``) included; ``sth`` and ``swh`` name nothing, and an
    action on ``sth`` has unknown objects. Where ``/`` joins two actions, or where ``_`` for space
    hides what it joins, nothing is claimed.

    >>> parse_action("take iron_board from swh")
    ('take', ('iron_board',))
    >>> parse_action("put cup into sink")
    ('put', ('cup', 'sink'))
    >>> parse_action("take sth/pour out from kettle")
    (None, None)
    """
    spaced = " " in raw.strip()
    words = raw.strip().lower().split() if spaced else class_key(raw).split("_")
    if not words or not words[0] or ("/" in raw and not spaced):
        return None, None
    verb, rest = words[:1], words[1:]
    while rest and (rest[0] in _PARTICLES or (rest[0] == "on" and verb[0] in _TAKES_ON)):
        verb.append(rest.pop(0))
    objects: list[str] = []
    phrase: list[str] = []
    unnamed = False
    for word in [*rest, "and"]:
        if word not in _JOINTS and word not in _PARTICLES:
            phrase.append(word)
            continue
        names = phrase[0].split("/") if len(phrase) == 1 else ["_".join(phrase)] if phrase else []
        if len(phrase) > 1 and any("/" in part for part in phrase):
            return None, None
        if len(names) > 1 and _PLACEHOLDERS & set(names):
            return None, None
        unnamed |= names in (["sth"], ["something"])
        objects += [class_key(name) for name in names if name not in _PLACEHOLDERS]
        phrase = []
    clear = None if "/" in verb[0] else " ".join(verb)
    return clear, None if unnamed else tuple(objects)


@dataclass(frozen=True, slots=True, order=True)
class ClassName:
    """One class of one taxonomy."""

    kind: str
    id: int
    name: str
    slug: str

    @property
    def key(self) -> str:
        """What the class is compared by."""
        return class_key(self.name)

    @property
    def verb(self) -> str | None:
        """The verb of an atomic action, where the name is clear about it."""
        return parse_action(self.name)[0] if self.kind == "atomic" else None

    @property
    def objects(self) -> tuple[str, ...] | None:
        """The things an atomic action names; None where the name leaves them open."""
        return parse_action(self.name)[1] if self.kind == "atomic" else None


class Taxonomy(Mapping[int, ClassName]):
    """The classes of one kind, by id; ``find`` takes any spelling of the name.

    >>> t = Taxonomy.build("atomic", listed={1: "take_cup", 5: "fold_towel"}, used=["wash cup"])
    >>> [(c.id, c.name) for c in t.values()]
    [(1, 'take_cup'), (5, 'fold_towel'), (6, 'wash cup')]
    >>> t.find("take cup").id, t.index(5)
    (1, 1)
    """

    def __init__(self, kind: str, classes: Iterable[ClassName]) -> None:
        self.kind = kind
        self._by_id = {c.id: c for c in sorted(classes)}
        self._by_key = {c.key: c for c in reversed(self._by_id.values())}
        self._names = {c.id: c.name for c in self._by_id.values()}
        self._index = {class_id: index for index, class_id in enumerate(self._by_id)}

    @classmethod
    def build(
        cls,
        kind: str,
        listed: Mapping[int, str],
        used: Iterable[str] = (),
        kept: Iterable[ClassName] = (),
    ) -> Taxonomy:
        """From a class file (may be empty), the raw names of the labels, and an older catalog.

        >>> older = [ClassName("atomic", 1, "wash cup", "wash-cup")]
        >>> Taxonomy.build("atomic", {1: "take_cup", 2: "wash_cup"}, kept=older).names
        ('wash cup', 'take_cup')
        """
        classes = {each.id: each for each in kept}
        known = {each.key for each in classes.values()}
        free = count(max([*classes, *listed], default=0) + 1)
        new = {i: raw for i, raw in listed.items() if class_key(raw) not in known}
        names = {i if i not in classes else next(free): new[i] for i in sorted(new)}
        known.update(class_key(raw) for raw in new.values())
        spellings: dict[str, str] = {}
        for raw in sorted(set(used)):
            spellings.setdefault(class_key(raw), raw)
        names |= {next(free): spellings[key] for key in sorted(spellings.keys() - known)}
        slugs = {each.slug for each in classes.values()}
        for class_id in sorted(names):
            slug = class_slug(names[class_id])
            unique = slug if slug not in slugs else f"{slug}-{class_id}"
            slugs.add(unique)
            classes[class_id] = ClassName(kind, class_id, names[class_id], unique)
        return cls(kind, classes.values())

    def __getitem__(self, class_id: int) -> ClassName:
        try:
            return self._by_id[class_id]
        except KeyError:
            raise self._no_id(class_id) from None

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def __repr__(self) -> str:
        return f"Taxonomy({self.kind!r}, {len(self)} classes)"

    def names_of(self, class_ids: Iterable[int]) -> list[str]:
        """The names of many classes at once; raises UnknownIdError for an id there is not."""
        try:
            return list(map(self._names.__getitem__, class_ids))
        except KeyError as error:
            raise self._no_id(error.args[0]) from None

    def _no_id(self, class_id: int) -> Exception:
        return unknown(f"id of {self.kind} class", class_id, self)

    def find(self, name: str) -> ClassName:
        """The class of that name in any spelling; UnknownIdError suggests the nearest names."""
        found = self._by_key.get(class_key(name))
        if found is None:
            raise self._unknown(name)
        return found

    def matching(self, pattern: str) -> tuple[ClassName, ...]:
        """The classes whose name fits, in any spelling; ``*`` and ``?`` as in file names.

        Raises UnknownIdError, with the nearest names, where none does.
        """
        key = class_key(pattern)
        if (named := self._by_key.get(key)) is not None:  # whatever signs its name holds
            return (named,)
        found = tuple(each for each in self.values() if fnmatchcase(each.key, key))
        if not found:
            raise self._unknown(pattern)
        return found

    def _unknown(self, name: str) -> UnknownIdError:
        """Compared as classes are, in any spelling; named as they are published."""
        error = unknown(f"{self.kind} class", name, self.names)
        near = get_close_matches(class_key(name).strip("*?"), self._by_key, n=3, cutoff=0.5)
        if near:
            error.hint = f"nearest: {', '.join(self._by_key[key].name for key in near)}"
        return error

    def get_name(self, name: str) -> ClassName | None:
        """Like ``find``, but None where there is none."""
        return self._by_key.get(class_key(name))

    def index(self, class_id: int) -> int:
        """The 0-based column of a class in a multi-hot target: its rank among the ids."""
        return self._index[class_id]

    @property
    def names(self) -> tuple[str, ...]:
        """Raw names in column order."""
        return tuple(c.name for c in self._by_id.values())
