"""What a training run will take, before anything is written: steps, memory, disk, time."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from baselines.ccau.config.config import Config
from baselines.ccau.data.loaders import open_loader
from baselines.ccau.data.partition import (
    TEST_SPLITS,
    Parts,
    require_modalities,
    selected_on,
    selection_parts,
)
from baselines.ccau.distributed import World
from baselines.ccau.evaluation.predict import Judge
from baselines.ccau.planning.memory import StepMemory, step_memory
from baselines.ccau.planning.speed import Speed, measured, of_check_gpu
from baselines.ccau.runs.build_task import class_names, model_config
from baselines.ccau.runs.checkpoint import STATE, is_checkpoint
from baselines.ccau.runs.json_files import read_json
from baselines.ccau.runs.run_folder import LAST
from baselines.ccau.training.validation_score import epochs_between
from homage_sdk.shards import ShardSet

TRAIN_ANSWERS = 3
"""A training step takes about as long as three answers (``validation_score.epochs_between``)."""


@dataclass(frozen=True)
class RunPlan:
    """One run; counts are of all ranks together."""

    config: Config
    ranks: int
    steps_per_epoch: int
    updates: int
    done: int
    """Updates that the run folder holds already."""
    clips: int
    """Clips of all updates."""
    validations: int
    answers: int
    """Answers of networks in all validations."""
    test_answers: int
    memory: StepMemory
    speed: Speed

    @property
    def disk(self) -> int:
        """Bytes of the checkpoints in the end: the last with its optimiser, and the best."""
        weights = self.memory.weights
        return weights + self.memory.optimizer + (weights if self.validations else 0)

    @property
    def disk_most(self) -> int:
        """Bytes while a checkpoint is replaced: the new one is whole before the old one goes."""
        return self.disk + self.memory.weights + self.memory.optimizer

    @property
    def train_s(self) -> float | None:
        """Seconds of the updates that are left; None where the speed is unknown."""
        rate = self.speed.clips_per_s(self.config.data.workers)
        if rate is None:
            return None
        return self.clips * (1 - self.done / max(self.updates, 1)) / (rate * self.ranks)

    @property
    def judge_s(self) -> float | None:
        """Seconds of the validations that are left and of the test: by their number of answers."""
        rate = self.speed.clips_per_s(self.config.data.workers)
        if rate is None:
            return None
        left = self.answers * (1 - self.done / max(self.updates, 1)) + self.test_answers
        return left / (TRAIN_ANSWERS * len(self.config.task.modalities) * rate * self.ranks)


def plan_run(
    config: Config,
    shards_folder: Path,
    out: Path,
    *,
    gpu: Path | None = None,
    measure: bool = False,
    judged: tuple[str, ...] = TEST_SPLITS,
    like: RunPlan | None = None,
) -> RunPlan:
    """The plan of ``ccau train`` with these arguments; writes nothing.

    Args:
        config: of the run.
        shards_folder: what it trains on.
        out: its folder; what that holds already is not trained again.
        gpu: what ``tools/check_gpu.py`` wrote: the speed of that card.
        measure: make a few steps here: the speed of this machine.
        judged: the splits that the trained networks answer in the end.
        like: a plan of the same settings but for the seed: speed and memory are the same.

    Raises:
        ConfigError, ShardError: training would refuse the same, or ``gpu`` is no such file.

    """
    shards = ShardSet.open(shards_folder)
    parts = selection_parts(config, shards)
    require_modalities(config, shards, parts)
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    world = World(0, ranks, torch.device("cpu"))
    modalities, optim = config.task.modalities, config.optim
    model = model_config(config, shards)
    loader = open_loader(shards, config, modalities, parts.train, world, training=True)
    steps_per_epoch = math.ceil(len(loader) / optim.accumulate)
    updates = optim.epochs * steps_per_epoch
    updates = min(updates, optim.max_steps) if optim.max_steps else updates
    whole, rest = divmod(updates, steps_per_epoch)
    micro_batches = whole * len(loader) + min(rest * optim.accumulate, len(loader))
    trained = config.task.students if config.task.kind == "static_kd" else modalities
    judge = Judge(shards, config, trained, selected_on(config, shards, parts), world=world)
    every = config.run.validate_every
    if every == "auto":
        every = epochs_between(judge, loader.n_clips, len(modalities))
    selects = config.run.selection != "last" and every > 0
    validations = math.ceil(updates / steps_per_epoch / every) if selects else 0
    test = {s.sequence for s in shards.samples if s.split in judged}
    names = class_names(shards)
    counts = {kind: max(len(each), 1) for kind, each in names.items()}
    return RunPlan(
        config=config,
        ranks=ranks,
        steps_per_epoch=steps_per_epoch,
        updates=updates,
        done=_done(out),
        clips=micro_batches * config.data.batch_size * ranks,
        validations=validations,
        answers=validations * judge.n_answers,
        test_answers=Judge(shards, config, modalities, test, world=world).n_answers,
        memory=step_memory(config, model, counts) if like is None else like.memory,
        speed=_speed(config, shards, parts, gpu=gpu, measure=measure)
        if like is None
        else like.speed,
    )


def _speed(
    config: Config, shards: ShardSet, parts: Parts, *, gpu: Path | None, measure: bool
) -> Speed:
    if measure:
        cuda = torch.cuda.is_available() and config.run.device != "cpu"
        here = World(device=torch.device("cuda" if cuda else "cpu"))
        return measured(config, shards, parts, here)
    if gpu is not None:
        return of_check_gpu(gpu, config, model_config(config, shards))
    return Speed("unknown: give --gpu check_gpu.json, or --measure")


def _done(out: Path) -> int:
    """Updates of the run that lies there; 0 where there is none."""
    if not is_checkpoint(out / LAST):
        return 0
    return int(read_json(out / LAST, STATE)["training"]["step"])


def in_words(seconds: float | None) -> str:
    """A duration as people say it.

    >>> in_words(None), in_words(42.4), in_words(5400.0), in_words(200000.0)
    ('unknown', '42 s', '1.5 h', '55.6 h')
    """
    if seconds is None:
        return "unknown"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def plan_facts(plan: RunPlan) -> list[tuple[str, str]]:
    """Name and value of each line that ``ccau train --dry-run`` prints."""
    config, memory = plan.config, plan.memory
    optim, data = config.optim, config.data
    step = f"{data.batch_size} clips x {optim.accumulate} micro-batches x {plan.ranks} ranks"
    kept = f"{memory.activations / 1e9:.2f} GB"
    if memory.left_out:
        kept += f" without {', '.join(memory.left_out)}"
    found = plan.speed.memory_mb
    limit = f", at most {optim.max_steps} steps" if optim.max_steps else ""
    rates = {"steps": plan.speed.steps, "loading": plan.speed.loading}
    said = ", ".join(f"{k} {v:.1f} clips/s" if v else f"{k} unknown" for k, v in rates.items())
    return [
        ("run", f"{config.name}: {config.task.kind} of {', '.join(config.task.modalities)}"),
        ("updates", f"{plan.updates:,} in {optim.epochs} epochs of {plan.steps_per_epoch}{limit}"),
        ("done", f"{plan.done:,} updates" if plan.done else "nothing yet"),
        ("an update", step),
        ("clips", f"{plan.clips:,}"),
        ("validations", f"{plan.validations:,}, {plan.answers:,} answers of a network"),
        ("test", f"{plan.test_answers:,} answers of a network"),
        ("parameters", f"{memory.weights / 1e6:.1f} MB, {memory.trained / 1e6:.1f} MB gradients"),
        ("optimizer", f"{memory.optimizer / 1e6:.1f} MB"),
        ("activations", f"{kept}, estimated from what a forward pass keeps"),
        ("memory", f"{memory.step / 1e9:.2f} GB a process, and the libraries' buffers"),
        ("memory measured", "not" if found is None else f"{found / 1e3:.2f} GB"),
        ("disk", f"{plan.disk / 1e6:,.1f} MB in the end, at most {plan.disk_most / 1e6:,.1f} MB"),
        ("speed", plan.speed.why),
        ("rates", said),
        ("training", in_words(plan.train_s)),
        ("validating, test", f"{in_words(plan.judge_s)}, by the number of answers"),
    ]
