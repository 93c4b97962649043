"""The label documents as typed models: what a file in perfect order holds.

The readers do not build these (a release holds a million records); they are the contract, from
which ``schemas/`` is generated and against which exporters and tests can check a document.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, RootModel

from homage_sdk.release.records import LARGEST

Number = Annotated[float, Field(allow_inf_nan=False)]
FrameNumber = Annotated[int, Field(ge=1, le=LARGEST, description="1-based, inclusive")]
Id = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class ActionRecord(_Document):
    """One entry of an atomic-action file (FORMAT.md, grade A)."""

    name: str = Field(alias="class", min_length=1, description="Raw class string")
    frame_start: FrameNumber
    frame_end: FrameNumber
    action_length: Number | None = Field(default=None, description="As published")


class ActionDocument(RootModel[list[ActionRecord]]):
    """An atomic-action file: ``p0002_r001_a007__aa.json``."""


class ObjectRecord(_Document):
    """One object of an annotated frame."""

    id: Id = Field(description="Unique within the frame")
    category: str = Field(min_length=1)
    bbox: tuple[Number, Number, Number, Number] = Field(description="x1, y1, x2, y2 in pixels")


class RelationshipRecord(_Document):
    """One relationship; both ids are objects of the same frame."""

    subject: Id
    object: Id
    category: str = Field(min_length=1)


class FrameRecord(_Document):
    """One annotated frame."""

    frame: FrameNumber
    objects: list[ObjectRecord]
    relationships: list[RelationshipRecord]


class SceneGraphDocument(_Document):
    """A scene-graph file in the canonical shape (FORMAT.md, grade C)."""

    video: str | None = Field(default=None, description="View id; the file name is believed first")
    width: int | None = Field(default=None, gt=0, description="Pixels of the annotated view")
    height: int | None = Field(default=None, gt=0)
    frames: list[FrameRecord]
