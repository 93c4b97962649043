"""The dataset's page is written for whatever a catalog holds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from homage_sdk import Dataset, Sequence
from homage_sdk.cli import run
from homage_sdk.cli.command import app
from homage_sdk.ingest import ingest
from homage_sdk.report.dataset_page import dataset_sections, example_sequence
from tests.unit.release.tiny import Tiny, action


def _lists(tiny: Tiny) -> None:
    tiny.list("train", "p0001_r001_a001,make_tea")


def _labels(tiny: Tiny) -> None:
    tiny.actions("p0001_r001_a001", action("take cup", 31, 90))


def _no_action(tiny: Tiny) -> None:
    _lists(tiny)
    tiny.actions("p0001_r001_a001")


@pytest.mark.parametrize("make", [_lists, _labels, _no_action])
def test_a_page_of_next_to_nothing_names_its_sequence(tmp_path: Path, make: object) -> None:
    tiny = Tiny(tmp_path / "r")
    make(tiny)  # type: ignore[operator]
    ingest(tiny.root, tmp_path / "c", media=False)
    sections = dataset_sections(Dataset(tmp_path / "c"))
    assert "p0001_r001_a001" in sections[-1].title


def test_the_spectrogram_spans_what_the_lanes_span(
    small_catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans: list[float] = []
    monkeypatch.setattr(
        "homage_sdk.report.dataset_page.spectrogram_url",
        lambda samples, rate: spans.append(len(samples) / rate) or "",
    )
    longer = next(
        s
        for s in Dataset(small_catalog).having(audio=True)
        if max((a.last_frame for a in s.atomic_actions), default=0) > s.n_frames
    )
    dataset_sections(Dataset(small_catalog), sequence=longer)
    assert spans == [pytest.approx(max(a.interval.end_s() for a in longer.atomic_actions))]


@pytest.fixture
def moved(small_release: Path, small_catalog: Path, tmp_path: Path) -> Path:
    """A copy of the release, for ``--root``: its files may be broken or removed."""
    return Path(shutil.copytree(small_release, tmp_path / "moved", copy_function=os.link))


def report(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    capsys.readouterr()
    code = run(app, ["report", *map(str, words)])
    return code, capsys.readouterr().err


def videos_of(sequence: Sequence, root: Path) -> list[Path]:
    return [next(root.rglob(view.path.name)) for view in sequence.views if view.path]


def test_a_page_without_any_of_its_media_says_why_and_exits_1(
    small_catalog: Path, moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sequence = example_sequence(Dataset(small_catalog))
    assert sequence is not None
    for video in videos_of(sequence, moved):
        video.unlink()
        video.write_bytes(b"no video")  # found, so that the place of ingest is not looked at
    page = tmp_path / "page.html"
    asked = (small_catalog, page, "--sequence", sequence.id, "--root", moved)
    code, said = report(capsys, *asked)
    assert code == 1
    for view in sequence.views:
        assert str(view.id) in said and str(view.id) in page.read_text()
    assert "sound: 1 not shown" in said and "no picture and no sound" in said
    graph = max(sequence.scene_graphs, key=lambda g: len(g.relationships))
    assert graph.triples and all(t[1] in page.read_text() for t in graph.triples), "labels stay"


def test_a_page_with_a_part_of_its_media_names_what_is_missing(
    small_catalog: Path, moved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sequence = example_sequence(Dataset(small_catalog))
    assert sequence is not None and len(sequence.views) > 1
    asked = (small_catalog, tmp_path / "page.html", "--sequence", sequence.id, "--root", moved)
    assert report(capsys, *asked) == (0, "")
    gone = videos_of(sequence, moved)[-1]
    gone.unlink()
    gone.write_bytes(b"no video")
    code, said = report(capsys, *asked)
    lines = said.splitlines()
    assert code == 0 and len(lines) == 1 and str(sequence.views[-1].id) in lines[0]


def test_the_sequence_that_is_shown_by_default_has_media_that_are_there(
    moved: Path, tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog"
    ingest(moved, catalog)
    first = example_sequence(Dataset(catalog))
    assert first is not None
    for video in videos_of(first, moved):
        video.unlink()
    second = example_sequence(Dataset(catalog))
    assert second is not None and second.id != first.id
    assert any(view.is_available for view in second.views)
    moved.rename(tmp_path / "elsewhere")
    assert example_sequence(Dataset(catalog)) == first, "none is there: as before"
