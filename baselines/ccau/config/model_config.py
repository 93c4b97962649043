"""What the networks are, and how their pictures are changed: sections ``model`` and ``augment``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

AttentionKind = Literal["eq2", "official", "none"]
PoolKind = Literal["mean", "max"]
AtomicJoin = Literal["mean", "max"]


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides a network's shape. docs/ccau_presets.md explains each switch."""

    width: PositiveInt = 64  # channels of the video stem; everything else follows
    depth: Literal[18, 34, 50] = 18  # 18, 34, 50
    dim: NonNegativeInt = 0  # D; 0 means 4 * width (256 at full width)
    size: int = 128  # pixels a side; only attention = "official" depends on it
    blocks: int = 8  # N
    attention: AttentionKind = "eq2"
    attention_tau: PositiveFloat = 1.0
    pool: PoolKind = "mean"  # of the cells, with attention = "none"
    classify: Literal["block", "clip"] = "block"
    gru_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    head_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    context_norm: bool = True  # BatchNorm1d between g and the heads
    spare_head: bool = False  # the public code's third, unused head
    folded: bool = True  # (1, k, k) convolutions as 2D ones; False only to compare
    audio_width: NonNegativeInt = 0  # channels of VGG19's first layer; 0 means width
    audio_channels: PositiveInt = 1
    audio_pool: Literal["mean", "flatten"] = "mean"
    audio_blocks: bool = False  # one vector a block, the spectrogram cut into N pieces of time
    audio_axes: Literal["mel_time", "time_mel"] = "mel_time"  # rows and columns of the image
    audio_init: Literal["kaiming", "torch"] = "kaiming"
    n_mels: int = 128
    audio_columns: int = 344  # T of the log-mel input
    n_objects: int = 86  # scene-graph categories
    n_predicates: int = 29
    sensor_channels: NonNegativeInt = 0  # S; there are none without the modality

    @property
    def features(self) -> int:
        """D."""
        return self.dim or 4 * self.width


@dataclass(frozen=True)
class AugmentConfig:
    """Strength of each change; 0 switches it off."""

    brightness: NonNegativeFloat = 0.5
    """Factor drawn from [1 - b, 1 + b]; likewise contrast and saturation."""
    contrast: NonNegativeFloat = 0.5
    saturation: NonNegativeFloat = 0.5
    hue: NonNegativeFloat = 0.25
    """Turn drawn from [-h, h], as a share of the colour circle."""
    grey: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Probability that a clip loses its colour."""
    grey_kind: Literal["luma", "channel"] = "luma"
    """``channel`` copies one channel drawn at random (the public code)."""
    per: Literal["clip", "frame"] = "clip"
