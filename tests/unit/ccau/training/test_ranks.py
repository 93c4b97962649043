"""Several gloo ranks through torchrun: exact resume, one set of results, all stopping together."""

import json
import os
import socket
import subprocess
import sys
import time

import psutil
import pytest
import torch
from safetensors.torch import load_file

from baselines.ccau.runs.metrics_log import read_metrics
from tests.unit.ccau.training.launching import family, finish, launch, ranks_of, write_toml

pytestmark = pytest.mark.slow

TIMES = (
    *("clips_per_s", "data_wait_share", "step_s", "memory_mb"),
    *("validation_s", "training_s"),
)


@pytest.fixture
def config_file(tiny, tmp_path):
    def write(**changes):
        config = tiny(**{"data.batch_size": 2, "run.checkpoint_every": 1, **changes})
        return write_toml(config, tmp_path / "config.toml")

    return write


def assert_same_run(left, right):
    """Weights, optimiser, counters and metrics, bit for bit; times aside."""
    for name in ("model", "optimizer"):
        a, b = (load_file(run / "checkpoint-last" / f"{name}.safetensors") for run in (left, right))
        assert a.keys() == b.keys()
        for key, tensor in a.items():
            assert torch.equal(tensor, b[key]), key
    curves = [
        [
            {key: value for key, value in row.items() if key not in TIMES}
            for row in read_metrics(run / "metrics.jsonl")
        ]
        for run in (left, right)
    ]
    assert curves[0] == curves[1]
    assert (left / "run.json").read_text() == (right / "run.json").read_text()


def wait_for(path, process):
    deadline_s = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline_s and process.poll() is None
        time.sleep(0.02)


@pytest.fixture(scope="module")
def straight_runs(tmp_path_factory):
    """Runs that nobody disturbed, one for each number of workers."""
    return {"folder": tmp_path_factory.mktemp("straight")}


def undisturbed(straight_runs, workers, arguments):
    run = straight_runs["folder"] / f"workers-{workers}"
    if not (run / "run.json").exists():
        finish(launch(2, *arguments, run))
    return run


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_run_on_two_ranks_resumes_to_the_same_bits(
    config_file, small_shards, tmp_path, straight_runs, workers
):
    config = config_file(**{"optim.epochs": 3, "data.workers": workers})
    arguments = ("train", config, "--shards", small_shards, "--out")
    straight, broken = undisturbed(straight_runs, workers, arguments), tmp_path / "broken"
    process = launch(2, *arguments, broken)
    wait_for(broken / "checkpoint-last" / "manifest.json", process)
    # All of it at once, as a power cut: torchrun's ranks are in sessions of their own.
    everybody = family(process)
    assert len(everybody) >= 1 + 2 + 2 * workers
    for one in everybody:
        one.kill()
    psutil.wait_procs(everybody, timeout=30)
    process.wait()
    assert not (broken / "run.json").exists()
    finish(launch(2, *arguments, broken))
    assert_same_run(straight, broken)


def test_a_rank_that_dies_stops_the_others_with_a_message_and_the_run_goes_on(
    config_file, small_shards, tmp_path, straight_runs
):
    config = config_file(**{"optim.epochs": 3, "data.workers": 2})
    arguments = ("train", config, "--shards", small_shards, "--out")
    straight, broken = undisturbed(straight_runs, 2, arguments), tmp_path / "broken"
    process = launch(2, *arguments, broken)
    wait_for(broken / "checkpoint-last" / "manifest.json", process)
    everybody = family(process)
    ranks_of(process)[1].kill()
    begin_s = time.monotonic()
    text, _ = process.communicate(timeout=60)
    assert time.monotonic() - begin_s < 30
    assert process.returncode != 0
    assert "Signal 9 (SIGKILL)" in text and "local_rank: 1" in text, text  # torchrun's own words
    _, left = psutil.wait_procs(everybody, timeout=30)
    assert not left
    finish(launch(2, *arguments, broken))
    assert_same_run(straight, broken)


def test_without_a_launcher_that_watches_a_lost_rank_is_one_line(
    config_file, small_shards, tmp_path
):
    # As under mpirun or Slurm: nobody tells rank 0 that rank 1 is gone.
    config = config_file(**{"optim.epochs": 50, "data.workers": 2})
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    ranks = [
        subprocess.Popen(
            [
                sys.executable, "-m", "baselines.ccau", "train", str(config),
                "--shards", str(small_shards), "--out", str(tmp_path / "run"),
            ],
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
                "WORLD_SIZE": "2",
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    wait_for(tmp_path / "run" / "checkpoint-last" / "manifest.json", ranks[0])
    ranks[1].kill()
    begin_s = time.monotonic()
    _, said = ranks[0].communicate(timeout=60)
    ranks[1].communicate()
    assert time.monotonic() - begin_s < 30
    assert ranks[0].returncode == 2, said
    assert "rank 0 lost another rank" in said and "Traceback" not in said


def test_ranks_evaluate_each_sequence_once_with_the_same_outcome(
    config_file, small_shards, tmp_path
):
    run = tmp_path / "run"
    finish(launch(1, "train", config_file(), "--shards", small_shards, "--out", run))
    found = {}
    for ranks in (1, 2, 3):
        (run / "results.json").unlink(missing_ok=True)
        finish(launch(ranks, "evaluate", run, "--shards", small_shards))
        found[ranks] = json.loads((run / "results.json").read_text())["modalities"]
    for ranks in (2, 3):
        for modality, numbers in found[1].items():
            other = found[ranks][modality]
            assert other["counted"] == numbers["counted"]
            assert other["activity"]["model"] == numbers["activity"]["model"]


@pytest.mark.parametrize(
    "changes", [{}, {"optim.accumulate": 2, "optim.whole_batch": "true"}], ids=["alone", "whole"]
)
def test_a_nan_on_one_rank_stops_all_ranks_naming_rank_and_sample(
    config_file, small_shards, tmp_path, changes
):
    code = tmp_path / "poisoned.py"
    code.write_text(
        "import os\n"
        "from baselines.ccau import cli\n"
        "from baselines.ccau.training import loop\n"
        "plain, calls = loop.prepare, []\n"
        "def poison(batch, *a, **k):\n"
        "    inputs, targets = plain(batch, *a, **k)\n"
        "    calls.append(1)\n"
        "    if os.environ['RANK'] == '1' and len(calls) == 2:\n"
        "        inputs['third'][0] = float('nan')\n"
        "        print('POISON', batch.sequence[0], flush=True)\n"
        "    return inputs, targets\n"
        "loop.prepare = poison\n"
        "cli.main()\n"
    )
    begin = time.monotonic()
    process = launch(
        2, "train", config_file(**changes), "--shards", small_shards, "--out", tmp_path / "run",
        code=code,
    )  # fmt: skip
    text, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert time.monotonic() - begin < 60  # start-up included; the stop itself is one collective
    sample = text.split("POISON ")[1].split()[0]
    lines = [line for line in text.splitlines() if "not finite on rank 1" in line]
    assert len(lines) == 2 and all(sample in line for line in lines), text
    assert "Traceback" not in "\n".join(lines)
