"""From a configuration and shards to a trained run folder."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from baselines.ccau.config.config import Config
from baselines.ccau.data.partition import require_modalities, selection_parts
from baselines.ccau.distributed import join_world
from baselines.ccau.models.batch_norms import refuse_synchronised
from baselines.ccau.runs.build import describe
from baselines.ccau.runs.run_folder import begin_on_first, open_on_first
from baselines.ccau.training.determinism import repeatable
from baselines.ccau.training.loop import Progress, Trainer
from baselines.ccau.training.progress import RunSummary, State
from homage_sdk.shards import ShardSet
from homage_sdk.storage import exclusive, explained


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
    with repeatable(config.run.deterministic), join_world(config.run.device) as world:
        if config.optim.sync_batchnorm:
            refuse_synchronised(world.device)
        shards = ShardSet.open(shards_folder)
        parts = selection_parts(config, shards)
        require_modalities(config, shards, parts)
        lock: AbstractContextManager[None] = nullcontext()
        if world.is_first:
            with explained(out):
                out.mkdir(parents=True, exist_ok=True)
            lock = exclusive(out / ".tmp-train.lock", out)
        with lock:
            description = describe(config, shards, parts)
            opened = open_on_first(out, description, world, fresh=fresh, resume=resume)
            if opened.finished and opened.checkpoint is not None:
                state = State.from_json(opened.checkpoint.state["training"])
                return RunSummary.of(out, state, train_s=0.0, already_done=True)
            trainer = Trainer(
                config, shards, parts, out=out, world=world, checkpoint=opened.checkpoint
            )
            if opened.checkpoint is None:
                # Only now: settings that no trainer can be made of leave the folder as it was.
                begin_on_first(out, description, world)
            return trainer.run(progress)
