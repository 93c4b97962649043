"""One video of a sequence, as a handle: facts at once, pictures when asked for."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from homage_sdk.catalog.tables import Catalog, ViewRow
from homage_sdk.errors import MediaError, UsageError
from homage_sdk.ids import SequenceId, ViewId
from homage_sdk.query.notebook import Handle
from homage_sdk.time import Frame, Interval, When, as_moment

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from homage_sdk.media.pts_index import Pick, PtsIndex
    from homage_sdk.media.video_reader import VideoReader


class View(Handle):
    """One camera's video of a sequence.

    Everything known is in the catalog; the video file is looked for when a picture is asked for.
    Facts that could not be measured (no file at ingest, or one that cannot be opened) are None.

    Attributes:
        number: the number after ``v``; not an index, there are gaps.
        kind: ``"ego"`` or ``"third"``.
        width, height: pixels, as displayed.
        fps: frames a second, measured over the packets.
        n_frames: how many frames the video holds, counted; annotation frames are another clock.
        duration_s: seconds from the first frame to the end of the last.
        start_time_s: the first frame's timestamp on the container's clock.
        has_audio: whether the video has a sound stream; False where it could not be read.
        audio_start_s: the first sound's timestamp on the container's clock.
        sample_rate: Hz of the sound stream.
        sha256: of the file, where ingest was asked to hash media.

    """

    _instead: ClassVar = {
        "frame": "use image(moment): uint8 [H, W, 3]",
        "frames": "use images(interval) or images(begin, end): uint8 [n, H, W, 3]",
        "audio": "use the sequence's audio(begin, end, view=...)",
        "video": "use path, image(moment) or images(begin, end)",
    }

    def __init__(self, catalog: Catalog, row: ViewRow) -> None:
        self._catalog = catalog
        self._row = row
        self._index: PtsIndex | None = None
        self.number, self.kind = row.view, row.kind
        self.width, self.height, self.sha256 = row.width, row.height, row.sha256
        self.fps, self.n_frames = row.fps, row.n_frames
        self.start_time_s, self.duration_s = row.start_time_s, row.duration_s
        self.has_audio = bool(row.has_audio)
        self.audio_start_s, self.sample_rate = row.audio_start_s, row.sample_rate

    def __reduce__(self) -> tuple[object, ...]:
        return (View, (self._catalog, self._row))

    def __repr__(self) -> str:
        return f"View({str(self.id)!r}, {self.kind})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, View):
            return NotImplemented
        return self._row == other._row and self._catalog.path == other._catalog.path

    def __hash__(self) -> int:
        return hash((self._row.sequence, self._row.view))

    @property
    def id(self) -> ViewId:
        """Its id, e.g. ``p0002_r001_v003_a007``."""
        return SequenceId.parse(self._row.sequence).view(self._row.view)

    @property
    def path(self) -> Path | None:
        """Where the file lies (it may be gone since); None where the release had no video.

        Raises CatalogError for a recorded path that leads out of the release folder.
        """
        return None if self._row.path is None else self._catalog.below_root(self._row.path)

    @property
    def has_video(self) -> bool:
        """Whether the release had a video of this view; labels may speak of one that it had not."""
        return self._row.path is not None

    @property
    def is_available(self) -> bool:
        """Whether the file is there now."""
        try:
            return self.path is not None and self.path.is_file()
        except OSError:  # a folder above it is closed to us, or its disk is gone
            return False

    @property
    def index(self) -> PtsIndex:
        """The pts index: which frame is on screen when. From the catalog, else from the file."""
        if self._index is None:
            self._index = self._recorded_index() or self._measured_index()
        return self._index

    def _recorded_index(self) -> PtsIndex | None:
        import numpy as np
        import pyarrow.compute as pc

        from homage_sdk.media.pts_index import PtsIndex

        row = self._row
        if row.time_base_num is None or row.time_base_den is None or not row.n_frames:
            return None
        table = self._catalog.table("pts", [row.sequence])
        table = table.filter(pc.equal(table["view"], row.view)).sort_by("position")
        if not len(table):
            return None
        return PtsIndex(
            table["pts"].to_numpy().astype(np.int64),
            np.asarray(table["keyframe"].to_pylist(), dtype=np.bool_),
            Fraction(row.time_base_num, row.time_base_den),
        )

    def _measured_index(self) -> PtsIndex:
        from homage_sdk.media.probe import probe_video

        return probe_video(self.file()).index

    def file(self) -> Path:
        """The path of the file, which is there; raises MediaError naming where it was looked for.

        The way out is ``Dataset(path, root=...)`` when the media have moved.
        """
        path = self.path
        if path is None:
            raise MediaError(
                f"no video of view {self.id}",
                place=str(self._catalog.path),
                found="no file for it in the catalog"
                if self._row.path is None
                else "a catalog that does not know where its release lies",
                hint="the release had none when it was ingested"
                if self._row.path is None
                else "say where the media are: Dataset(path, root=...)",
            )
        if not self.is_available:
            tried = self._catalog.below_roots(self._row.path or "")
            raise MediaError(
                f"the video of view {self.id} is not there",
                place=str(path),
                found=f"nothing, nor at {tried[-1]}" if len(tried) > 1 else None,
                hint="say where the media are now: Dataset(path, root=...), --root on a command",
            )
        return path

    @property
    def reader(self) -> VideoReader:
        """Random access to the pictures."""
        from homage_sdk.media.video_reader import VideoReader

        return VideoReader(self.file(), self.index)

    def image(self, moment: When, pick: Pick = "nearest") -> npt.NDArray[np.uint8]:
        """The picture of a moment: uint8 [H, W, 3], RGB.

        Raises MediaError when the file is not there, the moment lies outside the video or in a
        hole of it, or the picture is damaged.
        """
        named = as_moment(moment)
        return self.reader.at(named, pick)

    def images(
        self,
        begin: When | Interval,
        end: When | None = None,
        *,
        stride: int = 1,
        pick: Pick = "nearest",
    ) -> npt.NDArray[np.uint8]:
        """The pictures of every ``stride``-th annotation frame: uint8 [n, H, W, 3], RGB.

        Of an interval, or from ``begin`` to ``end``: frames included, seconds not. One picture for
        each annotation frame (30 a second), whatever the rate of the video.
        """
        import numpy as np

        if stride < 1:
            raise UsageError("a stride is 1 or more", found=str(stride))
        numbers = range((span := Interval.of(begin, end)).first, span.last + 1, stride)
        reader = self.reader
        reader.index.at(Frame(numbers[-1]), pick)  # the last must be there
        moments = [Frame(number).seconds().value for number in numbers]
        return reader.frames(reader.index.at_many(np.array(moments), pick))
