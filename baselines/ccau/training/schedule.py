"""The learning rate as a function of the step and of what validation found."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baselines.ccau.config.training_config import OptimConfig


@dataclass
class Plateau:
    """Which validation was best, and how often the rate has fallen since.

    The rule of ``torch.optim.lr_scheduler.ReduceLROnPlateau`` (mode max, no threshold), with a
    state of plain numbers. Of two equal scores the one with the higher likelihood is better.
    """

    best: float = -math.inf
    best_likelihood: float = -math.inf
    best_step: int = 0
    bad: int = 0
    """Epochs since the last better validation, or since the rate last fell."""
    since_best: int = 0
    scale: float = 1.0

    def observe(
        self, score: float, likelihood: float, step: int, config: OptimConfig, *, epochs: int = 1
    ) -> bool:
        """Take in a validation, ``epochs`` after the last one; True when it is the best so far."""
        is_known = score > -math.inf
        if is_known and (score, likelihood) > (self.best, self.best_likelihood):
            self.best, self.best_likelihood = score, likelihood
            self.best_step, self.bad, self.since_best = step, 0, 0
            return True
        self.bad += epochs
        self.since_best += epochs
        if self.bad > config.plateau_patience:
            self.scale *= config.plateau_factor
            self.bad = 0
        return False

    def exhausted(self, config: OptimConfig) -> bool:
        """Whether early stopping ends training now."""
        return config.early_stop > 0 and self.since_best >= config.early_stop


def learning_rate(config: OptimConfig, plateau: Plateau, step: int, last_step: int) -> float:
    """The rate for the step that comes next (0-based); ``last_step`` is how many there will be."""
    rate = config.lr
    if config.schedule == "plateau":
        rate = max(config.lr * plateau.scale, min(config.lr_floor, config.lr))
    elif config.schedule == "cosine":
        span = max(last_step - config.warmup_steps, 1)
        done = min(max(step - config.warmup_steps, 0) / span, 1.0)
        floor = min(config.lr_floor, config.lr)
        rate = floor + (config.lr - floor) * 0.5 * (1 + math.cos(math.pi * done))
    if step < config.warmup_steps:
        rate *= (step + 1) / config.warmup_steps
    return rate
