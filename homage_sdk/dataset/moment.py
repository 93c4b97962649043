"""Everything about one moment of a sequence, each part fetched when it is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from homage_sdk.annotations import SceneGraph
from homage_sdk.dataset.atomic_actions import AtomicActions
from homage_sdk.dataset.view import View
from homage_sdk.errors import UsageError, require_known
from homage_sdk.query.notebook import Handle
from homage_sdk.time import Frame, Seconds, When, as_moment, as_seconds

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from homage_sdk.dataset.sequence import Sequence
    from homage_sdk.media.pts_index import Pick
    from homage_sdk.release.sensors import SensorValues


class Moment(Handle):
    """A moment of a sequence, on the clock that starts with the first frame of each view.

    ``pick`` decides which video frame and which scene graph stand for the moment: the nearest, the
    one at or before it, or the one at or after it. What does not exist is None.

    >>> moment = Dataset(catalog)["p0001_r001_a001"].at(Frame(45))
    >>> moment.seconds, [a.name for a in moment.atomic_actions]
    (Seconds(1.4666666666666666), ['pour tea', 'hold_cup'])
    >>> moment.scene_graph.frame
    31
    """

    _instead: ClassVar = {
        "actions": "use atomic_actions",
        "sound": "use audio(window_s)",
        "graph": "use scene_graph",
    }

    def __init__(self, sequence: Sequence, when: When, pick: Pick = "nearest") -> None:
        from homage_sdk.media.pts_index import PICKS

        require_known("pick", pick, PICKS)
        self.sequence = sequence
        self.pick = pick
        named = as_moment(when)
        self.seconds: Seconds = as_seconds(named)
        self.frame: Frame = named if isinstance(named, Frame) else named.frame()

    def __repr__(self) -> str:
        seconds = self.seconds.value
        return f"Moment({str(self.sequence.id)!r}, {seconds:.3f} s, frame {self.frame.number})"

    # Pictures

    def image(self, view: View | int | str) -> npt.NDArray[np.uint8] | None:
        """One view's picture: uint8 [H, W, 3], RGB.

        None where the release had no video of the view, the view ends before the moment, or the
        moment lies in a hole (``PtsIndex.covers``). Raises MediaError when the video should be
        there and is not, or the picture is damaged.
        """
        chosen = view if isinstance(view, View) else self.sequence.view(view)
        index = self._position(chosen)
        if index is None:
            return None
        picture: npt.NDArray[np.uint8] = chosen.reader.frames([index])[0]
        return picture

    def shown_at(self, view: View | int | str) -> Seconds | None:
        """When the picture that ``image`` gives appears, exactly; None where it gives none."""
        chosen = view if isinstance(view, View) else self.sequence.view(view)
        index = self._position(chosen)
        return None if index is None else Seconds(float(chosen.index.seconds[index]))

    def _position(self, view: View) -> int | None:
        import numpy as np

        if view.path is None or not len(view.index):
            return None
        index = view.index
        last_s = float(index.seconds[-1]) + index.frame_s + index.tolerance_s
        moment = np.array([self.seconds.value])
        if self.seconds.value > last_s:
            return None
        found = index.closest(moment, self.pick)
        return int(found[0]) if index.covers(moment, found)[0] else None

    @property
    def images(self) -> Mapping[int, npt.NDArray[np.uint8] | None]:
        """The picture of every view by its number; decoded when looked up."""
        return _Images(self)

    # Sound and sensors

    def audio(
        self, window_s: float = 1.0, sample_rate: int = 16000, view: int | str | None = None
    ) -> npt.NDArray[np.float32] | None:
        """Mono sound around the moment: float32 [S], silence outside; None without any sound."""
        from homage_sdk.media.audio import read_audio

        source = self.sequence.sounding(view)
        if source is None or source.path is None:
            return None
        begin, end = self._window(window_s)
        return read_audio(source.file(), begin, end, sample_rate, video_start_s=source.start_time_s)

    def sensors(self, window_s: float = 1.0) -> dict[tuple[str, str], SensorValues]:
        """The samples around the moment by (kind, position); empty without sensors."""
        begin, end = self._window(window_s)
        return {
            (each.kind, each.position): each.window(Seconds(max(0.0, begin)), Seconds(end))
            for each in self.sequence.sensors
        }

    def _window(self, window_s: float) -> tuple[float, float]:
        if not 0 < window_s < float("inf"):
            raise UsageError("not a window", found=f"{window_s} s", expected="more than 0 s")
        return self.seconds.value - window_s / 2, self.seconds.value + window_s / 2

    # Labels

    @property
    def atomic_actions(self) -> AtomicActions:
        """The atomic actions going on."""
        return self.sequence.atomic_actions.at(self.frame)

    @cached_property
    def scene_graph(self) -> SceneGraph | None:
        """The annotated frame that ``pick`` chooses."""
        return self.sequence.scene_graphs.nearest(self.frame, self.pick)


class _Images(Mapping[int, "npt.NDArray[np.uint8] | None"]):
    """View number to picture."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def __getitem__(self, number: int) -> npt.NDArray[np.uint8] | None:
        return self._moment.image(number)

    def __iter__(self) -> Iterator[int]:
        return (view.number for view in self._moment.sequence.views)

    def __len__(self) -> int:
        return len(self._moment.sequence.views)
