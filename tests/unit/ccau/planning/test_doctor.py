"""``ccau doctor``: soon done, says what passed, and fails when something would fail later."""

import json
import math
import time

import pytest
import torch
from typer.testing import CliRunner

from baselines.ccau.cli import app
from baselines.ccau.data.partition import selection_parts
from baselines.ccau.distributed import World
from baselines.ccau.planning import doctor
from homage_sdk.shards import ShardSet


@pytest.fixture
def asked(tiny, small_shards):
    """Arguments of a check, for a configuration with changes."""

    def make(**changes):
        config, shards = tiny(**changes), ShardSet.open(small_shards)
        return config, shards, selection_parts(config, shards), World(device=torch.device("cpu"))

    return make


@pytest.mark.slow
def test_the_command_says_in_a_table_what_passed(tiny, small_shards, tmp_path, monkeypatch):
    file = tmp_path / "tiny.toml"
    values = tiny(**{"optim.lr": 0.01}).as_dict()
    lines = [f"{k} = {json.dumps(v)}" for k, v in values.items() if not isinstance(v, dict)]
    for section, items in values.items():
        if isinstance(items, dict):
            lines += [f"[{section}]", *(f"{k} = {json.dumps(v)}" for k, v in items.items() if v)]
    file.write_text("\n".join(lines))
    monkeypatch.setattr(doctor, "gather_check", lambda: doctor.Check("gather", "passed", "asked"))
    found = CliRunner().invoke(app, ["doctor", str(file), "--shards", str(small_shards)])
    assert found.exit_code == 0, found.output
    for name in ("environment", "shards", "gather", "overfits one batch", "throughput", "feeding"):
        row = next(line for line in found.output.splitlines() if name in line)
        assert "passed" in row, found.output
    monkeypatch.setattr(doctor, "gather_check", lambda: doctor.Check("gather", "FAILED", "lost"))
    monkeypatch.setattr(doctor, "LEARN_STEPS", 2)
    found = CliRunner().invoke(app, ["doctor", str(file), "--shards", str(small_shards)])
    assert found.exit_code == 1 and "FAILED" in found.output


def test_a_network_that_does_not_learn_fails_and_a_slow_one_is_undecided(asked, monkeypatch):
    still = asked(**{"optim.lr": 1e-12})
    late, clip_s = doctor.learning(*still, budget_s=0.0)
    assert clip_s > 0
    assert late.outcome == "undecided" and "in 1 steps" in late.detail
    monkeypatch.setattr(doctor, "LEARN_STEPS", 3)
    assert doctor.learning(*still)[0].outcome == "FAILED"


def test_a_loss_that_is_not_a_number_fails_at_once(asked, monkeypatch):
    losses = iter([8.0, math.nan])
    monkeypatch.setattr(doctor, "stepper", lambda *_: lambda _number: next(losses))
    assert doctor.learning(*asked())[0].outcome == "FAILED"


def test_a_modality_that_nobody_holds_fails(asked, monkeypatch):
    config, shards, parts, _ = asked()
    assert doctor.data(config, shards, parts).outcome == "passed"
    real = doctor.having
    monkeypatch.setattr(doctor, "having", lambda s, ids, m: () if m == "audio" else real(s, ids, m))
    found = doctor.data(config, shards, parts)
    assert found.outcome == "FAILED" and "audio 0" in found.detail


def test_a_step_too_long_to_wait_for_is_estimated(asked, monkeypatch):
    assert "a step of 3 clips" in (found := doctor.throughput(*asked()).detail)
    assert "measured" in found
    monkeypatch.setattr(doctor, "stepper", lambda *_: pytest.fail("stepped"))
    slow = doctor.throughput(*asked(), clip_s=2.0, budget_s=5.0)
    assert "0.5 clips/s, a step of 3 clips 6.00 s (estimated" in slow.detail


def test_the_first_step_is_not_what_is_typical():
    pauses = iter([0.2, 0.0, 0.0, 0.0])
    assert doctor.typical_step_s(lambda _: time.sleep(next(pauses)) or 0.0, 5.0) < 0.1
