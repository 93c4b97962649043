"""The errors a user can meet: a code, the place, what was found, what was expected, what to do.

Rules about *data* (``homage_sdk.validation``) use codes from ``HOM100`` up and are reported, not
raised, unless ``--strict`` asks for it. The codes below ``HOM100`` belong to the classes here: the
operation could not be carried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fault is.

    ``file`` is a path as the user knows it (relative to the release, catalog or shard folder where
    there is one), ``pointer`` a JSON pointer (RFC 6901), ``row`` a 1-based line of a text file.

    >>> str(Place("train_list.csv", row=3))
    'train_list.csv:3'
    >>> str(Place("p0002_r001_a007__aa.json", pointer="/4/frame_end"))
    'p0002_r001_a007__aa.json#/4/frame_end'
    """

    file: str = ""
    pointer: str = ""
    row: int | None = None
    sequence: str = ""

    def __str__(self) -> str:
        text = self.file
        if self.row is not None:
            text += f":{self.row}"
        if self.pointer:
            text += f"#{self.pointer}"
        if not text:
            return self.sequence
        return text


class HomageError(Exception):
    """Base of every error that homage_sdk and the baselines raise on purpose.

    Attributes:
        code: stable, e.g. ``HOM030``.
        message: what is wrong, one line.
        place: the file and the position in it, if there is one.
        found: what was there.
        expected: what should have been there.
        hint: what the user can do.

    """

    code = "HOM001"

    def __init__(
        self,
        message: str,
        *,
        place: Place | Path | str | None = None,
        found: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place if isinstance(place, Place) or place is None else Place(str(place))
        self.found = found
        self.expected = expected
        self.hint = hint
        if code is not None:
            self.code = code

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
        return (_rebuild, (type(self), self.__dict__.copy(), self.code))


def _rebuild(kind: type[HomageError], fields: dict[str, object], code: str) -> HomageError:
    error = kind(str(fields["message"]))
    error.__dict__.update(fields)
    error.code = code
    return error


class UsageError(HomageError):
    """The call itself is wrong: a bad argument, an unknown option, an impossible combination."""

    code = "HOM002"


class UnknownIdError(HomageError, KeyError):
    """No such sequence, view or class; the hint names the nearest ones."""

    code = "HOM003"

    __str__ = HomageError.__str__


class StorageError(HomageError):
    """The disk is full, a file cannot be written, or another process holds the output."""

    code = "HOM004"


class Interrupted(HomageError):  # noqa: N818 - not a fault: the user asked for it
    """Stopped by the user; what was complete is kept."""

    code = "HOM005"


class ReleaseError(HomageError):
    """A folder that is no HOMAGE release, or a release of which nothing can be read."""

    code = "HOM010"


class LabelError(HomageError, ValueError):
    """A label that cannot be what it claims: an id, an interval, a box, a class name."""

    code = "HOM020"

    __str__ = HomageError.__str__


class CatalogError(HomageError):
    """A catalog that is half-written, of another version, changed by hand, or missing a table."""

    code = "HOM030"


class QueryError(HomageError):
    """A pattern or a SQL statement that cannot be run."""

    code = "HOM035"


class MediaError(HomageError):
    """A video or a sound that is missing, cannot be opened, is cut short, or has no such moment."""

    code = "HOM040"


class ShardError(HomageError):
    """Shards that fail their manifest, lack a member, or hold something that must not be read."""

    code = "HOM050"


class ConfigError(HomageError):
    """A training configuration with an unknown key, a wrong type or an impossible value."""

    code = "HOM060"


class CheckpointError(HomageError):
    """A checkpoint that is cut, not safe to load, or of another model or class list."""

    code = "HOM070"


class TrainingError(HomageError):
    """Training cannot go on: a loss that is not finite, a rank that was lost."""

    code = "HOM080"
