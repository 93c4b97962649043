"""What docs/shards.md shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from homage_sdk.shards import ShardSet
from tests.unit.shards.servers import serving

PAGE = (Path(__file__).parents[2] / "docs" / "shards.md").read_text("utf-8")
SENSORS, BY_HAND, READING, FAR, STREAM = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def sample_with_sensors(shards: ShardSet) -> str:
    return next(sample.key for sample in shards.samples if sample.sensors)


def test_both_ways_to_sensors_give_the_same_readings(
    small_shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_shards.parent)
    shards = ShardSet.open(small_shards)
    key = sample_with_sensors(shards)
    (kind, position), readings = next(iter(shards.sensors(key).items()))
    snippet = SENSORS.replace("p0002_r001_a007", key)
    snippet = snippet.replace('"acceleration", "head"', f"{kind!r}, {position!r}")
    names: dict[str, object] = {"readings": None}
    exec(snippet, names)
    assert names["readings"].values.shape == readings.values.shape  # type: ignore[union-attr]
    sample = {f: shards.read(key, f) for f in ("meta.json", "sensors.npy")}
    by_hand = {"sample": sample}
    exec(BY_HAND + "    tables.append(table)\n", by_hand | {"tables": (tables := [])})
    expected = [np.column_stack([r.time_s, r.values]) for r in shards.sensors(key).values()]
    assert len(tables) == len(expected)
    for found, wanted in zip(tables, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_loaders_go_on_where_the_page_says(
    small_shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_shards.parent)
    names: dict[str, object] = {}
    exec(READING, names)
    loader, again = names["loader"], names["again"]
    rest = list(again)  # type: ignore[call-overload]
    assert rest
    assert names["state"]["position"] + len(rest) == len(loader)  # type: ignore[index,arg-type]
    assert isinstance(names["batch"].video["ego"], torch.Tensor)  # type: ignore[attr-defined]
    loader.close()  # type: ignore[attr-defined]
    again.close()  # type: ignore[attr-defined]


def test_shards_elsewhere_are_read_as_the_page_says(
    small_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiohttp")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    with serving(small_shards) as (url, _):
        exec(FAR.replace("https://host/shards", url), names)
    fetched = names["shards"]
    assert isinstance(fetched, ShardSet) and fetched.path.is_relative_to("cache")
    assert ShardSet.open(fetched.path).fingerprint == ShardSet.open(small_shards).fingerprint
    monkeypatch.chdir(small_shards.parent)
    exec(STREAM, names)
    assert isinstance(names["batch"].video["ego"], torch.Tensor)  # type: ignore[attr-defined]
