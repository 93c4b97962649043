"""Faults in what a video's streams are: which track, which size, which way up; made with ffmpeg."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av

from tests.faults.file_faults import unannotated_video
from tests.faults.kit import At, Copy, fault
from tests.faults.media_faults import remade
from tests.ffmpeg import ffmpeg
from tests.unit.media.videos import like


def _by_ffmpeg(copy: Copy, *words: str, before: tuple[str, ...] = ()) -> At:
    """Replace a video by what ffmpeg makes of it."""
    path = unannotated_video(copy)
    new = copy.root.parent / "new.mkv"
    ffmpeg(*before, "-i", copy.root / path, *words, "-copyts", new)
    return At(copy.write(path, new.read_bytes()))


@fault("HOM617", deep=True)
def another_size_in_the_middle(copy: Copy) -> At:
    """The same pictures as JPEGs, each of which states its own size."""
    path, new = unannotated_video(copy), copy.root.parent / "new.mkv"
    with av.open(str(copy.root / path)) as source, av.open(str(new), "w") as out:
        pictures, heard = source.streams.video[0], source.streams.audio[0]
        video = out.add_stream("mjpeg", rate=30, time_base=pictures.time_base)
        video.width, video.height, video.pix_fmt = pictures.width, pictures.height, "yuvj420p"
        sound = out.add_stream_from_template(heard)
        for packet in source.demux(pictures, heard):
            if packet.stream is heard and packet.size:
                packet.stream = sound
                out.mux(packet)
            for frame in packet.decode() if packet.stream is pictures else ():
                scale = 1 if frame.time < 3 else 2
                jpeg = av.Packet(_jpeg(frame.reformat(frame.width // scale, frame.height // scale)))
                jpeg.pts = jpeg.dts = frame.pts
                jpeg.time_base, jpeg.is_keyframe, jpeg.stream = frame.time_base, True, video
                out.mux(jpeg)
    return At(copy.write(path, new.read_bytes()))


def _jpeg(frame: av.VideoFrame) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 30)
    frame = frame.reformat(format="yuvj420p")
    return b"".join(bytes(packet) for f in (frame, None) for packet in encoder.encode(f))


@fault("HOM618", deep=True)
def muted(copy: Copy) -> At:
    return _by_ffmpeg(copy, "-c:v", "copy", "-af", "volume=0", "-c:a", "flac")


@fault("HOM619", deep=True)
def packets_of_sound_overwritten(copy: Copy) -> At:
    def change(kind: str, index: int, packet: Any) -> Any:
        hit = kind == "audio" and index in (20, 22)
        return like(packet, b"\xff" * packet.size) if hit else packet

    return remade(copy, unannotated_video(copy), change=change)


@fault("HOM620", deep=True)
def a_second_sound_track(copy: Copy) -> At:
    return _by_ffmpeg(copy, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy")


@fault("HOM621", deep=True)
def turned_by_thirty_degrees(copy: Copy) -> At:
    return _by_ffmpeg(copy, "-c", "copy", before=("-display_rotation", "30"))


@fault("HOM622", deep=True)
def size_of_an_element_overwritten(copy: Copy) -> list[At]:
    """The first tag says that it is longer than what holds it; the tracks are then read twice."""
    path = unannotated_video(copy)
    data = bytearray(copy.read(path))
    tag = data.index(b"\x73\x73", data.index(b"\x12\x54\xc3\x67"))
    data[tag + 10 - data[tag + 2].bit_length()] += 1  # the last byte of its size
    copy.write(path, bytes(data))
    return [At(path), At(path, code="HOM620")]


FAULTS = (
    size_of_an_element_overwritten,
    another_size_in_the_middle,
    muted,
    packets_of_sound_overwritten,
    a_second_sound_track,
    turned_by_thirty_degrees,
)
