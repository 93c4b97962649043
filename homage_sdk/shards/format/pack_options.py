"""What to pack and how: the options of a packing run, and its presets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from homage_sdk.errors import UsageError, require_known
from homage_sdk.time import NOMINAL_FPS

JET_RATE = 44_100
"""Of the sound whose picture is packed: the public code's."""
Unit = Literal["sequence", "action", "clip"]
ViewNumber = Annotated[int, Field(ge=0)]
Views = Annotated[
    Literal["all", "ego", "third"] | Annotated[tuple[ViewNumber, ...], Field(min_length=1)],
    Field(description="all, ego, third or view numbers"),
]
X264Name = Annotated[
    str, Field(pattern=r"^[a-z,]{0,40}$", description="a name of x264's, such as medium")
]


def refuse_option(name: str, value: object, expected: str) -> UsageError:
    """The error for an option that cannot be, with what was given and what may be."""
    return UsageError(f"invalid {name}", found=repr(value)[:80], expected=expected)


@cache
def _fields_of(kind: type) -> dict[str, TypeAdapter[Any]]:
    strict = ConfigDict(strict=True)
    hints = get_type_hints(kind, include_extras=True)
    return {name: TypeAdapter(hint, config=strict) for name, hint in hints.items()}


def require_possible(options: Any) -> None:
    """Hold each option of a dataclass against its type; UsageError names the first that is not."""
    for name, field in _fields_of(options.__class__).items():
        try:
            field.validate_python(getattr(options, name))
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"].removeprefix("Input should be ")
            expected = field.json_schema().get("description", reason)
            raise refuse_option(name, getattr(options, name), expected) from None


@dataclass(frozen=True)
class PackOptions:
    """The payload of shards; the defaults won the measurements of MEDIA.md.

    Attributes:
        views: ``"all"``, ``"ego"``, ``"third"``, or view numbers.
        audio: pack the sound of the ego view (of the first view with sound where there is none):
            its samples, or, with ``"jet"``, the coloured picture of it that the public code of CCAU
            learns from (``homage_sdk.media.spectrograms.jet``), which is of 44.1 kHz.
        scene_graphs: pack the scene graphs.
        sensors: pack the readings of the sensors, where the catalog has any.
        stride: every how many annotation frames (30 a second) one is kept.
        short_side: pixels of the shorter side; smaller sources are not enlarged.
        crf: x264 quality, lower is better.
        gop: packed frames from keyframe to keyframe.
        x264_preset: encoding effort.
        tune: x264 tuning; ``fastdecode`` halves the decoding time.
        audio_rate: Hz.
        unit: one sample is a whole sequence, one atomic action, or one window of ``clip_s``.
        clip_s: seconds of a window for ``unit="clip"``.
        split: pack only this split.
        min_good: a view is left out where a smaller share of its pictures is good.
        shard_bytes: about how large a shard becomes.
        min_shards: at least so many shards (where there are samples), so that they can be shared.

    """

    views: Views = "all"
    audio: Annotated[bool | Literal["jet"], Field(description="true, false or jet")] = True
    scene_graphs: bool = True
    sensors: bool = True
    stride: Annotated[int, Field(ge=1, le=300)] = 3
    short_side: Annotated[int, Field(ge=16, le=4320, multiple_of=2)] = 144
    crf: Annotated[int, Field(ge=0, le=51)] = 20
    gop: Annotated[int, Field(ge=1, le=1000)] = 12
    x264_preset: X264Name = "medium"
    tune: X264Name = "fastdecode"
    audio_rate: Annotated[int, Field(ge=4000, le=48_000)] = 16_000
    unit: Unit = "sequence"
    clip_s: Annotated[float, Field(ge=0.1, le=3600)] = 4.0
    split: str | None = None
    min_good: Annotated[float, Field(ge=0, le=1)] = 0.1
    shard_bytes: Annotated[int, Field(ge=1, le=2**40)] = 128_000_000
    min_shards: Annotated[int, Field(ge=1, le=100_000)] = 8

    def __post_init__(self) -> None:
        require_possible(self)
        if self.audio == "jet" and self.audio_rate != JET_RATE:
            raise refuse_option("audio_rate", self.audio_rate, f"{JET_RATE} with audio 'jet'")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A preset by name (see ``PRESETS``), with changes."""
        require_known("preset", name, PRESETS)
        return cls(**{**PRESETS[name][1], **changes})

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; without sensors, as before there were any."""
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        if not self.sensors:
            del values["sensors"]
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """From ``to_json``; raises UsageError for an unknown key or an impossible value."""
        for name in sorted(values):
            require_known("pack option", name, [f.name for f in fields(cls)])
        views = values.get("views", "all")
        return cls(
            **{
                "sensors": False,
                **values,
                "views": tuple(views) if isinstance(views, list) else views,
            }
        )

    @property
    def fps(self) -> float:
        """Packed frames a second."""
        return float(NOMINAL_FPS / self.stride)


PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "ccau": ("every 3rd frame, short side 144: what the paper's model sees", {}),
    "small": (
        "every 3rd frame, short side 128, crf 24: for a laptop",
        {"short_side": 128, "crf": 24},
    ),
    "fine": ("every frame, short side 256: for other models", {"stride": 1, "short_side": 256}),
    "official": (
        "the public code of CCAU: 192 lines, every frame, coloured pictures of sound",
        {"short_side": 192, "stride": 1, "audio": "jet", "audio_rate": JET_RATE},
    ),
    "ego": ("the ego view alone, with its sound", {"views": "ego"}),
    "archive": (
        "every frame at up to 480 lines, for looking and re-packing",
        {"stride": 1, "short_side": 480, "crf": 18, "tune": ""},
    ),
}
"""Name: (what it is for, what differs from the defaults)."""
