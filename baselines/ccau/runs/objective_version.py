"""What changed in losses and networks since a checkpoint was written that does not say it."""

from __future__ import annotations

from collections.abc import Sequence

from baselines.ccau.config.config import Config
from baselines.ccau.runs.checkpoint import Checkpoint
from homage_sdk.errors import CheckpointError


def require_same_answer(checkpoint: Checkpoint, modalities: Sequence[str]) -> None:
    """Refuse to ask weights by another forward pass than the one that trained them.

    Raises CheckpointError.
    """
    if checkpoint.manifest.objective < 1 and "scene_graph" in modalities:
        raise _older(checkpoint, "a block without a scene graph was empty, not the nearest one's")
    if checkpoint.manifest.objective < 1 and "sensors" in modalities:
        raise _older(checkpoint, "channels of small numbers were silenced")


def require_same_objective(checkpoint: Checkpoint, config: Config) -> None:
    """Refuse to go on by another loss than the run began with; raises CheckpointError."""
    require_same_answer(checkpoint, config.task.modalities)
    composition = config.composition
    alone = composition.targets == "atomic" and composition.weighting == "lambda"
    if checkpoint.manifest.objective < 1 and alone and composition.atomic_weight != 1:
        raise _older(checkpoint, "lambda did not weigh atomic actions that are learned alone")


def _older(checkpoint: Checkpoint, what: str) -> CheckpointError:
    return CheckpointError(
        "this run was trained by an older objective",
        place=checkpoint.folder.parent,
        found=f"homage_sdk {checkpoint.manifest.code_version}, where {what}",
        hint="train it again with --fresh, or use the homage_sdk that wrote it",
    )
