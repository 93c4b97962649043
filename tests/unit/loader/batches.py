"""Whether batches are equal, in every bit."""

from __future__ import annotations

import torch

from homage_sdk.loader import Batch, ClipLoader

Row = tuple[object, ...]


def same(a: Batch, b: Batch) -> bool:
    """Whether two batches are equal in every bit."""
    left, right = _flat(a), _flat(b)
    return len(left) == len(right) and all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
        for x, y in zip(left, right, strict=True)
    )


def all_same(a: list[Batch], b: list[Batch]) -> bool:
    """Whether two lists of batches are equal in every bit."""
    return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))


def _flat(value: object) -> list[object]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [part for key in sorted(value) for part in (key, *_flat(value[key]))]
    if hasattr(value, "__dataclass_fields__"):
        return [part for name in value.__dataclass_fields__ for part in _flat(getattr(value, name))]
    return [value]


def rows(batches: list[Batch]) -> list[Row]:
    """Everything about each row that is no padding, in a form that can be counted."""
    found = []
    for batch in batches:
        for b, sequence in enumerate(batch.sequence):
            if not sequence:
                assert not any(flags[b] for flags in batch.present.values())
                continue
            tensors = [batch.frames, batch.atomic_block, batch.activity, batch.clip, batch.logmel]
            tensors += [*batch.video.values(), *batch.view.values(), *batch.present.values()]
            found.append((sequence, *(hash(t[b].numpy().tobytes()) for t in tensors)))  # type: ignore[index]
    return found


def take(loader: ClipLoader, count: int) -> list[Batch]:
    """So many batches, over the end of epochs."""
    out: list[Batch] = []
    while len(out) < count:
        for batch in loader:
            out.append(batch)
            if len(out) == count:
                break
    return out
