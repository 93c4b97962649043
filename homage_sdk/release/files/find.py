"""Where in what the user pointed at a release is, and in which layout."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from homage_sdk.errors import ReleaseError
from homage_sdk.folders import Folder, Kind, look, refusal
from homage_sdk.release.files.layouts import (
    HACGEN,
    LAYOUTS,
    VIDEOSHIFT,
    Layout,
    file_kind,
    sequence_in,
)
from homage_sdk.release.files.misplaced import unpacked_name

_MOST_FOLDERS = 200  # looked into one folder down
_MOST_NAMES = 2_000  # looked at for files that give a release away


@dataclass(frozen=True, slots=True)
class Found:
    """A release: the folder that holds the layout, and the layout."""

    root: Path
    layout: Layout


def find_release(path: Path) -> Found:
    """The release at ``path``, or one folder below or above it.

    The folders of a layout give it away, a part of them is enough; failing those, files named like
    HOMAGE's. Raises ReleaseError, naming the place, what was expected and what to do, when there is
    none or more than one.
    """
    path = Path(path)
    if not path.is_dir():
        raise refusal(ReleaseError, Kind.RELEASE, look(path))
    here = _best(path)
    if here is not None:
        return here
    below = [found for folder in _folders(path) if (found := _best(folder)) is not None]
    if len(below) > 1:
        names = ", ".join(found.root.name for found in below[:5])
        raise ReleaseError(
            "more than one release below this folder",
            place=path,
            found=names,
            expected="one",
            hint=f"name one of them, e.g. {below[0].root}",
        )
    if below:
        return below[0]
    if _above(path) is not None:
        raise _nothing(path)
    for folder in (path, *_folders(path)):
        loose = _loose(folder)
        if loose is not None:
            return loose
    raise _nothing(path)


def what_is(path: Path) -> Folder:
    """What a folder is, releases and parts of them included."""
    folder = look(path)
    if folder.kind is not None or not path.is_dir():
        return folder
    above = _above(path)
    if above is not None:
        return Folder(path, Kind.RELEASE, f"a part of the release at {above}", "name that folder")
    try:
        find_release(path)
    except ReleaseError:
        return folder
    return Folder(path, Kind.RELEASE, Kind.RELEASE)


def _best(folder: Path) -> Found | None:
    """The layout with most of its folders here; the original one on a tie."""
    scores = [sum((folder / m).is_dir() for m in layout.markers) for layout in LAYOUTS]
    best = max(scores)
    return Found(folder, LAYOUTS[scores.index(best)]) if best else None


def _folders(path: Path) -> list[Path]:
    try:
        found = sorted(p for p in path.iterdir() if not p.name.startswith(".") and p.is_dir())
    except OSError as error:
        raise ReleaseError(
            f"cannot be read: {error.strerror}", place=path, hint="check its rights"
        ) from error
    return found[:_MOST_FOLDERS]


def _loose(folder: Path) -> Found | None:
    """A release known by its file names alone: a part copied out of its folders."""
    names = 0
    for _, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            names += 1
            kind = file_kind(name)
            if kind in ("video", "atomic_actions", "scene_graphs") and sequence_in(name):
                original = kind != "atomic_actions" or name.endswith(HACGEN.atomic_suffix)
                return Found(folder, HACGEN if original else VIDEOSHIFT)
            if kind == "split_list" or names > _MOST_NAMES:
                return Found(folder, HACGEN) if kind == "split_list" else None
    return None


def _above(path: Path) -> Path | None:
    """The release that ``path`` is a part of."""
    whole = path.resolve()
    for parent in list(whole.parents)[:4]:
        found = _best(parent)
        if found and whole.relative_to(parent).parts[0] in found.layout.folders:
            return parent
    return None


def _nothing(path: Path) -> ReleaseError:
    expected = " or ".join(
        f"{layout.lists}/, {layout.atomic_actions}/, {layout.videos}/" for layout in LAYOUTS
    )
    folder = look(path)
    if folder.kind is not None:
        return refusal(ReleaseError, Kind.RELEASE, folder)
    entries = [p.name for p in path.iterdir()]
    above = _above(path)
    if above is not None:
        hint = f"this looks like a part of the release at {above}: name that folder"
    elif not entries:
        hint = "nothing was copied here yet; point at the download, or try `homage synth`"
    elif any(unpacked_name(name) for name in entries):
        hint = "unpack the archives first, then run the same command again"
    else:
        hint = "point at the folder that holds these, or try `homage synth OUT` for a synthetic one"
    return ReleaseError(
        "no HOMAGE release here",
        place=path,
        found=folder.found,
        expected=expected,
        hint=hint,
    )
