"""Sound by time: measured against soundfile."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from homage_sdk.errors import MediaError, UsageError
from homage_sdk.media.audio import read_audio, read_flac, read_sound
from homage_sdk.media.header.opening import open_media
from homage_sdk.media.probe import probe_video
from homage_sdk.shards.encoding.mono_file import flac
from tests.unit.media.videos import like, remux, tone, write_video

KINDS = {
    "aac in mkv": ("a.mkv", {}, 0.0),
    "aac in mp4": ("a.mp4", {"b_frames": 3}, 0.0),
    "late file": ("a.mkv", {"start_s": 1.5}, 0.0),
    "late sound": ("a.mkv", {"audio_start_s": 0.7}, 0.7),
    "44100 Hz": ("a.mkv", {"rate": 44100}, 0.0),
    "flac": ("a.mkv", {"audio_codec": "flac"}, 0.0),
    "opus": ("a.mkv", {"audio_codec": "libopus", "rate": 48000}, 0.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_tone_is_heard_when_the_picture_says(tmp_path: Path, kind: str) -> None:
    name, how, late = KINDS[kind]
    path = write_video(tmp_path / name, audio=True, frames=180, tone_at=(2.0, 3.0), **how)
    for begin, end in ((0.0, 6.0), (1.5, 5.25), (1.99, 4.0)):
        wave = read_audio(path, begin, end)
        assert wave.shape == (round(end * 16000) - round(begin * 16000),)
        heard = np.flatnonzero(np.abs(wave) > 0.25) / 16000 + begin
        assert heard[0] == pytest.approx(2.0 + late, abs=0.003)
        assert heard[-1] == pytest.approx(min(end, 3.0 + late), abs=0.003)


def test_outside_the_recording_is_silence(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", audio=True, frames=60)
    wave = read_audio(path, -1.0, 4.0)
    assert len(wave) == 80000
    assert not wave[:15900].any() and not wave[-30000:].any() and wave[16000:48000].any()


def test_a_packed_window_is_the_same_samples_as_soundfile_reads() -> None:
    wave = np.random.default_rng(0).normal(0, 0.1, 200_000).astype(np.float32)
    data = flac(wave, 16000)
    truth, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert rate == 16000 and np.abs(truth - wave).max() < 1 / 32000
    for begin in np.random.default_rng(1).uniform(0, 12, 30):
        got = read_flac(io.BytesIO(data), begin, begin + 1.5)
        first = round(begin * 16000)
        expected = np.zeros(len(got), np.float32)
        part = truth[first : first + len(got)]
        expected[: len(part)] = part
        assert np.array_equal(got, expected)


def test_no_sound_and_no_window_are_said_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", frames=5)
    with pytest.raises(MediaError, match="no sound"):
        read_audio(path, 0, 1)
    with pytest.raises(MediaError, match="not a window"):
        read_audio(path, 1, 1)
    with pytest.raises(MediaError, match="not a sound file"):
        read_flac(io.BytesIO(b"nothing at all"), 0, 1)


@pytest.mark.parametrize("rate", [0, -5, 16000.5, None, 10**6])
def test_what_is_no_rate_is_refused_before_the_file_is_looked_at(rate: int) -> None:
    with pytest.raises(UsageError, match=r"not a sample rate; found .*; expected 1 to 768,000"):
        read_audio(Path("nowhere.mkv"), 0, 1, rate)


def test_a_file_that_the_system_refuses_is_a_fault_of_it() -> None:
    with pytest.raises(MediaError, match="cannot be read"):
        read_audio(Path("a" * 300 + ".mkv"), 0, 1)


def test_a_whole_number_of_numpy_is_a_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", audio=True, frames=30)
    for rate in (8_000, 16_000):
        assert np.array_equal(read_audio(path, 0, 1, np.int64(rate)), read_audio(path, 0, 1, rate))


def test_an_open_file_is_named_as_the_caller_names_it() -> None:
    for data in (b"nothing at all", b"fLaC" + bytes(500)):
        with pytest.raises(MediaError) as caught:
            read_flac(io.BytesIO(data), 0, 1, place="p1.ego.flac")
        assert str(caught.value).startswith("p1.ego.flac: ")
        with pytest.raises(MediaError) as caught:
            read_flac(io.BytesIO(data), 0, 1)
        assert "BytesIO" not in str(caught.value)


BEEPS = (0.25, 1.25, 2.25, 3.25, 4.25, 5.25)


def beeping(path: Path, codec: str = "aac", rate: int = 48_000, **how: Any) -> Path:
    """Six seconds with a beep in each; noise, so that no two moments sound alike."""
    wave = np.random.default_rng(0).normal(0, 0.01, 6 * rate).astype(np.float32)
    for at in BEEPS:
        begin = round(at * rate)
        wave[begin : begin + rate // 20] += tone(0.05, (0, 0.05), rate)
    facts = {"audio": True, "audio_codec": codec, "rate": rate, "frames": 180}
    return write_video(path, sound=wave, **(facts | how))


def heard(wave: np.ndarray, begin: float = 0.0) -> list[float]:
    """When beeps begin, to a hundredth of a second."""
    loud = np.flatnonzero(np.abs(wave) > 0.2) / 16_000 + begin
    return [round(float(at), 2) for at in loud[np.diff(loud, prepend=-1.0) > 0.5]]


def without(path: Path, source: Path, lost: Callable[[av.Packet], bool]) -> Path:
    """The same file without some packets of sound."""

    def kept(packet: av.Packet) -> av.Packet | None:
        return None if packet.stream.type == "audio" and lost(packet) else packet

    return remux(path, source, kept)


def at_s(packet: av.Packet) -> float:
    assert packet.pts is not None and packet.time_base is not None
    return float(packet.pts * packet.time_base)


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "flac", "pcm_s16le", "libopus"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "with a gap"])
def test_a_window_is_the_same_samples_as_that_part_of_a_longer_one(
    tmp_path: Path, codec: str, whole: bool
) -> None:
    path = beeping(tmp_path / "a.mkv", codec)
    if not whole:
        path = without(tmp_path / "gap.mkv", path, lambda packet: 2.0 <= at_s(packet) < 3.0)
    long = read_sound(path, -1.0, 7.0)
    windows = np.random.default_rng(1).uniform(-0.9, 5, (12, 2)) + np.array([0.0, 1.5])
    for begin, end in windows:
        if begin >= end:
            continue
        part = read_sound(path, begin, end)
        first = round(begin * 16_000) + 16_000
        assert np.array_equal(part.samples, long.samples[first : first + len(part.samples)])
        assert np.array_equal(part.recorded, long.recorded[first : first + len(part.samples)])


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("form", ["mkv", "mp4"])
def test_sound_after_a_gap_is_heard_when_it_was_recorded(
    tmp_path: Path, rate: int, form: str
) -> None:
    source = beeping(tmp_path / f"a.{form}", rate=rate)
    path = without(tmp_path / f"gap.{form}", source, lambda packet: 2.0 <= at_s(packet) < 3.0)
    expected = [at for at in BEEPS if at != 2.25]
    sound = read_sound(path, 0, 6)
    assert heard(sound.samples) == expected
    missing = np.flatnonzero(~sound.recorded[: 5 * 16_000]) / 16_000
    missing = missing[missing > 0.1]  # sound may begin a tick after the picture
    assert missing.min() == pytest.approx(2.0, abs=0.1)
    assert missing.max() == pytest.approx(3.0, abs=0.1)
    assert not sound.samples[~sound.recorded].any()
    for second in range(6):
        found = heard(read_audio(path, second, second + 1), second)
        assert found == [at for at in expected if second <= at < second + 1]


def test_of_sound_that_is_there_twice_the_later_counts(tmp_path: Path) -> None:
    moves: list[tuple[int, int]] = []

    def pressed(packet: av.Packet) -> av.Packet:
        if packet.stream.type == "audio":
            before = at_s(packet)  # each packet after 2.088 s lies half over the one before
            after = before - min(max(before - 2.088, 0) / 2, 0.504)  # 14 of them, of 72 ms
            packet.pts = packet.dts = round(after / packet.time_base)
            moves.append((round(before * 16_000), round(at_s(packet) * 16_000)))
        return packet

    source = beeping(tmp_path / "a.mkv", "flac", 16_000)
    path = remux(tmp_path / "pressed.mkv", source, pressed)
    truth = read_audio(source, 0, 6)
    expected, recorded = np.zeros(96_000, np.float32), np.zeros(96_000, np.bool_)
    for (before, at), (stop, _) in pairwise([*moves, (96_000, 0)]):
        expected[at : at + stop - before] = truth[before:stop]
        recorded[at : at + stop - before] = True
    sound = read_sound(path, 0, 6)
    assert np.array_equal(sound.samples, expected)
    assert np.array_equal(sound.recorded, recorded)
    assert recorded.mean() == pytest.approx(5.496 / 6, abs=1e-4)
    assert [f.partition(":")[0] for f in probe_video(path).faults] == ["sound"]


@pytest.mark.parametrize("form", ["mkv", "mp4"])
def test_sound_before_the_picture_is_heard_also_where_the_picture_must_be_found(
    tmp_path: Path, form: str
) -> None:
    path = write_video(tmp_path / f"a.{form}", audio=True, start_s=3.0, audio_start_s=-2.5)
    told = read_sound(path, -3, 3, video_start_s=probe_video(path).start_s)
    found = read_sound(path, -3, 3)
    assert told.recorded.mean() == pytest.approx(0.5, abs=0.03)
    assert np.array_equal(found.samples, told.samples)
    assert np.array_equal(found.recorded, told.recorded)


def test_of_a_file_that_is_cut_what_is_there_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "cut.mkv"
    whole = write_video(tmp_path / "a.mkv", audio=True, start_s=3.0, audio_start_s=-2.5)
    path.write_bytes(whole.read_bytes()[:3000])
    assert read_sound(path, 0, 1).recorded.any()


@pytest.mark.parametrize("rate", [16_000, 768_000])
def test_a_file_is_decoded_once_however_long_it_is(
    tmp_path: Path, rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(45 * rate, np.int16), rate)  # at 768 kHz more than 128 MB
    opened: list[Path] = []

    def counted(file: Path) -> av.container.InputContainer:
        opened.append(file)
        return open_media(file)

    monkeypatch.setattr("homage_sdk.media.soundtrack.open_media", counted)
    read_audio(path, 0, 1, rate)
    once = len(opened)
    assert not read_audio(path, 30, 31, rate).any()
    assert len(opened) == once > 0


def test_a_packet_that_cannot_be_decoded_costs_no_other(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 400, dtype=np.uint8).tobytes()

    def spoiled(packet: av.Packet) -> av.Packet:
        if packet.stream.type != "audio" or not 2.1 <= at_s(packet) < 2.12:
            return packet
        return like(packet, noise)

    path = remux(tmp_path / "bad.mkv", beeping(tmp_path / "a.mkv"), spoiled)
    sound = read_sound(path, 0, 6)
    assert heard(sound.samples) == list(BEEPS)
    assert 0 < (~sound.recorded[:90_000]).sum() < 1000


def test_a_stray_timestamp_moves_nothing_else(tmp_path: Path) -> None:
    source = beeping(tmp_path / "a.mkv")
    with av.open(str(source)) as container:
        *_, last_s, _ = [at_s(p) for p in container.demux(audio=0) if p.pts is not None]

    def astray(packet: av.Packet) -> av.Packet:
        if packet.stream.type == "audio" and at_s(packet) > last_s:
            packet.pts = packet.dts = round(100_000 / packet.time_base)
        return packet

    path = remux(tmp_path / "stray.mkv", source, astray)
    assert heard(read_audio(path, 0, 6)) == list(BEEPS)


@pytest.mark.parametrize("layout", ["stereo", "5.1"])
def test_many_channels_become_their_mean(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "a.wav"
    n = len(av.AudioLayout(layout).channels)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=16_000, layout=layout)
        channels = np.full((n, 16_000), 32767, np.int16)
        channels[0] = 0
        frame = av.AudioFrame.from_ndarray(channels.T.reshape(1, -1), "s16", layout)
        frame.sample_rate = 16_000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert read_audio(path, 0, 1) == pytest.approx((n - 1) / n, abs=1e-3)


def test_a_file_replaced_under_its_name_is_another_sound(tmp_path: Path) -> None:
    path = beeping(tmp_path / "a.mkv")
    before = read_audio(path, 0, 6)
    without(tmp_path / "gap.mkv", path, lambda packet: 2.0 <= at_s(packet) < 3.0).replace(path)
    assert not np.array_equal(read_audio(path, 0, 6), before)
