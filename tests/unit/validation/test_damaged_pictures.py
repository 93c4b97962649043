"""What validation says of damaged pictures, packing does; a sample finds a part of it."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from homage_sdk.cli import app
from homage_sdk.dataset.dataset import Dataset
from homage_sdk.ingest import ingest
from homage_sdk.media.check_pictures import check_pictures
from homage_sdk.shards import ShardSet, pack
from homage_sdk.shards.format.pack_options import PackOptions
from homage_sdk.shards.packing.encode import chosen_frames
from tests.unit.media.test_damage import KINDS, noise
from tests.unit.media.videos import remux, write_video
from tests.unit.release.tiny import Tiny

N_FRAMES = 300
VIEW = "p0001_r001_v{:03d}_a001"


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of a sequence: each view of another kind, broken by a seeded draw."""
    folder = tmp_path_factory.mktemp("damaged")
    tiny = Tiny(folder / "release")
    tiny.list("train", ["p0001_r001_a001,make_tea"])
    kinds = [how for name, how in KINDS.values() if name == "a.mkv"]
    for view, how in enumerate([*kinds, *kinds, {}]):
        draw, count = np.random.default_rng(view), iter(range(10_000))
        hit = set(draw.choice(N_FRAMES, 4, replace=False).tolist()) if view < 2 * len(kinds) else ()
        lost = int(draw.integers(N_FRAMES)) if view >= len(kinds) else N_FRAMES

        def change(packet: av.Packet) -> av.Packet | None:
            n = next(count)  # noqa: B023 - used at once
            if lost <= n < lost + 20 and view < 2 * len(kinds):  # noqa: B023
                return None
            return noise(packet) if n in hit else packet  # noqa: B023

        whole = write_video(folder / "whole.mkv", **{"frames": N_FRAMES, "size": (96, 64), **how})
        remux(tiny.video(VIEW.format(view)), whole, change)
    return folder


@pytest.mark.slow
def test_packing_marks_what_decoding_everything_reports_and_a_sample_a_part(damaged: Path) -> None:
    ingest(damaged / "release", damaged / "catalog")
    dataset = Dataset(damaged / "catalog")
    pack(dataset, damaged / "shards", PackOptions(short_side=32, stride=1), workers=1)
    (sample,) = ShardSet.open(damaged / "shards").samples
    assert len(sample.views) == len(dataset["p0001_r001_a001"].views)
    n_marks = n_sampled = 0
    for packed in sample.views:
        view = dataset["p0001_r001_a001"].view(packed.number)
        everything = check_pictures(view.file(), view.index, everything=True)
        sampled = check_pictures(view.file(), view.index, everything=False)
        assert everything.n_decoded == len(view.index) > sampled.n_decoded > 0
        assert sampled.positions <= everything.positions
        shown, there = chosen_frames(view.index, 1, None, 1)
        expected = {
            k
            for k, (position, near) in enumerate(zip(shown.tolist(), there, strict=True))
            if not near or position in everything.positions
        }
        marks = {k for first, stop in packed.gaps for k in range(first, stop)}
        assert marks == expected
        n_marks, n_sampled = n_marks + len(marks), n_sampled + len(sampled.positions)
    assert n_marks > 50 and n_sampled > 0 and not sample.views[-1].gaps


@pytest.mark.slow
def test_the_report_names_places_and_the_share_not_looked_at(damaged: Path) -> None:
    def found(*words: str) -> tuple[dict[str, str], dict[str, int]]:
        result = CliRunner().invoke(
            app, ["validate", str(damaged / "release"), "--deep", "--format", "json", *words]
        )
        document = json.loads(result.stdout)
        problems = {p["file"]: p["found"] for p in document["problems"] if p["code"] == "HOM616"}
        return problems, document["pictures"]

    everything, counts = found("--decode", "all")
    assert counts["decoded"] == counts["of"] > 1000
    for file, text in everything.items():
        path = damaged / "release" / file
        with av.open(str(path)) as container:
            assert container.streams.video
        assert "picture" in text and " s" in text
    sampled, counts = found()
    assert 0 < counts["decoded"] < counts["of"]
    assert sampled.keys() <= everything.keys() and len(everything) >= 4
    nothing, counts = found("--decode", "none")
    assert not nothing and counts["decoded"] == 0
