"""A damaged picture is an error that names it; every picture handed out is the one recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from homage_sdk.errors import MediaError
from homage_sdk.media.decoder import DECODERS, Decoder
from homage_sdk.media.probe import probe_video
from homage_sdk.media.video_reader import VideoReader
from tests.unit.media.videos import like, number_of, remux, write_video

_OPEN_GOP = {"x264-params": "keyint=12:min-keyint=1:bframes=3:open-gop=1"}
_CAVLC = {"x264-params": "keyint=12:min-keyint=12:scenecut=0:bframes=0:cabac=0"}
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "h264": ("a.mkv", {}),
    "h264, b-frames": ("a.mkv", {"b_frames": 3}),
    "h264, b-frames, mp4": ("a.mp4", {"b_frames": 2}),
    "h264, open gop": ("a.mkv", {"extra_options": _OPEN_GOP}),
    "h264, cavlc": ("a.mkv", {"extra_options": _CAVLC}),
    "h264, ts": ("a.ts", {"b_frames": 2}),
    "mpeg4": ("a.avi", {"codec": "mpeg4"}),
}


def noise(packet: av.Packet) -> av.Packet:
    data = np.random.default_rng(0).integers(0, 256, max(packet.size, 200), dtype=np.uint8)
    return like(packet, bytes(packet)[:5] + data.tobytes())


def with_changed(
    path: Path, source: Path, number: int, change: Callable[[av.Packet], av.Packet | None]
) -> Path:
    """The same file with its video packet ``number`` changed."""
    count = iter(range(10_000))
    return remux(
        path,
        source,
        lambda p: change(p) if p.stream.type == "video" and next(count) == number else p,
    )


def shown(path: Path) -> dict[int, int]:
    """The number in each picture that the file gives, by its place; each asked for alone."""
    reader, found = VideoReader(path), {}
    order = np.random.default_rng(1).permutation(len(reader)).tolist()
    for place in order:
        try:
            found[place] = number_of(reader.frames([place])[0])
        except MediaError:
            continue
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_whole_is_handed_out(tmp_path: Path, kind: str) -> None:
    name, how = KINDS[kind]
    path = write_video(tmp_path / name, **{"frames": 60, **how})
    assert shown(path) == {n: n for n in range(60)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [0, 12, 18])
def test_after_a_broken_packet_nothing_wrong_is_handed_out(
    tmp_path: Path, kind: str, number: int
) -> None:
    name, how = KINDS[kind]
    whole = write_video(tmp_path / f"whole-{name}", **{"frames": 60, **how})
    path = with_changed(tmp_path / name, whole, number, noise)
    recorded = probe_video(remux(tmp_path / f"same-{name}", whole, lambda p: p)).pts.tolist()
    stamps = probe_video(path).pts.tolist()
    found = {recorded.index(stamps[place]): image for place, image in shown(path).items()}
    assert found == {number: number for number in found}
    assert len(found) < 60, "the broken packet is found"
    assert set(range(38, 60)) <= found.keys(), "what follows the next keyframes is whole"
    assert number < 12 or set(range(9)) <= found.keys(), "what lies before is whole"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mpeg4"])
@pytest.mark.parametrize("number", [5, 12, 13, 18, 23])
def test_after_a_lost_packet_nothing_wrong_is_handed_out(
    tmp_path: Path, kind: str, number: int
) -> None:
    name, how = KINDS[kind]
    whole = write_video(tmp_path / f"whole-{name}", **{"frames": 60, **how})
    path = with_changed(tmp_path / name, whole, number, lambda packet: None)
    recorded = probe_video(remux(tmp_path / f"same-{name}", whole, lambda p: p)).pts.tolist()
    stamps = probe_video(path).pts.tolist()
    found = {recorded.index(stamps[place]): image for place, image in shown(path).items()}
    assert found == {number: number for number in found}
    assert set(range(38, 60)) <= found.keys(), "what follows the next keyframes is whole"
    assert number < 12 or set(range(9)) <= found.keys(), "what lies before is whole"


def test_in_order_and_at_random_the_same_pictures_are_damaged(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", frames=60, b_frames=2)
    path = with_changed(tmp_path / "a.mkv", whole, 18, noise)
    decoder = Decoder(path, probe_video(path).index)
    in_order = {f.position for f in decoder.found(range(60)) if f.frame is not None}
    decoder.close()
    assert in_order == shown(path).keys()


def test_the_error_names_file_and_time_and_reading_goes_on(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", frames=60)
    path = with_changed(tmp_path / "a.mkv", whole, 18, noise)
    reader = VideoReader(path)
    with pytest.raises(MediaError) as caught:
        reader.frames([17, 20])
    assert str(caught.value.place) == str(path)
    assert "frame 21" in str(caught.value.found) and "0.667 s" in str(caught.value.found)
    assert number_of(reader.frames([17])[0]) == 17
    assert number_of(reader.frames([24])[0]) == 24


def test_packets_that_decode_to_nothing_cost_only_themselves(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", frames=60)
    count = iter(range(10_000))
    path = remux(tmp_path / "a.mkv", whole, lambda p: p if next(count) >= 5 else None)
    reader = VideoReader(path)
    assert len(reader) == 55
    with pytest.raises(MediaError):
        reader.frames([0])
    assert [number_of(reader.frames([n])[0]) for n in (7, 8, 54)] == [12, 13, 59]


@pytest.mark.slow
def test_damage_of_one_file_is_not_taken_for_that_of_another_in_threads(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", frames=60, b_frames=2)
    broken = with_changed(tmp_path / "a.mkv", whole, 3, noise)
    wrong: list[object] = []
    stop = threading.Event()

    def make_noise() -> None:
        reader = VideoReader(broken)
        while not stop.is_set():
            DECODERS.clear()
            with pytest.raises(MediaError):
                reader.frames([5])

    def look() -> None:
        try:
            for _ in range(3):
                VideoReader(whole).frames(range(60))
        except MediaError as error:
            wrong.append(error)

    noisy, reading = threading.Thread(target=make_noise), threading.Thread(target=look)
    noisy.start()
    reading.start()
    reading.join()
    stop.set()
    noisy.join()
    assert wrong == []
