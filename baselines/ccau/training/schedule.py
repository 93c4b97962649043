"""The learning rate as a function of the step and of what validation found."""

from __future__ import annotations

import math
from dataclasses import dataclass

from baselines.ccau.config.training_config import OptimConfig

_WARMUP_EPOCHS = 5
"""As in "Accurate, Large Minibatch SGD" (Goyal et al., 2017)."""


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


@dataclass(frozen=True)
class Peak:
    """The highest learning rate of a run, and in how many steps it is reached."""

    lr: float
    warmup_steps: int

    @classmethod
    def of(cls, config: OptimConfig, clips: int, steps_per_epoch: int) -> Peak:
        """For steps of ``clips`` clips, over all ranks and micro-batches (``lr_rule``).

        >>> Peak.of(OptimConfig(lr=0.001, lr_rule="linear"), clips=128, steps_per_epoch=11)
        Peak(lr=0.008, warmup_steps=55)
        >>> Peak.of(OptimConfig(lr=0.001, lr_rule="sqrt"), clips=4, steps_per_epoch=11)
        Peak(lr=0.0005, warmup_steps=0)
        """
        factor = (clips / config.lr_batch) ** {"off": 0.0, "linear": 1.0, "sqrt": 0.5}[
            config.lr_rule
        ]
        warmup = config.warmup_steps
        if warmup == "auto":
            warmup = _WARMUP_EPOCHS * steps_per_epoch if factor > 1 else 0
        return cls(config.lr * factor, warmup)


def learning_rate(
    config: OptimConfig, peak: Peak, plateau: Plateau, step: int, last_step: int
) -> float:
    """The rate for the step that comes next (0-based); ``last_step`` is how many there will be."""
    rate = peak.lr
    if config.schedule == "plateau":
        rate = max(peak.lr * plateau.scale, min(config.lr_floor, peak.lr))
    elif config.schedule == "cosine":
        span = max(last_step - peak.warmup_steps, 1)
        done = min(max(step - peak.warmup_steps, 0) / span, 1.0)
        floor = min(config.lr_floor, peak.lr)
        rate = floor + (peak.lr - floor) * 0.5 * (1 + math.cos(math.pi * done))
    if step < peak.warmup_steps:
        rate *= (step + 1) / peak.warmup_steps
    return rate
