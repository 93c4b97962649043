"""Judging a finished run: each modality alone, each test sequence exactly once."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from baselines.ccau.config.config import Config
from baselines.ccau.data.partition import TEST_SPLITS
from baselines.ccau.distributed import by_first, join_world, on_first
from baselines.ccau.evaluation.counted import Comparison
from baselines.ccau.evaluation.measures import compute_results
from baselines.ccau.evaluation.model_card import write_cards
from baselines.ccau.evaluation.predict import Judge
from baselines.ccau.evaluation.predictions import SavedPredictions, save_predictions
from baselines.ccau.runs.build_task import class_names, load_nets, load_trained
from baselines.ccau.runs.checkpoint import IMPORTED, Checkpoint, code_version
from baselines.ccau.runs.json_files import read_json, write_json
from baselines.ccau.runs.learned_from import learned_from, recorded_prior
from baselines.ccau.runs.run_folder import BEST, reserved
from homage_sdk.errors import CheckpointError, ShardError
from homage_sdk.evaluation.estimands import ESTIMANDS
from homage_sdk.progress import Harmless, Progress
from homage_sdk.shards import ShardSet


def evaluate(
    run: Path,
    shards_folder: Path,
    *,
    splits: tuple[str, ...] = TEST_SPLITS,
    device: str = "auto",
    draws: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate ``run`` on the test splits; writes ``results.json`` and ``predictions.npz`` there.

    Test sequences that the run learned from, as after another split, are left out and named there.
    Works on any number of ranks (torchrun) with the same outcome. Holds the run's lock. Raises
    CheckpointError (no finished run, a damaged file, other class lists), ShardError (no sequence of
    these splits, or none that the run did not learn from) and StorageError (another command writes
    the run).
    """
    with join_world(device) as world:
        shards = ShardSet.open(shards_folder)
        known = by_first(world, lambda: _already_done(run, shards, splits, draws))
        if known is not None:
            return known
        sequences = {s.sequence: str(s.split) for s in shards.samples if s.split in splits}
        if not sequences:
            raise ShardError(
                "no test sequences",
                place=shards_folder,
                found=f"splits {sorted({str(s.split) for s in shards.samples})}",
                expected=" or ".join(splits),
            )
        learned = learned_from(run)
        left_out = sorted(sequences.keys() & learned)
        sequences = {name: split for name, split in sequences.items() if name not in learned}
        if not sequences:
            raise ShardError(
                "the run learned from every test sequence",
                place=shards_folder,
                found=f"{len(left_out)}, the first {left_out[0]}",
                hint="train it on these shards, or evaluate it on those it was trained on",
            )
        with reserved(run, world):
            checkpoint, config, nets = load_nets(run, shards)
            for net in nets.values():
                net.to(world.device)
            with closing(Judge(shards, config, nets, sequences, world=world)) as judge:
                by_modality = judge(nets, on_first(world, progress))
            identity = _identity(checkpoint, config, shards, splits, draws)
            results = {
                "name": config.name,
                "task": config.task.kind,
                "targets": config.composition.targets,
                "seed": config.run.seed,
                "checkpoint": checkpoint.folder.name,
                "selection": config.run.selection,
                "selection_note": selection_note(config, checkpoint.folder.name),
                "identity": identity,
                "splits": dict(sorted(Counter(sequences.values()).items())),
                "left_out": left_out,
                "marks": _marks(checkpoint, shards),
                "modalities": {},
            }
            if world.is_first:
                prior = recorded_prior(run)
                results["without_prior"] = [kind for kind, each in prior.items() if not each.any()]
                saved = SavedPredictions(by_modality, sequences, class_names(shards), prior)
                results["estimands"] = list(ESTIMANDS)
                results["comparison"] = Comparison.of(by_modality, sequences).model_dump()
                results["modalities"] = compute_results(saved, draws=identity["draws"])
                save_predictions(run / "predictions.npz", saved)
                write_json(run / "results.json", results)
                Harmless("the model card")(write_cards, run)
            return results


def _marks(checkpoint: Checkpoint, shards: ShardSet) -> dict[str, str]:
    """What has to stand beside every number of a modality."""
    is_imported = checkpoint.state["training"]["ended"] == IMPORTED
    if is_imported and shards.manifest.packed.audio != "jet":
        return {"audio": "not the authors' pictures of sound"}
    return {}


def _identity(
    checkpoint: Checkpoint,
    config: Config,
    shards: ShardSet,
    splits: tuple[str, ...],
    draws: int | None,
) -> dict[str, Any]:
    """What results depend on: the weights, the shards, the splits, the resamples, the code."""
    return {
        "model_sha256": checkpoint.model_sha256,
        "shards": shards.fingerprint,
        "test_splits": list(splits),
        "draws": config.run.bootstrap_draws if draws is None else draws,
        "code": code_version(),
    }


def _already_done(
    run: Path, shards: ShardSet, splits: tuple[str, ...], draws: int | None
) -> dict[str, Any] | None:
    """The results of the same weights on the same shards by the same code, or None."""
    identity = _identity(*load_trained(run, shards), shards, splits, draws)
    if not (run / "results.json").is_file() or not (run / "predictions.npz").is_file():
        return None
    try:
        found = read_json(run, "results.json", "estimands")
    except CheckpointError:
        return None  # cut, or of an older version: evaluated again
    return found if found.get("identity") == identity else None


def selection_note(config: Config, checkpoint: str) -> str:
    """How ``checkpoint`` was chosen, in words that tables print.

    Only a best checkpoint was selected: a run that never validated is judged by its last weights.
    """
    if checkpoint != BEST:
        return "the last weights, no selection"
    if config.run.selection == "paper":
        return "selected on 'val', which is also one of the two test splits, as in the paper"
    return "selected on participants carved out of the training split"
