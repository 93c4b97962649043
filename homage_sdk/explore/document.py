"""What a page shows of one sequence, as one JSON document.

``schemas/models/view_document.schema.json`` is its schema. Frames are annotation frames, 1-based,
30 a second; stretches include both ends. What is absent has a word that says why (``missing``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import orjson
from pydantic import Field

from homage_sdk.annotations import ClassId, FrameNumber

VERSION = 1
"""One more whenever a reader of the document has to change."""

Stretch = Annotated[
    tuple[FrameNumber, FrameNumber], Field(description="first and last frame, both included")
]
Colour = Annotated[str, Field(pattern="^#[0-9a-f]{6}$", description="sRGB")]
Share = Annotated[float, Field(description="of the picture's width or height; may leave it")]
Missing = Annotated[str, Field(description="why there is none; empty where there is one")]


@dataclass(frozen=True, slots=True)
class SequenceCard:
    """What a page's head says: ``n_frames`` frames of ``fps`` a second make its clock."""

    id: str
    activity: str | None
    split: str | None
    participant: int
    room: int
    n_frames: Annotated[int, Field(ge=1)]
    fps: Literal[30] = 30


@dataclass(frozen=True, slots=True)
class PageView:
    """One camera. Picture k of the file ``video`` is annotation frame k + 1 of the sequence.

    Attributes:
        name: e.g. ``v001``.
        video: where the file is: the id of an element of the page, or an address.
        width, height: of the video's picture; without one, of the source, where known.
        gaps: where nothing was recorded: the picture before is repeated.
        damaged: where pictures do not decode cleanly: likewise.

    """

    number: int
    name: str
    id: str
    kind: Literal["ego", "third"]
    video: str | None
    missing: Missing
    width: int | None
    height: int | None
    gaps: tuple[Stretch, ...] = ()
    damaged: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True)
class PageSound:
    """The sound of the sequence. ``spectrogram`` is a picture of all of it, as a URL."""

    file: str | None
    missing: Missing
    view: int | None
    gaps: tuple[Stretch, ...] = ()
    spectrogram: str | None = None


@dataclass(frozen=True, slots=True)
class PageClass:
    """An atomic-action class; classes of one verb have one colour, ``ink`` is readable on it."""

    id: ClassId
    name: str
    verb: str
    colour: Colour
    ink: Colour


@dataclass(frozen=True, slots=True)
class PageAction:
    """An atomic action; it may end after the sequence does, as labels sometimes do."""

    class_id: ClassId
    first: FrameNumber
    last: FrameNumber


@dataclass(frozen=True, slots=True)
class PageObject:
    """An object of a scene graph: ``box`` is left, top, width, height as shares of the picture.

    None where neither labels nor video say how large the picture is.
    """

    id: int
    name: str
    colour: Colour
    ink: Colour
    box: tuple[Share, Share, Share, Share] | None


@dataclass(frozen=True, slots=True)
class PageRelation:
    """All predicates from one object of a graph to another."""

    subject: int
    object: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageGraph:
    """The scene graph of one frame of one view."""

    frame: FrameNumber
    view: int
    objects: tuple[PageObject, ...]
    relations: tuple[PageRelation, ...]


@dataclass(frozen=True, slots=True)
class StripColumn:
    """One column of a sensor: seconds and values, thinned so that every peak stays.

    ``low`` and ``high`` are of all values; None where there is not one.
    """

    name: str
    low: float | None
    high: float | None
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class SensorStrip:
    """A sensor over time."""

    kind: str
    position: str
    missing: Missing
    columns: tuple[StripColumn, ...] = ()


@dataclass(frozen=True, slots=True)
class PageProblem:
    """What validation found in this sequence; ``frames`` where it is about a moment."""

    code: str
    severity: Literal["error", "warning", "info"]
    message: str
    place: str
    found: str
    expected: str
    hint: str
    frames: Stretch | None = None


Score = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True)
class RunScore:
    """What one modality of a run says of one class: first and last frame of a clip, and a score."""

    class_id: ClassId
    spans: tuple[tuple[FrameNumber, FrameNumber, Score], ...]


@dataclass(frozen=True, slots=True)
class RunActivity:
    """The activity that one modality of a run believes in most in one clip."""

    first: FrameNumber
    last: FrameNumber
    name: str
    score: Score


@dataclass(frozen=True, slots=True)
class RunTrack:
    """What one modality of a run says of the sequence, clip by clip."""

    run: str
    modality: str
    missing: Missing
    scores: tuple[RunScore, ...] = ()
    activities: tuple[RunActivity, ...] = ()


@dataclass(frozen=True, slots=True)
class ViewDocument:
    """Everything that ``homage view`` shows."""

    version: Literal[1]
    sequence: SequenceCard
    views: tuple[PageView, ...]
    sound: PageSound
    classes: tuple[PageClass, ...]
    actions: tuple[PageAction, ...]
    graphs: tuple[PageGraph, ...]
    sensors: tuple[SensorStrip, ...]
    problems: tuple[PageProblem, ...]
    runs: tuple[RunTrack, ...] = ()

    def to_json(self) -> bytes:
        """As JSON; the same bytes for the same content."""
        return orjson.dumps(self)
