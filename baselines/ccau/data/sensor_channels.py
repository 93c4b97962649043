"""Which columns of which sensors make up the modality ``sensors``."""

from __future__ import annotations

from baselines.ccau.config.config import Config
from homage_sdk.errors import ConfigError
from homage_sdk.shards import ShardSet


def sensor_channels(config: Config, shards: ShardSet) -> tuple[str, ...]:
    """The channels of the kinds ``data.sensors``; raises ConfigError where there is none."""
    kinds = config.data.sensors
    found = tuple(c for c in shards.sensor_channels if c.partition("/")[0] in kinds)
    if not found:
        there = sorted({c.partition("/")[0] for c in shards.sensor_channels})
        raise ConfigError(
            "these shards hold no sensors of these kinds",
            place=shards.path,
            found=", ".join(there) or "none",
            expected=f"data.sensors {', '.join(kinds)}",
            hint="pack them with sensors, or leave sensors out of task.modalities",
        )
    return found
