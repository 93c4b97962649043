"""Naming what made a loss not finite, on the rank where it happened."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from baselines.ccau.evaluation.predict import evaluation_mode
from baselines.ccau.tasks import Task
from homage_sdk.loader.batch import Batch


def name_fault(
    task: Task,
    values: Mapping[str, float],
    read: Sequence[tuple[Mapping[str, Any], Batch]],
    *,
    place: str,
) -> str:
    """One line: which losses are not finite, at which ``place``, and the sample they come from.

    The sample is the first of the inputs and batches ``read`` whose input is not finite; else the
    first whose scores alone are not; else all are named.
    """
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    named = [name for name in bad if name != "total" and not name.startswith("stat/")]
    samples = chain(
        (first_bad_input(*each) for each in read),
        (first_bad_output(task, *each) for each in read),
        [" or ".join(sequence for _, batch in read for sequence in batch.sequence)],
    )
    try:
        sample = next(filter(None, samples))
    except RuntimeError as error:  # of torch: other ranks wait for the name all the same
        sample = f"unknown ({str(error).splitlines()[0]})"
    return f"loss {', '.join(named or bad)} is not finite on {place}, sample {sample}"


def first_bad_input(inputs: Mapping[str, Any], batch: Batch) -> str | None:
    """The first sample with an input that is not finite, or None."""
    for modality, tensor in inputs.items():
        if isinstance(tensor, Tensor) and tensor.is_floating_point():
            bad = ~torch.isfinite(tensor).flatten(1).all(dim=1)
            if bad.any():
                return _name(batch, int(bad.nonzero()[0, 0]), modality)
    return None


def first_bad_output(task: Task, inputs: Mapping[str, Any], batch: Batch) -> str | None:
    """The first sample whose scores are not finite while another's are, or None."""
    for modality in task.modalities:
        net = task.net(modality)
        with evaluation_mode(net):
            scores = net(inputs[modality], batch.block_valid).activity
        bad = ~torch.isfinite(scores).all(dim=1) & batch.present[modality]
        if bad.any() and not bad.all():
            return _name(batch, int(bad.nonzero()[0, 0]), modality)
    return None


def _name(batch: Batch, row: int, modality: str) -> str:
    return f"{batch.sequence[row]} clip {int(batch.clip[row])} ({modality})"
