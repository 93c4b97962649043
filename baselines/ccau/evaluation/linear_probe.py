"""Logistic regression on frozen features: what few-shot results are read with.

Full-batch L-BFGS in float64, L2 penalty on the weights, all classes at once. The objective is
scikit-learn's: sum of losses + ||w||^2 / (2 C), intercepts not penalised. The penalty weighs all
features alike, so they are standardised first, by statistics that do not come from the support:
over a handful of clips a deviation is noise, and dividing by it blows up what happens to be equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

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


@dataclass(frozen=True)
class LinearProbe:
    """Weights ``[D, classes]`` and intercepts ``[classes]`` over standardised features."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    standard: Standard

    def logits(self, features: Features) -> NDArray[np.float64]:
        """``[n, D]`` to ``[n, classes]``."""
        return np.asarray(self.standard.apply(features) @ self.weight + self.bias)


def fit_activity(
    features: Features, labels: NDArray[np.integer[Any]], n_classes: int, standard: Standard
) -> LinearProbe:
    """Multinomial logistic regression: features ``[n, D]``, labels int ``[n]``."""
    target = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    return _fit(
        features, n_classes, standard, lambda z: F.cross_entropy(z, target, reduction="sum")
    )


def fit_atomic(features: Features, labels: NDArray[np.generic], standard: Standard) -> LinearProbe:
    """One logistic regression a class: features ``[n, D]``, labels 0 or 1 ``[n, C]``."""
    target = torch.from_numpy(np.asarray(labels, dtype=np.float64))
    return _fit(
        features,
        target.shape[1],
        standard,
        lambda z: F.binary_cross_entropy_with_logits(z, target, reduction="sum"),
    )


def _fit(
    features: Features, n_classes: int, standard: Standard, loss_of: Any, c: float = 1.0
) -> LinearProbe:
    inputs = torch.from_numpy(standard.apply(features))
    weight = torch.zeros(inputs.shape[1], n_classes, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(n_classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=200, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = loss_of(inputs @ weight + bias) + weight.square().sum() / (2 * c)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return LinearProbe(weight.detach().numpy(), bias.detach().numpy(), standard)
