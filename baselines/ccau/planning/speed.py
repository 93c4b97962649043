"""How fast a run would be: measured here, read from check_gpu's JSON, or unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from baselines.ccau.config.config import Config
from baselines.ccau.config.model_config import ModelConfig
from baselines.ccau.data.partition import Parts
from baselines.ccau.distributed import World
from baselines.ccau.planning.measure import first_batch, loading_rate, stepper, typical_step_s
from baselines.ccau.runs.build_task import build_task
from baselines.ccau.runs.json_files import parse_json
from baselines.ccau.training.optimizer import memory_mb
from homage_sdk.errors import ConfigError
from homage_sdk.shards import ShardSet

MEASURED_S = 30.0
_OF_SPEED = ("width", "depth", "dim", "size", "blocks", "audio_width", "audio_channels",
             "audio_blocks", "n_mels")  # fmt: skip
"""Fields of the model that a measured step must share."""


@dataclass(frozen=True)
class Speed:
    """Clips a second of one process; None is unknown, and ``why`` says where it comes from."""

    why: str
    steps: float | None = None
    """Of optimiser steps alone, on clips that are there."""
    loading: float | None = None
    """Of the loader, with the processes that the configuration asks for."""
    memory_mb: float | None = None

    def clips_per_s(self, workers: int) -> float | None:
        """Of training; None where steps or loading are unknown.

        Without a loading process a step waits for its clips, else the slower of both decides.

        >>> Speed("", steps=30.0, loading=60.0).clips_per_s(0)
        20.0
        >>> Speed("", steps=30.0, loading=60.0).clips_per_s(2)
        30.0
        """
        if self.steps is None or self.loading is None:
            return None
        if workers == 0:
            return 1 / (1 / self.steps + 1 / self.loading)
        return min(self.steps, self.loading)


def measured(config: Config, shards: ShardSet, parts: Parts, world: World) -> Speed:
    """From a few steps and batches on this machine; teachers have their initial weights."""
    task = build_task(config, shards, world.device, with_teachers=False)
    batch = first_batch(config, shards, parts, world, task)
    step_s = typical_step_s(stepper(config, task, batch, world), MEASURED_S)
    used_mb = memory_mb(world.device)
    loading = loading_rate(config, shards, parts, world) * max(config.data.workers, 1)
    device = "cpu"
    if world.device.type == "cuda":
        device = torch.cuda.get_device_name(world.device)
    why = f"measured here ({device}): a step of {len(batch)} clips {step_s:.3f} s"
    return Speed(why, len(batch) / step_s, loading, used_mb)


def of_check_gpu(path: Path, config: Config, model: ModelConfig) -> Speed:
    """From what ``tools/check_gpu.py`` wrote, where it measured such a step; else unknown.

    Raises ConfigError for a file that is none of its.
    """
    try:
        report = parse_json(path.read_bytes(), path)
        rows = [dict(row) for row in report["rows"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            "not what tools/check_gpu.py writes", place=path, found=f"{error}"[:80]
        ) from error
    card = next((r["value"] for r in rows if r.get("name") == "device"), "an unnamed device")
    for key, here, there in _differences(report, config, model):
        return Speed(f"unknown: {path.name} ({card}) measured {key} {there}, not {here}")
    fitting = [
        row
        for row in _of_section(rows, "steps", "clips_per_s", "precision", "batch")
        if row["precision"] == config.optim.precision
        and row["batch"] == config.data.batch_size
        and bool(row.get("compiled")) == config.optim.compile
    ]
    if not fitting:
        step = f"{config.data.batch_size} clips in {config.optim.precision}"
        return Speed(f"unknown: {path.name} ({card}) has no step of {step}")
    best = max(fitting, key=lambda row: float(row["clips_per_s"]))
    loading = [
        float(row["clips_per_s"])
        for row in _of_section(rows, "loading", "clips_per_s", "workers")
        if row["workers"] == config.data.workers
    ]
    of = ", ".join(report["modalities"])
    why = f"{path.name} ({card}): {best['clips_per_s']:.0f} clips/s of {of}"
    if not loading:
        why += f", no loading with {config.data.workers} processes"
    memory = float(best["peak_gb"]) * 1e3 if best.get("peak_gb") else None
    return Speed(why, float(best["clips_per_s"]), loading[0] if loading else None, memory)


def _of_section(rows: list[dict[str, Any]], section: str, *keys: str) -> Iterator[dict[str, Any]]:
    for row in rows:
        if row.get("section") == section and all(row.get(key) is not None for key in keys):
            yield row


def _differences(
    report: dict[str, Any], config: Config, model: ModelConfig
) -> Iterator[tuple[str, object, object]]:
    """What makes the steps of the report others than those of ``config``: key and both values."""
    theirs = report.get("model", {})
    for name in _OF_SPEED:
        if theirs.get(name, "unsaid") != getattr(model, name):
            yield f"model.{name}", getattr(model, name), theirs.get(name, "unsaid")
    if report.get("frames", "unsaid") != config.data.block_frames:
        yield "data.block_frames", config.data.block_frames, report.get("frames", "unsaid")
    more = [m for m in config.task.modalities if m not in report.get("modalities", ())]
    if more:
        yield "modalities", ", ".join(more), ", ".join(report.get("modalities", ()))
