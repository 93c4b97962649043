"""What is learned by which losses: the sections ``composition``, ``align`` and ``distillation``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

Negatives = Literal["video", "batch", "world", "same_block"]


@dataclass(frozen=True)
class CompositionConfig:
    """L_c of section 4.3. docs/ccau_presets.md explains each switch."""

    targets: Literal["both", "activity", "atomic"] = "both"
    atomic: Literal["bce", "focal"] = "bce"
    focal_gamma: float = 2.0
    focal_positive_weight: float = 10.0
    weighting: Literal["lambda", "uncertainty"] = "lambda"
    atomic_weight: float = 10.0  # lambda, also where atomic actions alone are learned


@dataclass(frozen=True)
class AlignmentConfig:
    """L_align of Eq. 1. docs/ccau_presets.md explains each switch."""

    weight: NonNegativeFloat = 1.0  # 0 turns it off: single training, bit for bit
    granularity: Literal["block", "clip"] = "block"
    normalize: bool = False
    tau: PositiveFloat = 1.0
    negatives: Negatives = "batch"  # of the video and of the batch
    centre: bool = False  # contexts less their mean at each block number
    pairs: Literal["mean", "sum"] = "sum"
    projection: Literal["none", "pair"] = "none"


@dataclass(frozen=True)
class DistillationConfig:
    """(1 - w) CE + w T^2 KL. The values are the public code's, which then discards both."""

    weight: Annotated[float, Field(ge=0, le=1)] = 0.1  # w
    temperature: PositiveFloat = 2.5  # T
