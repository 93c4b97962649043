"""Few-shot: how well frozen features serve activities that training never saw (paper, 5.2.4).

The backbone was trained without the novel classes (``data.novel_share``). For each k and draw, k
training sequences of each novel class are the support; a logistic probe learns from their clips and
is judged on all novel sequences of the test splits. Supports are a pure function of (seed, draw,
class), so every model gets the same, and the support of k = 1 lies within that of k = 5. Features
are standardised by the clips of the base sequences that trained the backbone: one measure for every
k and draw, with nothing of the novel classes in it.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.ccau.config.config import Config
from baselines.ccau.data.novel_split import TRAIN_SPLIT, NovelSplit, novel_split
from baselines.ccau.data.partition import TEST_SPLITS
from baselines.ccau.distributed import World, gather, join_world, on_first
from baselines.ccau.evaluation.counted import Counted
from baselines.ccau.evaluation.fewshot_predictions import (
    FewshotPredictions,
    ProbeScores,
    save_fewshot,
)
from baselines.ccau.evaluation.linear_probe import Standard, activity_scores, atomic_scores
from baselines.ccau.evaluation.model_card import write_cards
from baselines.ccau.evaluation.predict import Judge
from baselines.ccau.evaluation.predictions import Floats, Predictions
from baselines.ccau.random_streams import numpy_stream
from baselines.ccau.runs.build_task import load_nets
from baselines.ccau.runs.json_files import read_json, write_json
from baselines.ccau.runs.learned_from import learned_from
from baselines.ccau.runs.run_folder import check_run, reserved
from homage_sdk.errors import CheckpointError, ConfigError, ShardError, UsageError
from homage_sdk.evaluation.estimands import ESTIMANDS
from homage_sdk.progress import Harmless, Progress
from homage_sdk.shards import ShardSet

KS = (1, 5, 10, 20)
MIN_DRAWS = 20
FEATURES = "standardised over the clips of the base classes' training sequences"


def fewshot(
    run: Path,
    shards_folder: Path,
    *,
    ks: tuple[int, ...] = KS,
    draws: int = MIN_DRAWS,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge the frozen networks of ``run`` on its novel classes.

    Writes ``fewshot.json`` there, and ``fewshot.npz``, from which every number comes again.

    Holds the run's lock. Raises ConfigError when the run saw the novel classes, UsageError for
    fewer than 20 draws, ShardError when a novel class has no training or no test sequence, or none
    of any modality, StorageError when another command writes the run.
    """
    if draws < MIN_DRAWS:
        raise UsageError(
            "too few draws to say anything", found=str(draws), expected=f"at least {MIN_DRAWS}"
        )
    with join_world(device) as world:
        shards = ShardSet.open(shards_folder)
        check_run(run)  # before anything is written there
        with reserved(run, world):
            checkpoint, config, nets = load_nets(run, shards)
            split = _split_of(run, config, shards)
            labels = _novel_sequences(shards, split)
            results: dict[str, Any] = {
                "name": config.name,
                "checkpoint": checkpoint.folder.name,
                "identity": {"model_sha256": checkpoint.model_sha256},
                "split": split.as_dict(),
                "supports_seed": seed,
                "draws": draws,
                "ks": list(ks),
                "features": FEATURES,
                "judged": {},
                "not_judged": {},
                "modalities": {},
                "estimands": list(ESTIMANDS),
            }
            saved: dict[str, FewshotPredictions] = {}
            base = tuple(sorted(read_json(run, "config.json")["parts"]["train"]))
            for net in nets.values():
                net.to(world.device)
            with closing(Judge(shards, config, nets, base, world=world)) as judge:
                known = judge(nets, on_first(world, progress))
            with closing(Judge(shards, config, nets, labels, world=world)) as judge:
                found = judge(nets, on_first(world, progress))
            for modality in nets:
                if why := _why_not(known.get(modality), found.get(modality), labels):
                    results["not_judged"][modality] = why
                    continue
                seen = found[modality]
                results["judged"][modality] = _judged_on(seen, labels, split)
                saved[modality] = probe_modality(
                    seen,
                    labels,
                    split,
                    Standard.of(known[modality].clip_embedding),
                    ks=ks,
                    draws=draws,
                    seed=seed,
                    world=world,
                )
            if not saved:
                first, why = next(iter(results["not_judged"].items()))
                raise ShardError(
                    "no modality can be judged", place=shards_folder, found=f"{first}: {why}"
                )
            if world.is_first:
                for modality, each in saved.items():
                    table = each.table(draws=config.run.bootstrap_draws)
                    results["modalities"][modality] = table
                save_fewshot(run / "fewshot.npz", saved)
                write_json(run / "fewshot.json", results)
                Harmless("the model card")(write_cards, run)
            return results


def is_judged(run: Path) -> bool:
    """Whether ``run`` has few-shot results that can be read, and the predictions they are of."""
    try:
        read_json(run, "fewshot.json")
    except CheckpointError:  # none, cut, or of an older version of the code
        return False
    return (run / "fewshot.npz").is_file()


def _why_not(
    known: Predictions | None, found: Predictions | None, labels: dict[str, tuple[str, str]]
) -> str:
    """Why a modality cannot be judged; "" where it can."""
    if known is None:
        return "no base sequence that trained the run has it: nothing to standardise by"
    parts = set() if found is None else {labels[name][0] for name in found.sequences}
    if TRAIN_SPLIT not in parts:
        return "no training sequence of a novel class has it"
    return "" if parts - {TRAIN_SPLIT} else "no test sequence of a novel class has it"


def _judged_on(
    found: Predictions, labels: dict[str, tuple[str, str]], split: NovelSplit
) -> dict[str, Any]:
    """The test sequences of the novel classes that have the modality, and what has no support."""
    tested = [name for name in found.sequences if labels[name][0] != TRAIN_SPLIT]
    supported = {labels[name][1] for name in found.sequences if labels[name][0] == TRAIN_SPLIT}
    splits = {name: part for name, (part, _) in labels.items()}
    return {
        "sequences": tested,
        "counted": Counted.of(found.only(tested), splits).model_dump(),
        "without_support": [name for name in split.novel if name not in supported],
    }


def probe_modality(
    predictions: Predictions,
    labels: dict[str, tuple[str, str]],
    split: NovelSplit,
    standard: Standard,
    *,
    ks: tuple[int, ...],
    draws: int,
    seed: int,
    world: World | None = None,
) -> FewshotPredictions:
    """What probes learn of each support set, and what they say of every test clip, per k and draw.

    ``labels`` maps a sequence to (split, activity name); ``standard`` is of the base classes. The
    ranks of ``world`` (this process alone, where left out) share the probes out among themselves,
    so that none waits while another fits them all; each returns the whole.
    """
    world = world or World()
    column = {name: i for i, name in enumerate(split.novel)}
    where = [labels[s] for s in predictions.sequences]
    activity = np.array([column[name] for _, name in where])
    clip_activity = activity[predictions.clip_sequence]
    tested = [s for s in predictions.sequences if labels[s][0] != TRAIN_SPLIT]
    shown, columns = FewshotPredictions.labels(predictions, activity, tested)
    is_tested = np.array([part != TRAIN_SPLIT for part, _ in where])[predictions.clip_sequence]
    query = predictions.clip_embedding[is_tested]

    def probe(k: int, draw: int) -> tuple[tuple[int, ...], Floats, Floats, bool]:
        support = draw_support(predictions, where, split, k=k, draw=draw, seed=seed)
        clips = np.isin(predictions.clip_sequence, support)
        known = predictions.clip_embedding[clips]
        activities = activity_scores(known, clip_activity[clips], query, len(split.novel), standard)
        named = clips & predictions.atomic_known[predictions.clip_sequence]
        labels_of = predictions.clip_atomic_label[named][:, columns]
        atomic = atomic_scores(predictions.clip_embedding[named], labels_of, query, standard)
        return tuple(support.tolist()), activities, atomic, bool(named.any())

    probes = [(k, draw) for draw in range(draws) for k in ks]
    own = {job: probe(*job) for job in probes[world.rank :: world.size]}
    fitted = {job: said for part in gather(world, own) for job, said in part.items()}
    by_k = {}
    for k in ks:
        supports, activities, atomic, taught = zip(
            *(fitted[k, d] for d in range(draws)), strict=True
        )
        by_k[k] = ProbeScores(
            activity=np.stack(activities).astype(np.float32),
            atomic=np.stack(atomic).astype(np.float32),
            taught=np.array(taught, dtype=np.bool_),
            support=len(supports[0]),
            support_sets=len(set(supports)),
        )
    return FewshotPredictions(shown, {name: labels[name][0] for name in tested}, by_k)


def draw_support(
    predictions: Predictions,
    where: list[tuple[str, str]],
    split: NovelSplit,
    *,
    k: int,
    draw: int,
    seed: int,
) -> NDArray[np.intp]:
    """Rows of the support: the first k of a shuffled order of each novel class's training part.

    The order is over sequence ids alone, so a model without some sequence only skips it. A class
    with fewer than k sequences gives all it has.
    """
    rows: list[int] = []
    for name in split.novel:
        own = [i for i, (part, label) in enumerate(where) if (part, label) == (TRAIN_SPLIT, name)]

        def place(row: int, name: str = name) -> float:
            sequence = predictions.sequences[row]
            return float(numpy_stream(seed, "support", draw, name, sequence).random())

        rows += sorted(own, key=place)[:k]
    return np.array(sorted(rows), dtype=np.intp)


def _split_of(run: Path, config: Config, shards: ShardSet) -> NovelSplit:
    if config.data.novel_share == 0:
        raise ConfigError(
            "this run saw every activity",
            place=run,
            hint="train it with --set data.novel_share=0.2, which sets classes aside",
        )
    split = novel_split(shards, share=config.data.novel_share, seed=config.data.novel_seed)
    trained = learned_from(run)
    names = shards.taxonomy("activity")
    for sample in shards.samples:
        if sample.sequence not in trained or sample.activity_id is None:
            continue
        if names[sample.activity_id].name in split.novel:
            raise ConfigError(
                f"this run learned from {sample.sequence}, which is of a novel class", place=run
            )
    return split


def _novel_sequences(shards: ShardSet, split: NovelSplit) -> dict[str, tuple[str, str]]:
    """Sequence to (split, activity name), for the novel classes."""
    names = shards.taxonomy("activity")
    found = {
        s.sequence: (str(s.split), names[s.activity_id].name)
        for s in shards.samples
        if s.activity_id is not None
        and names[s.activity_id].name in split.novel
        and s.split in (TRAIN_SPLIT, *TEST_SPLITS)
    }
    for name in split.novel:
        parts = {part for part, label in found.values() if label == name}
        if TRAIN_SPLIT not in parts or parts == {TRAIN_SPLIT}:
            raise ShardError(
                f"novel class {name!r} has sequences of {', '.join(sorted(parts)) or 'no split'}",
                expected="train and a test split",
                hint="choose another data.novel_seed",
            )
    return dict(sorted(found.items()))
