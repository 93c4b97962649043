"""An open video file and the decoder of its pictures, told to be strict."""

from __future__ import annotations

from pathlib import Path

import av
import av.logging
from av.stream import Discard

from homage_sdk.errors import MediaError
from homage_sdk.media.header.opening import open_media
from homage_sdk.media.header.tracks import main_track
from homage_sdk.media.probe import require_decoder

_STRICT = "crccheck+bitstream+buffer"
H264 = "h264"
"""Told to give up at errors, its decoder also does at lists of references after a seek; it reports
the same errors when it goes on."""


class VideoSource:
    """An open video and the decoder of its pictures.

    Attributes:
        is_spoilt: whether the decoder met an error. What it decodes next can be wrong, keyframes
            too, even when its buffers are flushed: it takes a new one.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.open()

    def open(self) -> None:
        """Begin at the beginning."""
        self.container, self.stream = _opened(self._path)
        self.context, self.is_spoilt = self.stream.codec_context, False

    def seek(self, pts: int) -> None:
        """Go to the keyframe before; raises what FFmpeg raises."""
        self.container.seek(pts, stream=self.stream)
        if self.is_spoilt:
            self.renew()
        else:
            self.context.flush_buffers()

    def renew(self) -> None:
        """Decode what comes with a new decoder."""
        container, stream = _opened(self._path)
        self.context, self.is_spoilt = stream.codec_context, False
        container.close()

    def close(self) -> None:
        """Close the file."""
        self.container.close()


def _opened(path: Path) -> tuple[av.container.InputContainer, av.VideoStream]:
    container = open_media(path)
    stream = main_track(container.streams.video)
    if stream is None:
        container.close()
        raise MediaError("no picture in this file", place=str(path))
    require_decoder(path, stream)
    if av.logging.get_level() is None:  # then nothing counts reports
        av.logging.set_level(av.logging.ERROR)
    context = stream.codec_context
    context.thread_count, context.thread_type = 1, "SLICE"
    context.options = {"err_detect": _STRICT + ("" if context.name == H264 else "+explode")}
    context.copy_opaque = True
    for other in container.streams:
        if other is not stream:
            other.discard = Discard["all"]
    return container, stream
