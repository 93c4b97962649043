"""A frame asked for is the frame given, on every kind of file that HOMAGE could hold."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import FrameType

import cv2
import numpy as np
import pytest

from homage_sdk.errors import MediaError
from homage_sdk.media.decoder import DECODERS, DecoderPool
from homage_sdk.media.probe import probe_video
from homage_sdk.media.pts_index import PtsIndex
from homage_sdk.media.video_reader import VideoReader
from homage_sdk.time import Frame, Seconds
from tests.unit.media.videos import number_of, picture, write_video

_UNEVEN = np.cumsum(np.random.default_rng(3).uniform(0.01, 0.2, 120)).tolist()

KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "plain": ("a.mkv", {}),
    "sound before picture": ("a.mkv", {"audio": True, "start_s": 0.021}),
    "late start": ("a.mkv", {"start_s": 1.5}),
    "late start, mp4": ("a.mp4", {"start_s": 1.5, "b_frames": 2}),
    "b-frames": ("a.mkv", {"b_frames": 3}),
    "b-frames, edit list": ("a.mp4", {"b_frames": 3, "audio": True}),
    "open gop": (
        "a.mkv",
        {"extra_options": {"x264-params": "keyint=12:min-keyint=1:bframes=3:open-gop=1"}},
    ),
    "gop 250": ("a.mkv", {"gop": 250, "b_frames": 2, "frames": 400}),
    "29.97": ("a.mkv", {"fps": Fraction(30000, 1001), "b_frames": 2, "frames": 300}),
    "variable rate": ("a.mkv", {"pts_s": _UNEVEN, "frames": 120}),
    "variable rate, b-frames": ("a.mp4", {"pts_s": _UNEVEN, "frames": 120, "b_frames": 3}),
    "rotated 90": ("a.mp4", {"rotation": 90, "size": (64, 96)}),
    "rotated 180": ("a.mp4", {"rotation": 180}),
    "rotated 270": ("a.mkv", {"rotation": 270, "size": (64, 96)}),
    "odd size": ("a.mkv", {"size": (97, 65), "pixels": "yuv444p"}),
    "lying header": ("a.mkv", {"metadata": {"NUMBER_OF_FRAMES": "47342"}}),
    "no seek table": ("a.mkv", {"options": {"live": "1"}}),
    "avi": ("a.avi", {"codec": "mpeg4"}),
}


@pytest.fixture(scope="module", params=KINDS, ids=lambda name: name.replace(" ", "-"))
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name, how = KINDS[request.param]
    return write_video(tmp_path_factory.mktemp("video") / name, **{"frames": 150, **how})


def test_every_random_lookup_is_exact(video: Path) -> None:
    reader = VideoReader(video)
    draw = np.random.default_rng(0)
    for _ in range(60):
        wanted = draw.integers(0, len(reader), draw.integers(1, 8)).tolist()
        assert [number_of(image) for image in reader.frames(wanted)] == wanted


def test_counting_by_packets_agrees_with_decoding_everything(video: Path) -> None:
    import av

    with av.open(str(video)) as container:
        stamps = [f.pts if f.pts is not None else f.dts for f in container.decode(video=0)]
    assert probe_video(video).pts.tolist() == stamps


def test_a_moment_gives_the_frame_nearest_in_time(video: Path) -> None:
    reader = VideoReader(video)
    times = [p * float(reader.index.time_base) for p in reader.index.pts.tolist()]
    draw = np.random.default_rng(1)
    for moment in draw.uniform(0, times[-1] - times[0], 40).tolist():
        distances = [abs(t - times[0] - moment) for t in times]
        shown = number_of(reader.at(Seconds(moment)))
        assert distances[shown] == pytest.approx(min(distances), abs=1e-9)


def test_rotation_agrees_with_opencv(tmp_path: Path) -> None:
    for degrees in (90, 180, 270):
        path = write_video(tmp_path / f"{degrees}.mp4", rotation=degrees, frames=3)
        capture = cv2.VideoCapture(str(path))
        ok, image = capture.read()
        ours = VideoReader(path).frames([0])[0]
        assert ok and image.shape == ours.shape
        assert np.abs(image[:, :, ::-1].astype(int) - ours.astype(int)).mean() < 3


def test_annotation_frames_of_a_millisecond_clock_are_the_video_frames() -> None:
    """Rounding to .mkv's milliseconds, with any start, never moves a 30 fps frame by one."""
    for start in np.linspace(0, 1, 37):
        pts = np.array([round((start + n / 30) * 1000) for n in range(3000)])
        index = PtsIndex(pts, np.ones(3000, bool), Fraction(1, 1000))
        moments = np.arange(3000) / 30
        for pick in ("nearest", "before", "after"):
            assert (index.at_many(moments, pick) == np.arange(3000)).all()
        assert [index.frame_number(i).number for i in range(0, 3000, 7)] == list(range(1, 3001, 7))


@pytest.mark.slow
def test_before_and_after_are_on_their_side_of_the_moment(video: Path) -> None:
    index = VideoReader(video).index
    times = index.seconds
    for moment in np.random.default_rng(2).uniform(0, times[-1], 200).tolist():
        before, after = index.at(Seconds(moment), "before"), index.at(Seconds(moment), "after")
        slack = index.tolerance_s
        assert times[before] <= moment + slack and times[after] >= moment - slack
        assert after - before in (0, 1)


def test_a_moment_outside_is_refused_with_the_range(tmp_path: Path) -> None:
    reader = VideoReader(write_video(tmp_path / "a.mkv", frames=30))
    assert number_of(reader.at(Frame(30))) == 29
    with pytest.raises(MediaError, match=r"found 2\.000 s; expected 0 to 1\.000 s"):
        reader.at(Seconds(2.0))
    with pytest.raises(MediaError, match="found index 30; expected 0 to 29"):
        reader.frames([30])


@pytest.mark.slow
def test_threads_share_the_pool_without_mixing_frames(video: Path) -> None:
    reader, wrong = VideoReader(video), []

    def look(seed: int) -> None:
        draw = np.random.default_rng(seed)
        for _ in range(25):
            wanted = draw.integers(0, len(reader), 2).tolist()
            got = [number_of(image) for image in reader.frames(wanted)]
            if got != wanted:
                wrong.append((wanted, got))

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_forked_child_does_not_disturb_its_parent(tmp_path: Path) -> None:
    reader = VideoReader(write_video(tmp_path / "a.mkv", frames=200))
    reader.frames([0])
    child = os.fork()
    if child == 0:
        wanted = list(range(199, 0, -7))
        right = [number_of(image) for image in reader.frames(wanted)] == sorted(wanted)[::-1]
        os._exit(0 if right else 1)
    assert [number_of(reader.frames([n])[0]) for n in range(0, 200, 9)] == list(range(0, 200, 9))
    assert os.waitpid(child, 0)[1] == 0


@contextmanager
def a_thread_at(n: int, reader: VideoReader) -> Iterator[bool]:
    """A thread that reads frame 3 stands at its n-th line in the pool; whether there is one."""
    here, go_on = threading.Event(), threading.Event()
    count, stands, seen = 0, False, 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal count, stands
        if frame.f_globals is not DecoderPool.borrow.__globals__:
            return None
        count += event == "line"
        if count == n and not stands:
            stands = True
            here.set()
            go_on.wait(60)
        return trace

    def use() -> None:
        nonlocal seen
        sys.settrace(trace)
        seen = number_of(reader.frames([3])[0])
        here.set()

    thread = threading.Thread(target=use)
    thread.start()
    here.wait(60)
    yield stands
    go_on.set()
    thread.join()
    assert seen == 3


def in_a_child(act: Callable[[], bool]) -> bool:
    """What ``act`` says in a forked process, which has twenty seconds."""
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if act() else 1)
    return os.waitpid(child, 0)[1] == 0


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["of the parent", "of the child"])
def test_a_forked_child_has_decoders_of_its_own_wherever_a_thread_stands(
    tmp_path: Path, threads: str
) -> None:
    reader = VideoReader(write_video(tmp_path / "a.mkv", frames=20))

    def right() -> bool:
        return number_of(reader.frames([7])[0]) == 7

    def cleared() -> bool:
        DECODERS.clear()
        return right()

    def right_beside_a_thread() -> bool:
        with a_thread_at(n, reader):
            return right()

    n, stands = 0, True
    while stands:
        n += 1
        assert right()
        with a_thread_at(n, reader) as stands:
            assert threads == "of the child" or in_a_child(cleared)
        assert threads == "of the parent" or in_a_child(right_beside_a_thread)
        assert right(), "the child left the parent's file where it was"
    assert n > 10


def test_idle_decoders_are_bounded_and_replaced_files_noticed(tmp_path: Path) -> None:
    pool = DecoderPool(limit=3)
    for n in range(6):
        path = write_video(tmp_path / f"{n}.mkv", frames=5)
        with pool.borrow(path, probe_video(path).index) as decoder:
            assert len(list(decoder.frames([0, 4]))) == 2
        assert len(pool) <= 3
    pool.clear()
    assert len(pool) == 0
    DECODERS.clear()
    path = write_video(tmp_path / "same.mkv", frames=5)
    assert number_of(VideoReader(path).frames([2])[0]) == 2
    other = write_video(tmp_path / "other.mkv", frames=5, first_number=100)
    other.replace(path)
    assert number_of(VideoReader(path).frames([2])[0]) == 102


def test_the_barcode_survives_every_size() -> None:
    for width, height in ((24, 16), (97, 65), (1024, 768)):
        for number in (0, 1, 1383, 4095):
            assert number_of(picture(number, width, height)) == number
