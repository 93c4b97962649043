"""The document of a page says what the handle says, and fits its schema."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from homage_sdk import Dataset
from homage_sdk.dataset.sensor import Sensor
from homage_sdk.explore.document import PageSound, ViewDocument
from homage_sdk.explore.sensor_strips import sensor_strip, strip_column
from homage_sdk.explore.sequence_document import sequence_document, view_card
from homage_sdk.explore.verb_colours import PALETTE, ink_on, verb_colours
from homage_sdk.testing import TakeSpec, make_catalog
from tests.factories import example_takes, random_takes
from tests.filmed import SEQUENCE

SILENT = PageSound(file=None, missing="no view has sound", view=None)


def document_of(dataset: Dataset, key: str) -> ViewDocument:
    sequence = dataset[key]
    cards = [view_card(view, missing="no video") for view in sequence.views]
    return sequence_document(dataset, sequence, cards, SILENT)


@pytest.mark.parametrize("takes", [example_takes(), *(random_takes(seed) for seed in range(3))])
def test_it_holds_every_label_and_reads_back_by_its_schema(
    takes: list[TakeSpec], tmp_path: Path
) -> None:
    dataset = Dataset(make_catalog(tmp_path / "c", takes))
    for sequence in dataset:
        made = document_of(dataset, str(sequence.id))
        assert TypeAdapter(ViewDocument).validate_json(made.to_json()) == made
        names = {each.id: each.name for each in made.classes}
        assert [(names[a.class_id], a.first, a.last) for a in made.actions] == [
            (a.name, a.first_frame, a.last_frame) for a in sequence.atomic_actions
        ]
        for shown, graph in zip(made.graphs, sequence.scene_graphs, strict=True):
            assert (shown.frame, shown.view) == (graph.frame, graph.view)
            objects = {each.id: each.name for each in shown.objects}
            triples = {
                (objects[each.subject], name, objects[each.object])
                for each in shown.relations
                for name in each.names
            }
            assert triples == set(graph.triples)
            for item, drawn in zip(graph.objects, shown.objects, strict=True):
                left, top, width, height = drawn.box or ()
                assert np.array([left, top, left + width, top + height]) * [
                    640, 480, 640, 480
                ] == pytest.approx(item.box.xyxy, abs=0.02)  # fmt: skip
        assert made.sequence.n_frames >= 1


def test_a_sequence_that_nothing_is_known_of_has_a_page(tmp_path: Path) -> None:
    dataset = Dataset(make_catalog(tmp_path / "c", [TakeSpec("p0001_r001_a001")]))
    made = document_of(dataset, "p0001_r001_a001")
    assert (made.sequence.n_frames, made.views, made.actions) == (1, (), ())


def test_problems_stand_at_the_moment_that_they_are_about(filmed: Path) -> None:
    made = document_of(Dataset(filmed), SEQUENCE)
    at = {(each.code, each.place.rpartition("#")[2]): each.frames for each in made.problems}
    assert at["HOM404", "/1"] == (31, 90)  # the action of that JSON pointer
    assert at["HOM404", "/2"] == (31, 150)  # its end lies past the end
    missing = next(each for each in made.problems if each.code == "HOM614")
    assert missing.frames == (60, 60)  # 1.97 s after the video begins
    length = next(each for each in made.problems if each.code == "HOM602")
    assert length.frames is None  # a length is no moment


def test_without_the_release_problems_keep_what_their_text_says(
    filmed: Path, tmp_path: Path
) -> None:
    made = document_of(Dataset(filmed, root=tmp_path), SEQUENCE)
    assert {each.frames for each in made.problems if each.code == "HOM404"} <= {
        None, (1, 30), (31, 90), (31, 150), (60, 120)
    }  # fmt: skip
    assert [each.frames for each in made.problems if each.code == "HOM614"] == [(60, 60)]


def test_a_strip_is_short_and_keeps_every_peak() -> None:
    values = np.zeros(50_000)
    values[[17, 30_001]] = 5.0, -3.0
    made = strip_column("x", np.arange(50_000) / 100, values)
    assert len(made.points) <= 1_100
    assert (made.low, made.high) == (-3.0, 5.0)
    assert {(0.17, 5.0), (300.01, -3.0)} <= set(made.points)
    assert made.points[0][0] == 0.0 and made.points[-1][0] == 499.99
    times = [time for time, _ in made.points]
    assert times == sorted(times)


def test_a_strip_spends_its_points_on_the_sequence(tmp_path: Path) -> None:
    rows = "".join(f"{k / 10:.1f},{k}\n" for k in range(36_000))
    (tmp_path / "s.csv").write_text("time_s,x\n" + rows)
    sensor = Sensor("gyro", "head", ("x",), 36_000, 0.0, 3_599.9, tmp_path / "s.csv")
    [column] = sensor_strip(sensor, 600).columns
    assert len(column.points) == 200 and (column.low, column.high) == (0.0, 199.0)
    late = Sensor("gyro", "head", ("x",), 1, 50.0, 50.0, tmp_path / "late.csv")
    (tmp_path / "late.csv").write_text("time_s,x\n50.0,1\n")
    assert sensor_strip(late, 600).missing == "no reading in the sequence"


def test_a_sensor_that_is_gone_leaves_a_word(filmed: Path, tmp_path: Path) -> None:
    made = document_of(Dataset(filmed, root=tmp_path), SEQUENCE)
    assert [bool(each.missing) for each in made.sensors] == [True]
    there = document_of(Dataset(filmed), SEQUENCE)
    assert [len(each.columns) for each in there.sensors] == [2]


def test_thirty_six_verbs_have_thirty_six_colours_and_readable_ink() -> None:
    assert len(set(PALETTE)) == len(PALETTE) == 36
    colours = verb_colours([f"verb{k}_cup" for k in range(36)])
    assert len(set(colours.values())) == 36
    for colour in PALETTE:
        light, dark = (_luminance(each) for each in (ink_on(colour), colour))
        contrast = (max(light, dark) + 0.05) / (min(light, dark) + 0.05)
        assert contrast >= 4.5


def _luminance(colour: str) -> float:
    parts = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
