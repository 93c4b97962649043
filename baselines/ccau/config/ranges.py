"""Which numbers a configuration may hold: each refusal names the key, the number and the range."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from homage_sdk.errors import ConfigError

if TYPE_CHECKING:
    from baselines.ccau.config.config import Config

_POSITIVE = (
    "data.batch_size", "data.eval_batch_size", "data.size", "data.blocks", "data.block_frames",
    "data.stride", "data.hop", "data.n_mels", "optim.accumulate", "optim.epochs", "optim.lr",
    "align.tau", "distillation.temperature", "model.width", "model.attention_tau",
    "model.audio_channels",
)  # fmt: skip
_NOT_NEGATIVE = (
    "align.weight", "data.workers", "data.crop", "optim.weight_decay", "optim.clip_norm",
    "optim.max_steps", "optim.warmup_steps", "optim.early_stop", "run.validate_every",
    "run.checkpoint_every", "run.bootstrap_draws", "model.dim", "model.audio_width",
    "augment.brightness", "augment.contrast", "augment.saturation", "augment.hue",
)  # fmt: skip
_SHARES = ("distillation.weight", "augment.grey")
_BELOW_ONE = (
    "data.novel_share", "data.validation_share", "model.head_dropout", "model.gru_dropout",
)  # fmt: skip


def check_numbers(config: Config) -> None:
    """Raise ConfigError for the first number outside its range."""

    def number(key: str) -> float:
        section, _, name = key.partition(".")
        return float(getattr(getattr(config, section), name))

    inf = math.inf
    for keys, low, high, expected in (
        (_POSITIVE, math.nextafter(0, 1), inf, "more than 0"),
        (_NOT_NEGATIVE, 0.0, inf, "0 or more"),
        (_SHARES, 0.0, 1.0, "in [0, 1]"),
        (_BELOW_ONE, 0.0, math.nextafter(1, 0), "in [0, 1)"),
    ):
        for key in keys:
            if not low <= number(key) <= high:
                raise ConfigError(f"{key} must be {expected}", found=f"{number(key):g}")
    if config.model.depth not in (18, 34, 50):
        raise ConfigError("model.depth must be 18, 34 or 50", found=str(config.model.depth))
