"""Real runs from shards on an accelerator: loading, training, resuming (see tools/check_gpu.py)."""

from __future__ import annotations

import json
import shutil
import statistics
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

from baselines.ccau.config.config import Config, read_config
from baselines.ccau.data.loaders import open_loader
from baselines.ccau.data.partition import selection_parts
from baselines.ccau.distributed import World
from baselines.ccau.runs.run_folder import LAST
from baselines.ccau.training.train import train
from homage_sdk import Dataset
from homage_sdk.ingest import ingest
from homage_sdk.shards import PackOptions, ShardSet, pack
from homage_sdk.synth import write_release

if TYPE_CHECKING:
    from check_gpu import Report


def shards_of(out: Path, *, small: bool) -> Path:
    """Shards of a synthetic release, made below ``out`` once."""
    if not (out / "shards" / "manifest.json").is_file():
        write_release(
            out / "release",
            sequences=8 if small else 64,
            activities=2 if small else 8,
            size=(128, 96) if small else (256, 192),
            seconds=(5.0, 6.0),
            clean=True,
        )
        ingest(out / "release", out / "catalog")
        pack(Dataset(out / "catalog"), out / "shards", PackOptions(short_side=96 if small else 144))
    return out / "shards"


def config_of(report: Report, *settings: str) -> Config:
    """The demo's task at the paper's size (or narrow), three modalities, on the device."""
    words = [
        f"run.device={report.device.type}",
        "run.selection=last",
        "run.validate_every=0",
        "optim.schedule=constant",
        *settings,
    ]
    if report.small:
        words += [
            "model.width=8", "model.audio_width=4", "data.size=32", "data.blocks=2",
            "data.block_frames=2", "data.batch_size=2", "data.n_mels=32",
        ]  # fmt: skip
        return read_config("ccau", words)
    return read_config("ccau", words, size="paper")


def resumed(report: Report, shards: Path, out: Path) -> None:
    """A run stopped half way and gone on with against one that was not: the same weights?"""
    half, whole = (2, 4) if report.small else (6, 12)

    def interrupt(step: int, last: int) -> None:
        if step > half:  # the checkpoint of step ``half`` is on disk
            raise KeyboardInterrupt

    for deterministic in (True, False):
        weights = []
        config = config_of(
            report,
            f"optim.max_steps={whole}",
            f"run.checkpoint_every={half}",
            f"run.deterministic={str(deterministic).lower()}",
            "data.workers=0",
        )
        for name in ("straight", "resumed"):
            run = out / f"run-{name}-{deterministic}"
            shutil.rmtree(run, ignore_errors=True)
            if name == "resumed":
                with suppress(KeyboardInterrupt):
                    train(config, shards, run, progress=interrupt)
            train(config, shards, run)
            weights.append(load_file(run / LAST / "model.safetensors"))
        gap = max(
            float((weights[0][k].double() - weights[1][k].double()).norm())
            / max(float(weights[0][k].double().norm()), 1e-12)
            for k in weights[0]
        )
        said = "run.deterministic" if deterministic else "without"
        same = gap == 0.0
        report.add(
            f"stopped after {half} of {whole} steps and resumed, {said}",
            "the same bits" if same else f"largest relative difference {gap:.1e}",
            same if deterministic else None,
            gap=gap,
        )


def loading(report: Report, shards: Path) -> None:
    """Clips a second out of the loader alone, by processes."""
    opened = ShardSet.open(shards)
    for workers in (0, 1) if report.small else (0, 2, 4, 8, 12):
        config = config_of(report, f"data.workers={workers}")
        parts = selection_parts(config, opened)
        modalities = ("ego", "third", "audio")
        world = World(device=report.device)  # a card takes other pictures of a loader than a CPU
        loader = open_loader(opened, config, modalities, parts.train, world, training=True)
        clips, begin_s = 0, 0.0
        for epoch in range(2 if report.small else 8):
            loader.set_epoch(epoch)
            for batch in loader:
                clips += len(batch)
            if epoch == 0:  # starting the processes is not loading
                clips, begin_s = 0, time.perf_counter()
        rate = clips / (time.perf_counter() - begin_s)
        report.add(
            f"loader, {workers} processes", f"{rate:.0f} clips/s", clips_per_s=rate, workers=workers
        )
        loader.close()


def real_runs(report: Report, shards: Path, out: Path) -> None:
    """``ccau train`` from shards: clips a second and the share of waiting, by processes."""
    steps = 4 if report.small else 24
    for workers in (0,) if report.small else (0, 4, 8):
        run = out / f"run-{workers}"
        shutil.rmtree(run, ignore_errors=True)
        begin_s = time.perf_counter()
        train(config_of(report, f"optim.max_steps={steps}", f"data.workers={workers}"), shards, run)
        rows = metrics(run / "metrics.jsonl")[steps // 2 :]
        rate = statistics.median(row["clips_per_s"] for row in rows)
        wait = sum(r["data_wait_share"] * r["step_s"] for r in rows) / sum(
            r["step_s"] for r in rows
        )
        report.add(
            f"ccau train, {workers} processes",
            f"{rate:.1f} clips/s, waiting {wait:.0%}, {rows[-1]['memory_mb'] / 1e3:.1f} GB",
            clips_per_s=rate,
            wait=wait,
            seconds=time.perf_counter() - begin_s,
        )
    if report.device.type == "cuda":
        torch.cuda.empty_cache()


def metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of the steps of a run's log."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row for row in rows if row["kind"] == "step"]
