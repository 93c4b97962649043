"""All rules over one release in one pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from homage_sdk.errors import UnknownIdError
from homage_sdk.problems import Problem
from homage_sdk.release.records import Release
from homage_sdk.soundness import Records
from homage_sdk.validation.data import Data
from homage_sdk.validation.rules import CODES, RULES

if TYPE_CHECKING:
    from homage_sdk.media.check_pictures import CheckedPictures
    from homage_sdk.media.probe import Probes


def validate(
    release: Release,
    *,
    probes: Probes | None = None,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
    records: Records | None = None,
    checked: Mapping[str, CheckedPictures] | None = None,
) -> list[Problem]:
    """What the reader met and what the rules find, in stable order (``Problem.order``).

    Args:
        release: the raw records, from ``read_release``.
        probes: by path relative to the release root, what ``probe_video`` gave or the error it
            raised; without it the ``deep`` rules find nothing.
        select: codes or beginnings of codes (``HOM3``) to keep; all when empty.
        ignore: codes or beginnings of codes to leave out.
        records: the release's records, where they are judged already.
        checked: by path, what ``check_pictures`` found when it decoded the videos.

    Raises:
        UnknownIdError: one that begins no code.

    """
    wanted = chooser(select, ignore)
    data = Data(release, probes, records, checked)
    problems = [problem for problem in release.problems if wanted(problem.code)]
    for rule in RULES:
        if wanted(rule.code):
            problems += rule.problems(data)
    return sorted(problems, key=lambda problem: problem.order)


def chooser(
    select: Collection[str] = (),
    ignore: Collection[str] = (),
    known: Collection[str] = tuple(CODES),
) -> Callable[[str], bool]:
    """Whether a code is wanted; both are codes or beginnings of codes, see ``validate``.

    >>> wanted = chooser(select=["HOM3"], ignore=["HOM309"])
    >>> wanted("HOM304"), wanted("HOM309"), wanted("HOM420")
    (True, False, False)
    """
    for given in (*select, *ignore):
        if not any(code.startswith(given) for code in known):
            raise UnknownIdError(f"no rule {given!r}", hint="see `homage explain`")
    kept, dropped = tuple(select) or ("",), tuple(ignore)
    return lambda code: code.startswith(kept) and not code.startswith(dropped)


def video_paths(release: Release) -> list[str]:
    """The videos worth probing: those with an id and something in them, in order of path."""
    files = release["files"].to_pylist()
    videos = [files[row["file"]] for row in release["videos"].to_pylist() if row["sequence"]]
    return [file["path"] for file in videos if file["bytes"]]
