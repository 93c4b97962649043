"""Everything that decides the shape of the networks, and its two presets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from baselines.ccau.models.attention import AttentionKind
from homage_sdk.errors import UsageError


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides a network's shape. docs/ccau_presets.md explains each switch."""

    width: int = 64  # channels of the video stem; everything else follows
    depth: int = 18  # 18, 34, 50
    dim: int = 0  # D; 0 means 4 * width (256 at full width)
    size: int = 128  # pixels a side; only attention = "official" depends on it
    blocks: int = 8  # N
    attention: AttentionKind = "eq2"
    attention_tau: float = 1.0
    classify: Literal["block", "clip"] = "block"
    gru_dropout: float = 0.1
    head_dropout: float = 0.5
    context_norm: bool = True  # BatchNorm1d between g and the heads
    spare_head: bool = False  # the public code's third, unused head
    folded: bool = True  # (1, k, k) convolutions as 2D ones; False only to compare
    audio_width: int = 0  # channels of VGG19's first layer; 0 means width
    audio_channels: int = 1
    audio_pool: Literal["mean", "flatten"] = "mean"
    audio_blocks: bool = False  # one vector a block, the spectrogram cut into N pieces of time
    audio_axes: Literal["mel_time", "time_mel"] = "mel_time"  # rows and columns of the image
    audio_init: Literal["kaiming", "torch"] = "kaiming"
    n_mels: int = 128
    audio_columns: int = 344  # T of the log-mel input
    n_objects: int = 86  # scene-graph categories
    n_predicates: int = 29

    @property
    def features(self) -> int:
        """D."""
        return self.dim or 4 * self.width

    @classmethod
    def preset(cls, name: Literal["paper", "official"], **changes: Any) -> ModelConfig:
        """The paper's or the public code's model; ``changes`` override single fields.

        >>> ModelConfig.preset("official").head_dropout
        0.75
        """
        if name == "paper":
            return cls(**changes)
        if name != "official":
            raise UsageError("no such preset", found=repr(name), expected='"paper", "official"')
        official = cls(
            attention="official",
            classify="clip",
            head_dropout=0.75,
            spare_head=True,
            audio_channels=3,
            audio_pool="flatten",
            audio_axes="time_mel",
            audio_init="torch",
        )
        return replace(official, **changes)
