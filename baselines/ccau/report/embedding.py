"""Figure 4 of the paper: contexts of test sequences in two dimensions, by t-SNE (scikit-learn).

Seeded: the same predictions, classes and seed give the same points on one machine. What the eye
sees in such a picture is measured beside it in the space of the contexts themselves: of the
``N_NEIGHBOURS`` nearest clips of *other* sequences, the share of the same class and of the same
group, and what chance gives (contexts dealt to the clips at random).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from baselines.ccau.evaluation.predictions import SavedPredictions, load_predictions
from baselines.ccau.report.related_classes import Group, shown_groups
from homage_sdk.errors import UsageError, require_known

N_NEIGHBOURS = 10


class Point(BaseModel):
    """One clip in the picture; ``clip`` counts the dense clips of its sequence from 0."""

    sequence: str
    view: int
    clip: int
    split: str
    activity: str
    group: str
    x: float
    y: float


class Neighbours(BaseModel):
    """A share of the nearest clips of other sequences, and by chance; None without others."""

    share: float | None
    chance: float | None


class Embedding(BaseModel):
    """The contexts of one modality of one run, and how they came to lie where they lie."""

    run: str
    modality: str
    seed: int
    perplexity: float
    divergence: float
    """Kullback-Leibler, of the map from the contexts."""
    same_class: Neighbours
    same_group: Neighbours
    left_out: int
    """Clips whose activity is unknown, or in no group."""
    groups: tuple[Group, ...]
    points: tuple[Point, ...]


def embed(
    run: Path,
    modality: str | None = None,
    *,
    groups: Sequence[Group] = (),
    seed: int = 0,
    perplexity: float | None = None,
) -> list[Embedding]:
    """The embedding of each modality of an evaluated run, or of one.

    ``perplexity``: left out, 30, and less where there are fewer than 91 clips. Raises
    CheckpointError where the run has no predictions, and UsageError for a modality that it did not
    judge, groups without a class of its, or too few clips.
    """
    saved = load_predictions(run / "predictions.npz")
    if modality is not None:
        require_known("modality", modality, list(saved.by_modality))
    shown = shown_groups(groups, saved.classes["activity"])
    chosen = saved.by_modality if modality is None else (modality,)
    return [_embed(run, saved, name, shown, seed, perplexity) for name in chosen]


def _embed(
    run: Path,
    saved: SavedPredictions,
    modality: str,
    groups: tuple[Group, ...],
    seed: int,
    perplexity: float | None,
) -> Embedding:
    each, classes = saved.by_modality[modality], saved.classes["activity"]
    group_of = {name: group.name for group in groups for name in group.activities}
    labels = each.activity_label[each.clip_sequence]
    kept = np.flatnonzero([at >= 0 and classes[at] in group_of for at in labels])
    contexts = each.clip_embedding[kept].astype(np.float64)
    if len(kept) < 4 or not (contexts.std(axis=0) > 0).any():
        raise UsageError(
            f"too few clips of {modality} to lay out",
            place=run,
            found=f"{len(kept)} clips, {len(np.unique(contexts, axis=0))} different contexts",
            expected="at least 4 clips whose contexts differ",
        )
    highest = (len(kept) - 1) / 3
    chosen = min(30.0, highest) if perplexity is None else perplexity
    if not 0 < chosen <= highest:
        raise UsageError(
            "a perplexity that these clips cannot give",
            found=f"{chosen:g}",
            expected=f"more than 0, at most {highest:g}: a third of the other clips",
        )
    places, divergence = _tsne(contexts, chosen, seed)
    rows = each.clip_sequence[kept]
    activities = [classes[at] for at in labels[kept]]
    in_groups = [group_of[name] for name in activities]
    names = [each.sequences[row] for row in rows]
    return Embedding(
        run=str(run),
        modality=modality,
        seed=seed,
        perplexity=chosen,
        divergence=divergence,
        same_class=_neighbours(contexts, rows, activities),
        same_group=_neighbours(contexts, rows, in_groups),
        left_out=len(labels) - len(kept),
        groups=groups,
        points=tuple(
            Point(
                sequence=names[n],
                view=int(each.clip_view[row]),
                clip=int(each.clip_number[row]),
                split=saved.split[names[n]],
                activity=activities[n],
                group=in_groups[n],
                x=round(float(places[n, 0]), 4),
                y=round(float(places[n, 1]), 4),
            )
            for n, row in enumerate(kept)
        ),
    )


def _tsne(
    contexts: NDArray[np.float64], perplexity: float, seed: int
) -> tuple[NDArray[np.float64], float]:
    from sklearn.manifold import TSNE

    made = TSNE(n_components=2, perplexity=perplexity, init="pca", random_state=seed)
    places = np.asarray(made.fit_transform(contexts), dtype=np.float64)
    return places, float(made.kl_divergence_)


def _neighbours(
    contexts: NDArray[np.float64], sequence: NDArray[np.int64], names: Sequence[str]
) -> Neighbours:
    """Of the nearest clips of other sequences, the share with the same name; and by chance.

    Clips of one sequence share room, person and light: they would find each other whatever was
    learned.
    """
    from sklearn.neighbors import NearestNeighbors

    label = np.unique(np.array(names), return_inverse=True)[1]
    most = int(np.bincount(sequence).max())  # clips of the longest sequence
    k = min(N_NEIGHBOURS + most, len(contexts) - 1)  # of all but the clip itself
    near = NearestNeighbors(n_neighbors=k).fit(contexts).kneighbors(return_distance=False)
    shares, chances = [], []
    for row, found in enumerate(near):
        others = found[sequence[found] != sequence[row]][:N_NEIGHBOURS]
        elsewhere = sequence != sequence[row]
        if len(others):
            shares.append((label[others] == label[row]).mean())
            chances.append((label[elsewhere] == label[row]).mean())
    share, chance = (round(float(np.mean(v)), 4) if v else None for v in (shares, chances))
    return Neighbours(share=share, chance=chance)
