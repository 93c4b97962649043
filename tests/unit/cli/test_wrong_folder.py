"""Whatever folder a command is given: one line that says what it is and which command was meant."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from baselines.ccau.cli import app as ccau
from homage_sdk.cli import app as homage
from homage_sdk.cli import run
from tests.unit.release.tiny import whole

Make = Callable[[Path, Path, Path], object]


def _run(to: Path, *, ended: bool) -> None:
    (to / "checkpoint-last").mkdir(parents=True)
    for name in ("config.json", "metrics.jsonl", *(["run.json"] if ended else [])):
        (to / name).write_text("{}")


def _checkpoint(to: Path) -> None:
    to.mkdir()
    for name in ("manifest.json", "state.json", "model.safetensors"):
        (to / name).write_text("{}")


def _without(source: Path, to: Path, *names: str) -> None:
    shutil.copytree(source, to, ignore=shutil.ignore_patterns(*names))


def _begun(to: Path) -> None:
    (to / ".parts").mkdir(parents=True)


FOLDERS: dict[str, Make] = {
    "release": lambda catalog, shards, to: whole(to),
    "catalog": lambda catalog, shards, to: shutil.copytree(catalog, to),
    "shards": lambda catalog, shards, to: shutil.copytree(shards, to),
    "run": lambda catalog, shards, to: _run(to, ended=True),
    "half a catalog": lambda catalog, shards, to: _without(catalog, to, "catalog.json"),
    "half-packed shards": lambda catalog, shards, to: _begun(to),
    "shards without manifest": lambda catalog, shards, to: _without(shards, to, "manifest.json"),
    "half a run": lambda catalog, shards, to: _run(to, ended=False),
    "a checkpoint": lambda catalog, shards, to: _checkpoint(to),
    "part of a release": lambda catalog, shards, to: whole(to.parent).atomic.rename(
        to.parent / "annotation_files" / "it"
    ),
    "nothing": lambda catalog, shards, to: to.mkdir(),
    "holiday": lambda catalog, shards, to: (to / "2021").mkdir(parents=True),
    "a file": lambda catalog, shards, to: to.write_text("mine"),
    "not there": lambda catalog, shards, to: None,
}

HALF = {
    "half a catalog": "homage ingest",
    "half-packed shards": "homage pack",
    "shards without manifest": "homage repair",
    "half a run": "ccau train",
    "a checkpoint": "name the run",
    "part of a release": "name that folder",
}
WANTED = {
    "release": {"catalog": "homage info", "shards": "homage verify", "run": "ccau evaluate"},
    "catalog": {"release": "homage ingest", "shards": "homage verify", "run": "ccau evaluate"},
    "shards": {"release": "homage ingest", "catalog": "homage pack", "run": "ccau evaluate"},
    "run": {"release": "homage validate", "catalog": "homage info", "shards": "ccau train"},
}
"""By what a command wants: the command that the line names for each other kind."""
MAKES = {
    "release": "homage",
    "catalog": "homage ingest",
    "shards": "homage pack",
    "run": "ccau train",
}

COMMANDS: dict[str, tuple[str, ...]] = {
    "homage ingest FOLDER OUT": ("release",),
    "homage validate FOLDER": ("release", "catalog"),
    "homage info FOLDER": ("release", "catalog", "shards", "run"),
    "homage verify FOLDER": ("catalog", "shards"),
    "homage migrate FOLDER": ("catalog",),
    "homage stats FOLDER": ("catalog",),
    "homage show FOLDER": ("catalog",),
    "homage query FOLDER FROM_views": ("catalog",),
    "homage find FOLDER pour": ("catalog",),
    "homage export FOLDER OUT --to csv": ("catalog",),
    "homage sync FOLDER": ("catalog",),
    "homage view FOLDER p0001_r001_a001": ("catalog",),
    "homage report FOLDER OUT": ("catalog",),
    "homage pack FOLDER OUT": ("catalog",),
    "homage repair SHARDS FOLDER": ("catalog",),
    "homage repair FOLDER CATALOG": ("shards",),
    "ccau train demo --shards FOLDER --out OUT": ("shards",),
    "ccau doctor demo --shards FOLDER": ("shards",),
    "ccau arms FOLDER OUT --size tiny --only single_activity --seeds 1": ("shards",),
    "ccau evaluate FOLDER --shards SHARDS": ("run",),
    "ccau fewshot FOLDER --shards SHARDS": ("run",),
    "ccau report CATALOG FOLDER OUT": ("run",),
    "ccau report FOLDER RUN OUT": ("catalog",),
}


@pytest.fixture(scope="module")
def folders(
    example: Path, barcode_shards: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("folders")
    made = {}
    for number, (name, make) in enumerate(FOLDERS.items()):
        made[name] = root / f"w{number}" / "it"
        made[name].parent.mkdir()
        make(example, barcode_shards, made[name])
    made["part of a release"] = made["part of a release"].parent / "annotation_files" / "it"
    return made


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_folder_is_named_with_the_command_that_was_meant(
    command: str, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry, *words = command.split()
    wanted = COMMANDS[command]
    places = {
        "OUT": tmp_path / "out",
        "SHARDS": folders["shards"],
        "CATALOG": folders["catalog"],
        "RUN": folders["run"],
    }
    for name, folder in folders.items():
        if name in wanted or (name == "shards without manifest" and "repair" in words):
            continue
        arguments = [str(places.get(w, folder if w == "FOLDER" else w)) for w in words]
        code = run(homage if entry == "homage" else ccau, arguments)
        captured = capsys.readouterr()
        said = captured.err + captured.out
        reports = "verify" in words and "shards" in name
        assert code == (1 if reports else 2), (name, said)
        assert str(folder) in said and "Traceback" not in said, (name, said)
        errors = [line for line in captured.err.splitlines() if line.startswith("error ")]
        assert reports or (len(errors) == 1 and str(folder) in errors[0]), (name, said)
        if name in HALF:
            assert HALF[name] in said, (name, said)
        elif len(wanted) == 1:
            meant = WANTED[wanted[0]].get(name, MAKES[wanted[0]])
            assert meant in said, (name, said)
    assert not (tmp_path / "out").exists()
