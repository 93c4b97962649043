"""Where a run is, and how a training command ended: plain numbers that JSON holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from baselines.ccau.config.training_config import OptimConfig
from baselines.ccau.training.schedule import Plateau
from homage_sdk.errors import ConfigError


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

    def is_over(self, config: OptimConfig) -> bool:
        """Whether ``config`` leaves nothing to train; ConfigError where it wants less than is done.

        Training that ended is not over where more epochs or steps are wanted now.
        """
        if self.ended not in ("", "epochs", "steps") or self.plateau.exhausted(config):
            return True
        over = False
        for key, done, wanted in (
            ("optim.epochs", self.epoch, config.epochs),
            ("optim.max_steps", self.step, config.max_steps),
        ):
            if wanted and (done > wanted or (done == wanted and not self.ended)):
                raise ConfigError(
                    f"{key} is less than this run has trained already",
                    found=str(wanted),
                    expected=f"more than {done}",
                    hint="raise it, choose another --out, or start again with --fresh",
                )
            over = over or (wanted > 0 and done == wanted)
        return over

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
    notes: tuple[str, ...] = ()
    """What the log says against an alignment, a line each (``alignment_notes``)."""
