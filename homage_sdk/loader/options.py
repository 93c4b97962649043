"""What to load and how clips are drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from homage_sdk.errors import require_known
from homage_sdk.shards.format.pack_options import refuse_option, require_possible

Names = Annotated[tuple[str, ...], Field(strict=False)]  # a list will do
Side = Annotated[int, Field(ge=8, le=4096)]
MODALITIES = ("ego", "third", "audio", "scene_graph", "sensors")


@dataclass(frozen=True)
class LoaderOptions:
    """What a batch holds and how clips are drawn; letters as in ``Batch``.

    Attributes:
        modalities: any of ego, third, audio, scene_graph, sensors.
        split: only this split, or all.
        sequences: only these sequence ids, or all.
        batch_size: B clips a batch on each rank.
        blocks: N blocks a clip.
        block_frames: K frames a block.
        stride: annotation frames from one shown frame to the next, a multiple of the packed
            stride; the packed stride itself when left out.
        size: pixels of the square pictures handed out.
        fit: what is shown of a picture: ``crop``, a square of it; ``stretch``, the whole of it,
            scaled to a square; ``pad``, as the public code of CCAU does: laid on black, cut, and
            scaled by the nearest pixel (shards of 192 lines).
        crop: with ``fit="crop"`` the side in packed pixels of the square that is cut out and, where
            it differs, scaled to ``size``; ``size`` itself when left out (the short side where that
            is smaller).
        starts: where training clips may begin: at ``packed`` frames, or at ``any`` frame, which
            needs shards of stride 1.
        train_unit: what a training epoch has a clip of: every ``sequence`` (sample), or every
            atomic ``action``, anywhere in it or around the middle of one that is shorter.
        eval_every: frames from one window of evaluation to the next, whole ones alone; what is
            behind the last is not seen. Left out: one after the other, the last one drawn back.
        short: what a sample shorter than a clip gives: blocks that are not valid (``pad``), or
            frames closer together (``squeeze``).
        action_ends: which frames of a block and of an action count where they meet: the first and
            last of ``both``, or what is ``inside``, as in the public code of CCAU: an action
            begins a frame later, and the last frame shown does not count, unless it is the only
            one.
        mode: ``train``: one clip a sequence and epoch, random start, cut and flip; ``eval``: dense
            clips, cut from the middle, each exactly once over all ranks.
        third_views: ``random`` or ``first`` view of a clip, or ``all``, each in a row of its own.
            Left out: random in training, all in evaluation.
        require: keep sequences that have ``any`` or ``all`` of the modalities.
        flip: mirror half of the training clips.
        pixels: how pictures are handed over: ``rgb``, or as they were decoded, ``i420``, half the
            bytes, wherever none has to be scaled. ``feed`` converts them on the device, to the same
            bits.
        seed: of the order and of all random draws.
        workers: processes that decode; 0 decodes in this one. The batches do not depend on it.
        prefetch: batches each worker prepares ahead.
        rank: of this process.
        world_size: how many processes share an epoch.
        n_mels: bands of the log-mel; ``n_fft`` and ``hop`` in samples of the packed sound. Shards
            that hold pictures of sound have 128 bands, and the other two do not count.
        sensors: S channels of the modality ``sensors``, each ``kind/position/column``, such as
            some of ``ShardSet.sensor_channels``.
        sensor_samples: J values of each channel a block, evenly from where it begins.

    """

    modalities: Names = ("ego", "third", "audio")
    split: str | None = None
    sequences: Names | None = None
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 4
    blocks: Annotated[int, Field(ge=1, le=10_000)] = 8
    block_frames: Annotated[int, Field(ge=1, le=10_000)] = 5
    stride: Annotated[int, Field(ge=1, le=10_000)] | None = None
    size: Side = 128
    fit: Literal["crop", "stretch", "pad"] = "crop"
    crop: Side | None = None
    starts: Literal["packed", "any"] = "packed"
    train_unit: Literal["sequence", "action"] = "sequence"
    eval_every: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    short: Literal["pad", "squeeze"] = "pad"
    action_ends: Literal["both", "inside"] = "both"
    mode: Literal["train", "eval"] = "train"
    third_views: Literal["random", "first", "all"] | None = None
    require: Literal["any", "all"] = "any"
    flip: bool = True
    pixels: Literal["rgb", "i420"] = "rgb"
    seed: Annotated[int, Field(strict=False)] = 0
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    prefetch: Annotated[int, Field(ge=1, le=1000)] = 2
    rank: Annotated[int, Field(ge=0)] = 0
    world_size: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    n_mels: Annotated[int, Field(ge=1, le=4096)] = 128
    n_fft: Annotated[int, Field(ge=2, le=65_536)] = 1024
    hop: Annotated[int, Field(ge=1, le=65_536)] = 160
    sensors: Names = ()
    sensor_samples: Annotated[int, Field(ge=1, le=100_000)] = 10

    def __post_init__(self) -> None:
        require_possible(self)
        for modality in self.modalities:
            require_known("modality", modality, MODALITIES)
        if not self.modalities:
            raise refuse_option("modalities", self.modalities, f"some of {', '.join(MODALITIES)}")
        if "sensors" in self.modalities and not self.sensors:
            raise refuse_option("sensors", self.sensors, "some of ShardSet.sensor_channels")
        if self.third_views == "all" and self.mode == "train":
            raise refuse_option("third_views", "all", "random or first while training")
        if self.crop is not None and self.fit != "crop":
            raise refuse_option("crop", self.crop, f"none with fit {self.fit!r}")
        if self.fit == "stretch" and self.size % 2:
            raise refuse_option("size", self.size, "an even number with fit 'stretch'")
        if self.rank >= self.world_size:
            raise refuse_option("rank", self.rank, f"less than world_size {self.world_size}")

    def with_(self, **changes: Any) -> Self:
        """The same options with changes."""
        return replace(self, **changes)

    @property
    def third(self) -> Literal["random", "first", "all"]:
        """How third-person views are chosen, once ``mode`` is known."""
        return self.third_views or ("random" if self.mode == "train" else "all")
