"""The one thing a loader hands to a model, whatever it was read from.

Letters as in the paper and CCAU.md: B clips, N blocks, K frames a block, C atomic classes.
Pixels stay uint8 and channels-last: conversion to float and normalisation belong on the training
device. Absence is normal: look at ``present`` before using a modality's row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TypeVar, cast

import torch
from torch import Tensor

from homage_sdk.loader.pictures.i420 import to_rgb


@dataclass
class SceneGraphBatch:
    """Scene graphs of each block, padded: the annotated frame nearest the block's middle.

    O and R are the largest counts in the batch; class columns are 0-based taxonomy indices, and
    padding is -1. Boxes are xyxy divided by the view's width and height.
    """

    object_class: Tensor  # int64 [B, N, O]
    object_box: Tensor  # float32 [B, N, O, 4]
    subject: Tensor  # int64 [B, N, R], position in object_class
    predicate: Tensor  # int64 [B, N, R], relationship class
    object: Tensor  # int64 [B, N, R], position in object_class
    present: Tensor  # bool [B, N], whether the block has an annotated frame


@dataclass
class Batch:
    """B clips with everything known about them."""

    sequence: tuple[str, ...]  # sequence ids, length B
    clip: Tensor  # int64 [B], which clip of the sequence (0-based)
    n_clips: Tensor  # int64 [B], how many clips the sequence gives in this pass
    frames: Tensor  # int64 [B, N, K], annotation frame numbers (1-based) shown in each block
    block_valid: Tensor  # bool [B, N], False where padded, or without good pictures
    activity: Tensor  # int64 [B], 0-based activity column, -1 unknown
    atomic_block: Tensor  # float32 [B, N, C], 1 where an action is active in the block's span
    atomic_clip: Tensor  # float32 [B, C]
    atomic_known: Tensor  # bool [B], False where the sequence has no atomic action at all: no label
    # "ego"/"third": uint8 [B,N,K,H,W,3], or in I420 [B,N,K,H*W*3/2] (LoaderOptions.pixels)
    video: dict[str, Tensor] = field(default_factory=dict)
    view: dict[str, Tensor] = field(default_factory=dict)  # "ego"/"third": int64 [B], view number
    # float32 [B, n_mels, T], dB relative to the clip's reference; of shards with audio="jet"
    # [B, 3, n_mels, T], a coloured picture in 0..1 of dB relative to the file's
    logmel: Tensor | None = None
    scene_graph: SceneGraphBatch | None = None
    # float32 [B, N, J, S]: J values a block of each of S channels (LoaderOptions.sensors), in the
    # units of the sensors' files; NaN where a channel was not recorded
    sensors: Tensor | None = None
    present: dict[str, Tensor] = field(default_factory=dict)  # modality: bool [B]

    def __len__(self) -> int:
        return len(self.sequence)

    def to(self, device: torch.device | str, *, non_blocking: bool = True) -> Batch:
        """The same batch with every tensor on ``device``."""
        return map_tensors(self, lambda t: t.to(device, non_blocking=non_blocking))

    def rgb(self) -> Batch:
        """The same batch with pictures in RGB; converted where they are."""
        if all(pictures.ndim == 6 for pictures in self.video.values()):
            return self
        return replace(self, video={kind: to_rgb(value) for kind, value in self.video.items()})

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory (called by torch's DataLoader)."""
        return map_tensors(self, Tensor.pin_memory)


T = TypeVar("T")


def map_tensors(value: T, change: Callable[[Tensor], Tensor]) -> T:
    """Apply ``change`` to every tensor inside dataclasses and dicts; leave the rest."""
    changed: object = value
    if isinstance(value, Tensor):
        changed = change(value)
    elif isinstance(value, dict):
        changed = {key: map_tensors(item, change) for key, item in value.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        items = {f.name: map_tensors(getattr(value, f.name), change) for f in fields(value)}
        changed = replace(value, **items)
    return cast(T, changed)
