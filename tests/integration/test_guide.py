"""What docs/guide.md shows works as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from homage_sdk import Dataset, ViewId
from homage_sdk.cli import app, run
from homage_sdk.ingest import ingest

GUIDE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text("utf-8")
CONSOLE = re.findall(r"^\$ homage (.*)$", GUIDE, re.MULTILINE)
PYTHON = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_of_the_guide_runs_in_its_order(
    small_release: Path,
    small_catalog: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = [sequence.id for sequence in Dataset(small_catalog)[:4]]
    release = shutil.copytree(small_release, tmp_path / "HOMAGE", copy_function=os.link)
    for video in release.rglob("*.mkv"):
        if ViewId.parse(video.stem).sequence not in few:
            video.unlink()  # that much less to read and to pack
    monkeypatch.chdir(tmp_path)
    assert len(CONSOLE) >= 16
    for command in CONSOLE:
        words = [
            word.replace("/data/HOMAGE", str(release)).replace("p0002_r001_a007", str(few[0]))
            for word in shlex.split(command)
        ]
        code = run(app, words)
        said = capsys.readouterr()
        # 1 is "done, and there is something to tell": the release has its ordinary mess.
        assert code in ((0, 1) if words[0] in ("validate", "ingest", "sync") else (0,)), (
            f"{command}: {code}\n{said.out}{said.err}"
        )
    for made in ("problems.csv", "known.json", "catalog", "page.html", "shards", "boxes.json"):
        assert (tmp_path / made).exists()


def test_every_snippet_of_the_guide_runs(
    small_release: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    ingest(small_release, tmp_path / "catalog")
    names: dict[str, object] = {}
    for snippet in PYTHON:
        exec(snippet, names)
    said = capsys.readouterr().out
    assert "(11, 120, 160, 3) (16000,)" in said
    assert "with both kinds of view" in said


def test_every_code_and_page_of_the_guide_exists() -> None:
    from homage_sdk.codes import CODES

    assert set(re.findall(r"HOM\d{3}", GUIDE)) <= CODES.keys()
    for code, title in re.findall(r"`(HOM\d{3}) ([^`]+)`", GUIDE):
        assert CODES[code].title == title
    root = Path(__file__).parents[2]
    assert [p for p in re.findall(r"`(docs/[\w./]+)`", GUIDE) if not (root / p).exists()] == []
