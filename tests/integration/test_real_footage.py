"""The whole road on camera footage: what holds for drawings holds for pictures of the world."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from homage_sdk import Dataset, Frame, Seconds
from tests.command import succeed
from tests.integration.footage import make_release


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Release, catalog and shards of the footage, made by the commands."""
    folder = tmp_path_factory.mktemp("footage")
    make_release(folder / "release")
    succeed("homage", "ingest", folder / "release", folder / "catalog", codes=(0, 1))
    succeed("homage", "pack", folder / "catalog", folder / "shards")
    return folder


def decoded(path: Path) -> list[np.ndarray]:
    """Every frame in order, by OpenCV: a reader that shares no code with ours."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (frame := capture.read())[0]:
        frames.append(cv2.cvtColor(frame[1], cv2.COLOR_BGR2RGB))
    return frames


def test_the_measured_rates_are_the_cameras_and_not_thirty(road: Path) -> None:
    views = {v.number: v for v in Dataset(road / "catalog")["p0001_r000_a000"].views}
    assert views[0].fps == pytest.approx(25.0, abs=0.05)
    assert views[2].fps == pytest.approx(30000 / 1001, abs=0.05)
    assert (views[0].n_frames, views[2].n_frames) == (250, 120)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "rate"), [(0, 25.0), (2, 30000 / 1001)])
def test_any_moment_is_the_picture_a_sequential_reader_has_there(
    road: Path, number: int, rate: float
) -> None:
    view = Dataset(road / "catalog")["p0001_r000_a000"].view(number)
    assert view.path is not None
    oracle = decoded(view.path)
    for index in np.random.default_rng(0).permutation(len(oracle))[:25]:
        shown = view.image(Seconds(float((index + 0.3) / rate)))
        errors = [cv2.norm(shown, f, cv2.NORM_L1) for f in oracle]
        assert int(np.argmin(errors)) == index or errors[index] == min(errors)


def test_the_sound_is_the_soundtrack(road: Path) -> None:
    sequence = Dataset(road / "catalog")["p0001_r000_a000"]
    sound = sequence.audio(Seconds(0.5), Seconds(4.5), sample_rate=16_000)
    assert sound is not None
    assert sound.shape == (64_000,)
    assert 0.001 < float(np.sqrt(np.mean(sound**2))) < 0.5


def test_scene_graph_and_actions_belong_to_their_moment(road: Path) -> None:
    sequence = Dataset(road / "catalog")["p0002_r000_a000"]
    graph = sequence.scene_graphs.nearest(Frame(40))
    assert graph.frame == 31
    assert graph.triples == (("person", "in_front_of", "seat"),)
    assert {a.name for a in sequence.atomic_actions.at(Frame(45))} == {
        "talk_to_sb",
        "look_at_road",
    }


@pytest.mark.slow
def test_ccau_trains_on_it_and_evaluates(road: Path) -> None:
    small = [
        "--set",
        "optim.max_steps=2",
        "--set",
        "data.batch_size=1",
        "--set",
        "model.width=4",
        "--set",
        "model.audio_width=4",
        "--set",
        "data.workers=0",
    ]
    succeed(
        "ccau", "train", "baselines/ccau/configs/demo.toml",
        "--shards", road / "shards", "--out", road / "run", *small,
    )  # fmt: skip
    succeed("ccau", "evaluate", road / "run", "--shards", road / "shards")
    results = json.loads((road / "run" / "results.json").read_text())
    assert results, "one test sequence, and every modality has a row"
