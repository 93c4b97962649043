"""From a configuration and shards to a trained run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from baselines.ccau.config.config import Config
from baselines.ccau.data.partition import require_modalities, selection_parts
from baselines.ccau.distributed import by_first, join_world, on_first
from baselines.ccau.models.batch_norms import refuse_synchronised
from baselines.ccau.runs.boards import require_boards
from baselines.ccau.runs.build_task import describe
from baselines.ccau.runs.run_folder import begin, go_on, open_run, reserved
from baselines.ccau.training.alignment_notes import notes_of
from baselines.ccau.training.determinism import repeatable
from baselines.ccau.training.loop import Trainer
from baselines.ccau.training.training_state import RunSummary, State
from homage_sdk.progress import Harmless, Progress
from homage_sdk.shards import ShardSet


def train(
    config: Config,
    shards_folder: Path,
    out: Path,
    *,
    fresh: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    watch: Callable[[Mapping[str, Any]], object] | None = None,
) -> RunSummary:
    """Train ``config`` on the training split of ``shards_folder``; the run folder is ``out``.

    The same command again goes on where a killed one stopped, and does nothing once it is done.
    With more epochs or steps a run that ended goes on as well (``config.resume_settings``).
    ``watch`` hears each row of ``metrics.jsonl`` on the first rank.
    Raises ConfigError, ShardError, CheckpointError, StorageError; TrainingError on every rank when
    a loss or a gradient of any rank is not finite.
    """
    require_boards(config)
    with repeatable(config.run.deterministic), join_world(config.run.device) as world:
        if config.optim.sync_batchnorm:
            refuse_synchronised(world.device)
        shards = ShardSet.open(shards_folder)
        parts = selection_parts(config, shards)
        require_modalities(config, shards, parts)
        with reserved(out, world):
            description = describe(config, shards, parts)
            opened = by_first(world, lambda: open_run(out, description, fresh=fresh, resume=resume))
            if opened.checkpoint is not None:
                state = State.from_json(opened.checkpoint.state["training"])
                if state.is_over(config.optim) and opened.finished:
                    return RunSummary(state, 0.0, already_done=True, notes=notes_of(out))
            trainer = Trainer(
                config, shards, parts, out=out, world=world, checkpoint=opened.checkpoint
            )
            if opened.checkpoint is None:
                # Only now: settings that no trainer can be made of leave the folder as it was.
                by_first(world, lambda: begin(out, description))
            else:
                by_first(world, lambda: go_on(out, description, opened, state.step))
            if watch is not None and world.is_first:
                trainer.watch = partial(Harmless("the watcher of steps"), watch)
            return trainer.run(on_first(world, progress))
