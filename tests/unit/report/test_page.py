"""The dataset's page is written for whatever a catalog holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from homage_sdk import Dataset
from homage_sdk.ingest import ingest
from homage_sdk.report.dataset_page import dataset_sections
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
