"""Packing on many machines with Ray (extra ``ray``).

Each task makes one shard in the output folder, which every node must see under the same path, as
it must see catalog and videos. A task lost with its node is run again elsewhere; a shard that was
finished is not made twice, and one that was not is invisible.
"""

from __future__ import annotations

import pickle
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from homage_sdk.errors import HomageError, StorageError, UsageError
from homage_sdk.progress import Meter
from homage_sdk.shards.packing.job import Job
from homage_sdk.shards.packing.plan import PlannedShard
from homage_sdk.shards.packing.shard_file import finished, make_shard

_RETRIES = 5
_PATIENCE_S = 10.0


def run(
    job: Job,
    shards: Sequence[PlannedShard],
    folder: Path,
    *,
    address: str | None,
    meter: Meter,
) -> None:
    """Make these shards on a Ray cluster; ``meter`` counts the samples.

    Raises UsageError when ray is not installed or no cluster answers at ``address``.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError("ray is not installed", hint="pip install 'homage-sdk[ray]'") from error
    started = not ray.is_initialized()
    if started:
        try:
            _knock(address)
            ray.init(address=address, log_to_driver=False, include_dashboard=False)
        except (ConnectionError, TimeoutError) as error:
            raise UsageError(
                "no Ray cluster answers", found=str(address), hint=str(error).splitlines()[0]
            ) from error
    try:
        _run(ray, job, folder.absolute(), shards, meter)
    finally:
        if started:
            ray.shutdown()


def _knock(address: str | None) -> None:
    """Raise at once where no server listens: Ray asks for minutes, then ends the process."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=_PATIENCE_S).close()


def _run(
    ray: Any,
    job: Job,
    folder: Path,
    shards: Sequence[PlannedShard],
    meter: Meter,
) -> None:
    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(_make)
    shared = ray.put(pickle.dumps(job))
    waiting = {task.remote(shared, folder, shard): shard for shard in shards}
    try:
        while waiting:
            ready, _ = ray.wait(list(waiting), timeout=1.0)
            for reference in ready:
                shard = waiting.pop(reference)
                try:
                    failure = ray.get(reference)
                except ray.exceptions.RayError as error:
                    raise StorageError(
                        "a packing task was lost",
                        found=str(error).splitlines()[0],
                        hint="run the same command again: finished shards are kept",
                    ) from error
                if failure is not None:
                    raise failure
                meter.advance(len(shard.samples))
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)


def _make(job: bytes, folder: Path, shard: PlannedShard) -> HomageError | None:
    """One task; errors travel as values, because Ray would bury them in its own."""
    try:
        if finished(folder, shard) is None:
            make_shard(pickle.loads(job), shard, folder)
    except HomageError as error:
        return error
    return None
