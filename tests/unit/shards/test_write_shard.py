"""A shard holds the samples that are planned for it, or there is no shard."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from homage_sdk import Dataset
from homage_sdk.errors import HomageError, ShardError
from homage_sdk.progress import Meter
from homage_sdk.shards import PackOptions
from homage_sdk.shards.format.manifest import SampleInfo
from homage_sdk.shards.packing import shard_file
from homage_sdk.shards.packing.engines import processes, ray
from homage_sdk.shards.packing.job import Job
from homage_sdk.shards.packing.plan import PlannedSample, PlannedShard
from homage_sdk.shards.packing.sample import MadeSample
from homage_sdk.shards.packing.shard_file import finished, write_shard

KEYS = ("a", "b", "c")


def planned(name: str = "train-00000.tar", keys: tuple[str, ...] = KEYS) -> PlannedShard:
    return PlannedShard(name, tuple(PlannedSample(key, key, 1, None) for key in keys))


def made(key: str, shard: str = "train-00000.tar") -> MadeSample:
    info = SampleInfo(key=key, sequence=key, shard=shard, participant=1, n_frames=1)
    return MadeSample((("meta.json", key.encode()),), info, ())


def test_the_planned_samples_are_written_and_recorded(tmp_path: Path) -> None:
    record = write_shard(tmp_path, planned(), map(made, KEYS))
    assert finished(tmp_path, planned()) == record
    assert [sample.key for sample in record.samples] == list(KEYS)


@pytest.mark.parametrize("keys", ["", "a", "ab", "abcd", "abd", "xbc", "acb", "aabc", "abcc"])
def test_other_samples_than_planned_leave_nothing(tmp_path: Path, keys: str) -> None:
    with pytest.raises(ShardError) as caught:
        write_shard(tmp_path, planned(), map(made, keys))
    error = caught.value
    assert Path(str(error.place)).name == planned().name
    assert error.found and error.expected
    assert list(tmp_path.iterdir()) == [] and finished(tmp_path, planned()) is None


def test_a_whole_shard_of_before_survives_a_refusal(tmp_path: Path) -> None:
    record = write_shard(tmp_path, planned(), map(made, KEYS))
    before = (tmp_path / planned().name).read_bytes()
    with pytest.raises(ShardError):
        write_shard(tmp_path, planned(), map(made, "ab"))
    assert finished(tmp_path, planned()) == record
    assert (tmp_path / planned().name).read_bytes() == before


class Cluster:
    """As much of Ray as the engine uses; tasks run in this process, the last given out first."""

    class exceptions:  # noqa: N801 - its name there
        class RayError(Exception):
            pass

    def __init__(self) -> None:
        self.running: dict[int, Any] = {}
        self.results: dict[int, Any] = {}
        self.cancelled: list[int] = []

    def is_initialized(self) -> bool:
        return True

    def put(self, value: Any) -> Any:
        return value

    def remote(self, **_: Any) -> Any:
        def task(function: Any) -> Any:
            def give_out(*arguments: Any) -> int:
                number = len(self.running) + len(self.results)
                self.running[number] = lambda: function(*arguments)
                return number

            return SimpleNamespace(remote=give_out)

        return task

    def wait(self, references: list[int], timeout: float) -> tuple[list[int], list[int]]:
        assert references, "a wait for nothing"
        last = max(references)
        self.results[last] = self.running.pop(last)()
        return [last], [each for each in references if each != last]

    def get(self, reference: int) -> Any:
        return self.results[reference]

    def cancel(self, reference: int, force: bool) -> None:
        self.cancelled.append(reference)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster()
    module = ModuleType("ray")
    for name in ("is_initialized", "put", "remote", "wait", "get", "cancel", "exceptions"):
        setattr(module, name, getattr(cluster, name))
    monkeypatch.setitem(sys.modules, "ray", module)
    return cluster


SHARDS = [planned(f"train-{n:05d}.tar") for n in range(4)]


def make_sample(job: Job, sample: PlannedSample, shard: str) -> MadeSample:
    return made(sample.key, shard)


def make_another(job: Job, sample: PlannedSample, shard: str) -> MadeSample:
    return made("z" if (shard, sample.key) == (SHARDS[1].name, "c") else sample.key, shard)


def test_ray_makes_every_shard_whatever_ends_first(
    dataset: Dataset, tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_file, "make_sample", make_sample)
    done: list[int] = []
    meter = Meter(lambda count, total: done.append(count), 12)
    ray.run(Job(dataset, PackOptions()), SHARDS, tmp_path, address=None, meter=meter)
    assert all(finished(tmp_path, shard) for shard in SHARDS)
    assert done == [0, 3, 6, 9, 12] and not cluster.cancelled


@pytest.mark.parametrize("engine", ["ray", "one process"])
def test_no_engine_takes_other_samples_than_planned(
    dataset: Dataset,
    tmp_path: Path,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
) -> None:
    monkeypatch.setattr(shard_file, "make_sample", make_another)
    job = Job(dataset, PackOptions())
    meter = Meter(None, 12)
    with pytest.raises(HomageError) as caught:
        if engine == "ray":
            ray.run(job, SHARDS, tmp_path, address=None, meter=meter)
        else:
            processes.run(job, SHARDS, tmp_path, workers=1, meter=meter)
    assert isinstance(caught.value, ShardError)
    assert finished(tmp_path, SHARDS[1]) is None
    assert not (tmp_path / SHARDS[1].name).exists() and not list(tmp_path.glob(".tmp-*"))
    if engine == "ray":
        assert cluster.cancelled == [0]
