"""Shards that are packed again under an open handle: the old ones, or one line that says so."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from homage_sdk import Dataset
from homage_sdk.errors import ShardError
from homage_sdk.loader import ClipLoader, LoaderOptions, webdataset_stream
from homage_sdk.shards import PackOptions, ShardSet, pack, verify
from homage_sdk.shards.format import far
from homage_sdk.shards.format.manifest import MANIFEST
from homage_sdk.storage import exclusive
from homage_sdk.storage.commit import replacing
from tests.conftest import once

Content = dict[str, bytes]


@pytest.fixture(scope="module")
def others(shared_folder: Path, barcode_catalog: Path) -> Path:
    """Shards of the same names and samples as ``barcode_shards``, and of other bytes."""

    def make(out: Path) -> None:
        pack(Dataset(barcode_catalog), out, PackOptions(short_side=64, min_shards=3), workers=1)

    return once(shared_folder, "other_shards", make)


@pytest.fixture
def folder(barcode_shards: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(barcode_shards, tmp_path / "shards"))


def update(folder: Path, source: Path) -> None:
    """Give ``folder`` the files of ``source``, as packing does it."""
    with replacing(folder, os.listdir, lambda _: None, first=MANIFEST) as staged:
        shutil.copytree(source, staged, dirs_exist_ok=True)


def content(shards: ShardSet) -> Content:
    """Two members of two samples from two shards."""
    first = shards.samples[0]
    keys = [first.key, next(s.key for s in shards.samples if s.shard != first.shard)]
    return {f"{key}.{f}": shards.read(key, f) for key in keys for f in shards.members(key)[:2]}


@contextmanager
def at_call(n: int, act: Callable[[], None]) -> Iterator[list[str]]:
    """Let ``act`` happen at the n-th call out of ``shard_set``; gives the calls that were made."""
    calls: list[str] = []
    where = ShardSet.read.__code__.co_filename

    def profile(frame: FrameType, event: str, called: Any) -> None:
        caller = frame if event == "c_call" else frame.f_back
        if event not in ("call", "c_call") or caller is None:
            return
        if caller.f_code.co_filename == where:
            calls.append(str(called or frame.f_code.co_name))
            if len(calls) == n:
                sys.setprofile(None)
                act()
                sys.setprofile(profile)

    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@pytest.mark.slow
def test_whatever_the_moment_all_that_is_read_is_of_one_state(
    folder: Path, barcode_shards: Path, others: Path
) -> None:
    old, new = (content(ShardSet.open(each)) for each in (barcode_shards, others))
    assert old.keys() == new.keys() and old != new
    seen, n = [], 0
    while True:
        n += 1
        update(folder, barcode_shards)
        with at_call(n, lambda: update(folder, others)) as calls:
            try:
                found = content(ShardSet.open(folder))
                seen.append("old" if found == old else "new" if found == new else "mixed")
            except ShardError as error:
                seen.append("told" if "rebuilt" in str(error) else str(error))
        if len(calls) < n:
            break
    assert n > 60 and set(seen) == {"old", "new", "told"}, (calls[: n + 1], seen)


@pytest.mark.parametrize("carry", [lambda it: it, lambda it: pickle.loads(pickle.dumps(it))])
@pytest.mark.parametrize("read_before", [False, True])
def test_a_handle_and_its_copies_say_that_the_shards_were_rebuilt(
    folder: Path, others: Path, carry: Callable[[ShardSet], ShardSet], read_before: bool
) -> None:
    shards = ShardSet.open(folder)
    before = content(shards) if read_before else None
    update(folder, others)
    carried = carry(shards)
    if read_before and carried is shards:
        assert content(carried) == before  # its files are open
    else:
        with pytest.raises(ShardError, match="rebuilt while they were open") as caught:
            content(carried)
        assert "repair" not in str(caught.value)
    again = ShardSet.open(folder)
    assert content(again) != before and again.fingerprint != shards.fingerprint


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_says_that_the_shards_were_rebuilt(
    folder: Path, others: Path, workers: int
) -> None:
    options = LoaderOptions(mode="eval", batch_size=1, blocks=4, size=64, workers=workers)
    loader = ClipLoader(ShardSet.open(folder), options)
    update(folder, others)
    with pytest.raises(ShardError, match="rebuilt while they were open"):
        list(loader)
    loader.close()


@pytest.mark.parametrize("url", ["{}", "file://{}"])
def test_a_stream_says_that_the_shards_were_rebuilt(folder: Path, others: Path, url: str) -> None:
    options = LoaderOptions(mode="eval", batch_size=1, blocks=4, size=64)
    stream = webdataset_stream(url.format(folder), options)
    update(folder, others)
    with pytest.raises(ShardError, match="rebuilt while they were open"):
        list(stream)


def test_far_shards_that_are_rebuilt_while_they_are_fetched_are_no_damage(
    folder: Path, others: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/rebuilt", recursive=True)
    plain = far.FarFolder.parts

    def parts(self: far.FarFolder, name: str, *rest: Any) -> Any:
        if name.endswith(".tar"):
            memory.rm("/rebuilt", recursive=True)
            memory.put(str(others), "/rebuilt", recursive=True)
        return plain(self, name, *rest)

    monkeypatch.setattr(far.FarFolder, "parts", parts)
    with pytest.raises(ShardError, match="rebuilt while they were open"):
        ShardSet.open("memory://rebuilt", cache=tmp_path / "cache")
    monkeypatch.undo()
    fetched = ShardSet.open("memory://rebuilt", cache=tmp_path / "cache")
    assert content(fetched) == content(ShardSet.open(others))


def test_files_that_are_moved_to_their_places_while_shards_are_opened_are_no_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is looked for where a commit put it, and has just left there."""
    whole, committed, real = ShardSet.open(folder).manifest, folder / ".tmp-commit", Path.exists
    committed.mkdir()
    for file in whole.files:
        (folder / file.name).rename(committed / file.name)

    def exists(self: Path) -> bool:
        found = real(self)
        if found and self.parent == committed:
            self.rename(folder / self.name)
        return found

    monkeypatch.setattr(Path, "exists", exists)
    with exclusive(folder / ".tmp-lock", folder):
        assert ShardSet.open(folder).manifest == whole
    assert list(committed.iterdir()) == []


def test_verify_beside_an_update_finds_no_damage(
    folder: Path, others: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[bool] = []

    def progress(*_: int) -> None:
        if not done:
            done.append(True)
            update(folder, others)

    assert verify(folder, progress=progress) == []
    assert done and ShardSet.open(folder).manifest == ShardSet.open(others).manifest
