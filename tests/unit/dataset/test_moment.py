"""A moment gives every view, sound, sensors and labels, on films that were really encoded."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from homage_sdk import Dataset, Frame, Seconds, Sequence
from homage_sdk.errors import MediaError, UsageError


@pytest.fixture(scope="module")
def filmed(small_catalog: Path) -> Dataset:
    return Dataset(small_catalog)


@pytest.fixture(scope="module")
def seq(filmed: Dataset) -> Sequence:
    rich = filmed.having(views={"ego", "third"}, audio=True, scene_graphs=True)
    return rich[0]


def test_a_moment_is_lazy_and_speaks_all_clocks(seq: Sequence) -> None:
    moment = seq.at(Seconds(1.0))
    assert moment.frame == Frame(31) and moment.seconds == Seconds(1.0)
    assert seq.at(Frame(np.int64(31))).seconds == seq.at(Frame(31)).seconds == Seconds(1.0)
    assert set(moment.images) == {view.number for view in seq.views}


def test_every_view_shows_the_same_moment(seq: Sequence) -> None:
    moment = seq.at(Frame(45))
    for view in seq.views:
        image = moment.images[view.number]
        assert image is not None and image.dtype == np.uint8
        assert image.shape == (view.height, view.width, 3)
        np.testing.assert_array_equal(image, view.image(Frame(45)))
        shown = moment.shown_at(view)
        assert shown is not None and abs(shown.value - moment.seconds.value) < 1 / 30


def test_picks_are_before_after_and_nearest(seq: Sequence) -> None:
    view = seq.views[0]
    times = view.index.seconds
    between = Seconds(float(times[20] + 0.3 * (times[21] - times[20])))
    for pick, index in (("before", 20), ("nearest", 20), ("after", 21)):
        moment = seq.at(between, pick=pick)  # type: ignore[arg-type]
        assert moment.shown_at(view) == Seconds(float(times[index]))
    with pytest.raises(UsageError, match="unknown pick 'closest'"):
        seq.at(between, pick="closest")  # type: ignore[arg-type]


def test_the_pts_index_of_the_catalog_is_the_file_s(seq: Sequence) -> None:
    from homage_sdk.media.probe import probe_video

    for view in seq.views:
        measured = probe_video(view.file())
        np.testing.assert_array_equal(view.index.pts, measured.pts)
        np.testing.assert_array_equal(view.index.keyframe, measured.keyframe)
        assert view.index.time_base == measured.time_base
        assert view.n_frames == len(measured.pts)


def test_frames_are_one_picture_an_annotation_frame(seq: Sequence) -> None:
    view = seq.views[-1]
    window = view.images(Frame(10), Frame(40), stride=10)
    assert window.shape[0] == 4
    for image, number in zip(window, (10, 20, 30, 40), strict=True):
        np.testing.assert_array_equal(image, view.image(Frame(number)))
    assert view.images(Frame(5)).shape[0] == 1
    with pytest.raises(UsageError):
        view.images(Frame(10), Frame(5))
    with pytest.raises(UsageError):
        view.images(Frame(1), Frame(5), stride=0)


def test_a_moment_past_the_end_of_a_view_is_none_in_a_moment_and_an_error_in_a_view(
    seq: Sequence,
) -> None:
    view = seq.views[0]
    late = Seconds(float(view.index.seconds[-1]) + 60)
    assert seq.at(late).image(view) is None and seq.at(late).shown_at(view) is None
    with pytest.raises(MediaError, match="no frame at this moment"):
        view.image(late)


def test_sound_around_a_moment_is_the_sequence_s(seq: Sequence) -> None:
    sound = seq.at(Seconds(1.0)).audio(window_s=0.5, sample_rate=16000)
    assert sound is not None and sound.shape == (8000,) and sound.dtype == np.float32
    np.testing.assert_array_equal(sound, seq.audio(Seconds(0.75), Seconds(1.25)))
    start = seq.at(Seconds(0.0)).audio(window_s=0.5)
    assert start is not None and len(start) == 8000 and not start[:3900].any()
    with pytest.raises(UsageError):
        seq.at(Seconds(1.0)).audio(window_s=0)


def test_labels_of_a_moment_are_the_sequence_s(seq: Sequence) -> None:
    graph = seq.scene_graphs[0]
    moment = seq.at(Frame(graph.frame))
    assert moment.scene_graph == graph
    assert moment.atomic_actions == seq.atomic_actions.at(Frame(graph.frame))
    assert len(moment.atomic_actions) > 0


def test_absent_things_are_none(filmed: Dataset) -> None:
    mute = filmed.having(audio=False)
    assert len(mute) > 0
    assert mute[0].at(Seconds(0.5)).audio() is None
    without = filmed.having(views={"third"}).where("NOT has_ego")
    assert len(without) > 0
    assert without[0].ego is None and 0 not in without[0].at(Frame(1)).images


def test_sensors_are_windowed_and_resampled_by_time(filmed: Dataset) -> None:
    with_sensors = filmed.where(lambda s: len(s.sensors) > 0)
    assert len(with_sensors) > 0
    seq = with_sensors[0]
    for (kind, position), values in seq.at(Seconds(1.0)).sensors(window_s=1.0).items():
        sensor = next(s for s in seq.sensors if (s.kind, s.position) == (kind, position))
        everything = sensor.values()
        inside = (everything.time_s >= 0.5) & (everything.time_s < 1.5)
        np.testing.assert_array_equal(values.values, everything.values[inside])
        assert values.values.shape[1] == len(sensor.columns)
        clock = sensor.resampled(Seconds(0.5), Seconds(1.5), rate_hz=8)
        expected = [
            np.interp(0.5 + np.arange(8) / 8, everything.time_s, column)
            for column in everything.values.T
        ]
        np.testing.assert_allclose(clock, np.stack(expected, axis=1))
    late = seq.sensors[0].resampled(Seconds(1e4), Seconds(1e4 + 1), rate_hz=4)
    assert np.isnan(late).all() and len(late) == 4


def test_previous_holds_the_last_sample(tmp_path: Path) -> None:
    from homage_sdk import Sensor

    (tmp_path / "x.csv").write_text("time_s,on\n0.1,0\n0.5,1\n0.9,0\n")
    sensor = Sensor("human_presence", "head", ("on",), 3, 0.1, 0.9, tmp_path / "x.csv")
    held = sensor.resampled(Seconds(0), Seconds(1), rate_hz=10, how="previous")[:, 0]
    np.testing.assert_array_equal(held[1:10], [0, 0, 0, 0, 1, 1, 1, 1, 0])
    assert np.isnan(held[0])
    with pytest.raises(UsageError):
        sensor.resampled(Seconds(0), Seconds(1), rate_hz=0)
    gone = Sensor("light", "head", ("v",), 1, 0.0, 0.0, tmp_path / "gone.csv")
    with pytest.raises(MediaError, match=r"sensor light.*root="):
        gone.values()


def test_a_dataset_with_moved_media_finds_them_by_root(
    filmed: Dataset, small_catalog: Path, small_release: Path, tmp_path: Path
) -> None:
    link = tmp_path / "moved"
    assert filmed.root is not None
    link.symlink_to(filmed.root)
    moved = Dataset(small_catalog, root=link)
    view = moved.having(views={"ego"})[0].views[0]
    assert view.path is not None and str(view.path).startswith(str(link))
    same = pickle.loads(pickle.dumps(moved))[str(view.id.sequence)].views[0]
    np.testing.assert_array_equal(same.image(Frame(1)), view.image(Frame(1)))
    (tmp_path / "nowhere").mkdir()
    lost = Dataset(small_catalog, root=tmp_path / "nowhere")
    assert len(lost.having(media=True)) == 0 and len(filmed.having(media=True)) > 0
    with pytest.raises(MediaError, match="nowhere"):
        lost[str(view.id.sequence)].views[0].image(Frame(1))
