"""Encoded members that are there already, found by what they were made from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from homage_sdk.shards.format.tar import Member, crc32
from homage_sdk.shards.packing.inputs import MadeFrom, MadeMembers
from homage_sdk.storage.file_identity import FileIdentity, still

NEW, FILES, FRAMES, MAKER = (
    "new",
    "from other files",
    "of other frames",
    "made by another version",
)
"""Why a member is not kept."""


class Kept(NamedTuple):
    """A member that lies in a shard, and what it was made from."""

    shard: Path
    member: Member
    made_from: MadeFrom

    def read(self) -> bytes | None:
        """Its bytes; None where they are not those that were packed."""
        return read_member(self.shard, self.member)


def read_member(shard: Path, member: Member) -> bytes | None:
    """The bytes of a member; None where they do not have its CRC-32."""
    try:
        with shard.open("rb") as file:
            file.seek(member.offset)
            data = file.read(member.size)
    except OSError:
        return None
    return data if len(data) == member.size and crc32(data) == member.crc32 else None


@dataclass
class Reuse:
    """The members that may be kept; travels to every worker."""

    root: Path | None
    """Where the sources lie now."""
    _members: dict[tuple[str, str], list[Kept]] = field(default_factory=dict)
    """By sequence and field: of several windows there are several."""
    _seen: dict[tuple[str, FileIdentity], FileIdentity | None] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._members)

    def add(
        self, shard: Path, members: Iterable[Member], sequences: dict[str, str], made: MadeMembers
    ) -> None:
        """Also look into ``shard``; ``sequences`` by sample key."""
        for member in members:
            made_from = made.get(member.key, {}).get(member.field)
            if made_from is not None and member.key in sequences:
                place = (sequences[member.key], member.field)
                self._members.setdefault(place, []).append(Kept(shard, member, made_from))

    def of(self, sequences: Collection[str]) -> Reuse:
        """The same for these sequences alone."""
        chosen = {place: kept for place, kept in self._members.items() if place[0] in sequences}
        return Reuse(self.root, chosen)

    def find(
        self, sequence: str, field: str, made: tuple[str, str], files: Sequence[Path | None]
    ) -> tuple[Kept | None, str]:
        """A member made in this way (times, maker) from these files, or why there is none."""
        reason = NEW
        for kept in self._members.get((sequence, field), ()):
            known = kept.made_from
            if known.times != made[0]:
                reason = FRAMES if reason == NEW else reason
            elif known.maker != made[1]:
                reason = MAKER
            elif (now := self.now(files, known.files)) is None:
                reason = FILES
            else:
                return kept._replace(made_from=known.model_copy(update={"files": now})), ""
        return None, reason

    def now(
        self, files: Sequence[Path | None], known: Sequence[FileIdentity]
    ) -> tuple[FileIdentity, ...] | None:
        """The identities of ``files`` as of now where they have the ``known`` content, else None.

        A file that is not there has not changed. One that cannot be read may have.
        """
        if len(files) != len(known):
            return None
        found = [self._now(path, each) for path, each in zip(files, known, strict=True)]
        whole = tuple(each for each in found if each is not None)
        return whole if len(whole) == len(found) else None

    def unchanged(self, made: MadeMembers) -> bool:
        """Whether every file that these were made from is what it was, or not there."""
        return all(
            self._now(self._path(known.path), known) == known
            for members in made.values()
            for each in members.values()
            for known in each.files
        )

    def name(self, path: Path) -> str:
        """The path of a source that stays when the media move."""
        inside = self.root is not None and path.is_relative_to(self.root)
        return path.relative_to(self.root or path).as_posix() if inside else path.as_posix()

    def _path(self, name: str) -> Path | None:
        return None if self.root is None else self.root / name

    def _now(self, path: Path | None, known: FileIdentity) -> FileIdentity | None:
        key = (str(path), known)
        if key not in self._seen:
            self._seen[key] = self._look(path, known)
        return self._seen[key]

    def _look(self, path: Path | None, known: FileIdentity) -> FileIdentity | None:
        if path is None:
            return known
        try:
            return still(path, self.name(path), known)
        except (FileNotFoundError, NotADirectoryError):
            return known if self.name(path) == known.path else None
        except OSError:
            return None
