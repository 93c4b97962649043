"""The video world: gains only where the alignment did its work, with the effect it could find."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from baselines.ccau.config.config import read_config
from baselines.ccau.instrument.protocol import read_protocol
from tools import video_world

TOOL = Path(video_world.__file__)


def made_runs(alignment: float):
    """Four seeds: coop gains 2, 3, 4, 5 points on single; apart gains nothing."""
    runs = {}
    for seed in range(4):
        for arm, gain in (("single", 0), ("coop", 2 + seed), ("apart", 0)):
            figures = {"accuracy": alignment + 0.001 * seed, "placebo": 0.06, "chance": 0.0625}
            by_name = {f"alignment_{k}": v for k, v in figures.items()}
            accuracy = {"ego": 30.0 + gain, "third": 20.0 + gain}
            aligned = {} if arm == "single" else by_name
            loss = {"ego": 2.5, "third": 2.75}
            runs[arm, seed] = video_world.Trained(accuracy, aligned, loss)
    return runs


def test_gains_are_printed_with_the_effect_that_could_be_found():
    text = video_world.page(made_runs(0.5), 4, "", activities=20)
    [row] = [line for line in text.splitlines() if line.startswith("| coop - single, ego")]
    assert (
        "| single | 30.0 (0.0) | 20.0 (0.0) | 2.50, 2.75 | 4 |" in text and "chance is 3.00" in text
    )
    assert "+3.50 (1.29) | +1.45 to +5.55" in row  # 3.182 * 1.291 / 2
    assert row.endswith(f"| {(3.18245 + 0.97847) * 1.29099 / 2:.2f} |")


def test_the_effect_that_can_be_found_is_found_four_times_in_five():
    rng = np.random.default_rng(0)
    n, sd = 6, 1.7
    drawn = rng.normal(video_world.detectable(sd, n), sd, size=(4000, n))
    t = drawn.mean(axis=1) / (drawn.std(axis=1, ddof=1) / n**0.5)
    assert np.mean(np.abs(t) > 2.5706) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("alignment", [0.06, 0.1])  # no better than the placebo; hardly a chance
def test_an_alignment_that_did_not_work_gives_no_gains(alignment):
    text = video_world.page(made_runs(alignment), 4, "", activities=20)
    assert "Not reported" in text and "coop - single" not in text


def test_its_settings_are_a_configuration_and_align_as_the_instrument_does():
    config, instrument = read_config(str(video_world.CONFIG)), read_protocol()
    assert replace(config.align, pairs="sum") == instrument.align


@pytest.mark.slow
def test_the_whole_road_runs_and_goes_on(tmp_path):
    command = [sys.executable, TOOL, tmp_path / "out", "--small", "--seeds", "2"]
    for _ in range(2):  # the second finds all of it done
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    runs = sorted(path.parent.name for path in (tmp_path / "out").glob("runs/*/results.json"))
    assert runs == ["apart-0", "apart-1", "coop-0", "coop-1", "single-0", "single-1"]
