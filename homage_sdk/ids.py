"""Identifiers of HOMAGE: ``p0002_r000_v001_a000`` (FORMAT.md, grade A).

``p`` is the participant (and task), ``r`` the room, ``v`` the view, ``a`` the take. ``v000`` is the
ego view and every other view a third-person one. A sequence is ``p_r_a``; one video is ``p_r_v_a``.
The digits are names, not indices: there are gaps in all four.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from homage_sdk.errors import LabelError

_SEQUENCE = re.compile(r"p(\d{4,9})_r(\d{3,9})_a(\d{3,9})", re.ASCII)
_VIEW = re.compile(r"p(\d{4,9})_r(\d{3,9})_v(\d{3,9})_a(\d{3,9})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class SequenceId:
    """A synchronized sequence: all views of one take.

    >>> s = SequenceId.parse("p0002_r001_a007")
    >>> s.participant, s.room, s.take
    (2, 1, 7)
    >>> str(s), str(s.view(0))
    ('p0002_r001_a007', 'p0002_r001_v000_a007')
    """

    participant: int
    room: int
    take: int

    @classmethod
    def parse(cls, text: str) -> SequenceId:
        """The id written in ``text``; raises LabelError when it is not one in canonical form."""
        match = _SEQUENCE.fullmatch(text)
        parsed = cls(*map(int, match.groups())) if match else None
        if parsed is None or str(parsed) != text:
            raise LabelError(
                "not a sequence id", found=repr(text[:80]), expected="like p0002_r001_a007"
            )
        return parsed

    def __str__(self) -> str:
        return f"p{self.participant:04d}_r{self.room:03d}_a{self.take:03d}"

    @property
    def participant_folder(self) -> str:
        """The folder of the release that holds this participant's files, e.g. ``p0002``."""
        return f"p{self.participant:04d}"

    def view(self, view: int) -> ViewId:
        """The id of one video of this sequence."""
        return ViewId(self.participant, self.room, view, self.take)


@dataclass(frozen=True, slots=True, order=True)
class ViewId:
    """One video: a sequence seen by one camera.

    >>> v = ViewId.parse("p0002_r001_v003_a007")
    >>> v.kind, str(v.sequence)
    ('third', 'p0002_r001_a007')
    """

    participant: int
    room: int
    view: int
    take: int

    @classmethod
    def parse(cls, text: str) -> ViewId:
        """The id written in ``text``; raises LabelError when it is not one in canonical form."""
        match = _VIEW.fullmatch(text)
        parsed = cls(*map(int, match.groups())) if match else None
        if parsed is None or str(parsed) != text:
            raise LabelError(
                "not a view id", found=repr(text[:80]), expected="like p0002_r001_v000_a007"
            )
        return parsed

    def __str__(self) -> str:
        return f"p{self.participant:04d}_r{self.room:03d}_v{self.view:03d}_a{self.take:03d}"

    @property
    def sequence(self) -> SequenceId:
        """The sequence this video belongs to."""
        return SequenceId(self.participant, self.room, self.take)

    @property
    def kind(self) -> str:
        """``"ego"`` or ``"third"``."""
        return "ego" if self.view == 0 else "third"
