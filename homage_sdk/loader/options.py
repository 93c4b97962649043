"""What to load and how clips are drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from homage_sdk.shards.format.pack_options import refuse_option, require_within

MODALITIES = ("ego", "third", "audio", "scene_graph")


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
            raise refuse_option("modalities", self.modalities, f"some of {', '.join(MODALITIES)}")
        if self.mode not in ("train", "eval"):
            raise refuse_option("mode", self.mode, "train or eval")
        if self.third_views not in (None, "random", "first", "all"):
            raise refuse_option("third_views", self.third_views, "random, first or all")
        if self.third_views == "all" and self.mode == "train":
            raise refuse_option("third_views", "all", "random or first while training")
        if self.require not in ("any", "all"):
            raise refuse_option("require", self.require, "any or all")
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
            require_within(name, getattr(self, name), low, high)
        require_within("rank", self.rank, 0, self.world_size - 1)
        if self.stride is not None:
            require_within("stride", self.stride, 1, 10_000)
        if self.crop is not None:
            require_within("crop", self.crop, 8, 4096)

    def with_(self, **changes: Any) -> Self:
        """The same options with changes."""
        return replace(self, **changes)

    @property
    def third(self) -> Literal["random", "first", "all"]:
        """How third-person views are chosen, once ``mode`` is known."""
        return self.third_views or ("random" if self.mode == "train" else "all")
