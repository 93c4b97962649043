"""Rules about video files: whether they can be read. All need them to be probed (packets only)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from homage_sdk.problems import quantity
from homage_sdk.validation.data import Data
from homage_sdk.validation.rule import Check, Finding, error, info, warning

if TYPE_CHECKING:
    from homage_sdk.media.check_pictures import CheckedPictures, Stretch
    from homage_sdk.media.probe import VideoProbe

_PLACES = 20
"""So many places are named."""


def videos(data: Data) -> Iterator[tuple[int, str, int]]:
    """File, sequence and view of each video."""
    yield from data.videos[["file", "sequence", "view"]].itertuples(index=False)


def probed(data: Data) -> Iterator[tuple[int, str, VideoProbe]]:
    """Videos that were probed and hold frames; empty ones have their own rule."""
    for file, sequence, _ in videos(data) if data.probes else ():
        probe = data.probes.get(file)
        if probe is not None and probe.n_frames > 0:
            yield file, sequence, probe


def _decoded(data: Data) -> Iterator[tuple[int, str, VideoProbe, CheckedPictures]]:
    """Videos that were decoded, with what that gave."""
    for file, sequence, probe in probed(data) if data.checked else ():
        checked = data.checked.get(data.paths[file])
        if checked is not None:
            yield file, sequence, probe, checked


def each(
    data: Data, judge: Callable[[VideoProbe], str], expected: str, *, cut: bool = True
) -> Iterator[Finding]:
    """What ``judge`` finds, if anything, in each probed video; in cut ones only if ``cut``."""
    for file, sequence, probe in probed(data):
        found = judge(probe) if cut or not probe.fault("truncated") else ""
        if found:
            yield data.at_file(file, found, expected, sequence=sequence)


def _told(word: str, expected: str, *, cut: bool = True) -> Check:
    """Passes on what the probe itself reports under a word."""
    return lambda data: each(data, lambda probe: probe.fault(word), expected, cut=cut)


@error(
    "HOM160",
    "video cannot be read",
    why="The container could not be opened or its packets not be counted. The view is kept with "
    "empty media columns.",
    example="a .mkv of random bytes",
    hint="copy the video again",
    deep=True,
)
def cannot_open(data: Data) -> Iterator[Finding]:
    """Probing raised an error; empty files, and what the reader reports, do not count."""
    sizes = data.ints("files", "bytes")
    sequences = {file: sequence for file, sequence, _ in videos(data)}
    for file, refused in data.unreadable.items():
        if not data.is_faulty(file) and sizes[file] > 0:
            found, expected = refused.found or refused.message, refused.expected or "a video"
            finding = data.at_file(file, found, expected, sequence=sequences.get(file))
            yield replace(finding, hint=refused.hint or "")


truncated = error(
    "HOM600",
    "video cut short",
    why="The file ends in the middle: a copy or a download that did not finish. What is there "
    "plays, and everything after it is missing.",
    example="a .mkv of 12 MB whose header promises 20 MB",
    hint="copy the video again",
    deep=True,
)(_told("truncated", "a whole file"))


@error(
    "HOM601",
    "video without a frame",
    why="The container opens and its video stream is empty: a recording that never began.",
    example="a .mkv with a header and no packet",
    hint="copy the video again, or remove it",
    deep=True,
)
def no_frames(data: Data) -> Iterator[Finding]:
    """Not one packet."""
    for file, sequence, _ in videos(data) if data.probes else ():
        probe = data.probes.get(file)
        if probe is not None and probe.n_frames == 0:
            yield data.at_file(file, "0 frames", "at least one", sequence=sequence)


header_lies = info(
    "HOM606",
    "header's frame count is wrong",
    why="The number of frames in the file's header is not the number of frames in the file (often "
    "it is the duration in milliseconds). Frames are counted by packets here; code that asks "
    "OpenCV for the count gets the header's.",
    example="the header says 47342 frames, 1384 are there",
    hint="nothing here; never believe CAP_PROP_FRAME_COUNT",
    deep=True,
)(_told("header", "the number of packets", cut=False))


bad_timestamps = warning(
    "HOM609",
    "timestamps of a video are damaged",
    why="Frames without a timestamp, several at one moment, or hardly later than the one before (a "
    "packet twice): which picture belongs to which moment cannot be told for them.",
    example="12 frames share a timestamp",
    hint="remux the file from its original",
    deep=True,
)(_told("timestamps", "one timestamp a frame"))


sound_breaks = warning(
    "HOM615",
    "sound with gaps or overlaps",
    why="Packets of sound are missing, or lie over each other: a recorder lost data, or a file was "
    "cut together. Sound is placed by the timestamps of its packets; what is missing is "
    "silence, marked as not recorded, and of what is there twice the later counts.",
    example="1.00 s missing and 0.00 s twice at 1 place, the first 2.00 s after it begins",
    hint="nothing, if it was recorded so; copy the video again where another copy is whole",
    deep=True,
)(_told("sound", "packets one after the other"))


@warning(
    "HOM616",
    "damaged pictures",
    why="These pictures, or what they refer back to, do not decode cleanly: bytes were overwritten "
    "or lost. The handle raises MediaError for them, packing marks them, and loaders mask them. "
    "By default a sample of each video is decoded: with --decode all every picture.",
    example="8 pictures at 1 place: 8 from 3.333 s",
    hint="copy the video again where another copy is whole",
    deep=True,
)
def damaged_pictures(data: Data) -> Iterator[Finding]:
    """What decoding found, by the function that packing decides with; of no picture see HOM610."""
    for file, sequence, probe, checked in _decoded(data):
        if checked.damaged and not probe.fault("picture"):
            found = _where(checked.damaged)
            yield data.at_file(file, found, "pictures that decode cleanly", sequence=sequence)


def _where(stretches: Sequence[Stretch]) -> str:
    """How many pictures, and where."""
    places = [f"{count} from {at_s:.3f} s" for _, count, at_s in stretches]
    more = f", and {len(places) - _PLACES} more" if len(places) > _PLACES else ""
    return (
        f"{quantity(sum(count for _, count, _ in stretches), 'picture')} at "
        f"{quantity(len(places), 'place')}: {', '.join(places[:_PLACES])}{more}"
    )


@warning(
    "HOM617",
    "picture changes in mid-stream",
    why="These pictures have another size than the first one, or are turned otherwise: "
    "files were put one after the other, or a camera was switched over. Boxes in pixels fit one "
    "size only. The handle raises MediaError for them, packing marks them, and loaders mask them. "
    "By default a sample of each video is decoded: with --decode all every picture.",
    example="60 pictures at 1 place: 60 from 2.000 s",
    hint="cut the video where its picture changes: each part has one size",
    deep=True,
)
def other_form(data: Data) -> Iterator[Finding]:
    """What decoding found, by the function that packing decides with."""
    for file, sequence, probe, checked in _decoded(data):
        if checked.other:
            expected = f"{probe.width}x{probe.height} as the first picture"
            yield data.at_file(file, _where(checked.other), expected, sequence=sequence)


@warning(
    "HOM618",
    "sound is silent",
    why="The sound track that is used holds nothing but digital silence (no sample reaches one "
    "step of 16 bits): a muted recorder, or another track than the one that was recorded on. It "
    "is packed and handed out as it is: silence.",
    example="a first sound track of zeros, in a file with two",
    hint="copy the video with the track that was recorded on marked as default",
    deep=True,
)
def silent_sound(data: Data) -> Iterator[Finding]:
    """Found by decoding, until something is heard."""
    for file, sequence, probe, checked in _decoded(data):
        if checked.sound is not None and checked.sound.is_silent:
            found = "; ".join(filter(None, ["digital silence", probe.fault("tracks")]))
            yield data.at_file(file, found, "sound that can be heard", sequence=sequence)


@warning(
    "HOM619",
    "damaged sound",
    why="The decoder refuses packets of sound, or the sound cannot be read to its end. Packing "
    "marks what is missing as not recorded, with silence in its place. Counted with --decode all.",
    example="12 packets cannot be decoded",
    hint="copy the video again where another copy is whole",
    deep=True,
)
def damaged_sound(data: Data) -> Iterator[Finding]:
    """Found by decoding the sound as packing does."""
    for file, sequence, _, checked in _decoded(data):
        if (sound := checked.sound) is None:
            continue
        lost = f"{quantity(sound.n_lost, 'packet')} cannot be decoded" if sound.n_lost else ""
        stop = f"not read to its end ({sound.fault})" if sound.fault else ""
        if found := "; ".join(filter(None, [lost, stop])):
            yield data.at_file(file, found, "packets that decode", sequence=sequence)


several_tracks = info(
    "HOM620",
    "several tracks",
    why="The file has more than one video or sound track. The one marked as default is used, as "
    "players do; the first where none is, or all are; one without a packet only where there is no "
    "other.",
    example="2 sound tracks, number 2 is used, without a packet: 1",
    hint="nothing, if it is the right one; else copy the video with that track alone",
    deep=True,
)(_told("tracks", "one track of a kind"))


odd_angle = warning(
    "HOM621",
    "picture turned by an odd angle",
    why="The file says that its picture is to be turned by an angle that is no quarter turn. It is "
    "shown and packed at the nearest quarter turn.",
    example="29.9 degrees off a quarter turn",
    hint="turn the picture itself: ffmpeg -i IN -c:a copy OUT.mkv",
    deep=True,
)(_told("angle", "a multiple of 90 degrees"))


cannot_decode = error(
    "HOM610",
    "no picture can be decoded",
    why="The packets are there and the decoder refuses them: damaged data, or a codec that is not "
    "supported.",
    example="random bytes inside an intact container",
    hint="copy the video again",
    deep=True,
)(_told("picture", "a picture", cut=False))


broken_container = warning(
    "HOM622",
    "structure of a video file is damaged",
    why="The reader of the container reports errors while it reads packets: bytes were overwritten "
    "or lost. What it skips is missing, and nothing of the packets that come says so.",
    example="2 errors in its structure, the first: Element at 0x247 exceeds its master",
    hint="copy the video again",
    deep=True,
)(_told("container", "a structure without errors"))
