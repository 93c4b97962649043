"""Sensors in shards: every reading, on the clock of the sequence, in one plain array."""

from __future__ import annotations

import csv
import io
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from homage_sdk import Dataset
from homage_sdk.cli import app, run
from homage_sdk.errors import ShardError, UsageError
from homage_sdk.ingest import ingest
from homage_sdk.release.sensor_csv import CsvSensorReader
from homage_sdk.release.sensors import SensorValues
from homage_sdk.shards import PackOptions, ShardSet, pack, repair, verify
from homage_sdk.shards.format.sensor_array import numbers
from homage_sdk.shards.packing.plan import make_plan
from tests.unit.shards.test_pack import SMALL, tree
from tests.unit.shards.test_verify import named, patch, reseal

WITH, OTHER = "p0001_r000_a000", "p0003_r000_a004"


def write_sensors(root: Path) -> None:
    """Four sensors of one sequence, one of another: rates, widths and a clock that differ."""
    draw = np.random.default_rng(3)
    for name, rate, columns, seconds in (
        (f"{WITH}__acceleration__head", 50.0, ("x", "y", "z"), 10.0),
        (f"{WITH}__infrared__head", 8.0, tuple(f"c{n}" for n in range(64)), 10.0),
        (f"{WITH}__light__room", 4.0, ("lux",), 12.0),
        (f"{WITH}__light__v002", 0.5, ("lux",), 4.0),
        (f"{OTHER}__temperature__room", 1.0, ("celsius",), 11.0),
    ):
        path = root / "sensors" / name[:5] / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        times = np.arange(int(seconds * rate)) / rate
        rows = [(t, *draw.standard_normal(len(columns))) for t in times]
        lines = [",".join(map(repr, map(float, row))) for row in rows]
        path.write_text("\n".join([",".join(("time_s", *columns)), *lines]) + "\n")


@pytest.fixture(scope="session")
def sensor_catalog(barcode_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Dataset(barcode_catalog).root
    assert root is not None
    folder = tmp_path_factory.mktemp("sensors")
    shutil.copytree(root, folder / "release")
    write_sensors(folder / "release")
    ingest(folder / "release", folder / "catalog", workers=1)
    return folder / "catalog"


@pytest.fixture(scope="session")
def sensor_shards(sensor_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packed") / "shards"
    pack(Dataset(sensor_catalog), out, SMALL, workers=1)
    return out


def readings(catalog: Path, sequence: str, kind: str, position: str) -> np.ndarray:
    """The rows of a file, by the csv module."""
    root = Dataset(catalog).root
    assert root is not None
    (path,) = root.rglob(f"{sequence}__{kind}__{position}.csv")
    with path.open() as file:
        return np.array([[float(v) for v in row] for row in list(csv.reader(file))[1:]])


def test_every_reading_is_there_with_its_time(sensor_catalog: Path, sensor_shards: Path) -> None:
    shards = ShardSet.open(sensor_shards)
    assert verify(sensor_shards, deep=True) == []
    found = shards.sensors(WITH)
    assert list(found) == [
        ("acceleration", "head"),
        ("infrared", "head"),
        ("light", "room"),
        ("light", "v002"),
    ]
    for (kind, position), values in found.items():
        rows = readings(sensor_catalog, WITH, kind, position)
        assert (np.column_stack([values.time_s, values.values]) == rows).all()
    assert found["acceleration", "head"].columns == ("x", "y", "z")
    assert found["infrared", "head"].values.shape == (80, 64)
    assert list(shards.sensors(OTHER)) == [("temperature", "room")]
    without = shards["p0001_r000_a001"]
    assert without.sensors is None and shards.sensors(without.key) == {}
    assert "sensors.npy" not in shards.members(without.key)
    assert shards.members(WITH)[:5] == (
        "meta.json",
        "ann.json",
        "ego.flac",
        "sensors.npy",
        "v000.mp4",
    )


def test_numpy_alone_reads_them(sensor_catalog: Path, sensor_shards: Path) -> None:
    shards = ShardSet.open(sensor_shards)
    array = np.load(io.BytesIO(shards.read(WITH, "sensors.npy")), allow_pickle=False)
    at = 0
    for about in json.loads(shards.read(WITH, "meta.json"))["sensors"]:
        size = about["n_rows"] * (1 + len(about["columns"]))
        rows = array[at : at + size].reshape(about["n_rows"], -1)
        assert (rows == readings(sensor_catalog, WITH, about["kind"], about["position"])).all()
        at += size
    assert at == len(array)


def test_any_number_of_workers_packs_the_same_sensors(
    sensor_catalog: Path, sensor_shards: Path, tmp_path: Path
) -> None:
    pack(Dataset(sensor_catalog), tmp_path / "out", SMALL, workers=2)
    assert tree(tmp_path / "out") == tree(sensor_shards)


@pytest.mark.parametrize("unit", ["clip", "action"])
def test_windows_hold_the_readings_of_their_span(
    sensor_catalog: Path, tmp_path: Path, unit: str
) -> None:
    one = Dataset(sensor_catalog).select([WITH])
    options = PackOptions(short_side=64, unit=unit, clip_s=3.0, stride=7)
    pack(one, tmp_path / "out", options, workers=1)
    assert verify(tmp_path / "out", deep=True) == []
    shards = ShardSet.open(tmp_path / "out")
    spans = {
        "clip": [(1, 90), (91, 180), (181, 270), (271, 300)],
        "action": [(1, 60), (31, 150), (151, 240)],
    }[unit]
    everything = readings(sensor_catalog, WITH, "acceleration", "head")[:, 0]
    seen = []
    for sample, (first, last) in zip(shards.samples, spans, strict=True):
        found = shards.sensors(sample.key)
        times = found["acceleration", "head"].time_s
        begin, end = (first - 1) / 30, last / 30
        assert (times == everything[(everything >= begin) & (everything < end)]).all()
        seen += list(times)
        assert list(found["light", "v002"].time_s) == [t for t in (0.0, 2.0) if begin <= t < end]
    if unit == "clip":
        assert seen == list(everything)  # no reading lost, none twice


def test_a_catalog_without_sensors_packs_to_the_same_bytes_either_way(
    dataset: Dataset, barcode_shards: Path, sensor_catalog: Path, tmp_path: Path
) -> None:
    pack(dataset, tmp_path / "off", PackOptions(short_side=96, min_shards=3, sensors=False))
    assert tree(tmp_path / "off") == tree(barcode_shards)
    assert "sensors" not in make_plan(dataset, SMALL).options.to_json()
    assert b"sensors" not in (barcode_shards / "manifest.json").read_bytes()

    off = PackOptions(short_side=96, min_shards=3, sensors=False)
    pack(Dataset(sensor_catalog), tmp_path / "left", off, workers=1)
    tars = {name: sha for name, sha in tree(barcode_shards).items() if name.endswith(".tar")}
    assert tars.items() <= tree(tmp_path / "left").items()
    pack(Dataset(sensor_catalog), tmp_path / "left", SMALL, workers=1)
    assert ShardSet.open(tmp_path / "left").sensors(OTHER)
    with pytest.raises(UsageError, match="another sensors"):
        pack(Dataset(sensor_catalog), tmp_path / "left", off, workers=1)


def test_no_sensors_is_a_choice_of_the_command(sensor_catalog: Path, tmp_path: Path) -> None:
    command = ["pack", str(sensor_catalog), "--size", "64", "--split", "val", "--workers", "1"]
    assert run(app, [*command, str(tmp_path / "on")]) == 0
    assert run(app, [*command, str(tmp_path / "off"), "--no-sensors"]) == 0
    assert ShardSet.open(tmp_path / "on").sensors(OTHER)
    assert ShardSet.open(tmp_path / "off").sensors(OTHER) == {}


def test_a_broken_sensor_file_is_listed_and_the_rest_goes_on(
    sensor_catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Dataset(sensor_catalog).root
    assert source is not None
    root = Path(shutil.copytree(source, tmp_path / "release"))
    next(root.rglob(f"{WITH}__infrared__head.csv")).unlink()
    cut = next(root.rglob(f"{WITH}__light__room.csv"))
    cut.write_text(cut.read_text().replace("\n", ",oops\n"))
    command = ["pack", sensor_catalog, tmp_path / "out", "--root", root, "--size", 64]
    assert run(app, [*map(str, command), "--split", "train", "--workers", "1"]) == 1
    said = capsys.readouterr().out
    assert f"left out: {WITH} a sensor ({WITH}__infrared__head.csv): the file of sensor" in said
    assert f"left out: {WITH} a sensor ({WITH}__light__room.csv): the sensor's file is not" in said
    shards = ShardSet.open(tmp_path / "out")
    assert [(q.view, q.path) for q in shards.manifest.quarantine] == [
        (None, f"{WITH}__infrared__head.csv"),
        (None, f"{WITH}__light__room.csv"),
    ]
    assert list(shards.sensors(WITH)) == [("acceleration", "head"), ("light", "v002")]
    assert verify(tmp_path / "out", deep=True) == []


def test_a_sensor_that_has_no_place_in_a_shard_is_listed_and_the_rest_goes_on(
    sensor_catalog: Path, tmp_path: Path
) -> None:
    source = Dataset(sensor_catalog).root
    assert source is not None
    root = Path(shutil.copytree(source, tmp_path / "release"))
    light = next(root.rglob(f"{OTHER}__temperature__room.csv"))
    for name in (f"{'k' * 81}__room", f"light__{'p' * 81}"):
        shutil.copy(light, light.with_name(f"{OTHER}__{name}.csv"))
    wide = light.with_name(f"{OTHER}__light__wide.csv")
    wide.write_text(",".join(["time_s", *["c"] * 4097]) + "\n" + ",".join(["0"] * 4098) + "\n")
    ingest(root, tmp_path / "catalog", workers=1)
    one = Dataset(tmp_path / "catalog").select([OTHER])
    pack(one, tmp_path / "out", PackOptions(short_side=64), workers=1)
    shards = ShardSet.open(tmp_path / "out")
    reasons = {q.path.split("__", 1)[1]: q.reason for q in shards.manifest.quarantine}
    assert {name[:9]: reason.split(" cannot")[0] for name, reason in reasons.items()} == {
        "kkkkkkkkk": "the kind of a sensor",
        "light__pp": "the position of a sensor",
        "light__wi": "the columns of a sensor",
    }
    assert list(shards.sensors(OTHER)) == [("temperature", "room")]
    assert verify(tmp_path / "out", deep=True) == []


class Mismatched(CsvSensorReader):
    """A reader that gives a column more than it names, or a time less than there are rows."""

    def values(self, path: Path) -> SensorValues:
        found = super().values(path)
        if "light" in path.name:
            return SensorValues(found.columns, found.time_s[1:], found.values)
        return SensorValues(found.columns[1:], found.time_s, found.values)


@pytest.mark.parametrize("unit", ["sequence", "clip"])
def test_a_reader_whose_readings_do_not_fit_is_named_file_by_file(
    sensor_catalog: Path, tmp_path: Path, unit: str
) -> None:
    one = Dataset(sensor_catalog).select([WITH])
    options = PackOptions(short_side=64, unit=unit, views="ego", stride=9)
    pack(one, tmp_path / "out", options, workers=1, sensor_reader=Mismatched())
    shards = ShardSet.open(tmp_path / "out")
    assert {q.reason.split(";")[0] for q in shards.manifest.quarantine} == {
        "sensor readings do not fit each other"
    }
    assert all(shards.sensors(sample.key) == {} for sample in shards.samples)
    assert verify(tmp_path / "out", deep=True) == []


class Fahrenheit(CsvSensorReader):
    """A reader of another format: every value is turned into another unit."""

    def values(self, path: Path) -> SensorValues:
        found = super().values(path)
        return SensorValues(found.columns, found.time_s, found.values * 1.8 + 32)


@pytest.mark.parametrize("workers", [1, 2])
def test_another_reader_is_used_by_every_worker(
    sensor_catalog: Path, tmp_path: Path, workers: int
) -> None:
    one = Dataset(sensor_catalog).select([OTHER])
    options = PackOptions(short_side=64)
    pack(one, tmp_path / "out", options, workers=workers, sensor_reader=Fahrenheit())
    found = ShardSet.open(tmp_path / "out").sensors(OTHER)["temperature", "room"]
    rows = readings(sensor_catalog, OTHER, "temperature", "room")
    assert (found.values == rows[:, 1:] * 1.8 + 32).all()


@pytest.mark.parametrize(("before", "now"), [(Fahrenheit(), None), (None, Fahrenheit())])
def test_what_another_reader_gave_is_not_kept(
    sensor_catalog: Path,
    tmp_path: Path,
    before: CsvSensorReader | None,
    now: CsvSensorReader | None,
) -> None:
    """A video of another shard, which comes later, is the only other thing to change."""
    source = Dataset(sensor_catalog).root
    assert source is not None
    root = Path(shutil.copytree(source, tmp_path / "release"))
    one = Dataset(sensor_catalog, root=root).select([WITH, OTHER])
    video = next(view.path for view in one[WITH].views if view.path is not None)
    away = video.rename(tmp_path / "away.mkv")
    options = PackOptions(short_side=64, stride=9)
    pack(one, tmp_path / "out", options, workers=1, sensor_reader=before)
    assert len({sample.shard for sample in ShardSet.open(tmp_path / "out").samples}) == 2
    away.rename(video)
    pack(one, tmp_path / "out", options, workers=1, sensor_reader=now)
    pack(one, tmp_path / "fresh", options, workers=1, sensor_reader=now)
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


def test_damaged_sensors_are_found_and_made_again(
    sensor_catalog: Path, sensor_shards: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(sensor_shards, tmp_path / "copy"))
    shard, offset, size, _ = ShardSet.open(copy).locations()[WITH]["sensors.npy"]
    patch(copy / shard, offset + size // 2, b"\xff")
    assert named(verify(copy)) == {("HOM904", shard), ("HOM907", f"{WITH}.sensors.npy")}
    assert repair(copy, Dataset(sensor_catalog)).rebuilt == (shard,)
    assert tree(copy) == tree(sensor_shards)

    patch(copy / shard, offset, b"\x80pickle")
    reseal(copy)
    assert verify(copy) == []
    assert named(verify(copy, deep=True)) == {("HOM914", f"{WITH}.sensors.npy")}
    with pytest.raises(ShardError, match="no array of sensors"):
        ShardSet.open(copy).sensors(WITH)


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("a pickle was read",))


def _npy(header: str, payload: bytes) -> bytes:
    padded = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode() + payload


def test_an_array_that_is_no_plain_array_is_refused() -> None:
    objects = io.BytesIO()
    np.save(objects, np.array([_Bomb()], dtype=object), allow_pickle=True)
    good = _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", bytes(16))
    assert (numbers(good, "x") == [0, 0]).all()
    for data in (
        b"",
        good[:100],
        good[:-1],
        good + b"\0",
        pickle.dumps([1]),
        objects.getvalue(),
        _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }", bytes(16)),
        _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }", bytes(16)),
        _npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", pickle.dumps(_Bomb())),
        _npy("__import__('os').system('true')", bytes(16)),
        _npy("{'descr': ['<f8'], 'fortran_order': False, 'shape': (2,), }", bytes(16)),
    ):
        with pytest.raises(ShardError, match="array of sensors"):
            numbers(data, "x")
