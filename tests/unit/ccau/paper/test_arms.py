"""Every arm runs from shards to its table; static distillation leaves its teachers untouched."""

import json

import numpy as np
import pytest

from baselines.ccau.cli import app
from baselines.ccau.config.config import read_config
from baselines.ccau.config.objective_config import AlignmentConfig
from baselines.ccau.evaluation.predictions import load_predictions
from baselines.ccau.paper.arms import ARMS, OTHER_ARMS, choose, run_arms, run_folder
from baselines.ccau.paper.published_numbers import PAPER
from baselines.ccau.planning.doctor import gather_check
from baselines.ccau.report.paper_tables import TablePlace, make_tables
from homage_sdk.cli import run as run_command
from homage_sdk.errors import CheckpointError, UsageError


def test_every_row_of_tables_2_to_7_has_exactly_one_arm():
    wanted = sorted((table, row) for table, rows in PAPER.items() for row in rows)
    assert sorted(row for arm in ARMS for row in arm.rows) == wanted
    for arm in ARMS:
        settings = ["task.teachers.audio=x", "task.teachers.third=y"] if arm.teachers else []
        for size in ("tiny", "paper"):
            config = read_config(arm.name, settings, size=size)
            assert config.name == arm.name and config.align == AlignmentConfig()  # the paper's
            other = read_config(arm.name, [*settings, "preset=same_block"], size=size)
            assert other.align.negatives == "same_block" and other.model == config.model


def test_an_arm_brings_its_teacher_and_an_unknown_one_is_named():
    assert [a.name for a in choose(["static_kd_activity"])] == [
        "single_activity",
        "static_kd_activity",
    ]
    with pytest.raises(UsageError, match="duet"):
        choose(["duet"])
    with pytest.raises(CheckpointError, match="ccau arms"):
        from pathlib import Path

        make_tables(Path("/nonexistent"))


SMALL = [
    "model.width=2", "model.audio_width=2", "model.dim=8", "data.size=32", "data.fit=crop",
    "data.crop=96", "data.blocks=2", "data.block_frames=3", "data.n_mels=32", "data.batch_size=2",
    "optim.epochs=1", "run.bootstrap_draws=20", "run.device=cpu",
]  # fmt: skip


@pytest.mark.slow
def test_arms_run_to_their_tables_and_not_twice(small_shards, tmp_path):
    only = ["static_kd_activity", "coop_kd_activity", "coop_activity"]
    run_arms(small_shards, tmp_path, size="tiny", seeds=2, only=only, settings=SMALL)
    tables = make_tables(tmp_path, draws=50)
    rows = {place.row for place in tables if place.table == "2"}
    assert {"Single Modality", "Static KD", "Cooperative KD"} <= rows
    for modality in ("audio", "third"):
        for of in ("sequence", "clip"):
            single, static = (
                tables[TablePlace("2", row, ("accuracy", modality), of)]
                for row in ("Single Modality", "Static KD")
            )
            assert static.seeds == single.seeds and static.difference.p_value is None
        for seed in (0, 1):
            runs = [run_folder(tmp_path, n, seed) for n in ("single_activity", only[0])]
            a, b = (load_predictions(r / "predictions.npz").by_modality[modality] for r in runs)
            np.testing.assert_array_equal(a.activity, b.activity)
    assert json.loads((tmp_path / "tables.json").read_text())["2"]
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("*/seed-*/**/*") if p.is_file()}
    run_arms(small_shards, tmp_path, size="tiny", seeds=2, only=only, settings=SMALL)
    assert before == {
        p: p.stat().st_mtime_ns for p in tmp_path.glob("*/seed-*/**/*") if p.is_file()
    }


@pytest.mark.slow
def test_the_gather_check_passes():
    check = gather_check()
    assert check.outcome == "passed", check.detail


def test_arms_of_no_table_run_by_name_alone_and_show_their_rows(small_shards, tmp_path, capsys):
    assert not {arm.name for arm in OTHER_ARMS} & {arm.name for arm in choose(())}
    words = ["arms", str(small_shards), str(tmp_path), "--size", "tiny", "--seeds", "1"]
    words += ["--only", "single_scene_graph", "--only", "single_sensors"]
    assert run_command(app, [*words, *(w for s in SMALL for w in ("--set", s))]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Scene graph (annotations at test time)" in said and "Sensors" in said
    assert "Table" not in said
