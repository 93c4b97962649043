"""Whatever a reader hands over, rules report and never raise."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from homage_sdk.media.probe import VideoProbe
from homage_sdk.release.records import RAW_TABLES
from homage_sdk.validation import CODES, validate
from tests.unit.validation.tables import release

_SEQUENCES = st.sampled_from(["p0002_r001_a007", "p0002_r001_a008", "p0003_r001_a001", None])
_WORDS = st.sampled_from(
    ["take cup", "take_cup", "Take Cup", "person", "holding", "", "_", "ü", None]
)
_INTEGERS = st.one_of(
    st.none(), st.integers(-3, 400), st.sampled_from([0, 2**31, 2**53, -(2**53), 10**15])
)
_FLOATS = st.one_of(
    st.none(),
    st.floats(-50, 2000),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 0.5, 1e308]),
)
_PATHS = (
    "annotation_files/atomic_actions/p0002/p0002_r001_a007__aa.json",
    "annotation_files/scene_graphs/p0002/p0002_r001_v001_a007_sg.json",
    "action_split_data/V1.0/p0002/p0002_r001_v000_a007.mkv",
    "list_with_activity_labels/train_list.csv",
    "list_with_activity_labels/test_list.csv",
    "list_with_activity_labels/classInd.txt",
    "sensors/p0002/p0002_r001_a007__light__head.csv",
    "",
)
_KINDS = (
    "atomic_actions",
    "scene_graphs",
    "video",
    "split_list",
    "split_list",
    "class_list",
    "sensor",
    "other",
)
_FILES = tuple({"path": p, "kind": k, "bytes": 9} for p, k in zip(_PATHS, _KINDS, strict=True))


def _value(table: str, field: pa.Field, n_graphs: int) -> st.SearchStrategy[Any]:
    if field.name == "file":
        return st.integers(0, len(_PATHS) - 1)
    if field.name == "graph":
        return st.integers(0, n_graphs - 1)
    if field.name in ("index", "row"):
        return st.integers(0, 50)
    if field.name == "sequence":
        return _SEQUENCES
    if field.name == "split":
        return st.sampled_from(["train", "val", "test", None])
    if field.name == "kind":
        return st.sampled_from(["activity", "atomic", "object", "relationship"])
    if field.name == "columns":
        return st.lists(st.sampled_from(["x", "y"]), max_size=2)
    if field.type == pa.int32():
        return st.one_of(st.none(), st.integers(-3, 400))
    if field.type == pa.int64():
        return st.integers(0, 400) if table == "class_entries" else _INTEGERS
    if pa.types.is_floating(field.type):
        return _FLOATS
    return _WORDS


@st.composite
def _tables(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    n_graphs = draw(st.integers(1, 4))
    made = {}
    for name, schema in RAW_TABLES.items():
        if name == "files":
            continue
        row = st.fixed_dictionaries({f.name: _value(name, f, n_graphs) for f in schema})
        size = {"min_size": n_graphs, "max_size": n_graphs} if name == "frames" else {"max_size": 8}
        made[name] = draw(st.lists(row, **size))
    return made


class _Probe:
    """A probe of extremes."""

    fault = VideoProbe.fault

    def __init__(self, draw: Any) -> None:
        self.width, self.height = draw(st.integers(0, 4000)), draw(st.integers(0, 4000))
        self.n_frames = draw(st.integers(0, 400))
        self.pts = np.array(sorted(draw(st.sets(st.integers(-90, 2**40), max_size=5))), np.int64)
        self.time_base = Fraction(1, 1000)
        self.fps = draw(st.floats(0, 1000))
        self.duration_s = draw(st.floats(0, 1e6))
        self.start_s = draw(st.floats(-10, 1e6))
        self.has_audio = draw(st.booleans())
        self.audio_start_s = draw(st.one_of(st.none(), st.floats(-10, 1e6)))
        self.faults = tuple(draw(st.lists(st.sampled_from(["truncated: x", "header: y", "z"]))))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(_tables(), st.data())
def test_no_records_make_a_rule_raise(tables: dict[str, Any], data: st.DataObject) -> None:
    probes = {_PATHS[2]: _Probe(data.draw)} if data.draw(st.booleans()) else {}
    made = release(_FILES, **tables)
    problems = validate(made, probes=probes)
    assert problems == sorted(problems, key=lambda problem: problem.order)
    for problem in problems:
        assert problem.code in CODES
        for text in (problem.sequence, problem.found, problem.expected, problem.place.file):
            assert isinstance(text, str)
            assert text != "nan"


def test_an_empty_release_has_no_problem() -> None:
    assert validate(release(files=())) == []
