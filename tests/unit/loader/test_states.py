"""The state of a loader says which stream it is a place in; another one refuses it."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from itertools import islice
from typing import Any

import pytest

from homage_sdk.errors import ShardError, UsageError
from homage_sdk.loader import Batch, ClipLoader
from homage_sdk.loader.pool import WorkerPool
from homage_sdk.shards import ShardSet
from tests.unit.loader.batches import all_same
from tests.unit.loader.test_loader import options


def index(shards: ShardSet, **changes: object) -> ClipLoader:
    return ClipLoader(shards, options(**{"batch_size": 1, **changes}))


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "seed": ({"seed": 1}, "found seed 1; expected seed 0"),
    "batch": ({"batch_size": 2}, "found batch_size 2; expected batch_size 1"),
    "ranks": ({"world_size": 2}, "found world_size 2; expected world_size 1"),
    "mode": ({"mode": "eval"}, "found mode eval; expected mode train"),
    "samples": ({"split": "train"}, "found samples [0-9a-f]{16}; expected samples"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_state_of_another_stream_is_refused(shards: ShardSet, what: str) -> None:
    changes, words = OTHERS[what]
    state = index(shards, **changes).state_dict()
    loader = index(shards)
    before = loader.state_dict()
    with pytest.raises(UsageError, match=f"this state belongs to another loader; {words}"):
        loader.load_state_dict(state)
    assert loader.state_dict() == before


def test_a_state_of_a_loader_of_another_order_is_refused(shards: ShardSet) -> None:
    """Of the one that read shards as a stream, in older versions."""
    with pytest.raises(UsageError, match="found order stream-64; expected order index"):
        index(shards).load_state_dict({**index(shards).state_dict(), "order": "stream-64"})


def test_a_state_outlives_json_workers_and_ranks(shards: ShardSet) -> None:
    whole = list(index(shards, world_size=2, rank=1))
    written = index(shards, world_size=2, rank=0)
    next(iter(written))
    resumed = index(shards, world_size=2, rank=1, workers=1, prefetch=3)
    resumed.load_state_dict(json.loads(json.dumps(written.state_dict())))
    assert len(whole) > 1 and all_same(whole[1:], list(resumed))
    resumed.close()


def test_a_state_of_an_older_version_is_taken_for_one_of_this_stream(shards: ShardSet) -> None:
    loader = index(shards)
    loader.load_state_dict({"seed": 0, "epoch": 3, "position": 2})
    again = index(shards)
    again.set_epoch(3)
    assert all_same(list(loader), list(again)[2:])


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"seed": 0, "epoch": 0}, "not the state of a loader"),
        ({"seed": 0, "epoch": "first", "position": 0}, "not the state of a loader"),
        ({"epoch": 0, "position": 0}, "not the state of a loader"),
        ({"seed": 0, "epoch": 0, "position": 6}, "another loader; found batch 6 of epoch 0"),
        ({"seed": 0, "epoch": 0, "position": -1}, "another loader; found batch -1 of epoch 0"),
        ({"seed": 0, "epoch": -1, "position": 0}, "another loader; found batch 0 of epoch -1"),
    ],
)
def test_what_is_no_place_in_the_stream_is_refused(
    shards: ShardSet, state: dict[str, Any], words: str
) -> None:
    loader = index(shards)
    assert len(loader) == 5
    with pytest.raises(UsageError, match=words):
        loader.load_state_dict(state)


@pytest.mark.parametrize("n_given", [0, 1])
def test_an_epoch_that_ends_early_is_an_error_and_not_the_next_epoch(
    shards: ShardSet, monkeypatch: pytest.MonkeyPatch, n_given: int
) -> None:
    whole = WorkerPool.run

    def cut(pool: WorkerPool, tasks: Iterable[Any]) -> Generator[Batch]:
        yield from islice(whole(pool, tasks), n_given)

    loader = index(shards, workers=1)
    monkeypatch.setattr(WorkerPool, "run", cut)
    with pytest.raises(ShardError):
        list(loader)
    state = loader.state_dict()
    assert (state["epoch"], state["position"]) == (0, n_given)
    monkeypatch.undo()
    loader.load_state_dict(state)
    assert len(list(loader)) == len(loader) - n_given
    loader.close()
