"""A Sequence says what is there, and what is absent, before anything is asked of a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from homage_sdk import Activity, Dataset, Frame, Interval, Seconds
from homage_sdk.errors import MediaError, UnknownIdError, UsageError
from homage_sdk.testing import TakeSpec, make_catalog


def test_facts_come_from_the_catalog(ds: Dataset) -> None:
    seq = ds["p0001_r001_a001"]
    assert (seq.participant, seq.room, seq.split) == (1, 1, "train")
    assert seq.activity == Activity(id=2, name="make tea")
    assert [(v.number, v.kind) for v in seq.views] == [(0, "ego"), (1, "third"), (4, "third")]
    assert seq.ego is not None and str(seq.ego.id) == "p0001_r001_v000_a001"
    assert [v.number for v in seq.third] == [1, 4]
    assert seq.view(4).path is None or seq.view(4).path == Path("x")
    assert (seq.duration_s, seq.n_frames) == (6.0, 180)


def test_absence_is_said_and_nothing_fails_before_it_is_asked_for(ds: Dataset) -> None:
    bare = ds["p0003_r001_a001"]
    assert bare.views == () and bare.ego is None and bare.third == () and not bare.has_audio
    assert len(bare.scene_graphs) == 0 and bare.scene_graphs.nearest(Frame(5)) is None
    assert bare.n_frames == 300
    unknown = ds["p0003_r001_a009"]
    assert unknown.activity is None and unknown.split is None
    assert len(unknown.atomic_actions) == 0
    assert not unknown.targets.at(Frame(1)).any()
    assert ds["p0001_r001_a002"].ego is None


def test_a_missing_thing_is_named_with_the_way_out(example: Path, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    ds = Dataset(example, root=tmp_path / "media")
    seq = ds["p0001_r001_a001"]
    where = tmp_path / "media/action_split_data/V1.0/p0001/p0001_r001_v001_a001.mkv"
    assert seq.view(1).path == where and not seq.view(1).is_available
    with pytest.raises(MediaError, match=r"v001_a001 is not there.*Dataset\(path, root=") as caught:
        seq.view(1).image(Frame(1))
    assert str(where) in str(caught.value)
    with pytest.raises(MediaError, match="not there"):
        seq.audio(Seconds(0), Seconds(1))
    with pytest.raises(MediaError, match=r"no sound.*having\(audio=True\)"):
        ds["p0002_r001_a001"].audio(Seconds(0), Seconds(1))
    with pytest.raises(
        UnknownIdError, match=r"has no view 7; expected v000 .ego., v001 .third., v004"
    ):
        seq.view(7)
    unrooted = Dataset(example)["p0001_r001_a001"].view(0)
    with pytest.raises(MediaError, match="root="):
        unrooted.file()


def test_an_empty_catalog_is_a_dataset_of_nothing(tmp_path: Path) -> None:
    ds = Dataset(make_catalog(tmp_path / "catalog", []))
    assert len(ds) == 0 and list(ds) == [] and len(ds.taxonomy("atomic")) == 0
    assert ds.sql("SELECT * FROM triples").num_rows == 0
    bare = Dataset(make_catalog(tmp_path / "one", [TakeSpec("p0001_r001_a001")]))[0]
    assert bare.duration_s is None and bare.n_frames == 0 and len(bare.atomic_actions) == 0
    assert bare.targets.at(Frame(1)).shape == (0,) and bare.targets.blocks(
        np.ones((2, 3), int)
    ).shape == (
        2,
        0,
    )


def test_targets_are_what_loops_over_the_actions_give(crowded: Path) -> None:
    rng = np.random.default_rng(0)
    for seq in Dataset(crowded)[:25]:
        taxonomy = Dataset(crowded).taxonomy("atomic")
        active = np.zeros((120, len(taxonomy)), dtype=np.float32)  # [frame index, C]
        for action in seq.atomic_actions:
            for number in range(action.first_frame, action.last_frame + 1):
                active[number - 1, taxonomy.index(action.class_id)] = 1
        for number in (1, 17, 40, 79):
            np.testing.assert_array_equal(seq.targets.at(Frame(number)), active[number - 1])
        for first, last in ((1, 1), (5, 30), (31, 100)):
            span = active[first - 1 : last]
            np.testing.assert_array_equal(seq.targets.over(Interval(first, last)), span.max(axis=0))
            share = seq.targets.over(Frame(first), Frame(last), how="fraction")
            np.testing.assert_allclose(share, span.mean(axis=0), rtol=1e-6)
        frames = np.sort(rng.integers(1, 100, size=(8, 5)), axis=1)
        blocks = seq.targets.blocks(frames)
        assert blocks.shape == (8, len(taxonomy)) and blocks.dtype == np.float32
        for row, block in zip(blocks, frames, strict=True):
            np.testing.assert_array_equal(row, active[block[0] - 1 : block[-1]].max(axis=0))


def test_padding_in_blocks_takes_no_part(ds: Dataset) -> None:
    targets = ds["p0001_r001_a001"].targets
    padded = targets.blocks(np.array([[1, 4, 0, 0], [0, 0, 0, 0], [0, -1, 31, 34]]))
    np.testing.assert_array_equal(padded[0], targets.over(Frame(1), Frame(4)))
    assert not padded[1].any()
    np.testing.assert_array_equal(padded[2], targets.over(Frame(31), Frame(34)))
    with pytest.raises(UsageError, match=r"shape \(3,\)"):
        targets.blocks(np.arange(3))


def test_a_frame_and_the_second_it_begins_are_the_same_moment(ds: Dataset) -> None:
    seq = ds["p0001_r001_a001"]
    for number in (1, 30, 31, 90, 121):
        by_frame = seq.atomic_actions.at(Frame(number))
        assert by_frame == seq.atomic_actions.at(Frame(number).seconds())
    assert [a.name for a in seq.atomic_actions.at(Seconds(1.0))] == ["pour tea", "hold_cup"]
