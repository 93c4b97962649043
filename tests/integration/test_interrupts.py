"""Ctrl-C at any stage of the road: exit 130, one line, and the same command goes on from there."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from homage_sdk.shards import ShardSet
from tests.command import BIN, ENVIRONMENT, interrupt, succeed, tree

STOPPED = 130
SMALL = ("--sequences", "3", "--size", "160x120", "--seconds", "4", "5", "--seed", "3")


@pytest.mark.slow
def test_a_stopped_synth_leaves_nothing_and_the_next_one_writes_it_whole(tmp_path: Path) -> None:
    out = tmp_path / "release"
    words = ("homage", "synth", out, *SMALL, "--workers", "1")
    assert interrupt(*words, once=tmp_path / ".tmp-release" / "*") == STOPPED
    assert not out.exists()
    succeed("homage", "synth", out, *SMALL)
    assert out.is_dir()
    assert [p.name for p in tmp_path.iterdir()] == ["release"], "no leftovers"


@pytest.mark.slow
def test_a_stopped_pack_goes_on_to_the_same_bytes(
    small_catalog: Path, small_shards: Path, tmp_path: Path
) -> None:
    out = tmp_path / "shards"
    names = [shard.name for shard in ShardSet.open(small_shards).manifest.shards]
    words = ("homage", "pack", small_catalog, out, "--workers", "1")
    assert interrupt(*words, once=out / ".parts" / "*" / names[0]) == STOPPED
    assert not any((out / name).exists() for name in names)
    succeed(*words)
    assert tree(out) == tree(small_shards)


@pytest.mark.slow
def test_a_stopped_training_goes_on(small_shards: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = (
        "ccau", "train", "baselines/ccau/configs/demo.toml", "--shards", small_shards,
        "--out", run, "--set", "data.batch_size=2", "--set", "model.width=4",
        "--set", "model.audio_width=4", "--set", "optim.epochs=3",
    )  # fmt: skip
    assert interrupt(*words, once=run / "metrics.jsonl") == STOPPED
    assert "trained" in (said := succeed(*words)) or "already done" in said
    assert (run / "run.json").is_file()


AT_IMPORT = """
import builtins, os, signal
real = builtins.__import__
def interrupted(name, *rest):
    if name == {module!r}:
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *rest)
builtins.__import__ = interrupted
from homage_sdk.cli import main
main()
"""


@pytest.mark.parametrize("module", ["typer", "rich.console", "homage_sdk.cli.console"])
def test_a_stop_while_the_command_still_loads_is_one_line_too(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_IMPORT.format(module=module), "--version"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=60,
        check=False,
    )
    assert done.returncode == STOPPED
    assert done.stderr.strip().splitlines() == [
        "Interrupted. Finished work is kept; run the same command to resume."
    ]
    assert not done.stdout


@pytest.mark.parametrize("command", ["pack", "synth"])
def test_ctrl_c_ends_a_command_whose_workers_are_stopped(
    small_catalog: Path, tmp_path: Path, command: str
) -> None:
    words = {"pack": ("pack", small_catalog), "synth": ("synth",)}[command]
    more = {"pack": (), "synth": SMALL}[command]
    with subprocess.Popen(
        [BIN / "homage", *words, tmp_path / "out", *more, "--workers", "2"],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        workers: list[psutil.Process] = []
        while len(workers) < 2 and process.poll() is None:
            children = psutil.Process(process.pid).children()
            workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        try:
            for worker in workers:
                worker.suspend()
            process.send_signal(signal.SIGINT)
            code = process.wait(60)
            _, left = psutil.wait_procs(workers, timeout=20)  # a killed process takes a while
        finally:
            process.kill()
            for worker in workers:
                if worker.is_running():
                    worker.kill()
    assert (code, left) == (STOPPED, [])
