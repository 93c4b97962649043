"""What a probe says is what the file holds; what is wrong with it is said in one line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from homage_sdk.errors import MediaError
from homage_sdk.media.probe import probe_video
from homage_sdk.media.pts_index import main_part
from homage_sdk.media.video_reader import VideoReader
from tests.unit.media.videos import number_of, remux, write_video


def test_facts_are_measured_not_read_from_the_header(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mkv",
        frames=300,
        fps=Fraction(30000, 1001),
        size=(128, 96),
        audio=True,
        start_s=0.5,
        metadata={"NUMBER_OF_FRAMES": "47342"},
    )
    probe = probe_video(path)
    assert (probe.width, probe.height, probe.n_frames) == (128, 96, 300)
    assert probe.fps == pytest.approx(30000 / 1001, abs=2e-3)
    assert probe.duration_s == pytest.approx(300 * 1001 / 30000, abs=2e-3)
    assert probe.start_s == pytest.approx(0.5, abs=1e-3)
    assert probe.has_audio and probe.sample_rate == 16000
    assert probe.header_frames == 47342
    assert probe.faults == ("header: says 47342 frames, 300 are there",)
    assert (probe.pts[1:] > probe.pts[:-1]).all() and probe.keyframe[0]


def test_width_and_height_are_as_displayed(tmp_path: Path) -> None:
    for degrees, size in ((0, (96, 64)), (90, (64, 96)), (180, (96, 64)), (270, (64, 96))):
        probe = probe_video(write_video(tmp_path / f"{degrees}.mp4", rotation=degrees, frames=4))
        assert (probe.width, probe.height) == size


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_file_is_called_truncated(tmp_path: Path, name: str, share: float) -> None:
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    whole = write_video(tmp_path / name, frames=300, size=(320, 240), options=options)
    assert probe_video(whole).faults == ()
    data = whole.read_bytes()
    whole.write_bytes(data[: int(len(data) * share)])
    try:
        faults = probe_video(whole).faults
    except MediaError as error:
        faults = (f"truncated: {error.hint}",)
    assert faults[0].startswith("truncated: ") and "promises" in faults[0]


def test_what_is_no_video_is_refused_saying_what_it_is(tmp_path: Path) -> None:
    for content, what in (
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (bytes(range(64)), "bytes 00010203"),
    ):
        path = tmp_path / "p0002_r000_v000_a000.mkv"
        path.write_bytes(content)
        with pytest.raises(MediaError, match=what):
            probe_video(path)
    with pytest.raises(MediaError, match="no such file"):
        probe_video(tmp_path / "none.mkv")


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import numpy as np

    from homage_sdk.shards.encoding.mono_file import flac

    (tmp_path / "a.flac").write_bytes(flac(np.zeros(1000, np.float32), 16000))
    with pytest.raises(MediaError, match="no picture"):
        probe_video(tmp_path / "a.flac")


@pytest.mark.parametrize("stray", [0, 60, 89])
@pytest.mark.parametrize("far_s", [36_000.0, 1e8])
def test_a_stray_timestamp_bends_nothing_but_its_own_frame(
    tmp_path: Path, stray: int, far_s: float
) -> None:
    """The others keep their moments; sound with such a packet keeps its beginning."""
    count = {"video": 0, "audio": 0}

    def change(packet: av.Packet) -> av.Packet:
        kind = packet.stream.type
        if count[kind] == (stray if kind == "video" else 5):
            packet.pts = int(far_s / packet.time_base)
        count[kind] += 1
        return packet

    plain = write_video(tmp_path / "plain.mkv", frames=90, audio=True)
    path = remux(tmp_path / "stray.mkv", plain, change)
    probe, before = probe_video(path), probe_video(plain)
    assert probe.n_frames == 89 and probe.duration_s == pytest.approx(3, abs=0.1)
    assert probe.audio_start_s == before.audio_start_s
    assert "1 frame far from the others" in probe.fault("timestamps")
    reader = VideoReader(path, probe)
    others = [n for n in range(90) if n != stray]
    assert [number_of(image) for image in reader.frames(range(89))] == others
    for k in (80, 40, 3):
        assert number_of(reader.frames([k])[0]) == others[k]


def test_a_long_pause_is_no_stray_timestamp() -> None:
    """Two parts of a recording with half an hour between them are one video."""
    times = np.concatenate([np.arange(9000), np.arange(9000) + 9000 + 54_000]) / 30
    assert main_part(times) == slice(0, 18_000)


def test_timestamps_that_only_count_packets_are_refused(tmp_path: Path) -> None:
    """In .avi those of B-frames are lost; without B-frames they are right."""
    path = write_video(tmp_path / "b.avi", frames=60, b_frames=3)
    with pytest.raises(MediaError, match=r"B-frames.*ffmpeg -i IN"):
        probe_video(path)
    plain = write_video(tmp_path / "p.avi", frames=60)
    assert [number_of(image) for image in VideoReader(plain).frames([0, 7, 59])] == [0, 7, 59]
    mkv = write_video(tmp_path / "b.mkv", frames=60, b_frames=3)
    assert [number_of(image) for image in VideoReader(mkv).frames([0, 7, 59])] == [0, 7, 59]
