"""What a folder is, by the names in it: what stands behind every "that is something else" error.

Releases have no name of their own: ``release.files.find.what_is`` knows them too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from homage_sdk.errors import HomageError
from homage_sdk.storage.commit import current
from homage_sdk.storage.folder_swap import recover

CATALOG_FILE: Final = "catalog.json"
"""Written last: a folder that holds it is a catalog."""

PROBES_FILE: Final = ".probes.log"
"""In a catalog, beside its tables: what is known of each video, so that it is not read again."""

MANIFEST_FILE: Final = "manifest.json"
"""Written last, of shards and of a checkpoint."""

INDEX_FILE: Final = "index.parquet"
PARTS_FOLDER: Final = ".parts"

_SHARD = re.compile(r"[a-z0-9_]+-\d{5}\.tar")


class Kind(StrEnum):
    """What a folder can be; the value is how a sentence names it."""

    RELEASE = "a release"
    CATALOG = "a catalog"
    SHARDS = "shards"
    RUN = "a training run"


_NOT = {
    Kind.RELEASE: "no HOMAGE release here",
    Kind.CATALOG: "not a catalog",
    Kind.SHARDS: "no shards here",
    Kind.RUN: "not a run folder",
}
_MADE_BY = {
    Kind.RELEASE: "check the path, or make one with `homage synth OUT`",
    Kind.CATALOG: "`homage ingest RELEASE CATALOG` makes one",
    Kind.SHARDS: "`homage pack CATALOG SHARDS` makes them",
    Kind.RUN: "`ccau train CONFIG --shards SHARDS --out RUN` makes one",
}
_MEANT = {
    Kind.RELEASE: "homage validate {0}",
    Kind.CATALOG: "homage info {0}",
    Kind.SHARDS: "homage verify {0}",
    Kind.RUN: "ccau evaluate {0} --shards SHARDS",
}
_NEXT = {
    (Kind.RELEASE, Kind.CATALOG): "`homage ingest {0} CATALOG` makes a catalog of it",
    (Kind.RELEASE, Kind.SHARDS): "`homage ingest {0} CATALOG`, then `homage pack CATALOG SHARDS`",
    (Kind.CATALOG, Kind.SHARDS): "`homage pack {0} SHARDS` makes shards of it",
    (Kind.SHARDS, Kind.RUN): "`ccau train CONFIG --shards {0} --out RUN` trains on them",
}
_AGAIN = {
    Kind.RELEASE: "run the same `homage synth` again",
    Kind.CATALOG: "run the same `homage ingest` again, or copy the whole folder",
    Kind.SHARDS: "run the same `homage pack` again: it goes on where it stopped",
    Kind.RUN: "run the same `ccau train` again: it goes on where it stopped",
}


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies at a path. ``kind`` is None where nothing gives it away."""

    path: Path
    kind: Kind | None
    found: str
    """In words, for an error: ``shards``, ``an empty folder``, ``a file``, the first names."""
    hint: str = ""
    """What makes it whole; empty where it is."""

    @property
    def is_whole(self) -> bool:
        """Whether the file that is written last is there."""
        return self.kind is not None and not self.hint

    def hint_for(self, wanted: Kind | None = None) -> str:
        """What to do where another kind was wanted; None stands for several kinds."""
        if self.hint:
            return self.hint
        if self.kind is None:
            return _MADE_BY[wanted] if wanted else ""
        meant = f"did you mean `{_MEANT[self.kind]}`?"
        following = _NEXT.get((self.kind, wanted), meant) if wanted else meant
        return following.format(self.path)


Refusal = TypeVar("Refusal", bound=HomageError)


def refusal(error: type[Refusal], wanted: Kind, folder: Folder) -> Refusal:
    """The error for a folder that is no whole one of the kind wanted."""
    half = folder.kind is wanted
    return error(
        folder.found if half else _NOT[wanted],
        place=folder.path,
        found=None if half else folder.found,
        hint=folder.hint_for(wanted),
    )


def look(path: Path) -> Folder:
    """What a folder is by the names in it, releases left out; half-made ones are named as such."""
    if not path.is_dir():
        return _absent(path)
    try:
        names = sorted(e.name for e in path.iterdir() if not e.name.startswith(".tmp-"))
    except OSError as error:
        return Folder(path, None, f"a folder that cannot be read: {error.strerror}")
    there = set(names)
    if CATALOG_FILE in there or current(path, CATALOG_FILE).is_file():
        return Folder(path, Kind.CATALOG, Kind.CATALOG)
    if MANIFEST_FILE in there and "state.json" in there:
        return Folder(path, Kind.RUN, "a checkpoint", f"name the run it belongs to: {path.parent}")
    if MANIFEST_FILE in there:
        return Folder(path, Kind.SHARDS, Kind.SHARDS)
    if "config.json" in there and (
        len(there) == 1 or any(n == "metrics.jsonl" or n.startswith("checkpoint-") for n in names)
    ):
        ended = "run.json" in there
        found = Kind.RUN if ended else "a training run that has not ended"
        return Folder(path, Kind.RUN, found, "" if ended else _AGAIN[Kind.RUN])
    if PARTS_FOLDER in there:
        return Folder(path, Kind.SHARDS, "shards, not all packed", _AGAIN[Kind.SHARDS])
    if INDEX_FILE in there or any(map(_SHARD.fullmatch, names)):
        hint = f"`homage repair {path} CATALOG` brings it back, or copy the whole folder"
        return Folder(path, Kind.SHARDS, f"shards without {MANIFEST_FILE}", hint)
    if any(name.endswith(".parquet") for name in names):
        found = f"a catalog without {CATALOG_FILE}: half-copied"
        return Folder(path, Kind.CATALOG, found, _AGAIN[Kind.CATALOG])
    if names == [PROBES_FILE]:
        return Folder(path, Kind.CATALOG, "a catalog that is not made yet", _AGAIN[Kind.CATALOG])
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return Folder(path, None, ", ".join(names[:4]) + more if names else "an empty folder")


def _absent(path: Path) -> Folder:
    if path.exists():
        return Folder(path, None, "a file")
    recover(path)
    if path.is_dir():
        return look(path)
    if (path.parent / f".tmp-{path.name}").is_dir():
        hint = "run the command that was making it again"
        return Folder(path, None, "no such folder, but an unfinished one beside it", hint)
    return Folder(path, None, "no such folder")
