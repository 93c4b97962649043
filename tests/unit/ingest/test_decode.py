"""What decoding finds of the pictures stands, whatever becomes of the sound."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from homage_sdk.errors import MediaError, ResourceError
from homage_sdk.ingest.decode import check_video
from homage_sdk.media.header.opening import open_media
from homage_sdk.media.probe import VideoProbe, probe_video
from homage_sdk.media.soundtrack import check_sound
from homage_sdk.release import read_release
from homage_sdk.validation import validate
from tests.unit.media.test_damage import noise
from tests.unit.media.videos import remux, write_video
from tests.unit.release.tiny import Tiny

OPENED = "homage_sdk.media.soundtrack.open_media"


class Failing:
    """An open file whose disk reports ``error`` after three packets."""

    def __init__(self, path: Path, error: Exception) -> None:
        self._container, self._error = open_media(path), error
        self.streams = self._container.streams

    def __enter__(self) -> Failing:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def demux(self, stream: av.AudioStream) -> Iterator[av.Packet]:
        for n, packet in enumerate(self._container.demux(stream)):
            if n == 3:
                raise self._error
            yield packet


@pytest.fixture
def damaged(tmp_path: Path) -> tuple[Tiny, VideoProbe]:
    """A video with sound whose 20th picture is noise."""
    tiny = Tiny(tmp_path / "release")
    tiny.list("train", "p0001_r001_a001,make_tea")
    whole = write_video(tmp_path / "whole.mkv", frames=60, audio=True)
    count = iter(range(10_000))

    def change(packet: av.Packet) -> av.Packet:
        return noise(packet) if packet.stream.type == "video" and next(count) == 20 else packet

    return tiny, probe_video(remux(tiny.video("p0001_r001_v000_a001"), whole, change))


def reported(tiny: Tiny, probe: VideoProbe) -> dict[str, str]:
    """By code, what validation says of the video."""
    checked = check_video(probe.path, probe.index, everything=True)
    assert checked is not None
    file = probe.path.relative_to(tiny.root).as_posix()
    problems = validate(read_release(tiny.root), probes={file: probe}, checked={file: checked})
    return {p.code: p.found for p in problems if p.code >= "HOM600"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (MediaError("cannot be read", found="Permission denied"), "cannot be read; Permission"),
    ],
)
def test_sound_that_cannot_be_opened_costs_nothing_of_the_pictures(
    damaged: tuple[Tiny, VideoProbe], monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    before = reported(*damaged)

    def refused(path: Path) -> Any:
        raise error

    monkeypatch.setattr(OPENED, refused)
    after = reported(*damaged)
    assert said in after.pop("HOM619")
    assert after == before and "HOM616" in after


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "x"), av.InvalidDataError(errno.EINVAL, "x")], ids=repr
)
@pytest.mark.parametrize("codec", [b"A_AAC", b"A_AAB"])
def test_sound_that_cannot_be_read_to_its_end_is_said(
    damaged: tuple[Tiny, VideoProbe],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    codec: bytes,
) -> None:
    tiny, probe = damaged
    probe.path.write_bytes(probe.path.read_bytes().replace(b"A_AAC", codec))
    monkeypatch.setattr(OPENED, lambda path: Failing(path, error))
    found = reported(tiny, probe)
    assert "HOM616" in found and "not read to its end (x)" in found["HOM619"]
    checked = check_sound(probe.path, everything=True)
    assert checked is not None and checked.n_lost == (0 if codec == b"A_AAC" else 3)


def test_want_of_open_files_says_nothing_about_the_sound(
    damaged: tuple[Tiny, VideoProbe], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, probe = damaged
    error = OSError(errno.EMFILE, "x")
    for opened in (lambda path: Failing(path, error), lambda path: open_refused(error)):
        monkeypatch.setattr(OPENED, opened)
        with pytest.raises(ResourceError, match="ulimit"):
            check_video(probe.path, probe.index, everything=True)


def open_refused(error: Exception) -> Any:
    raise error
