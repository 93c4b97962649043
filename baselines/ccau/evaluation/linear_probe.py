"""Logistic regression on frozen features: what few-shot results are read with.

scikit-learn's: the sum of losses + ||w||^2 / (2 C), intercepts not penalised. The penalty weighs
all features alike, so they are standardised first, by statistics that do not come from the support:
over a handful of clips a deviation is noise, and dividing by it blows up what happens to be equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Standard:
    """What features are measured by: mean and deviation ``[D]`` over many clips."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, features: Features) -> Standard:
        """From ``[n, D]``; a feature that never varies (a dead unit) keeps its size."""
        x = np.asarray(features, dtype=np.float64)
        scale = x.std(axis=0)
        return cls(x.mean(axis=0), np.where(scale > 1e-6, scale, 1.0))

    def apply(self, features: Features) -> NDArray[np.float64]:
        """``[n, D]`` to the same, standardised."""
        return np.asarray((features - self.mean) / self.scale, dtype=np.float64)


def activity_scores(
    support: Features,
    labels: NDArray[np.integer[Any]],
    query: Features,
    n_classes: int,
    standard: Standard,
) -> NDArray[np.float64]:
    """Probabilities ``[m, n_classes]`` of ``query [m, D]`` after learning ``support [n, D]``.

    ``labels [n]``; a class that the support lacks has probability 0.
    """
    scores = np.zeros((len(query), n_classes))
    scores[:, np.unique(labels)] = _probabilities(support, labels, query, standard)
    return scores


def atomic_scores(
    support: Features, labels: NDArray[np.generic], query: Features, standard: Standard
) -> NDArray[np.float64]:
    """The same for independent classes: labels 0 or 1 ``[n, C]`` to probabilities ``[m, C]``.

    A class that none or all of the support have is that probable everywhere; without any support
    every class is equally so.
    """
    shown = np.asarray(labels, dtype=np.int64)
    if not len(shown):
        return np.zeros((len(query), shown.shape[1]))
    scores = np.tile(shown.mean(axis=0), (len(query), 1))
    for column in np.flatnonzero(np.ptp(shown, axis=0)):
        found = _probabilities(support, shown[:, column], query, standard)
        scores[:, column] = found[:, 1]
    return scores


def _probabilities(
    support: Features, labels: NDArray[np.integer[Any]], query: Features, standard: Standard
) -> NDArray[np.float64]:
    """``[m, classes that occur]``."""
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(labels)) == 1:
        return np.ones((len(query), 1))
    probe = LogisticRegression(C=1.0, tol=1e-6, max_iter=2000)
    probe.fit(standard.apply(support), labels)
    return np.asarray(probe.predict_proba(standard.apply(query)))
