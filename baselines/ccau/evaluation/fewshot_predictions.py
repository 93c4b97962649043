"""What the probes of few-shot said of the novel classes' test clips, and the file ``fewshot.npz``.

Letters: D draws of support sets, S test sequences of novel classes, A novel activities, C atomic
classes that occur in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.ccau.evaluation.measures import KIND, scored, statistic
from baselines.ccau.evaluation.predictions import (
    Predictions,
    predictions_as_arrays,
    predictions_from_arrays,
    read_arrays,
    write_arrays,
)
from homage_sdk.evaluation.estimands import ESTIMANDS, Estimand
from homage_sdk.evaluation.intervals import (
    Drawn,
    Floats,
    draw,
    over_supports,
    resamples,
    share_interval,
)


@dataclass(frozen=True)
class ProbeScores:
    """What the probes of one k said of every test clip, draw by draw."""

    activity: NDArray[np.float32]  # [D, clips, A]
    atomic: NDArray[np.float32]  # [D, clips, C]
    taught: NDArray[np.bool_]  # [D], False where the support has no atomic labels to learn from
    support: int
    """Sequences in a support set."""
    support_sets: int
    """How many of the D support sets differ: with few sequences a class, k may take all of them."""


@dataclass(frozen=True)
class FewshotPredictions:
    """One modality: test sequences of the novel classes and their probes, by k."""

    shown: Predictions
    """Sequences, clips and labels (activities numbered among the novel); its scores are 0."""
    split: Mapping[str, str]
    by_k: Mapping[int, ProbeScores]

    @classmethod
    def labels(
        cls, found: Predictions, activity: NDArray[np.int64], tested: Sequence[str]
    ) -> tuple[Predictions, NDArray[np.intp]]:
        """The ``tested`` sequences without scores, and which atomic columns occur in them.

        ``activity`` are the novel columns of all of ``found``.
        """
        shown = replace(found, activity_label=activity).only(tested)
        clips = len(shown.clip_sequence)
        columns = np.flatnonzero(
            shown.atomic_label.any(axis=0) | shown.clip_atomic_label.any(axis=0)
        )
        return replace(
            shown,
            atomic_label=shown.atomic_label[:, columns],
            clip_atomic_label=shown.clip_atomic_label[:, columns],
            clip_activity=np.zeros((clips, 0), np.float32),
            clip_atomic=np.zeros((clips, 0), np.float32),
            clip_embedding=np.zeros((clips, 0), np.float32),
            clip_attention=None,
        ), columns

    def drawn(
        self, k: int, metric: str, estimand: Estimand, counts: Floats, among: Sequence[str]
    ) -> list[Drawn]:
        """The mean over splits of ``metric``, draw by draw, under ``counts`` of ``among``."""
        scores, found = self.by_k[k], []
        for number, taught in enumerate(scores.taught.tolist()):
            answers = replace(
                self.shown, clip_activity=scores.activity[number], clip_atomic=scores.atomic[number]
            ).only(among)
            rows = scored(answers, self.split, KIND[metric], estimand)
            each = draw(statistic(rows, metric), counts)
            if metric == "map" and not taught:
                each = Drawn(float("nan"), np.full(len(counts), np.nan))
            found.append(each)
        return found

    def table(self, *, draws: int) -> dict[str, Any]:
        """By k: accuracy and atomic mAP, of sequences and ``per_clip``, as JSON values.

        Mean, deviation over draws of support sets, every draw, how many of them taught nothing
        (left out), and a 95 % interval that resamples
        support sets and test sequences.
        """
        names = self.shown.sequences
        counts = resamples([self.split[name] for name in names], draws=draws)
        table: dict[str, Any] = {}
        for k, scores in self.by_k.items():
            of = {
                estimand: {
                    metric: _numbers(self.drawn(k, metric, estimand, counts, names))
                    for metric in KIND
                }
                for estimand in ESTIMANDS
            }
            table[str(k)] = {
                "sequences_in_support": scores.support,
                "support_sets": scores.support_sets,
                **of["sequence"],
                "per_clip": of["clip"],
            }
        return table


def _numbers(each: Sequence[Drawn]) -> dict[str, Any]:
    values = [one.value for one in each]
    known = [value for value in values if not np.isnan(value)]
    interval = share_interval([over_supports(each)])
    return {
        "mean": interval.value,
        "interval": [interval.low, interval.high],
        "std": float(np.std(known, ddof=1)) if len(known) > 1 else float("nan"),
        "draws": values,
        "untaught": len(values) - len(known),
    }


def save_fewshot(path: Path, by_modality: Mapping[str, FewshotPredictions]) -> None:
    """Write one npz file without pickles; the same bytes for the same content.

    Its members: ``modalities``; of each ``MODALITY/shown/FIELD``, ``MODALITY/splits`` in the order
    of its sequences, ``MODALITY/ks``, and ``MODALITY/K/FIELD`` of ``ProbeScores``.
    """
    arrays: dict[str, NDArray[Any]] = {"modalities": np.array(list(by_modality), dtype=np.str_)}
    for modality, found in by_modality.items():
        splits = [found.split[name] for name in found.shown.sequences]
        arrays |= predictions_as_arrays(found.shown, f"{modality}/shown/")
        arrays[f"{modality}/splits"] = np.array(splits, dtype=np.str_)
        arrays[f"{modality}/ks"] = np.array(list(found.by_k))
        for k, scores in found.by_k.items():
            arrays |= {f"{modality}/{k}/{name}": np.asarray(v) for name, v in vars(scores).items()}
    write_arrays(path, arrays)


def load_fewshot(path: Path) -> dict[str, FewshotPredictions]:
    """Read them back; raises CheckpointError, never unpickles."""
    with read_arrays(path, "ccau fewshot") as arrays:
        found = {}
        for modality in arrays["modalities"].tolist():
            shown = predictions_from_arrays(arrays, f"{modality}/shown/")
            by_k = {
                k: ProbeScores(
                    activity=arrays[f"{modality}/{k}/activity"],
                    atomic=arrays[f"{modality}/{k}/atomic"],
                    taught=arrays[f"{modality}/{k}/taught"],
                    support=int(arrays[f"{modality}/{k}/support"]),
                    support_sets=int(arrays[f"{modality}/{k}/support_sets"]),
                )
                for k in arrays[f"{modality}/ks"].tolist()
            }
            splits = arrays[f"{modality}/splits"].tolist()
            split = dict(zip(shown.sequences, splits, strict=True))
            found[modality] = FewshotPredictions(shown, split, by_k)
        return found
