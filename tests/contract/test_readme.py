"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.command import run

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
CONSOLE = re.findall(r"^\$ (homage|ccau) (\S+)", README, re.MULTILINE)


def test_the_sdk_example_runs(small_catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small_catalog.parent)
    names: dict[str, object] = {}
    exec(PYTHON[0], names)
    assert len(names["train"]) > 0  # type: ignore[arg-type]


def test_the_webdataset_example_runs(small_shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small_shards.parent)
    ego_only = PYTHON[1].replace('sample["v000.mp4"]', 'sample.get("v000.mp4")')
    assert ego_only != PYTHON[1]
    names: dict[str, object] = {}
    exec(ego_only, names)  # one sequence of the release has no ego view
    assert names["meta"]


@pytest.mark.parametrize(("program", "command"), sorted(set(CONSOLE)))
def test_every_command_it_names_exists(program: str, command: str) -> None:
    assert run(program, command, "--help").returncode == 0


def test_every_page_it_names_exists() -> None:
    pages = set(re.findall(r"`((?:docs|tools|baselines|schemas)/[\w./]*)`", README))
    assert len(pages) > 8
    assert [p for p in sorted(pages) if not (Path(__file__).parents[2] / p).exists()] == []
