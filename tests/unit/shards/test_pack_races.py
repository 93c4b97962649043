"""Others write while we pack, at the worst moment."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homage_sdk.errors import CatalogError, StorageError
from homage_sdk.shards import pack, verify
from homage_sdk.shards.packing import pack as packing
from homage_sdk.shards.packing.plan import make_plan
from homage_sdk.shards.packing.survey import Survey
from homage_sdk.storage.folder_swap import new_folder
from tests.unit.shards.test_pack import tree
from tests.unit.shards.test_repack import TINY, Place, correct, place

__all__ = ["place"]


def test_two_packs_that_meet_end_with_one_set_of_shards(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one packs it all between our first look and our lock."""
    real, moments, made = packing.holding, ["now"], []

    @contextmanager
    def late(*arguments: object, **more: object) -> Iterator[Path]:
        if moments:
            moments.clear()
            made.append(pack(place.dataset, place.shards, TINY, workers=1).made)
            place.encoded.clear()
        with real(*arguments, **more) as folder:  # type: ignore[arg-type]
            yield folder

    monkeypatch.setattr(packing, "holding", late)
    summary = pack(place.dataset, place.shards, TINY, workers=1)
    assert made == [3] and summary.made == 0 and place.encoded == []
    place.require_fresh()


def test_the_fingerprint_is_of_what_the_handle_reads(place: Place) -> None:
    opened = place.dataset
    before = make_plan(opened, TINY).dataset
    place.label("p0003_r000_a004", correct)
    now = make_plan(place.ingest(), TINY).dataset
    assert before != now
    assert make_plan(opened, TINY).dataset == before


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_catalog_that_is_rebuilt_during_a_pack_is_said_and_never_mixed(
    place: Place, workers: int
) -> None:
    def rebuild(found: Survey) -> None:
        place.label("p0003_r000_a004", correct)
        place.ingest()

    with pytest.raises(CatalogError, match="rebuilt"):
        pack(place.dataset, place.shards, TINY, workers=workers, starting=rebuild)
    place.pack()
    place.require_fresh()


@pytest.mark.slow
def test_a_catalog_rebuilt_when_all_was_read_gives_the_shards_of_the_old_one(place: Place) -> None:
    pack(place.dataset, place.folder / "old", TINY, workers=1)

    def rebuild(done: int, total: int) -> None:
        if done == total:
            place.label("p0003_r000_a004", correct)
            place.ingest()

    pack(place.dataset, place.shards, TINY, workers=1, progress=rebuild)
    assert tree(place.shards) == tree(place.folder / "old")
    assert place.pack() == {"val-00000.tar"}
    place.require_fresh()
    assert verify(place.shards, deep=True) == []


def test_a_dataset_in_another_process_is_of_the_same_state_or_an_error(place: Place) -> None:
    travelling = pickle.dumps(place.dataset.split("val"))
    assert pickle.loads(travelling).info == place.dataset.info
    place.label("p0003_r000_a004", correct)
    place.ingest()
    with pytest.raises(CatalogError):
        pickle.loads(travelling)


@pytest.mark.parametrize("is_ours", [False, True])
def test_a_folder_made_where_one_is_about_to_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_ours: bool
) -> None:
    """It comes between the last look and the rename."""
    target, real = tmp_path / "target", Path.rename

    def ours(folder: Path) -> list[str]:
        return ["made.txt"] if (folder / "made.txt").exists() else []

    if is_ours:
        target.mkdir()
        (target / "made.txt").write_text("old")

    def rename(self: Path, to: Path) -> Path:
        if to == target and not (target / "theirs.txt").exists():
            target.mkdir(exist_ok=True)
            (target / "theirs.txt").write_text("theirs")
        return real(self, to)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(StorageError), new_folder(target, ours if is_ours else None) as folder:
        (folder / "made.txt").write_text("new")
    monkeypatch.undo()
    assert (target / "theirs.txt").read_text() == "theirs"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["val-00000.tar", "manifest.json"])
def test_a_file_that_comes_to_a_new_folder_while_we_pack_stays(place: Place, name: str) -> None:
    def come(done: int, total: int) -> None:
        if done == total:
            (place.shards / name).write_text("theirs")

    with pytest.raises(StorageError, match="not ours"):
        pack(place.dataset, place.shards, TINY, workers=1, progress=come)
    assert (place.shards / name).read_text() == "theirs"
    (place.shards / name).unlink()
    place.pack()
    assert place.encoded == [], "what was finished is kept"
    place.require_fresh()
