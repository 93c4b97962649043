"""Which code trains and judges an arm: results of other code do not count."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch

PACKAGE = Path(__file__).parents[1]
SOURCES = (
    "config/config.py",
    "config/model_config.py",
    "config/objective_config.py",
    "config/training_config.py",
    "instrument/trials.py",
    "instrument/linear_nets.py",
    "instrument/mutants.py",
    "instrument/worlds.py",
    "losses/alignment.py",
    "losses/composition.py",
    "losses/ranks.py",
    "models/attention.py",
    "models/batch_norms.py",
    "models/build_nets.py",
    "models/convgru.py",
    "models/encoder.py",
    "models/initialise.py",
    "models/modality_net.py",
    "precision.py",
    "random_streams.py",
    "tasks/cooperative.py",
    "tasks/task.py",
    "training/optimizer.py",
)
"""The modules that decide how an arm comes out. Its settings are the protocol's."""


def code_version() -> dict[str, str]:
    """A digest of ``SOURCES``, and the versions of the libraries that compute and draw."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((PACKAGE / name).read_bytes())
    return {
        "sources": digest.hexdigest()[:12],
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
