"""Sensors in batches: each channel at the times of its blocks, NaN where nothing was recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from homage_sdk.errors import UsageError
from homage_sdk.loader import ClipLoader, LoaderOptions, webdataset_stream
from homage_sdk.release.sensors import SENSOR_TYPES, SensorValues
from homage_sdk.shards import ShardSet
from homage_sdk.shards.format.sensor_array import on_clock
from tests.unit.loader.batches import all_same


@pytest.fixture
def shards(small_shards: Path) -> ShardSet:
    return ShardSet.open(small_shards)


def options(shards: ShardSet, **changes: object) -> LoaderOptions:
    made = LoaderOptions(
        modalities=("sensors",), mode="eval", batch_size=3, blocks=4, size=32, sensor_samples=5,
        sensors=shards.sensor_channels,
    )  # fmt: skip
    return made.with_(**changes)


def test_channels_are_those_of_all_samples_in_the_order_of_the_kinds(shards: ShardSet) -> None:
    found = shards.sensor_channels
    kinds = list(dict.fromkeys(channel.split("/")[0] for channel in found))
    assert kinds == [kind for kind in SENSOR_TYPES if kind in kinds] and len(kinds) == 12
    each = {
        f"{kind}/{position}/{column}"
        for sample in shards.samples
        for (kind, position), values in shards.sensors(sample.key).items()
        for column in values.columns
    }
    assert set(found) == each and len(found) == len(each)


def test_values_are_those_of_the_sensor_at_the_times_of_the_frames(shards: ShardSet) -> None:
    batches = list(ClipLoader(shards, options(shards)))
    wanted = options(shards)
    assert wanted.blocks == 4
    n_checked = 0
    for batch in batches:
        assert batch.sensors is not None
        assert batch.sensors.shape == (3, 4, 5, len(wanted.sensors))
        assert batch.sensors.dtype == torch.float32
        for b, sequence in enumerate(batch.sequence):
            if not sequence:
                assert batch.sensors[b].isnan().all() and not batch.present["sensors"][b]
                continue
            sample = next(s for s in shards.samples if s.sequence == sequence)
            readings = shards.sensors(sample.key)
            for n in range(4):
                begin = (int(batch.frames[b, n, 0]) - 1) / 30
                if not batch.block_valid[b, n]:
                    continue
                for j in range(5):
                    now = begin + j * 0.1  # a block of 5 frames, 3 apart, lasts 0.5 s
                    for kind, column in (("acceleration", 1), ("temperature", 0)):
                        (position,) = (p for k, p in readings if k == kind)
                        each = readings[kind, position]
                        name = f"{kind}/{position}/{each.columns[column]}"
                        shown = float(batch.sensors[b, n, j, wanted.sensors.index(name)])
                        if each.time_s[0] <= now <= each.time_s[-1]:
                            right = np.interp(now, each.time_s, each.values[:, column])
                            assert shown == pytest.approx(right, rel=1e-5, abs=1e-4)
                            n_checked += 1
                        else:
                            assert np.isnan(shown)
            assert batch.present["sensors"][b]
    assert n_checked > 200


def test_what_was_not_recorded_is_absent_and_says_so(shards: ShardSet) -> None:
    times = np.array([0.0, 0.1, 0.2, 2.0, 2.1])
    readings = {
        ("light", "room"): SensorValues(("lux",), times, np.arange(5.0)[:, None]),
        ("human_presence", "room"): SensorValues(("present",), times, np.arange(5.0)[:, None]),
    }
    channels = ("human_presence/room/present", "gyro/head/x", "light/room/lux")
    clock = np.array([-0.1, 0.0, 0.15, 1.0, 2.0, 2.05, 2.2])
    found = on_clock(readings, channels, clock)
    nan = np.nan
    np.testing.assert_allclose(found[:, 0], [nan, 0, 1, 2, 3, 3, nan])  # held until the next
    assert np.isnan(found[:, 1]).all()
    np.testing.assert_allclose(found[:, 2], [nan, 0, 1.5, nan, 3, 3.5, nan], rtol=1e-6)
    absent = options(shards, sensors=("gyro/knee/x",))
    for batch in ClipLoader(shards, absent):
        assert not batch.present["sensors"].any() and batch.sensors.isnan().all()


def test_a_sensor_whose_readings_come_in_batches_is_there() -> None:
    """Four readings share each time, so that most intervals are 0; then nothing for 20 s."""
    times = np.repeat([*np.arange(10.0), 29.0, 30.0], 4)
    readings = {("light", "room"): SensorValues(("lux",), times, 2 * times[:, None])}
    clock = np.array([0.0, 0.5, 3.25, 8.9, 15.0, 29.5])
    found = on_clock(readings, ("light/room/lux",), clock)[:, 0]
    np.testing.assert_array_equal(np.isnan(found), [False, False, False, False, True, False])
    np.testing.assert_allclose(found[[1, 2, 3, 5]], 2 * clock[[1, 2, 3, 5]], rtol=1e-6)
    once = {("light", "room"): SensorValues(("lux",), np.ones(3), np.full((3, 1), 7.0))}
    assert on_clock(once, ("light/room/lux",), np.ones(1)) == 7


def test_workers_and_streams_give_the_same_values(shards: ShardSet) -> None:
    plain = list(ClipLoader(shards, options(shards)))
    with_workers = ClipLoader(shards, options(shards, workers=2))

    def comparable(batches: list) -> list:  # NaN is not equal to itself
        return [replace(b, sensors=b.sensors.nan_to_num(nan=-1e9)) for b in batches]

    assert all_same(comparable(plain), comparable(list(with_workers)))
    with_workers.close()
    streamed = {
        (sequence, int(batch.clip[b])): batch.sensors[b]
        for batch in webdataset_stream(shards.path, options(shards))
        for b, sequence in enumerate(batch.sequence)
    }
    for batch in plain:
        for b, sequence in enumerate(batch.sequence):
            other = streamed[sequence, int(batch.clip[b])]
            assert torch.equal(other.nan_to_num(), batch.sensors[b].nan_to_num())


def test_sensors_without_channels_are_refused() -> None:
    with pytest.raises(UsageError, match=r"sensors.*sensor_channels"):
        LoaderOptions(modalities=("sensors",))


def test_a_squeezed_clip_has_the_readings_of_the_frames_that_it_shows(shards: ShardSet) -> None:
    """A clip of 30 blocks is longer than any sequence: its steps shrink, and so do the blocks."""
    chosen = options(shards, blocks=30, short="squeeze")
    channel = next(c for c in chosen.sensors if c.startswith("acceleration/"))
    n_checked = 0
    for batch in ClipLoader(shards, chosen):
        for b, sequence in enumerate(batch.sequence):
            if not sequence:
                continue
            sample = next(s for s in shards.samples if s.sequence == sequence)
            readings = shards.sensors(sample.key)
            (each,) = (v for (kind, _), v in readings.items() if kind == "acceleration")
            begins = (batch.frames[b, :, 0].numpy() - 1) / 30
            assert begins[-1] < each.time_s[-1]
            right = np.interp(begins, each.time_s, each.values[:, 0])
            shown = batch.sensors[b, :, 0, chosen.sensors.index(channel)].numpy()
            np.testing.assert_allclose(shown, right, rtol=1e-4, atol=1e-3)
            n_checked += 1
    assert n_checked > 5
