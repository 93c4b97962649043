"""Which activities are related: a small TOML of the user's, for pictures coloured by relation."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from homage_sdk.errors import ConfigError, UsageError
from homage_sdk.problems import Place

DEMO = Path(__file__).with_name("related_demo.toml")
HUES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, for groups that name none."""

Name = Annotated[str, Field(min_length=1)]


class Group(BaseModel):
    """Related activities; their points have shades of one colour."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    activities: Annotated[tuple[Name, ...], Field(min_length=1)]
    colour: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    group: Annotated[tuple[Group, ...], Field(min_length=1)]


def read_groups(path: Path) -> tuple[Group, ...]:
    """The groups of a file (``demo`` for ours); raises ConfigError naming file, place and fault."""
    path = DEMO if str(path) == "demo" else path
    try:
        groups = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).group
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"not a file of related classes: {first['msg'].lower()}",
            place=Place(str(path), pointer="/" + "/".join(map(str, first["loc"]))),
            found=repr(first["input"])[:80],
            expected="[[group]] with name, activities and, if wanted, colour = '#rrggbb'",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("not valid TOML", place=path, found=str(error)) from error
    except OSError as error:
        raise ConfigError("cannot be read", place=path, found=error.strerror) from error
    named = Counter(name for group in groups for name in group.activities)
    if twice := [name for name, times in named.items() if times > 1]:
        raise ConfigError(
            "an activity in two groups", place=path, found=twice[0], expected="each activity once"
        )
    return groups


def shown_groups(groups: Sequence[Group], activities: Sequence[str]) -> tuple[Group, ...]:
    """The groups with those of their activities that are there; without groups, one of each.

    Raises UsageError when none is there.
    """
    if not groups:
        return tuple(Group(name=name, activities=(name,)) for name in activities)
    kept = []
    for group in groups:
        own = tuple(name for name in group.activities if name in activities)
        if own:
            kept.append(group.model_copy(update={"activities": own}))
    if not kept:
        raise UsageError(
            "no activity of the groups is among the classes",
            found=", ".join(groups[0].activities[:3]),
            expected=f"some of {', '.join(list(activities)[:5])} ...",
        )
    return tuple(kept)


def union_of(lists: Iterable[Sequence[Group]]) -> tuple[Group, ...]:
    """The groups of any list, by name, each with the activities that it has in any.

    >>> one, two = (Group(name="Clothes", activities=(name,)) for name in ("folding", "ironing"))
    >>> union_of([[one], [two]])[0].activities
    ('folding', 'ironing')
    """
    found: dict[str, Group] = {}
    for group in (group for groups in lists for group in groups):
        known = found.get(group.name, group)
        own = tuple(dict.fromkeys((*known.activities, *group.activities)))
        found[group.name] = known.model_copy(update={"activities": own})
    return tuple(found.values())


def shades(groups: Sequence[Group]) -> dict[str, str]:
    """A colour for each activity: that of its group, the lighter the further down the list.

    >>> shades([Group(name="Clothes", activities=("folding", "ironing"), colour="#804000")])
    {'folding': '#804000', 'ironing': '#bf9f7f'}
    """
    found = {}
    for place, group in enumerate(groups):
        base = group.colour or HUES[place % len(HUES)]
        parts = [int(base[at : at + 2], 16) for at in (1, 3, 5)]
        for position, name in enumerate(group.activities):
            white = 0.5 * position / max(len(group.activities) - 1, 1)
            mixed = [int(part + (255 - part) * white) for part in parts]
            found[name] = "#" + "".join(f"{part:02x}" for part in mixed)
    return found
