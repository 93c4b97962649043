"""What a probe says is what the file holds; what is wrong with it is said in one line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from homage_sdk.errors import MediaError
from homage_sdk.media.probe import probe_video
from tests.unit.media.videos import write_video


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

    from homage_sdk.shards.packing.encode import flac

    (tmp_path / "a.flac").write_bytes(flac(np.zeros(1000, np.float32), 16000))
    with pytest.raises(MediaError, match="no picture"):
        probe_video(tmp_path / "a.flac")
