"""Training: one loop that reads from top to bottom, for every task, on one process or many.

Every random number is a function of (seed, purpose, modality, step) and every counter is in the
checkpoint, so a run that was killed and resumed equals one that was not, bit for bit: on a CPU, and
on a GPU with ``run.deterministic``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from baselines.ccau.config.config import Config
from baselines.ccau.data.loaders import open_loader, prepare
from baselines.ccau.data.partition import Parts, selected_on
from baselines.ccau.distributed import (
    World,
    mean_over_ranks,
    share_buffers,
    stop_together,
)
from baselines.ccau.evaluation.model_card import write_cards
from baselines.ccau.evaluation.predict import Judge
from baselines.ccau.models.batch_norms import absent_here, synchronise
from baselines.ccau.runs.boards import Boards
from baselines.ccau.runs.build_task import build_task, identity_of
from baselines.ccau.runs.checkpoint import Checkpoint
from baselines.ccau.runs.metrics_log import MetricsLog
from baselines.ccau.runs.run_folder import BEST, LAST, finish
from baselines.ccau.training.alignment_notes import notes_of
from baselines.ccau.training.learner import Learner
from baselines.ccau.training.optimizer import (
    clip_gradients,
    make_optimizer,
    memory_mb,
)
from baselines.ccau.training.schedule import Peak, learning_rate
from baselines.ccau.training.training_checkpoint import restore, save
from baselines.ccau.training.training_state import RunSummary, State
from baselines.ccau.training.validation_score import epochs_between, validate
from baselines.ccau.training.whole_batch import MicroBatch
from homage_sdk.errors import HomageError
from homage_sdk.loader.batch import Batch
from homage_sdk.loader.device_feed import feed
from homage_sdk.progress import Harmless, Progress
from homage_sdk.shards import ShardSet


@dataclass
class _Reading:
    """How long a step waited for its clips, and how many there were."""

    wait_s: float = 0.0
    n_clips: int = 0


class Trainer:
    """What lives as long as the loop: the task, the optimiser, the loader, the counters."""

    def __init__(
        self,
        config: Config,
        shards: ShardSet,
        parts: Parts,
        *,
        out: Path,
        world: World,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.config, self.shards, self.parts = config, shards, parts
        self.out, self.world = out, world
        self.task = build_task(config, shards, world.device)
        self.modalities = self.task.modalities
        self.synchronised = config.optim.sync_batchnorm and world.size > 1
        if self.synchronised:
            synchronise(self.task.nets)
        self.optimizer = make_optimizer(self.task, config)
        self.state = State(world_size=world.size)
        if checkpoint is not None:
            self.state = restore(checkpoint, self.task, self.optimizer, shards, world)
            if not self.state.is_over(config.optim):
                self.state.ended = ""
        self.learner = Learner(self.task, config, world)
        self.loader = open_loader(
            shards, config, self.modalities, parts.train, world, training=True
        )
        steps_per_epoch = math.ceil(len(self.loader) / config.optim.accumulate)
        self.last_step = config.optim.epochs * steps_per_epoch
        if config.optim.max_steps:
            self.last_step = min(self.last_step, config.optim.max_steps)
        self.clips_per_step = config.data.batch_size * config.optim.accumulate * world.size
        self.peak = Peak.of(config.optim, self.clips_per_step, steps_per_epoch)
        self.identity = identity_of(config, shards)
        self.card = Harmless("the model card")
        self.watch: Callable[[Mapping[str, Any]], object] = lambda row: None
        self.judge = Judge(
            shards, config, self.task.trained, selected_on(config, shards, parts), world=world
        )
        every = config.run.validate_every
        if every == "auto":
            every = epochs_between(self.judge, self.loader.n_clips, len(self.modalities))
        self.validate_every = 0 if config.run.selection == "last" else every

    def run(self, progress: Progress) -> RunSummary:
        """The loop."""
        config, state, world = self.config, self.state, self.world
        self.log = MetricsLog(
            self.out if world.is_first else None,
            keep_rows=state.log_rows,
            board=Boards(config, self.out, state.step + 1) if world.is_first else None,
        )
        every = config.run.checkpoint_every
        self._validated_s = begin_s = time.perf_counter()
        if config.optim.lr_rule != "off" and not state.log_rows:
            rule = {"lr_rule": config.optim.lr_rule, "clips_per_step": self.clips_per_step}
            self._log({"kind": "schedule", "step": 0, **rule, **asdict(self.peak)})
        try:
            while not state.ended:
                with closing(self._batches()) as batches:
                    while state.micro_batch < len(self.loader) and not state.ended:
                        self._log(self.step(batches))
                        progress(state.step, self.last_step)
                        if state.step >= self.last_step:
                            by_steps = self.last_step == config.optim.max_steps
                            state.ended = "steps" if by_steps else "epochs"
                        elif every > 0 and state.step % every == 0:
                            self._save(LAST)
                if state.micro_batch >= len(self.loader):
                    state.epoch += 1
                    state.micro_batch = 0
                self._end_of_epoch()
            train_s = time.perf_counter() - begin_s
            if world.is_first:
                finish(self.out, asdict(state), BEST if (self.out / BEST).is_dir() else LAST)
                self.card(write_cards, self.out)
            return RunSummary(state, train_s, already_done=False, notes=notes_of(self.out))
        finally:
            self.judge.close()
            self.log.close()

    def _batches(self) -> Generator[Batch]:
        """The rest of this epoch. Close it before the next: a thread may be reading ahead."""
        state = self.state
        self.loader.load_state_dict(
            {"seed": self.config.run.seed, "epoch": state.epoch, "position": state.micro_batch}
        )
        yield from feed(self.loader, self.world.device)

    def _next(self, batches: Iterator[Batch]) -> Batch:
        """The next micro-batch on the device; a rank that cannot read it stops all of them."""
        fault = None
        try:
            batch = next(batches)
        except HomageError as error:
            if self.world.size == 1:
                raise
            fault = f"rank {self.world.rank}: {error}"
        stop_together(self.world, fault)
        return batch

    def _log(self, row: Mapping[str, Any]) -> None:
        self.log.write(row)
        self.state.log_rows = self.log.rows
        self.watch(row)

    def step(self, batches: Iterator[Batch]) -> dict[str, Any]:
        """One optimiser step over up to ``accumulate`` micro-batches; its row for the log."""
        config, state = self.config, self.state
        begin_s = time.perf_counter()
        n_micro = min(config.optim.accumulate, len(self.loader) - state.micro_batch)
        rate = learning_rate(config.optim, self.peak, state.plateau, state.step, self.last_step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        reading = _Reading()
        read = (self._read(batches, reading) for _ in range(n_micro))
        sums = self.learner.learn(read, n_micro, place=f"step {state.step + 1}")
        norms = clip_gradients(self.optimizer, config.optim.clip_norm, state.step + 1)
        self.optimizer.step()
        state.step += 1
        means = mean_over_ranks(self.world, sums)
        duration_s = time.perf_counter() - begin_s
        return {
            "kind": "step",
            "step": state.step,
            "epoch": state.epoch,
            "lr": rate,
            "losses": {k: v for k, v in means.items() if not k.startswith("stat/")},
            "stats": {k[5:]: v for k, v in means.items() if k.startswith("stat/")},
            "grad_norms": norms,
            "clips_per_s": reading.n_clips * self.world.size / duration_s,
            "data_wait_share": reading.wait_s / duration_s,
            "step_s": duration_s,
            "memory_mb": memory_mb(self.world.device),
        }

    def _read(self, batches: Iterator[Batch], reading: _Reading) -> tuple[MicroBatch, Batch]:
        """The next micro-batch as the task takes it."""
        state = self.state
        waiting_s = time.perf_counter()
        batch = self._next(batches)
        reading.wait_s += time.perf_counter() - waiting_s
        reading.n_clips += len(batch)
        number = state.epoch * len(self.loader) + state.micro_batch
        torch.manual_seed(number)  # nothing should draw from it; if something does, it resumes
        inputs, targets = prepare(
            batch, self.config, self.modalities, epoch=state.epoch, training=True
        )
        if self.synchronised:
            learning = {m: targets.has(m) for m in self.task.trained}
            stop_together(self.world, absent_here(learning, self.world.rank))
        state.micro_batch += 1
        return MicroBatch(inputs, targets, number), batch

    def _end_of_epoch(self) -> None:
        """Validate, keep the best, decide whether to go on, save."""
        config, state, every = self.config, self.state, self.validate_every
        is_best = False
        if every and (state.ended or state.epoch % every == 0):
            share_buffers(self.world, self.task)
            begin_s = time.perf_counter()
            found = validate(self.task, config, self.judge)
            end_s = time.perf_counter()
            is_best = state.plateau.observe(
                found.score, found.likelihood, state.step, config.optim, epochs=every
            )
            if not state.ended and state.plateau.exhausted(config.optim):
                state.ended = "early stop"
            self._log(
                {
                    "kind": "validation",
                    "step": state.step,
                    "epoch": state.epoch,
                    "score": found.score,
                    "likelihood": found.likelihood,
                    "is_best": is_best,
                    "on": config.run.selection,
                    "modalities": found.by_modality,
                    "validation_s": end_s - begin_s,
                    "training_s": begin_s - self._validated_s,
                }
            )
            self._validated_s = end_s
        if is_best:
            self._save(BEST)
        self._save(LAST)

    def _save(self, name: str) -> None:
        if self.world.is_first:
            self.log.sync()
            optimizer = self.optimizer if name == LAST else None
            save(self.out / name, self.task, optimizer, self.state, self.identity)
            self.card(write_cards, self.out)
