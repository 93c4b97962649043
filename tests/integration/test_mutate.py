"""Two hundred of each kind of damaged file: nothing wrong is silent, nothing raises or hangs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "mutate.py"


def mutate(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, TOOL, *words], capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["media", "labels", "shards"])
def test_two_hundred_blind_changes_are_not_silent(tmp_path: Path, kind: str) -> None:
    counts = dict.fromkeys(("media", "labels", "shards"), "0") | {kind: "200"}
    words = [word for each, n in counts.items() for word in (f"--{each}", n)]
    done = mutate(*words, "--out", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    document = json.loads((tmp_path / "out.json").read_text())
    assert not document["failures"]
    assert sum(document["outcomes"].values()) == document["cases"][kind]
    unnoticed = {"media: harmless", "media: missed", "shards: as packed"}
    n_unnoticed = sum(document["outcomes"].get(name, 0) for name in unnoticed)
    assert n_unnoticed < 0.5 * document["cases"][kind], "most damage is found"


@pytest.mark.slow
def test_a_case_is_replayed_alone(tmp_path: Path) -> None:
    first, again = (json.loads(mutate("--case", "media:1:5").stdout) for _ in range(2))
    for run in (first, again):
        del run["seconds"], run["bytes"]
    assert first == again and first["change"]
