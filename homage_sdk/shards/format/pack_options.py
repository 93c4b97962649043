"""What to pack and how: the options of a packing run, and its presets."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from homage_sdk.errors import UsageError
from homage_sdk.time import NOMINAL_FPS

Unit = Literal["sequence", "action", "clip"]


def refuse_option(name: str, value: object, expected: str) -> UsageError:
    """The error for an option that cannot be, with what was given and what may be."""
    return UsageError(f"impossible option {name}", found=repr(value), expected=expected)


def require_within(name: str, value: object, low: int, high: int) -> None:
    """Raise UsageError unless ``value`` is a whole number from ``low`` to ``high``."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise refuse_option(name, value, f"a whole number from {low} to {high}")


@dataclass(frozen=True)
class PackOptions:
    """The payload of shards; the defaults won the measurements of MEDIA.md.

    Attributes:
        views: ``"all"``, ``"ego"``, ``"third"``, or view numbers.
        audio: pack the sound of the ego view (of the first view with sound where there is none).
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
        shard_bytes: about how large a shard becomes.
        min_shards: at least so many shards (where there are samples), so that they can be shared.

    """

    views: Literal["all", "ego", "third"] | tuple[int, ...] = "all"
    audio: bool = True
    scene_graphs: bool = True
    sensors: bool = True
    stride: int = 3
    short_side: int = 144
    crf: int = 20
    gop: int = 12
    x264_preset: str = "medium"
    tune: str = "fastdecode"
    audio_rate: int = 16_000
    unit: Unit = "sequence"
    clip_s: float = 4.0
    split: str | None = None
    shard_bytes: int = 128_000_000
    min_shards: int = 8

    def __post_init__(self) -> None:
        if isinstance(self.views, str):
            if self.views not in ("all", "ego", "third"):
                raise refuse_option("views", self.views, "all, ego, third or view numbers")
        elif not self.views or any(not isinstance(v, int) or v < 0 for v in self.views):
            raise refuse_option("views", self.views, "view numbers from 0")
        require_within("stride", self.stride, 1, 300)
        require_within("short_side", self.short_side, 16, 4320)
        require_within("crf", self.crf, 0, 51)
        require_within("gop", self.gop, 1, 1000)
        require_within("audio_rate", self.audio_rate, 4000, 48_000)
        require_within("shard_bytes", self.shard_bytes, 1, 2**40)
        require_within("min_shards", self.min_shards, 1, 100_000)
        if self.short_side % 2:
            raise refuse_option("short_side", self.short_side, "an even number")
        if self.unit not in ("sequence", "action", "clip"):
            raise refuse_option("unit", self.unit, "sequence, action or clip")
        if not 0.1 <= self.clip_s <= 3600:
            raise refuse_option("clip_s", self.clip_s, "0.1 to 3600 seconds")
        for name in ("x264_preset", "tune"):
            if not re.fullmatch(r"[a-z,]{0,40}", getattr(self, name)):
                raise refuse_option(name, getattr(self, name), "a name of x264's, such as medium")

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A preset by name (see ``PRESETS``), with changes."""
        if name not in PRESETS:
            raise UsageError(f"no preset {name!r}", expected=", ".join(PRESETS))
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
        unknown = values.keys() - {f.name for f in fields(cls)}
        if unknown:
            raise UsageError("unknown pack options", found=", ".join(sorted(unknown)))
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
    "ego": ("the ego view alone, with its sound", {"views": "ego"}),
    "archive": (
        "every frame at up to 480 lines, for looking and re-packing",
        {"stride": 1, "short_side": 480, "crf": 18, "tune": ""},
    ),
}
"""Name: (what it is for, what differs from the defaults)."""
