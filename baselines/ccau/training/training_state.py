"""Where a run is, and how a training command ended: plain numbers that JSON holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from baselines.ccau.training.schedule import Plateau


@dataclass
class State:
    """Where training is: plain numbers, saved as JSON beside the tensors."""

    epoch: int = 0
    micro_batch: int = 0
    """Micro-batches of this epoch already used."""
    step: int = 0
    """Optimiser steps done."""
    world_size: int = 1
    log_rows: int = 0
    """Lines of ``metrics.jsonl`` so far."""
    ended: str = ""
    """Why training is over: ``epochs``, ``steps``, ``early stop``; empty while it goes on."""
    plateau: Plateau = field(default_factory=Plateau)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> State:
        """Undo ``dataclasses.asdict``."""
        return cls(**{**values, "plateau": Plateau(**values["plateau"])})


@dataclass(frozen=True)
class RunSummary:
    """How a training command ended."""

    state: State
    train_s: float
    already_done: bool
