"""Which track of a file is used where it has several: the one marked as default, as players do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import av
from av.stream import Discard, Disposition

from homage_sdk.media.header.opening import open_media
from homage_sdk.storage.system_errors import require_enough

Track = TypeVar("Track", av.VideoStream, av.AudioStream)


def main_track(tracks: Sequence[Track]) -> Track | None:
    """The first that is marked as default, else the first.

    One without a packet, or without a decoder, comes last; so does a cover picture. Raises
    MediaError where the file of several can no longer be opened.
    """
    order = _order(tracks)
    if len(order) < 2:
        return order[0] if order else None
    return next(filter(_has_packets, order), order[0])


def told(tracks: Sequence[Track], kind: str) -> str:
    """Which of several tracks is used, in words; "" where there is one. Numbers count from 1."""
    main = main_track(tracks)
    if main is None or len(tracks) < 2:
        return ""
    empty = [str(n) for n, track in enumerate(tracks, 1) if not _has_packets(track)]
    used = f"{len(tracks)} {kind} tracks, number {tracks.index(main) + 1} is used"
    return used + (f", without a packet: {', '.join(empty)}" if empty else "")


def _order(tracks: Sequence[Track]) -> list[Track]:
    def rank(track: Track) -> tuple[bool, bool, bool]:
        marks = track.disposition
        return (
            track.codec_context is None,
            bool(marks & Disposition.attached_pic),
            not marks & Disposition.default,
        )

    return sorted(tracks, key=rank)


def _has_packets(track: av.VideoStream | av.AudioStream) -> bool:
    path = Path(track.container.name)
    with open_media(path) as container:
        for other in container.streams:
            if other.index != track.index:
                other.discard = Discard["all"]
        try:
            return any(packet.size for packet in container.demux(container.streams[track.index]))
        except (av.FFmpegError, OSError) as error:
            require_enough(error, path)
            return False
