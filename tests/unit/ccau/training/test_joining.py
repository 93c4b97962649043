"""Ranks that join more than once in a command, as ``arms`` and ``fewshot`` do for each run."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch.distributed as dist

from baselines.ccau.distributed import join_world
from baselines.ccau.training.train import train
from homage_sdk.errors import TrainingError
from tests.unit.ccau.training.launching import finish, launch

JOINS = """
import time
from baselines.ccau.distributed import gather, join_world
for number in range(3):
    with join_world("cpu") as world:
        assert gather(world, (world.rank, number)) == [(0, number), (1, number)]
    if world.is_first:
        time.sleep({delay_s})  # as the first rank writes what the joint work has found
print("JOINED", world.rank, flush=True)
"""


@pytest.mark.slow
def test_ranks_join_again_also_when_the_first_one_is_late(tmp_path):
    code = tmp_path / "joins.py"
    code.write_text(JOINS.format(delay_s=1.0))
    text = finish(launch(2, code=code, environment={"CCAU_COLLECTIVE_TIMEOUT_S": "20"}), 60)
    assert text.count("JOINED") == 2


@pytest.mark.slow
def test_ranks_join_again_without_torchruns_store(tmp_path):
    # As under mpirun or Slurm: the first rank keeps the store, and may be late or early.
    code = tmp_path / "joins.py"
    code.write_text(JOINS.format(delay_s=0.3))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    surroundings = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    ranks = [
        subprocess.Popen(
            [sys.executable, str(code)],
            env={**os.environ, **surroundings, "OMP_NUM_THREADS": "1", "RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    for rank in ranks:
        assert "JOINED" in finish(rank, 60)


def test_a_join_that_fails_is_one_line(monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(TrainingError, match="MASTER_ADDR"), join_world("cpu"):
        pass

    def refused(*arguments, **options):
        raise RuntimeError("Gloo connectFullMesh failed with [pair.cc:152] SO_ERROR: refused")

    monkeypatch.setattr("baselines.ccau.distributed.store_of", lambda *_: None)
    monkeypatch.setattr(dist, "init_process_group", refused)
    with pytest.raises(TrainingError, match="rank 0 lost another rank"), join_world("cpu"):
        pass


@pytest.mark.slow
def test_fewshot_of_two_runs_is_the_same_on_two_ranks_as_on_one(tiny, small_shards, tmp_path):
    config = tiny(
        **{
            "task.kind": "single", "task.modalities": '["audio"]', "data.novel_share": 0.3,
            "run.selection": "last", "data.batch_size": 2, "optim.epochs": 1,
        }
    )  # fmt: skip
    runs = [tmp_path / name for name in ("a", "b")]
    for run in runs:
        train(config, small_shards, run)
    found = {}
    for ranks in (1, 2):
        finish(launch(ranks, "fewshot", *runs, "--shards", small_shards, "--k", "1,2"))
        found[ranks] = [json.loads((run / "fewshot.json").read_text()) for run in runs]
        for run in runs:
            (run / "fewshot.json").unlink()
    assert found[1] == found[2]
