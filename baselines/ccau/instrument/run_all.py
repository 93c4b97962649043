"""All arms of all worlds and seeds: one JSON file each, and none is trained twice by one code."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import torch

from baselines.ccau.instrument.mutants import TRAINED
from baselines.ccau.instrument.protocol import Protocol
from baselines.ccau.instrument.sources import code_version
from baselines.ccau.instrument.trials import Trial, run_job
from baselines.ccau.runs.json_files import parse_json, write_json
from homage_sdk.processes import end_pool, leave_with, start_all
from homage_sdk.progress import Progress

ARMS: tuple[tuple[Any, str], ...] = (
    ("plus", "single"),
    ("plus", "coop"),
    ("plus", "placebo"),
    ("null", "coop"),
    ("nuisance", "single"),
    ("nuisance", "coop"),
    ("absence", "single"),
    ("absence", "coop"),
    ("null", "placebo"),
    ("plus", "longer"),
)
"""(world, arm). Single training in ``null`` is that of ``plus``: each view alone is the same."""

Results = dict[Trial, dict[str, Any]]


def jobs(protocol: Protocol, seeds: Sequence[int]) -> Iterator[Trial]:
    """What is to be trained, seed by seed, mutants after the arms of their seed."""
    for seed in seeds:
        for world, arm in ARMS:
            yield Trial(world, arm, seed)
        if seed in protocol.seeds.mutants:
            for arm, world in TRAINED.items():
                yield Trial(world, arm, seed)  # type: ignore[arg-type]


def run_all(
    protocol: Protocol,
    out: Path,
    seeds: Sequence[int],
    *,
    processes: int = 1,
    progress: Progress | None = None,
) -> Results:
    """Train what ``out`` does not hold yet of this protocol and code, and return all of it.

    Raises StorageError, and CheckpointError for a file in ``out`` that cannot be read.
    """
    wanted = list(jobs(protocol, seeds))
    code = code_version()
    found = read_all(protocol, out, seeds)
    missing = [job for job in wanted if job not in found]
    tell = progress or (lambda _done, _total: None)
    tell(len(found), len(wanted))
    if processes == 1:
        for job in missing:
            found[job] = _run_and_write(job, protocol, code, out)
            tell(len(found), len(wanted))
        return found
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        processes, mp_context=context, initializer=leave_with, initargs=(os.getpid(),)
    )
    try:
        start_all(pool)
        running = {pool.submit(_run_and_write, job, protocol, code, out): job for job in missing}
        for done in as_completed(running):
            found[running[done]] = done.result()
            tell(len(found), len(wanted))
    finally:
        end_pool(pool)
    return found


def read_all(protocol: Protocol, out: Path, seeds: Sequence[int]) -> Results:
    """The results that ``out`` holds of these seeds; another protocol's or code's do not count."""
    found, wanted = {}, (protocol.fingerprint, code_version())
    for job in jobs(protocol, seeds):
        path = path_of(out, job)
        if path.is_file():
            values = parse_json(path.read_bytes(), path)
            if (values.get("protocol"), values.get("code")) == wanted:
                found[job] = values
    return found


def path_of(out: Path, job: Trial) -> Path:
    """Where the result of one job lies."""
    return out / f"seed-{job.seed}" / f"{job.world}-{job.arm.replace(' ', '-')}.json"


def _run_and_write(
    job: Trial, protocol: Protocol, code: dict[str, str], out: Path
) -> dict[str, Any]:
    torch.set_num_threads(1)  # networks this small gain nothing from more
    values = {**run_job(job, protocol), "code": code}
    path = path_of(out, job)
    write_json(path, values)
    return values
