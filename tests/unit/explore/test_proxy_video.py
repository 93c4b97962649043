"""A view on a page: picture k is annotation frame k + 1, in one stated colour space, in budget."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace

from homage_sdk import Dataset, Sequence
from homage_sdk.explore.proxy_video import proxy_sound, proxy_view, video_kbit
from homage_sdk.media.probe import probe_video
from homage_sdk.shards.packing.encode import ViewCoding, encode_pictures
from homage_sdk.time import NOMINAL_FPS
from tests.filmed import DAMAGED, GAP_AFTER, GAP_FRAMES, SEQUENCE
from tests.unit.media.videos import number_of, write_video
from tests.unit.shards.test_encode import PATCHES, patches, write_patches

N = 150


@pytest.fixture(scope="module")
def sequence(filmed: Path) -> Sequence:
    return Dataset(filmed)[SEQUENCE]


def numbers(data: bytes) -> list[int]:
    with av.open(io.BytesIO(data)) as video:
        return [number_of(frame.to_ndarray(format="rgb24")) for frame in video.decode(video=0)]


@pytest.mark.parametrize("view", [0, 1])
def test_picture_k_is_annotation_frame_k_plus_1(sequence: Sequence, view: int) -> None:
    """View 0 begins at 21 ms of its file; view 1's pictures are not evenly spaced."""
    made = proxy_view(sequence.view(view), N, 500)
    assert numbers(made.data) == list(range(N))
    assert (made.gaps, made.damaged) == ((), ())


def test_in_a_gap_the_last_picture_is_repeated_and_the_stretch_is_named(sequence: Sequence) -> None:
    made = proxy_view(sequence.view(2), N, 500)
    shown = numbers(made.data)
    ((first, last),) = made.gaps
    assert GAP_AFTER < first <= last <= GAP_AFTER + GAP_FRAMES
    assert last - first + 1 > GAP_FRAMES / 2
    assert set(shown[first - 1 : last]) == {GAP_AFTER - 1}
    after = list(range(GAP_AFTER + GAP_FRAMES, N))
    assert [shown[k] for k in after] == [k - GAP_FRAMES for k in after]


def test_damage_is_named_and_a_view_that_ends_early_holds_its_last_picture(
    sequence: Sequence,
) -> None:
    made = proxy_view(sequence.view(3), N, 500)
    shown = numbers(made.data)
    ((first, last),) = made.damaged
    assert first == DAMAGED + 1
    assert set(shown[first - 1 : last]) == {DAMAGED - 1}
    assert made.gaps == ((121, N),)
    assert set(shown[120:]) == {119}
    good = [k for k in range(120) if not first - 1 <= k < last]
    assert [shown[k] for k in good] == good


def test_the_file_is_made_for_seeking_and_says_its_colours(sequence: Sequence) -> None:
    data = proxy_view(sequence.view(0), N, 500).data
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(io.BytesIO(data)) as video:
        stream = video.streams.video[0]
        context = stream.codec_context
        tags = (context.colorspace, context.color_range, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1, 1)
        assert (context.pix_fmt, stream.average_rate) == ("yuv420p", 30)
        packets = [p for p in video.demux(stream) if p.pts is not None]
        assert [p.pts * stream.time_base * 30 for p in packets] == list(range(N))
        assert all(p.pts == p.dts for p in packets)  # no B-frames
        keys = [k for k, p in enumerate(packets) if p.is_keyframe]
        assert max(np.diff([*keys, N])) <= 30


@pytest.mark.parametrize("matrix", [Colorspace.ITU601, Colorspace.ITU709])
def test_colours_are_converted_and_not_only_tagged(tmp_path: Path, matrix: Colorspace) -> None:
    path = tmp_path / "patches.mkv"
    write_patches(path, "libx264", "yuv420p", matrix, full=matrix == Colorspace.ITU601)
    coding = ViewCoding(NOMINAL_FPS, 360, 30, {"crf": "4"}, matrix=Colorspace.ITU709)
    made = encode_pictures(path, probe_video(path).index, [0, 1, 2], coding)
    with av.open(io.BytesIO(made.data)) as video:
        shown = patches(next(video.decode(video=0)).to_ndarray(format="rgb24"))
    assert abs(shown - PATCHES).max() <= 4


@pytest.mark.slow
def test_a_view_keeps_its_rate_whatever_it_shows(tmp_path: Path, sequence: Sequence) -> None:
    """Noise, which nothing compresses: the limit holds, whatever quality would ask for."""
    path = tmp_path / "noise.mkv"
    write_video(path, frames=120, size=(192, 128))
    draw = np.random.default_rng(0)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.options = 192, 128, {"crf": "10"}
        for _ in range(180):
            noise = draw.integers(0, 256, (128, 192, 3), dtype=np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(noise)))
        out.mux(stream.encode(None))

    class Noise:
        index = probe_video(path).index

        def file(self) -> Path:
            return path

    made = proxy_view(Noise(), 180, 400)  # type: ignore[arg-type]
    assert len(made.data) <= 400_000 / 8 * (6 + 1) * 1.05


def test_the_budget_is_kept_by_the_page_as_a_whole() -> None:
    for n_views, seconds, other in [(4, 60, 1_500_000), (3, 20, 400_000), (5, 100, 2_000_000)]:
        kbit = video_kbit(n_views, seconds * 30, other)
        video = n_views * kbit * 1000 / 8 * (seconds + 1) * 4 / 3
        assert video + other <= 10_000_000 * max(1, n_views * seconds / 240)
    assert video_kbit(0, 300, 0) > 0


def test_the_sound_lies_where_it_was_recorded(sequence: Sequence) -> None:
    made = proxy_sound(sequence, N)
    with av.open(io.BytesIO(made.data)) as sound:
        frames = [f.to_ndarray()[0] for f in sound.decode(audio=0)]
        start = float(sound.streams.audio[0].start_time * sound.streams.audio[0].time_base)
    wave = np.concatenate(frames)
    loud = np.flatnonzero(np.abs(wave) > 0.2) / 48_000 + start
    assert (made.view, made.gaps) == (0, ())
    assert loud[0] == pytest.approx(1.0, abs=0.03)
    assert loud[-1] == pytest.approx(2.0, abs=0.03)
