"""Scene graphs of a sequence by time, by relationship and as graphs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homage_sdk import Dataset, Frame, Interval, SceneGraph, SceneGraphs, Seconds
from homage_sdk.errors import UsageError
from tests.factories import CUP, PERSON


def graphs(ds: Dataset) -> SceneGraphs:
    return ds["p0001_r001_a001"].scene_graphs


def test_a_scene_graph_holds_what_was_annotated(ds: Dataset) -> None:
    graph = graphs(ds)[0]
    assert (graph.view, graph.frame, graph.width, graph.height) == (1, 31, 640, 480)
    assert [(o.object_id, o.name) for o in graph.objects] == [
        (0, "person"),
        (3, "cup"),
        (5, "kettle"),
    ]
    assert graph[0].box.xyxy == PERSON and graph[3].box.xyxy == CUP
    assert graph.triples == (("person", "holding", "cup"), ("kettle", "next to", "cup"))


def test_neighbours_are_those_of_either_direction(ds: Dataset) -> None:
    graph = graphs(ds)[0]
    named = [(p, o.name) for p, o in graph.neighbours(3)]
    assert named == [("holding", "person"), ("next to", "kettle")]
    assert [o.object_id for _, o in graph.neighbours(0)] == [3]
    assert graph.named("CUP") == (graph[3],)
    with pytest.raises(KeyError):
        graph.neighbours(99)


def test_a_networkx_graph_keeps_categories_boxes_and_predicates(ds: Dataset) -> None:
    made = graphs(ds)[0].to_networkx()
    assert made.nodes[3] == {"name": "cup", "box": CUP}
    assert [(s, o, d["name"]) for s, o, d in made.edges(data=True)] == [
        (0, 3, "holding"),
        (5, 3, "next to"),
    ]


numbers = st.lists(st.integers(1, 30), unique=True, max_size=8)


@given(numbers, st.integers(1, 35))
def test_nearest_before_and_after_are_those_of_a_scan(frames: list[int], moment: int) -> None:
    made = SceneGraphs(
        SceneGraph(scene_graph_id=i, sequence="p0001_r001_a001", view=1, frame=f)
        for i, f in enumerate(frames)
    )

    def number(graph: SceneGraph | None) -> int | None:
        return None if graph is None else graph.frame

    best = min((abs(f - moment) for f in frames), default=0)
    nearest = min((f for f in frames if abs(f - moment) == best), default=None)
    assert number(made.nearest(Frame(moment))) == nearest
    before = max((f for f in frames if f <= moment), default=None)
    assert number(made.nearest(Frame(moment), pick="before")) == before
    after = min((f for f in frames if f >= moment), default=None)
    assert number(made.nearest(Frame(moment), pick="after")) == after
    assert number(made.at(Frame(moment))) == (moment if moment in frames else None)
    assert [g.frame for g in made] == sorted(frames)


def test_selections_by_time_view_and_triple(ds: Dataset) -> None:
    all_of_them = graphs(ds)
    assert [g.frame for g in all_of_them.between(Interval(31, 89))] == [31, 60]
    assert [g.frame for g in all_of_them.between(Seconds(2), Seconds(5))] == [90, 150]
    assert all_of_them.views == (1,) and len(all_of_them.of_view(4)) == 0
    assert [g.frame for g in all_of_them.with_triple("person", "drinking_from")] == [150]
    assert len(all_of_them.with_triple(object="cup")) == 4
    assert len(all_of_them[1:]) == 3 and isinstance(all_of_them[1:], SceneGraphs)
    with pytest.raises(UsageError, match="unknown pick 'closest'"):
        all_of_them.nearest(Frame(1), pick="closest")  # type: ignore[arg-type]


def test_the_table_of_triples_is_the_dataset_s(crowded: Path) -> None:
    ds = Dataset(crowded)
    columns = ["scene_graph_id", "view", "frame", "subject_id", "object_id"]
    columns += ["subject", "predicate", "object"]
    for seq in ds[:20]:
        mine = seq.scene_graphs.to_pandas()[columns]
        sql = ds.select([seq.id]).sql(f"SELECT {', '.join(columns)} FROM triples").to_pandas()
        assert sorted(map(tuple, mine.values)) == sorted(map(tuple, sql.values))
