"""Scene graphs of a full-size release: exact totals, plausible boxes, the common ones common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from homage_sdk.errors import UsageError
from homage_sdk.ids import SequenceId
from homage_sdk.synth.random_streams import stream
from homage_sdk.synth.scene_graph_files import annotated_frames
from homage_sdk.synth.world.timeline import FPS
from homage_sdk.testing.full_size_intervals import Action
from homage_sdk.testing.full_size_names import OBJECTS, RELATIONSHIPS

Ints = npt.NDArray[np.int64]

WIDTH, HEIGHT = 1024, 768

_POOL = 13
"""Objects a sequence knows; a frame shows some of them."""

_SPATIAL = ("in front of", "behind", "on the side of", "above", "beneath", "in", "on")
_GAZE = ("looking at", "not looking at")
_CONTACT = tuple(r for r in RELATIONSHIPS if r not in _SPATIAL + _GAZE)


@dataclass(frozen=True, slots=True)
class GraphCounts:
    """Totals over all frames."""

    boxes: int
    relationships: int


def graph_documents(
    seed: int,
    ids: list[SequenceId],
    views: list[int | None],
    actions: list[list[Action]],
    counts: GraphCounts,
) -> Iterator[dict[str, Any]]:
    """The canonical document of every sequence that has a third-person view, in order.

    Raises UsageError when the totals cannot be met with these actions.
    """
    kept = [k for k, view in enumerate(views) if view is not None]
    frames = [_frames(actions[k]) for k in kept]
    n = sum(map(len, frames))
    rng = stream(seed, "scale graphs")
    n_objects = spread(counts.boxes - n, np.ones(n, np.int64), np.full(n, _POOL), rng)
    n_relations = spread(counts.relationships, n_objects, 3 * n_objects, rng)
    at = 0
    for k, wanted in zip(kept, frames, strict=True):
        view = views[k]
        part = slice(at, at + len(wanted))
        at += len(wanted)
        pool = _pool(actions[k], stream(seed, "scale pool", str(ids[k])))
        yield {
            "video": str(ids[k].view(view or 1)),
            "width": WIDTH,
            "height": HEIGHT,
            "frames": _graphs(wanted, pool, n_objects[part], n_relations[part], rng),
        }


def _frames(actions: list[Action]) -> list[int]:
    return sorted(
        {f for _, begin, end in actions for f in annotated_frames(FPS * begin + 1, FPS * end)}
    )


def spread(total: int, low: Ints, high: Ints, rng: np.random.Generator) -> Ints:
    """Random whole numbers between ``low`` and ``high`` with exactly this sum.

    >>> rng = stream(0, "doc")
    >>> int(spread(12, np.array([1, 1, 1]), np.array([5, 5, 5]), rng).sum())
    12
    """
    if not int(low.sum()) <= total <= int(high.sum()):
        raise UsageError(
            "the totals do not fit the frames",
            found=str(total),
            expected=f"{int(low.sum())} to {int(high.sum())}",
        )
    share = (total - int(low.sum())) / max(int((high - low).sum()), 1)
    values = low + rng.binomial(high - low, share)
    while (gap := total - int(values.sum())) != 0:
        step = 1 if gap > 0 else -1
        free = np.flatnonzero(values < high if gap > 0 else values > low)
        values[rng.permutation(free)[: abs(gap)]] += step
    return np.asarray(values, np.int64)


def _pool(actions: list[Action], rng: np.random.Generator) -> list[int]:
    """Objects of a sequence: those its actions name, then common ones."""
    words = {word for name, _, _ in actions for word in name.split()}
    named = [k for k, name in enumerate(OBJECTS) if name in words]
    weights = 1.0 / (np.arange(len(OBJECTS)) + 3.0)
    weights[:3] *= 8.0
    others = rng.choice(len(OBJECTS), len(OBJECTS), replace=False, p=weights / weights.sum())
    pool = [int(k) for k in others[:5]]
    pool += [k for k in named if k not in pool][: _POOL - len(pool)]
    pool += [int(k) for k in others if k not in pool][: _POOL - len(pool)]
    return pool


def _zipf(n: int, first: float) -> npt.NDArray[np.float64]:
    tail = 1.0 / np.arange(2, n + 1)
    return np.concatenate([[first], (1 - first) * tail / tail.sum()])


_WEIGHTS = {
    group: np.cumsum(_zipf(len(group), first))
    for group, first in ((_SPATIAL, 0.7), (_GAZE, 0.85), (_CONTACT, 0.55))
}


def _draw(group: tuple[str, ...], number: float) -> str:
    return group[min(int(np.searchsorted(_WEIGHTS[group], number)), len(group) - 1)]


def _graphs(
    frames: list[int], pool: list[int], n_objects: Ints, n_relations: Ints, rng: np.random.Generator
) -> list[dict[str, Any]]:
    # Things stay near where they are: a corner and a size for each, shaken a little every frame.
    size = rng.integers(24, 220, (len(pool) + 1, 2))
    size[0] = rng.integers((120, 380), (260, 640))
    corner = rng.integers(0, np.array([WIDTH, HEIGHT]) - size)
    low = np.clip(corner + rng.integers(-12, 13, (len(frames), *corner.shape)), 0, None)
    low = np.minimum(low, np.array([WIDTH, HEIGHT]) - size)
    boxes = np.concatenate([low, low + size], axis=2).tolist()
    chance = rng.random((len(frames), len(pool), 5)).tolist()
    graphs = []
    for f, frame in enumerate(frames):
        n, extra = int(n_objects[f]), int(n_relations[f] - n_objects[f])
        objects = [{"id": 0, "category": "person", "bbox": boxes[f][0]}]
        relations = []
        for k in range(n):
            spatial, gaze, contact, which, _ = chance[f][k]
            objects.append({"id": k + 1, "category": OBJECTS[pool[k]], "bbox": boxes[f][k + 1]})
            mine = min(2, extra - (n - 1 - k) * 2) if extra > (n - 1 - k) * 2 else 0
            mine = max(mine, min(extra, int(which * 3)))
            extra -= mine
            names = [_draw(_SPATIAL, spatial)]
            if mine == 2 or (mine == 1 and which < 0.55):
                names.append(_draw(_GAZE, gaze))
            if mine == 2 or (mine == 1 and which >= 0.55):
                names.append(_draw(_CONTACT, contact))
            relations += [{"subject": 0, "object": k + 1, "category": r} for r in names]
        graphs.append({"frame": frame, "objects": objects, "relationships": relations})
    return graphs
