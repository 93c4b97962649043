"""A moment has a unit, a range has one reading, and a bare number is refused everywhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from homage_sdk import Dataset, Frame, Interval, Seconds, Sequence, View
from homage_sdk.dataset.atomic_actions import AtomicActions
from homage_sdk.dataset.scene_graphs import SceneGraphs
from homage_sdk.dataset.sensor import Sensor
from homage_sdk.dataset.targets import Targets
from homage_sdk.errors import UsageError
from homage_sdk.time import as_seconds_range

ASKED: dict[str, tuple[type, Callable[[Any, Any], object]]] = {
    "seq.at": (Sequence, lambda seq, bare: seq.at(bare)),
    "seq.audio": (Sequence, lambda seq, bare: seq.audio(bare, Seconds(2))),
    "seq.audio, end": (Sequence, lambda seq, bare: seq.audio(Seconds(0), bare)),
    "seq.sound": (Sequence, lambda seq, bare: seq.sound(bare, Seconds(2))),
    "view.image": (View, lambda view, bare: view.image(bare)),
    "view.images": (View, lambda view, bare: view.images(bare, Frame(40))),
    "view.images, end": (View, lambda view, bare: view.images(Frame(1), bare)),
    "actions.at": (AtomicActions, lambda actions, bare: actions.at(bare)),
    "actions.between": (AtomicActions, lambda actions, bare: actions.between(bare, Frame(40))),
    "graphs.at": (SceneGraphs, lambda graphs, bare: graphs.at(bare)),
    "graphs.nearest": (SceneGraphs, lambda graphs, bare: graphs.nearest(bare)),
    "graphs.between": (SceneGraphs, lambda graphs, bare: graphs.between(bare, Frame(40))),
    "targets.at": (Targets, lambda targets, bare: targets.at(bare)),
    "targets.over": (Targets, lambda targets, bare: targets.over(bare)),
    "sensor.window": (Sensor, lambda sensor, bare: sensor.window(bare, Seconds(2))),
    "in an interval": (Interval, lambda interval, bare: bare in interval),
}


@pytest.fixture
def handles(ds: Dataset) -> dict[type, object]:
    seq = ds["p0001_r001_a001"]
    sensor = Sensor("infrared", "head", ("x",), 1, 0.0, 1.0, None)
    found = (seq, seq.views[0], seq.atomic_actions, seq.scene_graphs, seq.targets, sensor)
    return {type(handle): handle for handle in (*found, Interval(1, 60))}


@pytest.mark.parametrize("bare", [31, 31.0, np.int64(31), np.float64(31.0)], ids=repr)
@pytest.mark.parametrize("name", ASKED)
def test_a_bare_number_is_refused_with_both_spellings(
    handles: dict[type, object], name: str, bare: float
) -> None:
    kind, ask = ASKED[name]
    with pytest.raises(UsageError) as caught:
        ask(handles[kind], bare)
    assert "Frame(31) or Seconds(31.0)" in str(caught.value)


def test_a_number_that_is_no_frame_is_spelled_as_what_it_can_be(ds: Dataset) -> None:
    with pytest.raises(
        UsageError, match=r"found 2\.5; expected Frame\(\.\.\.\) or Seconds\(2\.5\)"
    ):
        ds[0].at(2.5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"found None; expected Frame"):
        ds[0].at(None)  # type: ignore[arg-type]


def test_a_range_of_frames_ends_with_its_last_and_one_of_seconds_before_its_end(
    ds: Dataset,
) -> None:
    assert Interval.of(Frame(31), Frame(60)) == Interval.of(Seconds(1.0), Seconds(2.0))
    assert Interval.of(Seconds(1.0), Seconds(2.01)) == Interval(31, 61)  # frame 61 begins at 2 s
    assert Interval.of(Frame(31)) == Interval.of(Seconds(1.0)) == Interval(31, 31)
    assert as_seconds_range(Frame(31), Frame(60)) == (1.0, 2.0)
    assert as_seconds_range(Interval(31, 60), None) == (1.0, 2.0)
    assert as_seconds_range(Seconds(1.0), Seconds(2.0)) == (1.0, 2.0)
    actions = ds["p0001_r001_a001"].atomic_actions
    for action in actions:  # one that begins at the end of the range is not in it
        begin = Frame(action.first_frame).seconds()
        if action.first_frame > 1:
            assert action not in actions.between(Seconds(0), begin)
        assert action in actions.between(Frame(1), Frame(action.first_frame))
    for ends in ((Frame(5), Frame(4)), (Seconds(1), Seconds(1)), (Interval(1, 5), Frame(9))):
        with pytest.raises(UsageError):
            actions.between(*ends)  # type: ignore[arg-type]


def test_types_of_ours_are_not_compared_with_others() -> None:
    for mine in (Frame(1), Seconds(1.0), Interval(1, 2)):
        assert mine != 1
        for other in (1, 1.0, "1", None):
            with pytest.raises(TypeError):
                mine < other  # type: ignore[operator]  # noqa: B015
    assert AtomicActions([]) != () and SceneGraphs([]) != ()
    assert AtomicActions([]).__eq__(3) is NotImplemented


@pytest.mark.slow
def test_a_type_checker_refuses_a_bare_number(tmp_path: Path) -> None:
    script = tmp_path / "asks.py"
    script.write_text(
        "from homage_sdk import Dataset, Frame, Seconds\n"
        "seq = Dataset('catalog')[0]\n"
        "seq.at(Seconds(2.0))\n"
        "seq.at(2.0)\n"
        "seq.ego.image(31)\n"
    )
    root = Path(__file__).parents[3]
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(script)],
        capture_output=True, text=True, cwd=root, timeout=300, check=False,
    ).stdout  # fmt: skip
    assert "asks.py:3" not in found
    assert 'asks.py:4: error: Argument 1 to "at"' in found
    assert 'asks.py:5: error: Argument 1 to "image"' in found or "asks.py:5" in found
