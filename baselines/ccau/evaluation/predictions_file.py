"""``predictions.npz``: what the networks said, so that any metric can be computed without them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baselines.ccau.evaluation.predictions import Predictions
from homage_sdk.errors import CheckpointError
from homage_sdk.evaluation.metrics import Floats
from homage_sdk.storage import write_file

_KINDS = ("activity", "atomic")


@dataclass(frozen=True)
class SavedPredictions:
    """Predictions of every modality, with what a metric needs beside them."""

    by_modality: Mapping[str, Predictions]
    split: Mapping[str, str]
    """Split of each sequence."""
    classes: Mapping[str, tuple[str, ...]]
    prior: Mapping[str, Floats]
    """Frequencies among the samples of the training part: ``activity [A]``, ``atomic [C]``."""


def save_predictions(path: Path, saved: SavedPredictions) -> None:
    """Write one npz file without pickles; the same bytes for the same content."""
    arrays: dict[str, NDArray[np.generic]] = {
        "modalities": np.array(list(saved.by_modality), dtype=np.str_),
        "sequences": np.array(sorted(saved.split), dtype=np.str_),
        "splits": np.array([saved.split[s] for s in sorted(saved.split)], dtype=np.str_),
    }
    for kind in _KINDS:
        arrays[f"classes/{kind}"] = np.array(saved.classes[kind], dtype=np.str_)
        arrays[f"prior/{kind}"] = saved.prior[kind]
    for modality, predictions in saved.by_modality.items():
        for field in fields(predictions):
            arrays[f"{modality}/{field.name}"] = np.asarray(getattr(predictions, field.name))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_file(path, buffer.getvalue())


def load_predictions(path: Path) -> SavedPredictions:
    """Read them back; raises CheckpointError, never unpickles."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        by_modality = {}
        for modality in arrays["modalities"].tolist():
            values = {f.name: arrays[f"{modality}/{f.name}"] for f in fields(Predictions)}
            values["sequences"] = tuple(values["sequences"].tolist())
            by_modality[modality] = Predictions(**values)
        return SavedPredictions(
            by_modality=by_modality,
            split=dict(zip(arrays["sequences"].tolist(), arrays["splits"].tolist(), strict=True)),
            classes={kind: tuple(arrays[f"classes/{kind}"].tolist()) for kind in _KINDS},
            prior={kind: arrays[f"prior/{kind}"] for kind in _KINDS},
        )
    except FileNotFoundError as error:
        raise CheckpointError(
            "no predictions here", place=path, hint="run `ccau evaluate` first"
        ) from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            "not a whole predictions file",
            place=path,
            found=str(error).splitlines()[0][:80],
            hint="run `ccau evaluate` again",
        ) from error
