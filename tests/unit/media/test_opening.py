"""A file is opened in one way, however often, and an open that fails is never taken for a fact."""

from __future__ import annotations

import ast
import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import homage_sdk
from homage_sdk.errors import MediaError, ResourceError
from homage_sdk.media.audio import read_audio
from homage_sdk.media.decoder import DECODERS, Decoder
from homage_sdk.media.header.orientation import first_form
from homage_sdk.media.probe import probe_video
from homage_sdk.media.pts_index import PtsIndex
from homage_sdk.media.video_reader import VideoReader
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.packing.encode import encode_view
from tests.ffmpeg import H264, TEST_PICTURE, ffmpeg
from tests.unit.media.videos import number_of, write_video

TWO_TONES = ("-f", "lavfi", "-i", "sine=f=440:d=2", "-f", "lavfi", "-i", "sine=f=880:d=2")


@contextmanager
def descriptors(n_free: int) -> Iterator[None]:
    """A process that can open ``n_free`` more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(int(link.name) for link in Path("/proc/self/fd").iterdir()) + 8
    held: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        try:
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            assert error.errno == errno.EMFILE
        for _ in range(n_free):
            os.close(held.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in held:
            os.close(number)


@pytest.fixture
def turned(tmp_path: Path) -> tuple[Path, PtsIndex]:
    """A video of 64x96 as displayed, stored lying, and its index; nothing of it is kept."""
    path = write_video(tmp_path / "a.mp4", frames=30, size=(96, 64), rotation=90)
    index = probe_video(path).index
    first_form.cache_clear()
    DECODERS.clear()
    return path, index


def test_pictures_come_as_displayed_with_one_open_file_to_spare(
    turned: tuple[Path, PtsIndex],
) -> None:
    with descriptors(1):
        image = VideoReader(*turned).frames([7])[0]
        DECODERS.clear()
    assert image.shape == (96, 64, 3) and number_of(image) == 7


def test_a_form_that_cannot_be_looked_up_is_an_error(
    turned: tuple[Path, PtsIndex], tmp_path: Path
) -> None:
    with descriptors(0), pytest.raises(ResourceError, match="ulimit"):
        Decoder(*turned)
    with pytest.raises(MediaError, match="no such file"):
        first_form(str(tmp_path / "gone.mp4"))


def test_which_of_two_tracks_is_used_is_not_guessed_for_want_of_open_files(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    ffmpeg(*TEST_PICTURE, *TEST_PICTURE, "-map", "0", "-map", "1", *H264, path)
    index = probe_video(path).index
    first_form.cache_clear()
    with descriptors(1), pytest.raises(ResourceError, match="ulimit"):
        Decoder(path, index)
    Decoder(path, index).close()


def test_a_relative_name_with_a_colon_is_a_file(
    turned: tuple[Path, PtsIndex], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = turned[0].rename(Path("x:1.mp4"))
    probe = probe_video(path)
    assert (probe.width, probe.height, probe.faults) == (64, 96, ())
    image = VideoReader(path, probe).frames([7])[0]
    assert image.shape == (96, 64, 3) and number_of(image) == 7
    _, width, height, _ = encode_view(path, probe.index, range(0, 30, 2), PackOptions())
    assert (width, height) == (64, 96)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_tag_that_is_no_utf8_is_no_fault_beside_several_tracks(
    tmp_path: Path, suffix: str
) -> None:
    path, tag = tmp_path / f"a{suffix}", ("-metadata", "title=QQQQQQ")
    maps = ("-map", "0", "-map", "1", "-map", "2", "-c:a", "aac")
    ffmpeg(*TEST_PICTURE, *TWO_TONES, *maps, *H264, *tag, path)
    clean = read_audio(path, 0, 1.9)
    data = path.read_bytes()
    assert data.count(b"QQQQQQ") == 1
    path.write_bytes(data.replace(b"QQQQQQ", b"caf\xe9 \xff"))
    probe = probe_video(path)
    assert probe.fault("tracks").startswith("2 sound tracks") and len(probe.faults) == 1
    assert np.array_equal(read_audio(path, 0, 1.9), clean)


def test_media_are_opened_for_reading_in_one_module() -> None:
    root = Path(homage_sdk.__file__).parent
    places = {
        module.relative_to(root).as_posix()
        for module in root.rglob("*.py")
        for call in ast.walk(ast.parse(module.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("av.open", "av.container.open")
        if "'w'" not in map(ast.unparse, call.args)
    }
    assert places == {"media/header/opening.py"}
