"""The errors a user can meet: a code, the place, what was found, what was expected, what to do.

The codes below ``HOM100`` belong to the classes here: the operation could not be carried out.
Faults in *data* use codes from ``HOM100`` up and are reported, not raised, unless ``--strict`` asks
for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

from homage_sdk.problems import Code, Place, Problem

_LISTED = 12
"""So many known names are listed; of more, the nearest."""


class HomageError(Exception):
    """Base of every error that homage_sdk and the baselines raise on purpose.

    Attributes:
        kind: the code of the class, with its explanation.
        message: what is wrong, one line.
        place: the file and the position in it, if there is one.
        found: what was there.
        expected: what should have been there.
        hint: what the user can do.

    """

    kind: ClassVar[Code] = Code(
        "HOM001",
        "the command could not run",
        "The operating system refused something, or a package is missing that only this "
        "command needs. The message says which.",
        "do what the message says, then run the same command again",
    )

    def __init__(
        self,
        message: str,
        *,
        place: Place | Path | str | None = None,
        found: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place if isinstance(place, Place) or place is None else Place(str(place))
        self.found = found
        self.expected = expected
        self.hint = hint

    @property
    def code(self) -> str:
        """Stable, e.g. ``HOM030``."""
        return self.kind.code

    def to_problem(self) -> Problem:
        """The same as a line of a report."""
        said = {"found": self.found or "", "expected": self.expected or ""}
        return self.kind.at(self.place or Place(), self.message, **said, hint=self.hint or "")

    def __str__(self) -> str:
        parts = [f"{self.place}: {self.message}" if self.place else self.message]
        if self.found is not None:
            parts.append(f"found {self.found}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        text = "; ".join(parts)
        return f"{text} ({self.hint})" if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (packing workers, data loaders): keep every field.
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(kind: type[HomageError], fields: dict[str, object]) -> HomageError:
    error = kind(str(fields["message"]))
    error.__dict__.update(fields)
    return error


class UsageError(HomageError):
    """The call itself is wrong: a bad argument, an unknown option, an impossible combination."""

    kind = Code(
        "HOM002",
        "wrong call",
        "An argument or option is unknown, out of range, or impossible beside another one. "
        "Nothing was done.",
        "correct it: the message names what is expected, and --help every option",
    )


class UnknownIdError(UsageError, KeyError):
    """No such sequence, view, class, table, column, sensor or option; the nearest are named."""

    kind = Code(
        "HOM003",
        "unknown name",
        "Nothing has the id or name that was asked for: a sequence, a view, a class, a table, a "
        "column, a sensor, an option, a code.",
        "take one of the nearest names in the message",
    )
    __str__ = HomageError.__str__


def unknown(
    what: str, name: object, known: Iterable[object], *, place: Path | str | None = None
) -> UnknownIdError:
    """The error for a name that is not among the ``known``: all of them, or the nearest of many.

    >>> str(unknown("pick", "neerest", ("nearest", "before", "after")))
    "unknown pick 'neerest'; expected one of nearest, before, after"
    >>> str(unknown("class", "cap", [f"cup {n}" for n in range(20)] + ["cape"]))
    "unknown class 'cap'; expected one of 21 names (nearest: cape, cup 9, cup 8)"
    """
    names = [str(each) for each in known]
    listed = ", ".join(names) if len(names) <= _LISTED else f"{len(names):,} names"
    many = len(names) > _LISTED
    near = get_close_matches(str(name).strip("*?"), names, n=3, cutoff=0.5) if many else []
    return UnknownIdError(
        f"unknown {what} {str(name)[:80]!r}",
        place=place,
        expected=f"one of {listed}" if names else f"nothing: there is no {what}",
        hint=f"nearest: {', '.join(near)}" if near else None,
    )


def require_known(what: str, value: object, known: Iterable[object]) -> None:
    """Raise UnknownIdError unless ``value`` is one of the ``known``."""
    if value not in (names := tuple(known)):
        raise unknown(what, value, names)


class StorageError(HomageError):
    """The disk is full, a file cannot be written, or another process holds the output."""

    kind = Code(
        "HOM004",
        "output cannot be written",
        "The disk is full or read-only, the target is something else, or another process is "
        "writing there. What stood there before still stands.",
        "make room or name another folder, then run the same command again",
    )


class ResourceError(HomageError):
    """Too few files may be open, or there is too little memory; no file is at fault."""

    kind = Code(
        "HOM005",
        "not enough open files or memory",
        "The system gives this process no further file or no more memory. That says nothing "
        "about the file that was to be read. Finished work is kept.",
        "raise the limit that the message names (ulimit -n), free memory, or use fewer --workers, "
        "then run the same command again",
    )


class ReleaseError(HomageError):
    """A folder that is no HOMAGE release, or a release of which nothing can be read."""

    kind = Code(
        "HOM010",
        "no release here",
        "The folder has none of a published layout's folders or files, or more than one "
        "release. With --strict: the first fault in the labels.",
        "name the folder of the download that holds the lists, labels or videos",
    )


class LabelError(HomageError, ValueError):
    """A label that cannot be what it claims: an id, an interval, a box, a class name."""

    kind = Code(
        "HOM020",
        "impossible label",
        "An id, a frame number, an interval, a box or a sensor reading cannot be what it "
        "claims to be.",
        "correct the value: ids are like p0002_r001_a007, frames count from 1",
    )
    __str__ = HomageError.__str__


class CatalogError(HomageError):
    """A catalog that is half-written, of another version, changed by hand, or missing a table."""

    kind = Code(
        "HOM030",
        "catalog cannot be used",
        "The folder is no catalog, was made by another version, or lost or changed a table "
        "since it was written.",
        "run `homage migrate` for another version, else `homage ingest` again",
    )


class QueryError(HomageError):
    """A pattern or a SQL statement that cannot be run."""

    kind = Code(
        "HOM035",
        "query cannot be run",
        "The pattern or the SQL is not understood, or asks for something outside the catalog.",
        "correct it: docs/queries.md lists patterns, tables and columns",
    )


class MediaError(HomageError):
    """A video or a sound that is missing, cannot be opened, is cut short, or has no such moment."""

    kind = Code(
        "HOM040",
        "video or sound cannot be used",
        "The file is missing, cannot be opened or decoded, is cut short, or has nothing at "
        "the moment that was asked for.",
        "download the video again, or look at `homage validate --deep`",
    )


class ShardError(HomageError):
    """Shards that fail their manifest, lack a member, or hold something that must not be read."""

    kind = Code(
        "HOM050",
        "shards cannot be used",
        "The folder holds no shards, or they lack a file, differ from their manifest, or hold "
        "something that must not be read.",
        "run `homage verify SHARDS`, then `homage repair SHARDS CATALOG`",
    )


class ConfigError(HomageError):
    """A training configuration with an unknown key, a wrong type or an impossible value."""

    kind = Code(
        "HOM060",
        "wrong configuration",
        "A configuration or mapping file has an unknown key, a value of the wrong type, or "
        "one that cannot be.",
        "correct the key that the message names; it says what may stand there",
    )


class CheckpointError(HomageError):
    """A checkpoint that is cut, not safe to load, or of another model or class list."""

    kind = Code(
        "HOM070",
        "checkpoint cannot be loaded",
        "The file is cut short, is not safe to load, or belongs to another model or other classes.",
        "name the run folder it belongs to, or train again",
    )


class TrainingError(HomageError):
    """Training cannot go on: a loss that is not finite, a rank that was lost."""

    kind = Code(
        "HOM080",
        "training cannot go on",
        "The loss is not finite, a process of the run was lost, or the device is not there. "
        "The last checkpoint is kept.",
        "remove the cause, then run the same command: it goes on from the last checkpoint",
    )
