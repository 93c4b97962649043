"""What a run says of a sequence lies where its clips lie, and is what its predictions hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from baselines.ccau.evaluation.predictions import Predictions, SavedPredictions, save_predictions
from homage_sdk import Dataset
from homage_sdk.cli import run as run_command
from homage_sdk.cli.command import app
from homage_sdk.errors import CheckpointError
from homage_sdk.explore.run_tracks import run_tracks
from homage_sdk.loader.grid import Grid, eval_starts
from homage_sdk.testing import TakeSpec, make_catalog

KEY = "p0001_r001_a001"
ATOMIC = ("hold_cup", "pour tea", "take cup", "wash cup")
N_FRAMES = 300
SCORES = np.array([[0.9, 0.1, 0.2, 0.7], [0.3, 0.8, 0.1, 0.2], [0.5, 0.4, 0.3, 0.1]])
"""Of three clips, before the second view of each, which says half of it."""


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    take = TakeSpec(
        KEY, "make tea", "test", seconds=10.0, actions=[("take cup", 1, 30), ("hold cup", 20, 290)]
    )
    other = TakeSpec(
        "p0002_r001_a001", "fold towel", "train", actions=[("pour_tea", 1, 9), ("wash cup", 1, 9)]
    )
    return Dataset(make_catalog(tmp_path / "c", [take, other]))


def write_run(folder: Path, *, n_clips: int = 3) -> Path:
    """An evaluated run of two modalities; the third-person one saw two views."""
    folder.mkdir()
    data = {"stride": 3, "blocks": 8, "block_frames": 5, "eval_every": 0}
    (folder / "config.json").write_text(json.dumps({"config": {"data": data}}))
    made = {}
    for modality, views in (("ego", (0,)), ("third", (1, 2))):
        scale = np.array([1.0, 0.5])[: len(views)]
        atomic = np.concatenate([SCORES[:n_clips] * each for each in scale])
        n = len(atomic)
        made[modality] = Predictions(
            sequences=(KEY,),
            activity_label=np.array([0]),
            atomic_label=np.ones((1, 4), np.uint8),
            atomic_known=np.ones(1, bool),
            clip_sequence=np.zeros(n, np.int64),
            clip_view=np.repeat(views, n_clips),
            clip_number=np.tile(np.arange(n_clips), len(views)),
            clip_activity=np.tile([[0.2, 0.8], [0.9, 0.1], [0.3, 0.7]][:n_clips], (len(views), 1)),
            clip_atomic=atomic,
            clip_atomic_label=np.ones((n, 4), np.uint8),
            clip_embedding=np.zeros((n, 2)),
        )
    classes = {"activity": ("fold_towel", "make_tea"), "atomic": ATOMIC}
    prior = {"activity": np.full(2, 0.5), "atomic": np.full(4, 0.5)}
    save_predictions(
        folder / "predictions.npz", SavedPredictions(made, {KEY: "test"}, classes, prior)
    )
    return folder


def test_scores_lie_over_the_frames_of_their_clips(dataset: Dataset, tmp_path: Path) -> None:
    ego, third = run_tracks(write_run(tmp_path / "run"), dataset, dataset[KEY])
    assert (ego.run, ego.modality, third.modality) == ("run", "ego", "third")
    # As the loader lays them out on shards that hold every third frame: clips of 120 frames.
    starts = eval_starts(N_FRAMES // 3, Grid(8, 5, 1))
    expected = [(1 + 3 * start, min(N_FRAMES, 3 * start + 120)) for start in starts]
    assert expected == [(1, 120), (121, 240), (181, 300)]
    names = dataset.taxonomy("atomic")
    for track, factor in ((ego, 1.0), (third, 0.75)):
        said = {names[score.class_id].name: score.spans for score in track.scores}
        assert {name.replace("_", " ") for name in said} >= {"take cup", "hold cup"}
        for name, column in (("take cup", 2), ("hold cup", 0)):
            assert said[names.find(name).name] == tuple(
                (*frames, pytest.approx(value * factor, abs=1e-3))
                for frames, value in zip(expected, SCORES[:, column], strict=True)
            )
    others = [names[s.class_id].name for s in ego.scores][2:]
    assert [name.replace("_", " ") for name in others] == ["pour tea", "wash cup"]  # 0.5 or more


def test_the_activity_is_the_one_believed_in_most(dataset: Dataset, tmp_path: Path) -> None:
    ego, _ = run_tracks(write_run(tmp_path / "run"), dataset, dataset[KEY])
    said = [(each.name, each.score) for each in ego.activities]
    assert said == [("make tea", 0.8), ("fold towel", 0.9), ("make tea", 0.7)]


def test_a_sequence_that_was_not_judged_says_so(dataset: Dataset, tmp_path: Path) -> None:
    tracks = run_tracks(write_run(tmp_path / "run"), dataset, dataset["p0002_r001_a001"])
    assert all("not among the 1 sequences" in track.missing for track in tracks)


def test_clips_of_another_length_are_not_shown(dataset: Dataset, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    data = {"stride": 30, "blocks": 8, "block_frames": 5, "eval_every": 0}
    (folder / "config.json").write_text(json.dumps({"config": {"data": data}}))
    for track in run_tracks(folder, dataset, dataset[KEY]):
        assert "3 clips of a sequence of 1" in track.missing


def test_a_run_of_other_classes_is_no_broken_run(dataset: Dataset, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    take = TakeSpec(KEY, "make tea", "test", seconds=10.0, actions=[("mop floor", 1, 30)])
    other = Dataset(make_catalog(tmp_path / "other", [take]))
    with pytest.raises(CheckpointError, match="class that this catalog does not have") as caught:
        run_tracks(folder, other, other[KEY])
    assert "evaluate" not in str(caught.value)


@pytest.mark.parametrize("broken", ["config.json", "predictions.npz"])
@pytest.mark.parametrize("how", ["gone", "cut", "other"])
def test_a_run_that_is_none_is_refused_by_name(
    dataset: Dataset, tmp_path: Path, broken: str, how: str
) -> None:
    file = write_run(tmp_path / "run") / broken
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-40] if how == "cut" else b"[]")
    with pytest.raises(CheckpointError) as caught:
        run_tracks(tmp_path / "run", dataset, dataset[KEY])
    assert str(tmp_path / "run") in str(caught.value)


def test_the_command_puts_them_on_the_page(dataset: Dataset, tmp_path: Path) -> None:
    page = tmp_path / "p.html"
    words = [
        "view",
        str(dataset.path),
        KEY,
        "-o",
        str(page),
        "--run",
        str(write_run(tmp_path / "r")),
    ]
    assert run_command(app, words) == 0
    assert '"modality":"third"' in page.read_text()
