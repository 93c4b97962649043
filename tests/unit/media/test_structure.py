"""What overwritten bytes do to the structure of a file is said, and ends in no other exception."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from homage_sdk.errors import MediaError
from homage_sdk.media.audio import read_audio
from homage_sdk.media.probe import probe_video
from homage_sdk.media.soundtrack import check_sound
from homage_sdk.media.video_reader import VideoReader
from tests.unit.media.videos import like, remux, write_video


def with_other(path: Path, source: Path, old: bytes, new: bytes) -> Path:
    data = source.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    return path


def test_a_picture_track_of_an_unknown_codec_is_refused(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", frames=20)
    path = with_other(tmp_path / "a.mkv", whole, b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/AVB")
    with pytest.raises(MediaError, match="no decoder for its video track"):
        probe_video(path)
    with pytest.raises(MediaError, match="no decoder for its video track"):
        VideoReader(path, probe_video(whole)).frames([0])


def test_a_sound_track_of_an_unknown_codec_is_found_and_refused(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", frames=20, audio=True)
    path = with_other(tmp_path / "a.mkv", whole, b"A_AAC", b"A_AAB")
    assert probe_video(path).sample_rate is None
    checked = check_sound(path, everything=False)
    assert checked is not None and checked.n_lost > 5
    with pytest.raises(MediaError, match="no decoder for its audio track"):
        read_audio(path, 0, 0.5)


def test_errors_of_the_container_are_told_and_a_whole_one_has_none(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", frames=60)
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path = tmp_path / "a.mkv"
    path.write_bytes(data)
    assert probe_video(path).fault("container") and not probe_video(whole).fault("container")


def test_a_packet_that_is_there_twice_is_told(tmp_path: Path) -> None:
    whole, path = write_video(tmp_path / "whole.mkv", frames=60), tmp_path / "a.mkv"
    with av.open(str(whole)) as read, av.open(str(path), "w") as out:
        track = out.add_stream_from_template(read.streams.video[0])
        for n, packet in enumerate(read.demux()):
            if packet.dts is None:
                continue
            again = like(packet, bytes(packet))
            again.pts, again.dts = packet.pts + 1, packet.dts + 1
            for each in (packet, again) if n == 20 else (packet,):
                each.stream = track
                out.mux(each)
    assert probe_video(path).fault("timestamps") == "1 frame hardly later than the one before"
    assert not probe_video(remux(tmp_path / "b.mkv", whole, lambda p: p)).fault("timestamps")
