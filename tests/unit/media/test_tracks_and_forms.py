"""The default track, the way up, one size: what a file states is what every road shows.

ffmpeg's own output is the right value, wherever it can give one.
"""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from homage_sdk.dataset.dataset import Dataset
from homage_sdk.errors import MediaError
from homage_sdk.ingest import ingest
from homage_sdk.ingest.decode import decode_videos
from homage_sdk.ingest.probe import probe_videos
from homage_sdk.loader.pictures.decode import decode_clip
from homage_sdk.media.audio import read_audio, read_flac
from homage_sdk.media.check_pictures import check_pictures
from homage_sdk.media.probe import probe_video
from homage_sdk.media.video_reader import VideoReader
from homage_sdk.release import read_release
from homage_sdk.release.files.layouts import OTHER_MEDIA_SUFFIXES, VIDEO_SUFFIXES
from homage_sdk.shards import ShardSet, pack
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.time import Frame
from homage_sdk.validation import validate, video_paths
from tests.ffmpeg import H264, TEST_PICTURE, ffmpeg, pictures, sound
from tests.unit.media.videos import like, remux, write_video
from tests.unit.release.tiny import Tiny

SEQUENCE, VIEW = "p0001_r001_a001", "p0001_r001_v000_a001"
OPTIONS = PackOptions(short_side=96, stride=1, crf=1)
TONE = ("-f", "lavfi", "-i", "sine=f=440:r=48000:d=2")
SILENCE = ("-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono:d=2")
BLACK = ("-f", "lavfi", "-i", "color=black:size=160x96:rate=30:duration=2")


def release_of(folder: Path, suffix: str = ".mkv") -> tuple[Tiny, Path]:
    """A release of one view, whose file is still to be made."""
    tiny = Tiny(folder / "release")
    tiny.list("train", f"{SEQUENCE},make_tea")
    return tiny, tiny.video(VIEW, b"", suffix)


def findings(tiny: Tiny) -> dict[str, str]:
    """By code, what `validate --deep --decode all` finds in media."""
    release = read_release(tiny.root)
    probes = probe_videos(tiny.root, video_paths(release))
    checked = decode_videos(tiny.root, probes, everything=True, workers=1)
    problems = validate(release, probes=probes, checked=checked)
    return {p.code: p.found for p in problems if p.code >= "HOM600" or p.code < "HOM200"}


def packed(tiny: Tiny, folder: Path) -> ShardSet:
    ingest(tiny.root, folder / "catalog")
    pack(Dataset(folder / "catalog"), folder / "shards", OPTIONS, workers=1)
    return ShardSet.open(folder / "shards")


def packed_pictures(shards: ShardSet) -> np.ndarray:
    (sample,) = shards.samples
    info = sample.views[0]
    out = np.empty((info.n_frames, info.height, info.width, 3), np.uint8)
    decode_clip(
        shards.read(sample.key, info.field), np.arange(info.n_frames), OPTIONS.fps, None, out
    )
    return out


def packed_sound(shards: ShardSet) -> np.ndarray:
    (sample,) = shards.samples
    assert sample.sound is not None
    data = shards.read(sample.key, sample.sound.field)
    return read_flac(io.BytesIO(data), 0, sample.sound.n_samples / OPTIONS.audio_rate)


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference in levels; of other shapes none is meant."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(np.float64) - b).mean())


# Which way up ---------------------------------------------------------------------------------

WAYS = {
    "as it is": (),
    "mirrored": ("-display_hflip",),
    "flipped": ("-display_vflip",),
    "a quarter": ("-display_rotation", "90"),
    "half": ("-display_rotation", "180"),
    "three quarters": ("-display_rotation", "270"),
    "a quarter, mirrored": ("-display_rotation", "90", "-display_hflip"),
    "three quarters, mirrored": ("-display_rotation", "270", "-display_hflip"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_pictures_are_shown_the_way_up_that_ffmpeg_shows_them(
    tmp_path: Path, way: str, suffix: str
) -> None:
    stored = tmp_path / "stored.mp4"
    ffmpeg(*TEST_PICTURE, *H264, stored)
    tiny, path = release_of(tmp_path, suffix)
    ffmpeg(*WAYS[way], "-i", stored, "-c", "copy", path)
    size = (96, 160) if "quarter" in way else (160, 96)
    shown = pictures(path, size)
    probe = probe_video(path)
    assert (probe.width, probe.height) == size and len(shown) == probe.n_frames == 60
    assert apart(VideoReader(path, probe).frames(range(60)), shown) == 0
    shards = packed(tiny, tmp_path)
    view = Dataset(tmp_path / "catalog")[SEQUENCE].view(0)
    assert (view.width, view.height) == size and apart(view.image(Frame(31)), shown[30]) == 0
    assert apart(packed_pictures(shards), shown) < 6, "another way up is 60 and more"
    assert "HOM621" not in findings(tiny)


def test_an_angle_that_is_no_quarter_turn_is_said(tmp_path: Path) -> None:
    stored = tmp_path / "stored.mp4"
    ffmpeg(*TEST_PICTURE, *H264, stored)
    tiny, path = release_of(tmp_path, ".mp4")
    ffmpeg("-display_rotation", "30", "-i", stored, "-c", "copy", path)
    assert "30.0 degrees" in findings(tiny)["HOM621"]


def test_a_stream_that_states_its_way_up_at_keyframes_only(tmp_path: Path) -> None:
    stored, path = tmp_path / "stored.mkv", tmp_path / "a.mkv"
    ffmpeg(*TEST_PICTURE, *H264, stored)
    states = "h264_metadata=display_orientation=insert:flip=horizontal:rotate=90"
    ffmpeg("-i", stored, "-c", "copy", "-bsf:v", states, path)
    upright = pictures(stored, (160, 96))
    shown = VideoReader(path).frames([40, 3, 0])
    assert apart(shown[2], pictures(path, (96, 160), "-frames:v", "1")[0]) == 0
    assert apart(shown, np.ascontiguousarray(upright[[40, 3, 0]].swapaxes(1, 2))) == 0


# One size -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_size_that_changes_in_mid_stream_is_found_marked_and_refused(
    tmp_path: Path, suffix: str
) -> None:
    wide, tall = tmp_path / "wide.ts", tmp_path / "tall.ts"
    ffmpeg(*TEST_PICTURE, *H264, "-bf", "0", "-f", "mpegts", wide)
    other = [word.replace("160x96", "96x160") for word in TEST_PICTURE]
    ffmpeg(*other, *H264, "-bf", "0", "-output_ts_offset", "2", "-f", "mpegts", tall)
    both = tmp_path / "both.ts"
    both.write_bytes(wide.read_bytes() + tall.read_bytes())
    tiny, path = release_of(tmp_path, suffix)
    ffmpeg("-i", both, "-c", "copy", path)
    reader = VideoReader(path)
    n, shown = len(reader), pictures(wide, (160, 96))
    assert n == 120 and apart(reader.frames(range(60)), shown) == 0
    for asked in ([100], [3, 100], [60]):
        with pytest.raises(MediaError, match=r"another form.*96x160.*160x96"):
            reader.frames(asked)
    assert apart(reader.frames([59]), shown[59:]) == 0, "reading goes on"
    found = findings(tiny)
    assert found["HOM617"] == "60 pictures at 1 place: 60 from 2.000 s" and "HOM616" not in found
    sampled = check_pictures(path, reader.index, everything=False)
    assert sampled.other, "the last stretch is in every sample"
    (sample,) = packed(tiny, tmp_path).samples
    assert sample.views[0].gaps == ((60, 120),)
    assert (sample.views[0].width, sample.views[0].height) == (160, 96)


# Tracks ---------------------------------------------------------------------------------------


def two_tracks(path: Path, first: str, second: str, kind: str) -> None:
    """A file whose tracks of ``kind`` are marked as ``first`` and ``second`` say."""
    inputs = (*BLACK, *TEST_PICTURE, *TONE) if kind == "v" else (*TEST_PICTURE, *SILENCE, *TONE)
    maps = ("-map", "0", "-map", "1", "-map", "2")
    marks = (f"-disposition:{kind}:0", first, f"-disposition:{kind}:1", second)
    ffmpeg(*inputs, *maps, *H264, "-c:a", "flac", "-strict", "-2", *marks, path)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("kind", ["v", "a"])
def test_the_default_track_is_taken_and_not_the_first(
    tmp_path: Path, suffix: str, kind: str
) -> None:
    tiny, path = release_of(tmp_path, suffix)
    two_tracks(path, "0", "default", kind)
    shown, heard = pictures(path, (160, 96)), sound(path, 16_000)
    assert shown.std() > 50 and np.abs(heard).max() > 0.05
    assert apart(VideoReader(path).frames(range(60)), shown) == 0
    samples = read_audio(path, 0, 1.9)
    assert np.abs(samples[200:-200] - heard[: len(samples)][200:-200]).max() < 1e-3
    shards = packed(tiny, tmp_path)
    assert apart(packed_pictures(shards), shown) < 6
    assert np.abs(packed_sound(shards)[:30_000] - heard[:30_000]).max() < 1e-2
    found = findings(tiny)
    assert "number 2 is used" in found["HOM620"] and "HOM618" not in found


def test_without_marks_the_first_track_is_taken_and_silence_is_said(tmp_path: Path) -> None:
    tiny, path = release_of(tmp_path)
    two_tracks(path, "default", "0", "a")
    assert np.abs(read_audio(path, 0, 1.9)).max() == 0 == np.abs(sound(path, 16_000)).max()
    found = findings(tiny)["HOM618"]
    assert "silence" in found and "2 sound tracks, number 1 is used" in found


@pytest.mark.parametrize("empty", ["video", "sound"])
def test_a_first_track_without_a_packet_is_passed_over_and_said(tmp_path: Path, empty: str) -> None:
    whole = write_video(tmp_path / "whole.mkv", frames=60, audio=True)
    tiny, path = release_of(tmp_path)
    with av.open(str(whole)) as source, av.open(str(path), "w") as out:
        parts = {"video": source.streams.video[0], "sound": source.streams.audio[0]}
        nothing = out.add_stream_from_template(parts[empty])
        nothing.disposition = av.stream.Disposition.default
        tracks = {s.index: out.add_stream_from_template(s) for s in parts.values()}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = tracks[packet.stream.index]
                out.mux(packet)
    assert apart(VideoReader(path).frames(range(60)), pictures(whole, (96, 64))) == 0
    assert np.array_equal(read_audio(path, 0, 1.9), read_audio(whole, 0, 1.9))
    assert "number 2 is used, without a packet: 1" in findings(tiny)["HOM620"]


def test_a_cover_picture_is_not_the_video(tmp_path: Path) -> None:
    stored, cover, path = (tmp_path / name for name in ("a.mp4", "cover.png", "b.mp4"))
    ffmpeg(*TEST_PICTURE, *H264, stored)
    ffmpeg("-f", "lavfi", "-i", "color=red:size=300x300", "-frames:v", "1", cover)
    marks = ("-disposition:v:0", "attached_pic", "-c:v", "copy")
    ffmpeg("-i", cover, "-i", stored, "-map", "0", "-map", "1", *marks, path)
    assert (probe_video(path).width, len(VideoReader(path))) == (160, 60)


# Sound ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["flac", "pcm_f32le", "aac"])
@pytest.mark.parametrize("layout", ["5.1", "7.1", "stereo"])
def test_mixing_channels_at_full_scale_stays_within_bounds(
    tmp_path: Path, codec: str, layout: str
) -> None:
    n = {"5.1": 6, "7.1": 8, "stereo": 2}[layout]
    tiny, path = release_of(tmp_path)
    loud = "|".join(["0.999*sgn(sin(2*PI*300*t))"] * n)
    tracks = ("-f", "lavfi", "-i", f"aevalsrc={loud}:c={layout}:s=48000:d=2")
    ffmpeg(*TEST_PICTURE, *tracks, *H264, "-c:a", codec, "-b:a", "512k", path)
    own = read_audio(path, 0, 1.9, 48_000)
    assert np.abs(own).max() <= 1
    if codec != "aac":
        t = np.arange(len(own)) / 48_000
        expected = 0.999 * np.sign(np.sin(2 * np.pi * 300 * t))
        assert np.median(np.abs(own - expected)) < 1e-4, "the mean of equal channels is each one"
    assert np.abs(read_audio(path, 0, 1.9, 16_000)).max() <= 1
    assert np.abs(packed_sound(packed(tiny, tmp_path))).max() <= 1


def test_packets_of_sound_that_do_not_decode_are_found(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", frames=60, audio=True)
    tiny, path = release_of(tmp_path)
    count = iter(range(10_000))

    def change(packet: av.Packet) -> av.Packet:
        is_hit = packet.stream.type == "audio" and next(count) in (7, 9)
        return like(packet, b"\xff" * packet.size) if is_hit else packet

    remux(path, whole, change)
    assert findings(tiny)["HOM619"] == "2 packets cannot be decoded"
    (sample,) = packed(tiny, tmp_path).samples
    assert sample.sound is not None and sample.sound.gaps


# Suffixes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [*VIDEO_SUFFIXES, ".MP4"])
def test_every_suffix_that_is_taken_is_read_like_ffmpeg_reads_it(
    tmp_path: Path, suffix: str
) -> None:
    tiny, path = release_of(tmp_path, suffix)
    codecs = {".webm": ("-c:v", "libvpx-vp9", "-c:a", "libopus"), ".avi": ("-c:v", "mpeg4")}
    ffmpeg(*TEST_PICTURE, *TONE, *codecs.get(suffix, H264), path)
    shown = pictures(path, (160, 96))
    assert apart(VideoReader(path).frames(range(60)), shown) < 0.05
    assert np.abs(read_audio(path, 0.5, 1.5)).max() > 0.05
    found = findings(tiny)
    assert not {"HOM145", "HOM160", "HOM600", "HOM610", "HOM616"} & found.keys()
    made = packed_pictures(packed(tiny, tmp_path))
    index = probe_video(path).index
    assert apart(made, shown[index.closest(np.arange(len(made)) / 30)]) < 6


@pytest.mark.parametrize("suffix", OTHER_MEDIA_SUFFIXES)
def test_every_other_suffix_of_media_is_named(tmp_path: Path, suffix: str) -> None:
    tiny, _ = release_of(tmp_path, suffix)
    tiny.video("holiday", b"", suffix)
    named = [p for p in read_release(tiny.root).problems if p.code == "HOM145"]
    assert [(p.place.file.rpartition("/")[2], p.place.sequence) for p in named] == [
        (f"{VIEW}{suffix}", SEQUENCE)
    ]
