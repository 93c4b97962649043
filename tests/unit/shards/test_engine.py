"""Many processes: the order of the plan, bounded memory, and a worker that dies."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from homage_sdk import Dataset
from homage_sdk.errors import StorageError
from homage_sdk.shards import PackOptions, pack
from homage_sdk.shards.format.manifest import SampleInfo
from homage_sdk.shards.pack.engines import processes
from homage_sdk.shards.pack.plan import PlannedSample, PlannedShard
from homage_sdk.shards.pack.sample import Job, MadeSample, MadeView
from tests.unit.shards.test_pack import tree

CLIPS = PackOptions(short_side=64, unit="clip", clip_s=1.0)


def test_a_slow_view_is_waited_for_with_bounded_memory(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    slow = threading.Event()

    def view(planned: PlannedSample, number: int) -> MadeView:
        begun.append(planned.key)
        if planned.key == "s00":
            assert slow.wait(60)
        return MadeView(None)

    def rest(planned: PlannedSample, shard: str, views: list[MadeView]) -> MadeSample:
        info = SampleInfo(
            key=planned.key, sequence=planned.key, shard=shard, participant=1, n_frames=1
        )
        return MadeSample((("meta.json", b"{}"),), info, ())

    monkeypatch.setattr(processes, "_view", view)
    monkeypatch.setattr(processes, "_rest", rest)
    monkeypatch.setattr(Job, "views", lambda job, planned: [0])
    sequence = next(iter(dataset.ids))
    keys = [f"s{n:02d}" for n in range(40)]
    shard = PlannedShard(
        "train-00000.tar", tuple(PlannedSample(key, sequence, 1, None) for key in keys)
    )
    with ThreadPoolExecutor(2) as pool:
        release = threading.Timer(1.0, slow.set)
        release.start()
        made = processes._in_order(pool, 2, Job(dataset, CLIPS), [shard])
        first = next(made).info.key
        ahead = len(begun)
        assert [first, *(sample.info.key for sample in made)] == keys
    assert ahead <= 8  # four samples a process, the slow one among them


def test_a_dead_worker_is_one_line_and_the_next_run_ends_with_the_same_bytes(
    dataset: Dataset, tmp_path: Path
) -> None:
    pack(dataset, tmp_path / "whole", CLIPS, workers=1)
    me = os.getpid()

    def kill_one(done: int, total: int) -> None:
        children = Path(f"/proc/{me}/task/{me}/children").read_text().split()
        workers = [p for p in children if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]
        if done and workers:
            os.kill(int(workers[0]), signal.SIGKILL)

    with pytest.raises(StorageError, match=r"a packing process died.*fewer --workers"):
        pack(dataset, tmp_path / "out", CLIPS, workers=2, progress=kill_one)
    assert not list((tmp_path / "out").glob(".tmp-*"))
    pack(dataset, tmp_path / "out", CLIPS, workers=2)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
