"""Every figure of `homage stats` against a loop over the catalog's rows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from homage_sdk import Dataset
from homage_sdk.cli import app
from homage_sdk.report.statistics import Statistics, statistics
from homage_sdk.report.statistics_table import PAPER, statistics_rows


@pytest.fixture(scope="module")
def dataset(small_catalog: Path) -> Dataset:
    return Dataset(small_catalog)


@pytest.fixture(scope="module")
def figures(dataset: Dataset) -> Statistics:
    return statistics(dataset)


@pytest.fixture(scope="module")
def rows(dataset: Dataset) -> dict[str, list[dict[str, Any]]]:
    names = (
        "sequences",
        "views",
        "atomic_actions",
        "frames",
        "objects",
        "relationships",
        "classes",
    )
    return {name: dataset.table(name).to_pylist() for name in names}


def test_counts_are_those_of_the_tables(
    figures: Statistics, rows: dict[str, list[dict[str, Any]]]
) -> None:
    sequences = rows["sequences"]
    assert figures.sequences == len(sequences)
    assert figures.videos == sum(v["path"] is not None for v in rows["views"])
    assert figures.hours == pytest.approx(sum(s["duration_s"] or 0 for s in sequences) / 3600)
    assert figures.video_hours == pytest.approx(
        sum(v["duration_s"] or 0 for v in rows["views"]) / 3600
    )
    assert figures.participants == len({s["participant"] for s in sequences})
    views = Counter(v["sequence"] for v in rows["views"])
    assert figures.views == Counter(views[s["sequence"]] for s in sequences)
    assert figures.views_a_sequence == pytest.approx(len(rows["views"]) / len(views))
    assert figures.with_ego == len({v["sequence"] for v in rows["views"] if v["view"] == 0})
    assert figures.boxes == len(rows["objects"])
    assert figures.relationships == len(rows["relationships"])
    assert figures.annotated_frames == len(rows["frames"])


def test_splits_add_up(figures: Statistics, rows: dict[str, list[dict[str, Any]]]) -> None:
    split_of = {s["sequence"]: s["split"] or "in no list" for s in rows["sequences"]}
    instances = Counter(split_of[a["sequence"]] for a in rows["atomic_actions"])
    for name, split in figures.splits.items():
        assert split.sequences == sum(value == name for value in split_of.values())
        assert split.instances == instances[name]
    assert sum(s.instances for s in figures.splits.values()) == figures.instances


def test_durations_and_overlaps_are_those_of_a_double_loop(
    figures: Statistics, rows: dict[str, list[dict[str, Any]]]
) -> None:
    actions = rows["atomic_actions"]
    spans = [(a["sequence"], a["first_frame"], a["last_frame"]) for a in actions]
    lengths = [last - first + 1 for _, first, last in spans]
    assert figures.durations.up_to_2_s == pytest.approx(sum(n <= 60 for n in lengths) / len(spans))
    assert figures.durations.under_5_s == pytest.approx(sum(n < 150 for n in lengths) / len(spans))
    assert figures.durations.mean_s == pytest.approx(sum(lengths) / len(lengths) / 30)
    assert figures.durations.longest_s == pytest.approx(max(lengths) / 30)
    overlapping = sum(
        any(
            i != j and s == s2 and first <= last2 and first2 <= last
            for j, (s2, first2, last2) in enumerate(spans)
        )
        for i, (s, first, last) in enumerate(spans)
    )
    assert figures.overlapping == pytest.approx(overlapping / len(spans))
    assert figures.at_once == max(
        sum(s == s2 and first2 <= first <= last2 for s2, first2, last2 in spans)
        for s, first, _ in spans
    )


def test_names_and_tails_are_those_of_a_counter(
    figures: Statistics, rows: dict[str, list[dict[str, Any]]]
) -> None:
    names = {(c["kind"], c["id"]): c["name"] for c in rows["classes"]}
    objects = Counter(names["object", o["class_id"]] for o in rows["objects"])
    del objects["person"]
    assert dict(figures.objects) == {name: objects[name] for name, _ in figures.objects}
    assert [n for _, n in figures.objects] == sorted(objects.values(), reverse=True)[:10]
    assert "person" in {raw for (kind, _), raw in names.items() if kind == "object"}
    assert figures.classes["object"] == sum(kind == "object" for kind, _ in names) - 1
    atomic = Counter(a["class_id"] for a in rows["atomic_actions"])
    tail = figures.atomic
    assert tail is not None
    assert tail.occurring == len(atomic)
    assert tail.once == sum(n == 1 for n in atomic.values())
    ranked = sorted(atomic.values(), reverse=True)
    assert 2 * sum(ranked[: tail.half]) >= sum(ranked) > 2 * sum(ranked[: tail.half - 1])


def test_the_papers_figures_stand_in_a_column_of_their_own(figures: Statistics) -> None:
    rows = {row["figure"]: row for row in statistics_rows(figures)}
    atomic = rows["atomic classes"]
    assert (atomic["paper"], atomic["measured*"]) == ("453", "448")
    assert atomic["this dataset"] == str(figures.classes["atomic"])


def test_the_rows_go_to_the_terminal_or_into_a_file(small_catalog: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["stats", str(small_catalog)])
    assert shown.exit_code == 0, shown.exception
    words = ["stats", str(small_catalog), "--output", str(tmp_path / "stats.txt")]
    assert CliRunner().invoke(app, words).stdout == ""
    assert (tmp_path / "stats.txt").read_text() == shown.stdout


def test_json_keeps_ours_and_theirs_apart(small_catalog: Path, figures: Statistics) -> None:
    result = CliRunner().invoke(app, ["stats", str(small_catalog), "--json"])
    assert result.exit_code == 0, result.exception
    document = json.loads(result.stdout)
    assert document["dataset"] == json.loads(json.dumps(figures.to_dict()))
    assert document["paper"] == PAPER


def test_a_selection_without_labels_has_no_shares(dataset: Dataset) -> None:
    nothing = statistics(dataset.select([]))
    assert nothing.sequences == nothing.instances == nothing.at_once == 0
    assert nothing.durations.up_to_2_s is None
    assert nothing.overlapping is None
    assert nothing.views_a_sequence is None
    rows = {row["figure"]: row["this dataset"] for row in statistics_rows(nothing)}
    assert rows["sequences"] == "0" and rows["- of 2 s or less"] == ""


def test_labels_alone_are_counted_without_a_video(tmp_path: Path) -> None:
    from homage_sdk.ingest import ingest
    from tests.unit.release.tiny import whole

    ingest(whole(tmp_path / "r").root, tmp_path / "c", media=False)
    figures = statistics(Dataset(tmp_path / "c"))
    assert (figures.sequences, figures.videos, figures.instances) == (2, 0, 4)
