"""The worlds of gratings: two views show what they are said to share, and nothing else."""

from __future__ import annotations

import av
import numpy as np
import pytest

from homage_sdk.errors import UnknownIdError
from homage_sdk.synth import write_release
from homage_sdk.synth.film.pattern_view import (
    AXES,
    CONTENT,
    CONTRAST,
    SPREAD,
    PatternView,
    mixing,
    phases,
)
from homage_sdk.synth.takes import plan_takes

SEED, SIZE = 3, (64, 64)
MADE = {"sequences": 24, "activities": 2, "seconds": (4.0, 4.0), "clean": True, "seed": SEED}


@pytest.fixture(scope="module")
def takes():
    return plan_takes(SEED, 60, 2, (4.0, 4.0), clean=True, world="apart")


def read_content(picture: np.ndarray, view: int) -> np.ndarray:
    """z [CONTENT] of a picture alone: contrasts by Fourier, then least squares."""
    waves = np.exp(-1j * phases(*SIZE).astype(np.float64))
    pixels = picture.reshape(-1, 3) - 128.0
    by_axis = pixels @ np.linalg.pinv(AXES)  # [pixels, axes]
    contrast = np.abs(waves.T @ by_axis).reshape(-1) * 2 / len(pixels)
    numbers = (contrast / CONTRAST - 1) / SPREAD
    found = np.linalg.lstsq(np.concatenate(mixing(SEED, view)).T, numbers, rcond=None)[0]
    return found[:CONTENT]


def agreement(takes, content_of_third) -> float:
    """Correlation, over takes and dimensions, of what is read from ego and from third."""
    read = []
    for take in takes:
        for view, content in ((0, take.sequence), (1, content_of_third(take))):
            drawn = PatternView(SEED, take, view, str(content), SIZE)
            read.append(read_content(drawn.frame(1.0), view))
    pairs = np.array(read).reshape(-1, 2, CONTENT)
    by_class = [take.activity.name for take in takes]
    for name in set(by_class):  # what the class explains does not count
        rows = [k for k, it in enumerate(by_class) if it == name]
        pairs[rows] -= pairs[rows].mean(axis=0)
    return float(np.corrcoef(pairs[:, 0].ravel(), pairs[:, 1].ravel())[0, 1])


def test_views_of_one_content_show_it_and_views_of_two_do_not(takes):
    assert agreement(takes, lambda take: take.sequence) > 0.8
    train = [take for take in takes if take.split == "train"]
    assert abs(agreement(train, lambda take: take.partner)) < 0.3


def test_a_partner_is_another_training_take_of_the_activity(takes):
    by_id = {take.sequence: take for take in takes}
    train = [take for take in takes if take.split == "train"]
    assert len({take.partner for take in train}) == len(train)
    for take in takes:
        other = by_id[take.partner]
        if take.split == "train":
            assert other is not take and other.split == "train"
            assert other.activity is take.activity
        else:
            assert other is take


@pytest.mark.slow
def test_the_worlds_differ_in_third_person_training_videos_alone(tmp_path):
    for world in ("shared", "apart"):
        write_release(tmp_path / world, size=SIZE, world=world, workers=2, **MADE)
    planned = plan_takes(SEED, 24, 2, (4.0, 4.0), clean=True, world="apart")
    moved = {str(take.sequence.view(1)) for take in planned if take.split == "train"}
    differ = {
        path.stem
        for path in (tmp_path / "shared").rglob("*.mkv")
        if path.read_bytes()
        != (tmp_path / "apart" / path.relative_to(tmp_path / "shared")).read_bytes()
    }
    assert moved and differ == moved


def test_content_survives_the_video_file(tmp_path):
    write_release(tmp_path / "r", size=SIZE, world="shared", **(MADE | {"sequences": 2}))
    [take, *_] = plan_takes(SEED, 2, 2, (4.0, 4.0), clean=True, world="shared")
    [path] = (tmp_path / "r").rglob(f"{take.sequence.view(0)}.mkv")
    with av.open(str(path)) as video:
        picture = next(p for k, p in enumerate(video.decode(video=0)) if k == 30).to_ndarray(
            format="rgb24"
        )
    drawn = PatternView(SEED, take, 0, str(take.sequence), SIZE).frame(1.0)
    assert np.corrcoef(read_content(picture, 0), read_content(drawn, 0))[0, 1] > 0.9


def test_an_unknown_world_is_refused_by_name(tmp_path):
    with pytest.raises(UnknownIdError, match="share"):
        write_release(tmp_path / "r", world="share", **MADE)
    assert not (tmp_path / "r").exists()
