"""An export's pictures are the frames its boxes were drawn on."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from homage_sdk import Dataset, Frame
from homage_sdk.cli import app, run
from homage_sdk.errors import UsageError
from homage_sdk.export import coco_document, export_pictures


def test_each_image_of_the_document_is_there_and_is_the_frame(
    small_catalog: Path, tmp_path: Path
) -> None:
    ds = Dataset(small_catalog).having(scene_graphs=True)[:2]
    counts = export_pictures(ds, "coco", tmp_path / "pictures")
    document = coco_document(ds)
    assert counts["pictures"] == len(document["images"]) > 5
    for image in document["images"]:
        picture = cv2.imread(str(tmp_path / "pictures" / image["file_name"]))
        assert picture.shape[:2] == (image["height"], image["width"])
        frame = ds[image["sequence"]].view(image["view"]).image(Frame(image["frame"]))
        error = np.abs(picture[..., ::-1].astype(int) - frame).mean()
        assert error < 4, "JPEG at quality 95"


def test_png_pictures_of_action_genome_are_exact(small_catalog: Path, tmp_path: Path) -> None:
    ds = Dataset(small_catalog).having(scene_graphs=True)[:1]
    export_pictures(ds, "action-genome", tmp_path / "frames")
    graph = ds[0].scene_graphs[0]
    name = f"{ds[0].id.view(graph.view)}.mp4/{graph.frame:06d}.png"
    picture = cv2.imread(str(tmp_path / "frames" / name))
    np.testing.assert_array_equal(
        picture[..., ::-1], ds[0].view(graph.view).image(Frame(graph.frame))
    )


def test_labels_without_media_are_counted_and_the_exit_code_says_so(
    small_catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", str(small_catalog), str(tmp_path / "x.json"), "--to", "coco"]
    (tmp_path / "empty").mkdir()
    arguments += ["--pictures", str(tmp_path / "p"), "--root", str(tmp_path / "empty")]
    assert run(app, arguments) == 1
    out = capsys.readouterr().out
    n = Dataset(small_catalog).table("frames").num_rows
    assert re.search(r"pictures:?\s+0\b", out)
    assert re.search(rf"the video is not there:?\s+{n}\b", out)
    assert (tmp_path / "x.json").exists()


def test_pictures_replace_pictures_and_nothing_else(small_catalog: Path, tmp_path: Path) -> None:
    ds = Dataset(small_catalog, root=tmp_path)[:1]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="no earlier export"):
        export_pictures(ds, "coco", tmp_path / "mine")
    assert (tmp_path / "mine" / "photo.jpg").exists()
    export_pictures(ds, "coco", tmp_path / "out")
    export_pictures(ds, "coco", tmp_path / "out")
    with pytest.raises(UsageError, match="names no pictures"):
        export_pictures(ds, "csv", tmp_path / "out")
