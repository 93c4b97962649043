"""Training: one loop that reads from top to bottom, for every task, on one process or many.

Every random number is a function of (seed, purpose, modality, step) and every counter is in the
checkpoint, so a run that was killed and resumed equals one that was not, bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from baselines.ccau import checkpoint as checkpoints
from baselines.ccau.checkpoint import Checkpoint, Identity
from baselines.ccau.config import Config
from baselines.ccau.data import TEST_SPLITS, Parts, carve, first_not_finite, open_loader, prepare
from baselines.ccau.distributed import World, join_world, mean_over_ranks, stop_together
from baselines.ccau.runs import BEST, LAST, MetricsLog, begin, open_run, write_json
from baselines.ccau.schedule import Plateau, learning_rate
from baselines.ccau.setup import build_task, class_names, describe
from baselines.ccau.tasks import Task
from baselines.ccau.validate import Validation, validate
from homage_sdk.errors import ConfigError, TrainingError
from homage_sdk.shards import ShardSet
from homage_sdk.shards.batch import Batch
from homage_sdk.storage import exclusive

Progress = Callable[[int, int], None]


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


def train(
    config: Config,
    shards_folder: Path,
    out: Path,
    *,
    fresh: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> RunSummary:
    """Train ``config`` on the training split of ``shards_folder``; the run folder is ``out``.

    The same command again goes on where a killed one stopped, and does nothing once it is done.
    Raises ConfigError, ShardError, CheckpointError, StorageError; TrainingError on every rank when
    a loss or a gradient of any rank is not finite.
    """
    with join_world(config.run.device) as world:
        shards = ShardSet.open(shards_folder)
        parts = carve(
            shards,
            share=config.data.validation_share if config.run.selection == "validation" else 0.0,
            seed=config.run.seed,
            exclude=config.data.exclude_activities,
        )
        out.mkdir(parents=True, exist_ok=True)
        lock = exclusive(out / ".tmp-train.lock", out) if world.is_first else nullcontext()
        with lock:
            description = describe(config, shards, parts)
            opened = open_run(out, description, fresh=fresh, resume=resume)
            if opened.finished and opened.checkpoint is not None:
                return _summary(
                    out, State.from_json(opened.checkpoint.state["training"]), 0.0, True
                )
            if opened.checkpoint is None and world.is_first:
                begin(out, description)
            return _Trainer(config, shards, parts, out, world, opened.checkpoint).run(progress)


class _Trainer:
    """What lives as long as the loop: the task, the optimiser, the loader, the counters."""

    def __init__(
        self,
        config: Config,
        shards: ShardSet,
        parts: Parts,
        out: Path,
        world: World,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.config, self.shards, self.parts, self.out, self.world = (
            config,
            shards,
            parts,
            out,
            world,
        )
        self.task = build_task(config, shards, world.device)
        self.modalities = self.task.modalities
        self.names = {p: n for n, p in self.task.named_parameters() if p.requires_grad}
        self.optimizer = make_optimizer(self.task, config)
        self.state = State(world_size=world.size)
        if checkpoint is not None:
            self._restore(checkpoint)
        self.module: nn.Module = self.task
        if config.optim.compile:
            for net in self.task.nets.values():
                net.compile()
        if world.size > 1:
            self.module = DistributedDataParallel(
                self.module, find_unused_parameters=True, gradient_as_bucket_view=True
            )
        self.loader = open_loader(
            shards,
            config,
            modalities=self.modalities,
            world=world,
            training=True,
            sequences=parts.train,
        )
        if len(self.loader) == 0:
            raise ConfigError(
                "no full batch of training clips",
                found=f"{len(parts.train)} sequences",
                expected=f"at least {config.data.batch_size * world.size}",
                hint="make data.batch_size smaller",
            )
        self.steps_per_epoch = math.ceil(len(self.loader) / config.optim.accumulate)
        self.last_step = config.optim.epochs * self.steps_per_epoch
        if config.optim.max_steps:
            self.last_step = min(self.last_step, config.optim.max_steps)
        self.identity = Identity(config.as_dict(), class_names(shards), shards.fingerprint)

    def run(self, progress: Progress | None) -> RunSummary:
        """The loop."""
        config, state, world = self.config, self.state, self.world
        log = MetricsLog(
            self.out / "metrics.jsonl" if world.is_first else None, keep_rows=state.log_rows
        )
        board = _open_tensorboard(self.out) if config.run.tensorboard and world.is_first else None
        begin_s = time.perf_counter()
        try:
            while not state.ended:
                batches = self._batches()
                while state.micro_batch < len(self.loader) and not state.ended:
                    row = self._step(batches)
                    self._log(log, row)
                    if board is not None:
                        _write_tensorboard(board, row)
                    if progress is not None and world.is_first:
                        progress(state.step, self.last_step)
                    if state.step >= self.last_step:
                        state.ended = "steps"
                    elif _due(state.step, config.run.checkpoint_every):
                        self._save(LAST)
                if state.micro_batch >= len(self.loader):
                    state.epoch += 1
                    state.micro_batch = 0
                self._end_of_epoch(log)
            train_s = time.perf_counter() - begin_s
            if world.is_first:
                result = BEST if (self.out / BEST).is_dir() else LAST
                write_json(self.out / "run.json", {**asdict(state), "result": result})
            return _summary(self.out, state, train_s, False)
        finally:
            log.close()
            if board is not None:
                board.close()

    def _batches(self) -> Iterator[Batch]:
        """The rest of this epoch."""
        self.loader.set_epoch(self.state.epoch)
        if self.state.micro_batch >= len(self.loader):
            return iter(())
        if self.state.micro_batch:
            self.loader.load_state_dict(
                {
                    "seed": self.config.run.seed,
                    "epoch": self.state.epoch,
                    "position": self.state.micro_batch,
                }
            )
        return iter(self.loader)

    def _log(self, log: MetricsLog, row: Mapping[str, Any]) -> None:
        log.write(row)
        self.state.log_rows += 1

    def _step(self, batches: Iterator[Batch]) -> dict[str, Any]:
        """One optimiser step over up to ``accumulate`` micro-batches; its row for the log."""
        config, state = self.config, self.state
        begin_s = time.perf_counter()
        n_micro = min(config.optim.accumulate, len(self.loader) - state.micro_batch)
        rate = learning_rate(config.optim, state.plateau, state.step, self.last_step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        wait_s, n_clips = 0.0, 0
        sums: dict[str, float] = {}
        for micro in range(n_micro):
            waiting_s = time.perf_counter()
            host_batch = next(batches)
            wait_s += time.perf_counter() - waiting_s
            batch = host_batch.to(self.world.device)
            n_clips += len(batch)
            number = state.epoch * len(self.loader) + state.micro_batch
            torch.manual_seed(number)  # nothing should draw from it; if something does, it resumes
            inputs, targets = prepare(
                batch, config, self.modalities, epoch=state.epoch, training=True
            )
            last = micro == n_micro - 1
            quiet = (
                self.module.no_sync()
                if isinstance(self.module, DistributedDataParallel) and not last
                else nullcontext()
            )
            with quiet:
                with autocast(config, self.world.device):
                    losses = self.module(inputs, targets, step=number)
                values = _as_floats(losses)
                fault = None
                if not math.isfinite(values["total"]):
                    fault = self._name_fault(values, inputs, batch)
                stop_together(self.world, fault)
                (losses["total"] / n_micro).backward()
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value / n_micro
            state.micro_batch += 1
        norms = self._clip_gradients()
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
            "clips_per_s": n_clips * self.world.size / duration_s,
            "data_wait_share": wait_s / duration_s,
            "step_s": duration_s,
            "memory_mb": memory_mb(self.world.device),
        }

    def _clip_gradients(self) -> dict[str, float]:
        """Gradient norm of each group, clipped one by one; every rank has the same."""
        largest = self.config.optim.clip_norm or math.inf
        norms = {
            group["name"]: float(nn.utils.clip_grad_norm_(group["params"], largest))
            for group in self.optimizer.param_groups
        }
        for name, norm in norms.items():
            if not math.isfinite(norm):
                raise TrainingError(
                    f"the gradient of {name} is not finite at step {self.state.step + 1}",
                    hint="lower optim.lr, set optim.clip_norm, or train in fp32",
                )
        return norms

    def _name_fault(
        self, values: Mapping[str, float], inputs: Mapping[str, Any], batch: Batch
    ) -> str:
        """Which rank, step, loss and sample a loss that is not finite comes from."""
        bad = [name for name, value in values.items() if not math.isfinite(value)]
        bad = [name for name in bad if name != "total" and not name.startswith("stat/")] or bad
        sample = first_not_finite(inputs, batch) or self._first_bad_output(inputs, batch)
        return (
            f"loss {', '.join(bad)} is not finite on rank {self.world.rank} at step "
            f"{self.state.step + 1}, sample {sample or ', '.join(batch.sequence)}"
        )

    def _first_bad_output(self, inputs: Mapping[str, Any], batch: Batch) -> str | None:
        with torch.no_grad():
            for modality, net in self.task.nets.items():
                modes = {part: part.training for part in net.modules()}
                net.eval()
                scores = net(inputs[modality], batch.block_valid).activity
                for part, training in modes.items():
                    part.training = training
                bad = ~torch.isfinite(scores).all(dim=1) & batch.present[modality]
                if bad.any() and not bad.all():
                    row = int(bad.nonzero()[0, 0])
                    return f"{batch.sequence[row]} clip {int(batch.clip[row])} ({modality})"
        return None

    def _end_of_epoch(self, log: MetricsLog) -> None:
        """Validate, keep the best, decide whether to go on, save."""
        config, state = self.config, self.state
        if state.epoch >= config.optim.epochs and not state.ended:
            state.ended = "epochs"
        selecting = config.run.selection != "last" and config.run.validate_every > 0
        is_best = False
        if selecting and (state.ended or state.epoch % config.run.validate_every == 0):
            found: Validation = validate(
                self.task, self.shards, config, self._selection_sequences(), self.world
            )
            is_best = state.plateau.observe(found.score, state.step, config.optim)
            if not state.ended and state.plateau.exhausted(config.optim):
                state.ended = "early stop"
            self._log(
                log,
                {
                    "kind": "validation",
                    "step": state.step,
                    "epoch": state.epoch,
                    "score": found.score,
                    "is_best": is_best,
                    "on": config.run.selection,
                    "modalities": found.by_modality,
                },
            )
        if is_best:
            self._save(BEST)
        self._save(LAST)

    def _selection_sequences(self) -> tuple[str, ...]:
        if self.config.run.selection == "paper":
            return tuple(
                sorted(s.sequence for s in self.shards.sequences if s.split == TEST_SPLITS[0])
            )
        return self.parts.validation

    def _save(self, name: str) -> None:
        if not self.world.is_first:
            return
        tensors, groups = checkpoints.optimizer_tensors(self.optimizer, self.names)
        files = {"model": self.task.state_dict()}
        if name == LAST:
            files["optimizer"] = tensors
        checkpoints.save(
            self.out / name,
            files=files,
            state={"training": asdict(self.state), "optimizer_groups": groups},
            identity=self.identity,
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.state = State.from_json(checkpoint.state["training"])
        if self.state.world_size != self.world.size:
            raise ConfigError(
                "this run was trained on another number of ranks",
                place=self.out,
                found=str(self.world.size),
                expected=str(self.state.world_size),
                hint="launch as many processes as before, or start again with --fresh",
            )
        checkpoints.require_classes(
            checkpoint, class_names(self.shards), shards=str(self.shards.path)
        )
        checkpoints.load_into(self.task, checkpoint.tensors("model"), place=checkpoint.folder)
        checkpoints.load_optimizer(
            self.optimizer,
            self.names,
            checkpoint.tensors("optimizer"),
            checkpoint.state["optimizer_groups"],
        )


def make_optimizer(task: Task, config: Config) -> torch.optim.Optimizer:
    """Adam as in the public code; uncertainty weights are in it and do not decay."""
    return torch.optim.Adam(
        task.parameter_groups(), lr=config.optim.lr, weight_decay=config.optim.weight_decay
    )


def autocast(config: Config, device: torch.device) -> torch.autocast:
    """The networks' precision; losses are fp32 whatever it says."""
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=config.optim.precision == "bf16"
    )


def memory_mb(device: torch.device) -> float:
    """Peak memory on a GPU, resident memory of the process on a CPU; MB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    import psutil

    return float(psutil.Process().memory_info().rss) / 1e6


def _as_floats(losses: Mapping[str, Tensor]) -> dict[str, float]:
    """All losses in one transfer."""
    stacked = torch.stack([value.detach().float().reshape(()) for value in losses.values()])
    return dict(zip(losses, stacked.tolist(), strict=True))


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _summary(out: Path, state: State, train_s: float, already_done: bool) -> RunSummary:
    return RunSummary(
        run=out,
        steps=state.step,
        already_done=already_done,
        ended=state.ended,
        best_score=state.plateau.best,
        best_step=state.plateau.best_step,
        train_s=train_s,
    )


def _open_tensorboard(out: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            "run.tensorboard needs tensorboard", hint="pip install 'homage-sdk[tensorboard]'"
        ) from error
    return SummaryWriter(str(out / "tensorboard"))  # type: ignore[no-untyped-call]


def _write_tensorboard(board: Any, row: Mapping[str, Any]) -> None:
    for group in ("losses", "grad_norms"):
        for name, value in row[group].items():
            board.add_scalar(f"{group}/{name}", value, row["step"])
    board.add_scalar("clips_per_s", row["clips_per_s"], row["step"])
