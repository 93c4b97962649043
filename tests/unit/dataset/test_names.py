"""What a newcomer types first works, or is answered with the right name."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from homage_sdk import Action, Dataset, Frame, Interval, Seconds
from homage_sdk.errors import UnknownIdError
from homage_sdk.testing import TakeSpec, make_catalog


def test_a_dataset_says_what_it_holds(ds: Dataset) -> None:
    train = ds.split("train")
    assert ds.splits == tuple(sorted({s.split for s in ds if s.split}))
    assert train.splits == ("train",)
    assert set(ds.activities) == {s.activity.name for s in ds if s.activity}
    assert ds.participants == tuple(sorted({s.participant for s in ds}))
    assert set(ds.classes) == {"activity", "atomic", "object", "relationship"}
    assert ds.classes["atomic"].names == ds.taxonomy("atomic").names
    assert "atomic_actions" in ds.tables
    assert "1-based" in ds.columns("atomic_actions")["first_frame"]
    assert ds.info.counts["sequences"] == len(ds)
    assert ds.problems == ()


def test_a_description_counts_each_split(ds: Dataset) -> None:
    counts = ds.describe()
    assert counts.loc["all", "sequences"] == len(ds)
    assert counts.loc["train", "atomic_actions"] == sum(
        len(s.atomic_actions) for s in ds if s.split == "train"
    )
    assert counts.drop(index="all")["views"].sum() == counts.loc["all", "views"]
    assert counts["sequences"].dtype.kind == "i"
    assert counts.loc["in no list", "sequences"] == sum(s.split is None for s in ds)


def test_a_selection_s_table_has_names_beside_ids(ds: Dataset) -> None:
    some = ds.having(activity=True)
    frame = some.to_pandas()
    assert list(frame["sequence"]) == list(some.ids)
    assert list(frame["activity"]) == [s.activity.name for s in some if s.activity]
    actions = ds["p0001_r001_a001"].atomic_actions.to_pandas()
    assert {"class_id", "name"} <= set(actions.columns)
    found = ds.find("pour*").to_pandas()
    names = {i: c.name for i, c in ds.classes["atomic"].items()}
    ids = next(column for column in found.columns if column.endswith("class_id"))
    said = ids.removesuffix("class_id") + "name"
    assert len(found) and list(found[said]) == [names[i] for i in found[ids]]
    for table, name in (("atomic_actions", "name"), ("objects", "name"), ("sequences", "activity")):
        assert ds.sql(f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL").num_rows, table


def test_names_and_patterns_are_understood_where_ids_are(ds: Dataset) -> None:
    seq = ds["p0001_r001_a001"]
    assert seq.view("ego") == seq.view("v000") == seq.view(0) == seq.ego
    assert seq.view("v001") == seq.view(str(seq.view(1).id))
    assert seq.duration == Seconds(seq.duration_s or 0.0)
    assert ds.activity("make*") == ds.activity("make_tea")
    assert list(ds.find("pour*")) == list(ds.find(Action("pour*")))
    with pytest.raises(UnknownIdError, match="several views 'third'"):
        seq.view("third")


@pytest.mark.parametrize(
    ("handle", "tried", "right"),
    [
        ("ds", "filter", "where"),
        ("ds", "sequences", "for seq in ds"),
        ("ds", "stats", "describe"),
        ("ds", "activites", "activities"),
        ("seq", "actions", "atomic_actions"),
        ("seq", "scenegraphs", "scene_graphs"),
        ("view", "frame", "image"),
        ("view", "frames", "images"),
        ("moment", "actions", "atomic_actions"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_one(
    ds: Dataset, handle: str, tried: str, right: str
) -> None:
    seq = ds["p0001_r001_a001"]
    handles = {"ds": ds, "seq": seq, "view": seq.views[0], "moment": seq.at(Frame(1))}
    with pytest.raises(AttributeError, match=rf"has no '{tried}'.*{right}"):
        getattr(handles[handle], tried)
    assert not hasattr(handles[handle], tried)


def test_an_error_inside_a_property_is_its_own(
    ds: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Dataset) -> object:
        raise AttributeError("its own fault")

    monkeypatch.setattr(type(ds), "splits", property(broken))
    with pytest.raises(AttributeError, match="its own fault"):
        ds.splits  # noqa: B018


@pytest.mark.parametrize(
    "ask",
    [
        lambda ds: ds["p0001_r001_a0001"],
        lambda ds: ds.split("tain"),
        lambda ds: ds.activity("make coffe"),
        lambda ds: ds.participant(99),
        lambda ds: ds.select(["p0001"]),
        lambda ds: ds.taxonomy("atomc"),
        lambda ds: ds.taxonomy("atomic").find("pour te"),
        lambda ds: ds.taxonomy("atomic")[999],
        lambda ds: ds.table("atomic_action"),
        lambda ds: ds.columns("atomic_action"),
        lambda ds: ds.table("views", as_="panda"),
        lambda ds: ds.having(views="egoo"),
        lambda ds: ds.having(sensors="acceleraton"),
        lambda ds: ds.find("por*"),
        lambda ds: ds[0].view("v099"),
        lambda ds: ds[0].at(Frame(1), pick="closest"),
        lambda ds: ds[0].scene_graphs[0][99],
        lambda ds: ds[0].table("classes"),
    ],
)
def test_an_unknown_name_is_one_kind_of_error_and_names_what_there_is(ds: Dataset, ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnknownIdError) as caught:
        ask(ds)
    assert caught.value.expected or caught.value.hint


def test_handles_show_public_names_and_short_texts(ds: Dataset) -> None:
    seq = ds["p0001_r001_a001"]
    handles = (ds, seq, seq.views[0], seq.at(Frame(1)), seq.atomic_actions, seq.scene_graphs)
    for handle in (*handles, ds.find("pour*")):
        assert dir(handle) and not [name for name in dir(handle) if name.startswith("_")]
        assert len(repr(handle)) < 200 and "\n" not in repr(handle)
    graph = seq.scene_graphs[0]
    for value in (graph, graph.objects[0].box, Frame(1), Seconds(1.0), Interval(1, 2)):
        assert len(repr(value)) < 120
        assert not [name for name in dir(value) if name.startswith("model_")]
        assert pickle.loads(pickle.dumps(value)) == value
    for handle in (ds, seq, seq.atomic_actions, seq.scene_graphs, ds.find("pour*")):
        page = handle._repr_html_()
        assert page.count("<table>") == page.count("</table>") == 1


def test_a_notebook_shows_names_as_text_and_no_more_rows_than_fit(tmp_path: Path) -> None:
    actions = [("<b>pour</b>", n, n + 5) for n in range(1, 60)]
    path = make_catalog(tmp_path / "c", [TakeSpec("p0001_r001_a001", actions=actions)])
    page = Dataset(path)[0].atomic_actions._repr_html_()
    assert "<b>pour</b>" not in page and "&lt;b&gt;pour&lt;/b&gt;" in page
    assert page.count("<tr>") == 21 and "and 39 more" in page
