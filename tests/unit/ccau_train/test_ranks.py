"""Several gloo ranks through torchrun: exact resume, one set of results, all stopping together."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

pytestmark = pytest.mark.slow


@pytest.fixture
def config_file(tiny, tmp_path):
    def write(**changes):
        values = tiny(**{"data.batch_size": 2, "run.checkpoint_every": 1, **changes}).as_dict()
        lines = [f"{k} = {json.dumps(v)}" for k, v in values.items() if not isinstance(v, dict)]
        for section, items in values.items():
            if isinstance(items, dict):
                lines.append(f"[{section}]")
                lines += [f"{k} = {json.dumps(v)}" for k, v in items.items() if v != {}]
        path = tmp_path / "config.toml"
        path.write_text("\n".join(lines))
        return path

    return write


def launch(ranks, *arguments, code=None):
    module = ["-m", "baselines.ccau.cli"] if code is None else [str(code)]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        f"--nproc_per_node={ranks}", *module, *map(str, arguments),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process, timeout=240):
    text, _ = process.communicate(timeout=timeout)
    assert process.returncode == 0, text
    return text


def weights(run):
    return load_file(run / "checkpoint-last" / "model.safetensors")


def test_a_killed_run_on_two_ranks_resumes_to_the_same_bits(config_file, small_shards, tmp_path):
    config = config_file(**{"optim.epochs": 3})
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    arguments = ("train", config, "--shards", small_shards, "--out")
    finish(launch(2, *arguments, straight))
    process = launch(2, *arguments, broken)
    deadline = time.monotonic() + 120
    while not (broken / "checkpoint-last" / "manifest.json").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # torchrun starts ranks in sessions of their own: they end when their store is gone.
    lock_free = time.monotonic() + 60
    while (broken / "run.json").exists() is False:
        again = launch(2, *arguments, broken)
        text, _ = again.communicate(timeout=240)
        if again.returncode == 0:
            break
        assert "another process is writing here" in text, text
        assert time.monotonic() < lock_free
        time.sleep(1)
    left, right = weights(straight), weights(broken)
    for key, tensor in left.items():
        assert torch.equal(tensor, right[key]), key


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
            assert other["sequences"] == numbers["sequences"]
            assert other["clips"] == numbers["clips"]
            assert other["activity"]["model"] == numbers["activity"]["model"]


def test_a_nan_on_one_rank_stops_all_ranks_naming_rank_and_sample(
    config_file, small_shards, tmp_path
):
    code = tmp_path / "poisoned.py"
    code.write_text(
        "import os\n"
        "from baselines.ccau import cli, train\n"
        "plain, calls = train.prepare, []\n"
        "def poison(batch, *a, **k):\n"
        "    inputs, targets = plain(batch, *a, **k)\n"
        "    calls.append(1)\n"
        "    if os.environ['RANK'] == '1' and len(calls) == 2:\n"
        "        inputs['third'][0] = float('nan')\n"
        "        print('POISON', batch.sequence[0], flush=True)\n"
        "    return inputs, targets\n"
        "train.prepare = poison\n"
        "cli.main()\n"
    )
    begin = time.monotonic()
    process = launch(
        2, "train", config_file(), "--shards", small_shards, "--out", tmp_path / "run", code=code
    )
    text, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert time.monotonic() - begin < 60  # start-up included; the stop itself is one collective
    sample = text.split("POISON ")[1].split()[0]
    lines = [line for line in text.splitlines() if "not finite on rank 1" in line]
    assert len(lines) == 2 and all(sample in line for line in lines), text
    assert "Traceback" not in "\n".join(lines)
