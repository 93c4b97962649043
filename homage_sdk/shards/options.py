"""What to pack and how (``PackOptions``), and what to load and how (``LoaderOptions``)."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self

from homage_sdk.errors import UsageError
from homage_sdk.time import NOMINAL_FPS

Unit = Literal["sequence", "action", "clip"]
MODALITIES = ("ego", "third", "audio", "scene_graph")


def _refuse(name: str, value: object, expected: str) -> UsageError:
    return UsageError(f"impossible option {name}", found=repr(value), expected=expected)


def _within(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _refuse(name, value, f"a whole number from {low} to {high}")


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
                raise _refuse("views", self.views, "all, ego, third or view numbers")
        elif not self.views or any(not isinstance(v, int) or v < 0 for v in self.views):
            raise _refuse("views", self.views, "view numbers from 0")
        _within("stride", self.stride, 1, 300)
        _within("short_side", self.short_side, 16, 4320)
        _within("crf", self.crf, 0, 51)
        _within("gop", self.gop, 1, 1000)
        _within("audio_rate", self.audio_rate, 4000, 48_000)
        _within("shard_bytes", self.shard_bytes, 1, 2**40)
        _within("min_shards", self.min_shards, 1, 100_000)
        if self.short_side % 2:
            raise _refuse("short_side", self.short_side, "an even number")
        if self.unit not in ("sequence", "action", "clip"):
            raise _refuse("unit", self.unit, "sequence, action or clip")
        if not 0.1 <= self.clip_s <= 3600:
            raise _refuse("clip_s", self.clip_s, "0.1 to 3600 seconds")
        for name in ("x264_preset", "tune"):
            if not re.fullmatch(r"[a-z,]{0,40}", getattr(self, name)):
                raise _refuse(name, getattr(self, name), "a name of x264's, such as medium")

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


@dataclass(frozen=True)
class LoaderOptions:
    """What a batch holds and how clips are drawn; letters as in ``Batch``.

    Attributes:
        modalities: any of ego, third, audio, scene_graph.
        split: only this split, or all.
        sequences: only these sequence ids, or all.
        batch_size: B clips a batch on each rank.
        blocks: N blocks a clip.
        block_frames: K frames a block.
        stride: annotation frames from one shown frame to the next, a multiple of the packed
            stride; the packed stride itself when left out.
        size: pixels of the square pictures handed out.
        crop: side in packed pixels of the square that is cut out and, where it differs, scaled to
            ``size``; ``size`` itself when left out (the short side where that is smaller).
        mode: ``train``: one clip a sequence and epoch, random start, crop and flip; ``eval``: dense
            clips, centre crop, each exactly once over all ranks.
        third_views: ``random`` or ``first`` view of a clip, or ``all``, each in a row of its own.
            Left out: random in training, all in evaluation.
        require: keep sequences that have ``any`` or ``all`` of the modalities.
        flip: mirror half of the training clips.
        seed: of the order and of all random draws.
        workers: processes that decode; 0 decodes in this one. The batches do not depend on it.
        prefetch: batches each worker prepares ahead.
        rank: of this process.
        world_size: how many processes share an epoch.
        n_mels: bands of the log-mel; ``n_fft`` and ``hop`` in samples of the packed sound.

    """

    modalities: tuple[str, ...] = ("ego", "third", "audio")
    split: str | None = None
    sequences: tuple[str, ...] | None = None
    batch_size: int = 4
    blocks: int = 8
    block_frames: int = 5
    stride: int | None = None
    size: int = 128
    crop: int | None = None
    mode: Literal["train", "eval"] = "train"
    third_views: Literal["random", "first", "all"] | None = None
    require: Literal["any", "all"] = "any"
    flip: bool = True
    seed: int = 0
    workers: int = 0
    prefetch: int = 2
    rank: int = 0
    world_size: int = 1
    n_mels: int = 128
    n_fft: int = 1024
    hop: int = 160

    def __post_init__(self) -> None:
        if not self.modalities or set(self.modalities) - set(MODALITIES):
            raise _refuse("modalities", self.modalities, f"some of {', '.join(MODALITIES)}")
        if self.mode not in ("train", "eval"):
            raise _refuse("mode", self.mode, "train or eval")
        if self.third_views not in (None, "random", "first", "all"):
            raise _refuse("third_views", self.third_views, "random, first or all")
        if self.third_views == "all" and self.mode == "train":
            raise _refuse("third_views", "all", "random or first while training")
        if self.require not in ("any", "all"):
            raise _refuse("require", self.require, "any or all")
        for name, low, high in (
            ("batch_size", 1, 65_536),
            ("blocks", 1, 10_000),
            ("block_frames", 1, 10_000),
            ("size", 8, 4096),
            ("workers", 0, 1024),
            ("prefetch", 1, 1000),
            ("world_size", 1, 1_000_000),
            ("n_mels", 1, 4096),
            ("n_fft", 2, 65_536),
            ("hop", 1, 65_536),
        ):
            _within(name, getattr(self, name), low, high)
        _within("rank", self.rank, 0, self.world_size - 1)
        if self.stride is not None:
            _within("stride", self.stride, 1, 10_000)
        if self.crop is not None:
            _within("crop", self.crop, 8, 4096)

    def with_(self, **changes: Any) -> Self:
        """The same options with changes."""
        return replace(self, **changes)

    @property
    def third(self) -> Literal["random", "first", "all"]:
        """How third-person views are chosen, once ``mode`` is known."""
        return self.third_views or ("random" if self.mode == "train" else "all")
