"""Sensors and scene graphs: trained, killed, resumed and judged as the other modalities are."""

import json

import pytest

from baselines.ccau.config.config import read_config
from baselines.ccau.config.training_config import NEITHER_SEEN_NOR_HEARD
from baselines.ccau.evaluation.evaluate_run import evaluate
from baselines.ccau.evaluation.predictions import load_predictions
from baselines.ccau.evaluation.result_rows import own_rows
from baselines.ccau.training.train import train
from homage_sdk.errors import CheckpointError, ConfigError
from homage_sdk.release.sensors import SENSOR_TYPES
from homage_sdk.shards import ShardSet
from tests.unit.ccau.training.dying import Killed, killed_at
from tests.unit.ccau.training.test_train import assert_same_run


def with_sensors(tiny, **changes):
    return tiny(**{"task.modalities": "['third', 'sensors']", "data.batch_size": 2, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("modality", ["sensors", "scene_graph"])
def test_a_killed_run_resumes_to_the_same_bits_and_is_judged(
    tiny, small_shards, tmp_path, monkeypatch, modality
):
    modalities = {"task.modalities": f"['third', '{modality}']"}
    config = with_sensors(tiny, **{"run.checkpoint_every": 1, **modalities})
    train(config, small_shards, tmp_path / "straight")
    with monkeypatch.context() as patch:
        killed_at(patch, 3)
        with pytest.raises(Killed):
            train(config, small_shards, tmp_path / "broken")
    train(config, small_shards, tmp_path / "broken")
    assert_same_run(tmp_path / "straight", tmp_path / "broken")
    results = evaluate(tmp_path / "broken", small_shards, device="cpu")
    assert set(results["modalities"]) == {"third", modality}
    found = load_predictions(tmp_path / "broken" / "predictions.npz").by_modality[modality]
    assert found.clip_activity.std(axis=0).max() > 1e-4  # it looks at its input
    rows = own_rows(results)
    is_marked = ["annotations at test time" in row["modality"] for row in rows]
    if modality == "scene_graph":  # every row of it
        first = is_marked.index(True)
        assert first > 0 and all(is_marked[first:]) and len(rows) - first >= 3
    else:
        assert not any(is_marked)


def test_a_run_keeps_the_list_of_its_channels(tiny, small_shards, tmp_path):
    train(with_sensors(tiny, **{"optim.epochs": 1}), small_shards, tmp_path / "run")
    classes = json.loads((tmp_path / "run" / "config.json").read_text())["classes"]
    assert len(classes["sensor"]) > 70 and "acceleration/head/x" in classes["sensor"]
    assert not [c for c in classes["sensor"] if c.startswith(("rgb_camera", "microphone"))]


def test_shards_with_other_channels_are_refused(tiny, small_shards, tmp_path, monkeypatch):
    train(with_sensors(tiny, **{"optim.epochs": 1}), small_shards, tmp_path / "run")
    channels = ShardSet.open(small_shards).sensor_channels
    moved = tuple(c.replace("/head/", "/wrist/") for c in channels)
    monkeypatch.setattr(ShardSet, "sensor_channels", moved)
    with pytest.raises(CheckpointError, match=r"sensor channels .* differ.*wrist.*head"):
        evaluate(tmp_path / "run", small_shards, device="cpu")


def test_kinds_that_the_shards_do_not_hold_are_refused_before_training(
    tiny, small_shards, tmp_path
):
    with pytest.raises(ConfigError, match=r"no sensors of these kinds.*acceleration.*radar"):
        train(with_sensors(tiny, **{"data.sensors": "['radar']"}), small_shards, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_arms_avoid_camera_and_microphone():
    assert set(SENSOR_TYPES) - set(NEITHER_SEEN_NOR_HEARD) == {"rgb_camera", "microphone"}
    for name in ("single_sensors", "coop_sensors", "single_scene_graph", "coop_scene_graph"):
        config = read_config(name, size="tiny")
        assert config.name == name and config.data.sensors == NEITHER_SEEN_NOR_HEARD
