"""The sections of a configuration that are about running: task, data, optim and run.

``model_config`` and ``objective_config`` beside it hold the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

Modality = Literal["ego", "third", "audio", "scene_graph", "sensors"]

NEITHER_SEEN_NOR_HEARD = (
    "infrared", "rgb_light", "light", "acceleration", "gyro", "human_presence", "magnet",
    "air_pressure", "humidity", "temperature",
)  # fmt: skip
"""The paper's twelve kinds of sensors but for RGB camera and microphone: "privacy-aware recognition
where we avoid audio-visual modalities" (sections 1 and 3)."""


@dataclass(frozen=True)
class OnResume:
    """Marks a setting that may change when a run goes on: no trained weight depends on it."""

    schedules: tuple[str, ...] = ("plateau", "cosine", "constant")
    """Under which ``optim.schedule`` that is so."""


MORE = OnResume(schedules=("plateau", "constant"))
"""How long to train: the rates of a cosine follow from it, from the first step on."""


@dataclass(frozen=True)
class TaskConfig:
    """What is learned from what."""

    kind: Literal["single", "cooperative", "static_kd", "cooperative_kd"] = "cooperative"
    modalities: tuple[Modality, ...] = ("ego", "third", "audio")
    teachers: dict[str, str] = field(default_factory=dict)
    """static_kd: modality to the run folder of its trained teacher."""
    students: tuple[Modality, ...] = ("ego",)
    """static_kd: who learns; the other modalities need a teacher."""


@dataclass(frozen=True)
class DataConfig:
    """How clips are read from shards. Letters: B clips, N blocks, K frames a block."""

    batch_size: PositiveInt = 16
    """Clips a rank and micro-batch."""
    eval_batch_size: PositiveInt = 16
    size: PositiveInt = 128
    """Pixels a side of the pictures that the networks see."""
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    """``stretch``: the whole frame, resized (section 5.1). ``crop``: a square of it. ``pad``: laid
    on black and cut, as the public code does; shards of 192 lines."""
    blocks: PositiveInt = 8
    block_frames: PositiveInt = 5
    stride: PositiveInt = 3
    """Source frames from one shown frame to the next."""
    n_mels: PositiveInt = 128
    workers: Annotated[NonNegativeInt, OnResume()] = 0
    eval_third_views: Literal["all", "first"] = "all"
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0.15
    """Share of the training sequences set aside by participant to select the model on."""
    exclude_activities: tuple[str, ...] = ()
    """Names of activities that training never sees."""
    novel_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the activities that training never sees (few-shot; the paper's 15 of 75 is 0.2)."""
    novel_seed: int = 0
    crop: NonNegativeInt = 0
    """With ``fit = "crop"``: side in packed pixels of the square that is cut out and scaled to
    ``size``; 0: ``size``."""
    flip: bool = True
    starts: Literal["packed", "any"] = "packed"
    """Training clips begin at packed frames, or at ``any`` frame (shards of stride 1)."""
    train_unit: Literal["sequence", "action"] = "sequence"
    """What a training epoch has a clip of: each sequence, or each annotated atomic action."""
    eval_every: NonNegativeInt = 0
    """Frames from one window of evaluation to the next, the tail unseen; 0: all of it is seen."""
    short: Literal["pad", "squeeze"] = "pad"
    """What is too short for a clip: blocks that are not valid, or frames closer together."""
    action_ends: Literal["both", "inside"] = "both"
    """Whether the first and last frames count where a block and an action meet."""
    n_fft: int = 1024
    hop: PositiveInt = 160
    """Samples from one column of the log-mel to the next."""
    sensors: tuple[str, ...] = NEITHER_SEEN_NOR_HEARD
    """Kinds whose channels, at all positions, make up the modality ``sensors``."""
    sensor_samples: PositiveInt = 10
    """Values of each channel a block: 20 a second with the blocks of the paper."""


@dataclass(frozen=True)
class OptimConfig:
    """Defaults as in the public code (CCAU.md, "Optimisation")."""

    lr: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 1e-5
    epochs: Annotated[PositiveInt, MORE] = 100
    max_steps: Annotated[NonNegativeInt, MORE] = 0
    """Stop after so many optimiser steps; 0: by epochs alone."""
    accumulate: PositiveInt = 1
    """Micro-batches a step."""
    whole_batch: bool = False
    """The micro-batches of a step share negatives and means, as one large batch (the networks
    answer twice); otherwise the negatives of the alignment come from each micro-batch alone."""
    clip_norm: NonNegativeFloat = 0.0
    """Largest gradient norm of each modality's network; 0: no clipping."""
    schedule: Literal["plateau", "cosine", "constant"] = "plateau"
    lr_rule: Literal["off", "linear", "sqrt"] = "off"
    """How ``lr`` grows with the clips a step: ranks x batch x micro-batches over ``lr_batch``."""
    lr_batch: PositiveInt = 16
    """Clips a step that ``lr`` is meant for."""
    warmup_steps: NonNegativeInt | Literal["auto"] = "auto"
    """Steps in which the rate rises; ``auto``: five epochs where ``lr_rule`` raises it, else 0."""
    plateau_factor: float = 0.1
    plateau_patience: int = 10
    """Epochs without a better selection score before the rate falls."""
    lr_floor: float = 1e-5
    early_stop: NonNegativeInt = 0
    """Epochs without a better score before training ends; 0: never."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: autocast of the networks; losses stay fp32."""
    compile: bool = False
    sync_batchnorm: bool = False
    """Batch statistics over all ranks; GPUs only, and each rank must hold each modality."""


@dataclass(frozen=True)
class RunConfig:
    """How a run goes on, beside what it learns."""

    seed: int = 0
    device: Annotated[str, OnResume()] = "auto"
    validate_every: NonNegativeInt | Literal["auto"] = "auto"
    """Epochs between validations; 0: never, and the last weights are the result. ``auto``: as
    often as costs a tenth of training, by the number of clips."""
    checkpoint_every: Annotated[NonNegativeInt, OnResume()] = 0
    """Optimiser steps between checkpoints inside an epoch; one is written after each epoch."""
    selection: Literal["validation", "paper", "last"] = "validation"
    """``validation``: best on participants carved out of train. ``paper``: best on the split
    ``val``, which is also a test split. ``last``: no selection."""
    select_on: Literal["learned", "activity", "atomic"] = "learned"
    """Which score selects: the mean of accuracy and mAP as far as they are learned, or one."""
    deterministic: bool = False
    """On a GPU: only operations that give the same bits each time, at some cost in speed."""
    tensorboard: Annotated[bool, OnResume()] = False
    wandb: Annotated[bool, OnResume()] = False
    """Show the log at Weights & Biases too, under ``wandb_project``."""
    wandb_project: Annotated[str, OnResume()] = "ccau"
    bootstrap_draws: Annotated[NonNegativeInt, OnResume()] = 1000
