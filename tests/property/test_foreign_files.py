"""Files that we did not write survive every command, wherever they lie in and above its target."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from baselines.ccau.runs.checkpoint import Identity, save
from baselines.ccau.runs.run_folder import begin
from homage_sdk import Dataset
from homage_sdk.catalog import Catalog
from homage_sdk.catalog.migrate import migrate
from homage_sdk.catalog.tables import verify_catalog
from homage_sdk.cli import app, run
from homage_sdk.errors import HomageError, StorageError
from homage_sdk.export import export
from homage_sdk.ingest import ingest
from homage_sdk.shards import PackOptions, pack, repair
from homage_sdk.testing import write_labels
from tests.command import tree
from tests.unit.catalog.test_migrate import OLD, age, step
from tests.unit.release.tiny import Tiny, action, whole

LABELS = PackOptions(views=(9,), audio=False, min_shards=1)
"""What needs no video: no take has a view of that number."""


class Place(NamedTuple):
    """Where a command works: its input, and the target among other people's files."""

    release: Tiny
    catalog: Path
    target: Path


def ingest_again(place: Place) -> None:
    ingest(place.release.root, place.target, media=False)
    place.release.actions("p0009_r001_a001", action())
    ingest(place.release.root, place.target, media=False)
    assert verify_catalog(place.target) == []


def migrate_old(place: Place) -> None:
    age(place.target)
    migrate(place.target, steps={OLD: step})
    assert verify_catalog(place.target) == []


def pack_again(place: Place) -> None:
    pack(Dataset(place.catalog), place.target, LABELS, workers=1)


def repair_shard(place: Place) -> None:
    next(place.target.glob("*.tar")).unlink()
    (place.target / ".parts").mkdir(exist_ok=True)
    repair(place.target, Dataset(place.catalog), workers=1)


def new_start(place: Place) -> None:
    begin(place.target, {"config": {}})


def save_again(place: Place) -> None:
    identity = Identity(config={}, classes={"activity": (), "atomic": ()}, shards="")
    weights = {"model": {"w": torch.zeros(2)}}
    save(place.target / "checkpoint-last", files=weights, state={}, identity=identity)


def a_run(place: Place) -> None:
    place.target.mkdir(exist_ok=True)
    for name in ("config.json", "run.json", "metrics.jsonl", "results.json"):
        (place.target / name).write_text("{}")
    save_again(place)


def export_to(to: str) -> Callable[[Place], None]:
    def act(place: Place) -> None:
        out = place.target / "coco.json" if to == "coco" else place.target
        export(Dataset(place.catalog), to, out)

    return act


def report(place: Place) -> None:
    assert run(app, ["report", str(place.catalog), str(place.target / "page.html")]) == 0


def synth(place: Place) -> None:
    write_labels(place.target, scale="tiny", seed=1, placeholders=False)


def synth_again(place: Place) -> None:
    write_labels(place.target, scale="tiny", seed=2, placeholders=False, force=True)


def a_catalog(place: Place) -> None:
    shutil.copytree(place.catalog, place.target)


def nothing(place: Place) -> None:
    place.target.mkdir()


COMMANDS: dict[str, tuple[Callable[[Place], None], Callable[[Place], None]]] = {
    "ingest": (nothing, ingest_again),
    "re-ingest": (a_catalog, ingest_again),
    "migrate": (a_catalog, migrate_old),
    "pack": (nothing, pack_again),
    "pack again": (pack_again, pack_again),
    "repair": (pack_again, repair_shard),
    "train --fresh": (a_run, new_start),
    "checkpoint": (a_run, save_again),
    "export csv": (export_to("csv"), export_to("csv")),
    "export action-genome": (export_to("action-genome"), export_to("action-genome")),
    "export coco": (nothing, export_to("coco")),
    "report": (nothing, report),
    "synth": (nothing, synth),
    "synth --force": (synth, synth_again),
}
"""What is there before, and the command."""


def scatter(rng: random.Random, above: Path, target: Path) -> dict[Path, str]:
    """Lay random files and folders in and above ``target``; their texts by path."""
    there = [above, target, *(p for p in sorted(target.rglob("*")) if p.is_dir())]
    foreign = {}
    for number in range(12):
        folder = rng.choice(there)
        if rng.random() < 0.4:
            folder /= rng.choice(["old shards", "sub", ".hidden", "checkpoint-8", "a.parquet.d"])
            folder.mkdir(exist_ok=True)
            there.append(folder)
        name = rng.choice(["notes.txt", "mine.parquet", "x-00001.tar", ".tmp-mine", "data.json"])
        path = folder / f"{number}-{name}" if rng.random() < 0.5 else folder / name
        path.write_text(text := f"{number}")
        foreign[path] = text
    return foreign


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("command", COMMANDS)
def test_foreign_files_survive(tmp_path: Path, command: str, seed: int) -> None:
    release = whole(tmp_path / "release")
    ingest(release.root, tmp_path / "catalog", media=False)
    place = Place(release, tmp_path / "catalog", tmp_path / "above" / "target")
    place.target.parent.mkdir()
    before, act = COMMANDS[command]
    before(place)
    was_empty = not any(place.target.iterdir())
    foreign = scatter(random.Random(seed), tmp_path / "above", place.target)
    if any(path.is_relative_to(place.target) for path in foreign) and was_empty:
        try:
            act(place)
        except HomageError:
            pass  # a folder of other files is no place for these
        else:
            assert command in ("export coco", "report")
    else:
        act(place)
    assert {path: path.read_text() for path in foreign} == foreign


def test_shards_and_notes_in_a_catalog_survive_the_next_ingest(tmp_path: Path) -> None:
    release, catalog = whole(tmp_path / "r"), tmp_path / "c"
    ingest(release.root, catalog, media=False)
    pack(Dataset(catalog), catalog / "shards", LABELS, workers=1)
    (catalog / "notes.md").write_text("what I found")
    before = tree(catalog / "shards")
    release.actions("p0009_r001_a001", action())
    ingest(release.root, catalog, media=False)
    assert tree(catalog / "shards") == before
    assert (catalog / "notes.md").read_text() == "what I found"
    ingest(release.root, tmp_path / "fresh", media=False)
    shutil.rmtree(catalog / "shards")
    (catalog / "notes.md").unlink()
    assert tree(catalog) == tree(tmp_path / "fresh")


@pytest.mark.parametrize("inside", ["c/download", "c"])
def test_a_download_inside_the_catalog_is_refused_before_it_is_read(
    tmp_path: Path, inside: str
) -> None:
    catalog = tmp_path / "c"
    ingest(whole(tmp_path / "r").root, catalog, media=False)
    release = whole(tmp_path / inside)
    before = tree(tmp_path)

    def read(done: int, total: int) -> None:
        pytest.fail("a file of the release was read")

    with pytest.raises(StorageError):
        ingest(release.root, catalog, media=False, progress=read)
    assert tree(tmp_path) == before


def test_a_catalog_inside_the_download_is_refused(tmp_path: Path) -> None:
    release = whole(tmp_path / "r")
    before = tree(tmp_path)
    with pytest.raises(StorageError):
        ingest(release.root, release.root / "catalog", media=False)
    assert tree(tmp_path) == before
    assert not (release.root / "catalog").exists()


def test_a_linked_catalog_stays_one_catalog(tmp_path: Path) -> None:
    release = whole(tmp_path / "r")
    (tmp_path / "disk").mkdir()
    (tmp_path / "c").symlink_to("disk")
    (tmp_path / "later").symlink_to("disk2/not/yet")
    for link, end in (("c", "disk"), ("later", "disk2/not/yet")):
        ingest(release.root, tmp_path / link, media=False)
        release.actions("p0009_r001_a001", action())
        ingest(release.root, tmp_path / link, media=False)
        assert (tmp_path / link).is_symlink()
        assert Catalog(tmp_path / link).info == Catalog(tmp_path / end).info


def test_a_catalog_json_of_something_else_is_not_ours(tmp_path: Path) -> None:
    release = whole(tmp_path / "r")
    (tmp_path / "c").mkdir()
    for text in ('{"name": "my books"}', "not JSON", '{"files": {"../r/x": {}}}'):
        (tmp_path / "c" / "catalog.json").write_text(text)
        with pytest.raises(StorageError):
            ingest(release.root, tmp_path / "c", media=False)
        assert (tmp_path / "c" / "catalog.json").read_text() == text


def test_a_catalog_cannot_name_files_of_others_as_its_own(tmp_path: Path) -> None:
    release, catalog = whole(tmp_path / "r"), tmp_path / "c"
    ingest(release.root, catalog, media=False)
    document = json.loads((catalog / "catalog.json").read_text())
    document["files"]["../diary"] = document["files"]["views"]
    (catalog / "catalog.json").write_text(json.dumps(document))
    (tmp_path / "diary.parquet").write_text("mine")
    ingest(release.root, catalog, media=False)
    assert (tmp_path / "diary.parquet").read_text() == "mine"


def test_an_open_catalog_that_is_rebuilt_says_so_and_never_mixes(tmp_path: Path) -> None:
    release, catalog = whole(tmp_path / "r"), tmp_path / "c"
    ingest(release.root, catalog, media=False)
    handle = Catalog(catalog)
    before = handle.table("sequences")
    release.actions("p0009_r001_a001", action())
    ingest(release.root, catalog, media=False)
    assert handle.table("sequences") == before, "what is open stays what it is"
    for name in ("atomic_actions", "views"):
        with pytest.raises(HomageError, match="open it again"):
            handle.table(name)
    assert Catalog(catalog).table("sequences").num_rows == before.num_rows + 1


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before the commit", "after it"])
def test_a_stopped_ingest_says_what_it_left(tmp_path: Path, when: str) -> None:
    release, catalog = whole(tmp_path / "r"), tmp_path / "c"
    ingest(release.root, catalog, media=False)
    before = tree(catalog)
    release.actions("p0009_r001_a001", action())
    calls = {"before the commit": "rename", "after it": "replace"}
    program = f"""
import os
from homage_sdk.cli import app, run
real = os.{calls[when]}
def stop(source, target, *rest, **more):
    if ".tmp-" in str(source) and "catalog.json" in os.listdir(os.path.dirname(str(target))):
        raise KeyboardInterrupt
    return real(source, target, *rest, **more)
os.{calls[when]} = stop
raise SystemExit(run(app, ["ingest", {str(release.root)!r}, {str(catalog)!r}, "--no-media"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 130, done.stderr
    rebuilt = Catalog(catalog).table("sequences").num_rows == 3
    assert rebuilt == (when == "after it")
    assert ("as before" in done.stderr) != rebuilt
    if not rebuilt:
        assert tree(catalog) == before
