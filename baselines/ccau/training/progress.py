"""Where a run is, and how a training command ended: plain numbers that JSON holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
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

    run: Path
    steps: int
    already_done: bool
    ended: str
    best_score: float
    best_step: int
    train_s: float

    @classmethod
    def of(cls, run: Path, state: State, *, train_s: float, already_done: bool) -> RunSummary:
        """The summary of a run that has come to ``state``."""
        return cls(
            run=run,
            steps=state.step,
            already_done=already_done,
            ended=state.ended,
            best_score=state.plateau.best,
            best_step=state.plateau.best_step,
            train_s=train_s,
        )
